"""Blocks: what is shared, what is added, and what stays ordinary."""

import pytest
import torch
from torch import Tensor, nn

from condmix.models.blocks import (
    Classifier,
    InvertedResidual,
    InvertedResidualShape,
    SqueezeExcite,
    activation,
)
from condmix.models.condconv import CondConv2d, RoutedCondConv2d
from condmix.models.settings import NetworkSettings

SETTINGS = NetworkSettings(num_classes=7)


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def shape(**choices: object) -> InvertedResidualShape:
    numbers = {"in_channels": 8, "expanded_channels": 24, "out_channels": 8}
    return InvertedResidualShape(**{**numbers, **choices})  # type: ignore[arg-type]


def test_squeeze_excite_scales_channels_by_gates() -> None:
    block = SqueezeExcite(4, 2, "silu").double()
    x = random(2, 4, 3, 3)
    pooled = x.mean((2, 3))
    hidden = pooled @ block.reduce.weight.flatten(1).T + block.reduce.bias
    hidden = hidden / (1 + torch.exp(-hidden))
    logits = hidden @ block.expand.weight.flatten(1).T + block.expand.bias
    expected = x / (1 + torch.exp(-logits))[:, :, None, None]
    torch.testing.assert_close(block(x), expected, rtol=0, atol=1e-12)


def test_activations_by_name() -> None:
    x = torch.tensor([-1.0, 1.0, 8.0])
    assert activation("relu")(x).tolist() == [0.0, 1.0, 8.0]
    assert activation("relu6")(x).tolist() == [0.0, 1.0, 6.0]
    torch.testing.assert_close(activation("silu")(x), x * torch.sigmoid(x))


@pytest.mark.parametrize(
    ("choices", "added"),
    [({}, True), ({"stride": 2}, False), ({"out_channels": 16}, False)],
)
def test_the_input_is_added_where_shapes_allow(choices: dict[str, object], added: bool) -> None:
    block = InvertedResidual(shape(**choices), SETTINGS).double().eval()
    nn.init.zeros_(block.project.weight)  # type: ignore[arg-type]
    x = random(1, 8, 6, 6)
    answer = block(x)
    assert torch.equal(answer, x) if added else not answer.any()


def test_without_expansion_there_is_no_expansion_layer() -> None:
    block = InvertedResidual(shape(expanded_channels=8), SETTINGS)
    assert block.expand is None
    assert block(torch.zeros(2, 8, 4, 4)).shape == (2, 8, 4, 4)


def test_one_routing_of_the_blocks_input_serves_three_layers() -> None:
    block = InvertedResidual(shape(experts=3, squeeze_channels=2), SETTINGS).double().eval()
    seen: list[Tensor] = []
    mixed = [layer for layer in block.modules() if isinstance(layer, CondConv2d)]
    for layer in mixed:
        layer.register_forward_hook(lambda _layer, inputs, _output: seen.append(inputs[1]))
    x = random(2, 8, 6, 6)
    block(x)
    assert len(mixed) == 3
    assert block.routing is not None
    for gates in seen:
        assert torch.equal(gates, block.routing(x))
    assert block.squeeze_excite is not None
    assert all(isinstance(layer, nn.Conv2d) for layer in block.squeeze_excite.children() if len([*layer.parameters()]))


def test_routing_per_layer_has_its_own_width() -> None:
    block = InvertedResidual(shape(experts=3, routing_scope="layer"), SETTINGS)
    assert block.routing is None
    widths = [layer.routing.linear.in_features for layer in block.modules() if isinstance(layer, RoutedCondConv2d)]
    assert widths == [8, 24, 24]


def test_mixed_groups_are_joined_before_batch_norm() -> None:
    block = InvertedResidual(shape(kernel_sizes=(3, 5), expand_groups=2, project_groups=2), SETTINGS)
    norms = [layer.num_features for layer in block.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert norms == [24, 24, 8]


def test_batch_norm_has_the_networks_numbers() -> None:
    settings = NetworkSettings(batch_norm_epsilon=1e-4, batch_norm_momentum=0.2)
    block = InvertedResidual(shape(), settings)
    norms = [layer for layer in block.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-4, 0.2)}


def test_an_ordinary_classifier_is_linear_in_the_pooled_features() -> None:
    classifier = Classifier(5, SETTINGS).double()
    x = random(2, 5, 3, 3)
    assert isinstance(classifier.output, nn.Linear)
    expected = x.mean((2, 3)) @ classifier.output.weight.T + classifier.output.bias
    torch.testing.assert_close(classifier(x), expected, rtol=0, atol=1e-12)


def test_a_condconv_classifier_mixes_linear_layers_per_image() -> None:
    classifier = Classifier(5, SETTINGS, experts=3).double()
    assert isinstance(classifier.output, CondConv2d)
    assert classifier.output.bias_eo is not None
    nn.init.normal_(classifier.output.bias_eo, generator=torch.Generator().manual_seed(1))
    x = random(2, 5, 3, 3)
    pooled = x.mean((2, 3))
    assert classifier.routing is not None
    gates = classifier.routing(x)
    weights = torch.einsum("be,eoi->boi", gates, classifier.output.weight_eoihw.flatten(2))
    expected = torch.einsum("boi,bi->bo", weights, pooled) + gates @ classifier.output.bias_eo
    torch.testing.assert_close(classifier(x), expected, rtol=0, atol=1e-12)


def test_dropout_is_off_in_eval_mode_and_on_in_training() -> None:
    classifier = Classifier(64, NetworkSettings(dropout=0.5)).double()
    torch.manual_seed(0)
    x = random(1, 64, 1, 1)
    assert not torch.equal(classifier(x), classifier(x))
    classifier.eval()
    assert torch.equal(classifier(x), classifier(x))
