"""Sound files of every kind that is read, as small as they can be."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from condmix.exporters.quantize.ranges_file import NetworkFingerprint
from tests.runtime.bench.reports import make_report
from tests.runtime.bundle.bundles import contents, some_reference, with_manifest, write_zip

ARCHITECTURE = "condconv_digits"
SETTINGS = {"width": 0.25}
FINGERPRINT = NetworkFingerprint(source_sha256="0" * 64, values=("image", "blocks.0", "logits"))


def checkpoint(folder: Path) -> bytes:
    """A file of `condmix train`."""
    import torch

    from condmix.models import blueprint, zoo
    from condmix.models.checkpoint import save

    torch.manual_seed(0)
    drawn = blueprint.draw(ARCHITECTURE, SETTINGS)
    path = folder / "sample.pt"
    save(
        path,
        zoo.build(ARCHITECTURE, SETTINGS),
        architecture=ARCHITECTURE,
        settings=SETTINGS,
        input_size=drawn.input_size,
        preprocessing=drawn.preprocessing,
    )
    return path.read_bytes()


def state_dict(folder: Path) -> bytes:
    """A bare `torch.save(network.state_dict())`."""
    import torch

    from condmix.models import zoo

    torch.manual_seed(0)
    path = folder / "sample.pt"
    torch.save(zoo.build(ARCHITECTURE, SETTINGS).state_dict(), path)
    return path.read_bytes()


def exported_program(folder: Path) -> bytes:
    """A network of torch.export.save."""
    from tests.exporters.program.programs import network, save_exported

    return save_exported(network(), folder / "sample.pt2").read_bytes()


def torchscript(folder: Path) -> bytes:
    """A network of torch.jit.save."""
    from tests.exporters.program.programs import network, save_scripted

    return save_scripted(network(), folder / "sample.pt").read_bytes()


def safetensors(folder: Path) -> bytes:
    """The same as safetensors."""
    import torch
    from safetensors.torch import save

    from condmix.models import zoo

    del folder
    torch.manual_seed(0)
    return save(zoo.build(ARCHITECTURE, SETTINGS).state_dict())


def bundle(folder: Path) -> bytes:
    """A bundle of one artifact."""
    return write_zip(folder / "sample.zip", with_manifest(contents())).read_bytes()


def reference(folder: Path) -> bytes:
    """Inputs with the outputs they must give."""
    from condmix.runtime.bench.reference import reference_content

    del folder
    return reference_content(some_reference())


def report(folder: Path) -> bytes:
    """A bench report of three subjects."""
    from condmix.deploy.json_text import to_json

    del folder
    return to_json(make_report().to_dict()).encode()


def onnx(folder: Path) -> bytes:
    """A convolution, a mixed kernel and a linear layer."""
    from onnx import helper

    from tests.runtime.conftest import build

    del folder
    generator = np.random.default_rng(0)

    def constant(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape).astype(np.float32)

    return build(
        [
            helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["a"], ["b"]),
            helper.make_node("GlobalAveragePool", ["b"], ["p"]),
            helper.make_node("Flatten", ["p"], ["f"]),
            helper.make_node("Gemm", ["f", "routing"], ["logits"]),
            helper.make_node("Sigmoid", ["logits"], ["r"]),
            helper.make_node("MatMul", ["r", "bank"], ["k"]),
            helper.make_node("Reshape", ["k", "shape"], ["kernel"]),
            helper.make_node("Conv", ["b", "kernel"], ["y"]),
        ],
        inputs={"x": [1, 3, 6, 6]},
        outputs={"y": [1, 5, 6, 6]},
        constants={
            "w": constant(4, 3, 3, 3),
            "routing": constant(4, 2),
            "bank": constant(2, 20),
            "shape": np.array([5, 4, 1, 1]),
        },
    )


def tflite(folder: Path) -> bytes:
    """A product with a constant."""
    from tests.runtime.tflite_files import Operator, build_tflite

    del folder
    weight = np.ones((5, 4), np.float32)
    return build_tflite(
        {"x": ((1, 4), "float32"), "w": weight, "y": ((1, 5), "float32"), "z": ((1, 5), "float32")},
        [
            Operator(name="FULLY_CONNECTED", inputs=["x", "w"], outputs=["y"]),
            Operator(name="LOGISTIC", inputs=["y"], outputs=["z"]),
        ],
        inputs=["x"],
        outputs=["z"],
    )


def ranges(folder: Path) -> bytes:
    """Saved calibration ranges of three values."""
    from condmix.exporters.quantize.ranges import Range, Ranges
    from condmix.exporters.quantize.ranges_file import to_text

    del folder
    found = Ranges(
        method="percentile",
        image_count=3,
        images_sha256="1" * 64,
        values={name: Range(low=-1.5, high=2.25) for name in FINGERPRINT.values},
        routing={"routing": np.full((3, 2), 0.5, np.float32)},
        channel_means={"blocks.0": np.arange(3, dtype=np.float32)},
    )
    return to_text(found, FINGERPRINT).encode()


def fleet(folder: Path) -> bytes:
    """A fleet of a board and a phone."""
    del folder
    return b"""[device.pi4]
address = "ssh://pi@raspberrypi.local:2222"
architecture = "aarch64"
python = "python3.11"
folder = "/var/tmp/condmix"

[device.phone]
address = "adb:0123456789ABCDEF"
"""


def forms(folder: Path) -> bytes:
    """The forms that a tuning chose for two layers."""
    from condmix.exporters.tune.forms_file import FormsFile, LayerForm

    del folder
    layers = (
        LayerForm(layer="blocks.0.dw", form="experts", why="measured 0.8"),
        LayerForm(layer="blocks.1.mix", form="merged", why="measured 0.9"),
    )
    return FormsFile(
        condmix_version="0.1.0",
        network="net",
        input_size=(3, 32, 32),
        batch=1,
        runtime="onnxruntime 1.31.1",
        machine="x86_64",
        threads=1,
        finisher="",
        forms=layers,
    ).content()
