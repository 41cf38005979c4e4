"""From a weights file to a network that runs, and back. Nothing in a file is run unless that is allowed."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from condmix.models import assembly, checkpoint_format, file_kind, safetensors_file, state_dict, torch_file
from condmix.models.assembly import Assembly
from condmix.models.atomic_write import written_whole
from condmix.models.blueprint import Blueprint, assumed, draw
from condmix.models.checkpoint_format import CheckpointContents
from condmix.models.errors import CheckpointError, InputSizeError, NotACheckpointError
from condmix.models.key_matching import require_fit
from condmix.models.network import TorchNetwork
from condmix.models.preprocessing import InputSize, Preprocessing
from condmix.models.tensor_checks import as_float32

SUFFIXES = (".pt", ".pth")


def load(
    path: Path | str,
    *,
    architecture: str | None = None,
    factory: str | None = None,
    settings: Mapping[str, object] | None = None,
    input_size: InputSize | None = None,
    preprocessing: Preprocessing | None = None,
    entry: str | None = None,
    allow_pickle: bool = False,
    more_inputs: Mapping[str, tuple[int, ...]] | None = None,
) -> TorchNetwork:
    """The network in the file at `path`, complete: every tensor has found its place, or an error is raised.

    A file of `save` needs no more. Other weights need `architecture` (a zoo name or "timm:NAME", with
    `settings` as changes to its defaults) or `factory` ("package.module:function"), unless a known name
    stands beside them. `input_size` (channels, height, width) and `preprocessing` go before what is known of
    the architecture; `entry` chooses among several sets of weights in one file. `allow_pickle` runs code from
    the file where it cannot be read otherwise. `more_inputs` are shapes, without the batch axis, of what the forward
    takes behind the image.

    Raises subclasses of `CheckpointError`, `UnknownArchitectureError` and `SettingsError`.
    """
    path = Path(path)
    place = str(path)
    _refuse_contradictions(place, architecture, factory, settings)
    _check_input_size(place, input_size)
    content, read_notes = _read(path, allow_pickle=allow_pickle)
    if checkpoint_format.is_own(content):
        contents = checkpoint_format.decode(place, content)  # type: ignore[arg-type]  # is_own: a mapping
        _refuse_retelling(place, contents, architecture, factory, settings, entry)
        built = assembly.from_own_format(place, contents)
    else:
        found = state_dict.find(place, content, entry=entry)
        if factory is not None:
            built = assembly.from_factory(place, found, factory)
        elif found.module is not None and architecture is None:
            built = assembly.from_pickled_module(place, found.module, found.notes)
        else:
            built = assembly.from_architecture(place, found, architecture, settings)
    return _finished(path, built, read_notes, input_size, preprocessing, more_inputs or {})


def save(
    path: Path | str,
    module: nn.Module,
    *,
    architecture: str,
    settings: Mapping[str, object] | None = None,
    input_size: InputSize,
    preprocessing: Preprocessing,
    class_names: Sequence[str] | None = None,
    remarks: Sequence[str] = (),
) -> None:
    """The file at `path` (.pt or .pth) holds the network as `load` reads it back; an older file is replaced.

    `architecture` is a zoo name or "timm:NAME" and must, with `settings`, need exactly the module's tensors.
    `remarks` say how it was made and come back as notes. Raises `CheckpointError` and its subclasses,
    `UnknownArchitectureError` and `SettingsError`; then no file has changed.
    """
    path = Path(path)
    place = str(path)
    if path.suffix not in SUFFIXES:
        message = f"{place}: a checkpoint is saved as {' or '.join(SUFFIXES)}, not as {path.suffix or 'no suffix'!r}"
        raise CheckpointError(message)
    tensors, _ = as_float32(place, module.state_dict())
    blueprint = draw(architecture, settings)
    _check_against(place, blueprint, input_size, preprocessing, class_names)
    require_fit(
        place,
        f"{architecture} with these settings",
        blueprint.build().state_dict(),
        tensors,
        lambda: "Save it under the architecture and settings it was built with",
    )
    encoded = checkpoint_format.encode(
        CheckpointContents(
            architecture=architecture,
            settings=dict(settings or {}),
            state_dict={name: tensor.cpu().contiguous() for name, tensor in tensors.items()},
            input_size=input_size,
            preprocessing=preprocessing,
            class_names=None if class_names is None else tuple(class_names),
            remarks=tuple(remarks),
        )
    )
    try:
        with written_whole(path) as stream:
            torch.save(encoded, stream)
    except OSError as error:
        message = f"{place}: cannot be written ({error.strerror or error}); check the folder and its permissions"
        raise CheckpointError(message) from error


def _check_against(
    place: str,
    blueprint: Blueprint,
    input_size: InputSize,
    preprocessing: Preprocessing,
    class_names: Sequence[str] | None,
) -> None:
    channels = blueprint.input_size[0]
    counts = {"input_size": input_size[0], "preprocessing": len(preprocessing.mean)}
    problems = [
        f"{name} has {count} channels, {blueprint.architecture} with these settings has {channels}"
        for name, count in counts.items()
        if count != channels
    ]
    if class_names is not None and len(class_names) != blueprint.num_classes:
        problems.append(
            f"class_names has {len(class_names)} names, {blueprint.architecture} with these settings has "
            f"{blueprint.num_classes} classes"
        )
    if problems:
        message = f"{place}: not saved: {'; '.join(problems)}"
        raise CheckpointError(message)


def _read(path: Path, *, allow_pickle: bool) -> tuple[object, tuple[str, ...]]:
    """What the file holds, and notes on how it was read."""
    kind = file_kind.identify(path)
    if kind.is_program:
        message = (
            f"{path}: is a {kind.value}, expected weights; condmix export and condmix inspect take it as it is; for "
            f"weights, from the Python network {file_kind.SAVE_WEIGHTS}"
        )
        raise NotACheckpointError(message)
    if kind is file_kind.FileKind.SAFETENSORS:
        tensors, metadata = safetensors_file.read(path)
        named = next((metadata[key] for key in state_dict.ARCHITECTURE_KEYS if key in metadata), None)
        return (tensors if named is None else {"state_dict": tensors, "arch": named}), ()
    content, ran_pickle = torch_file.read(path, kind, allow_pickle=allow_pickle)
    return content, ("the file's pickle was run, as --allow-pickle permits",) if ran_pickle else ()


def _refuse_contradictions(
    place: str, architecture: str | None, factory: str | None, settings: Mapping[str, object] | None
) -> None:
    if architecture is not None and factory is not None:
        message = f"{place}: architecture {architecture!r} and factory {factory!r} both say the network; give one"
        raise CheckpointError(message)
    if factory is not None and settings:
        message = (
            f"{place}: settings ({', '.join(settings)}) change the zoo's networks, and {factory} is called "
            "without arguments; put them into that function"
        )
        raise CheckpointError(message)


def _refuse_retelling(
    place: str,
    contents: CheckpointContents,
    architecture: str | None,
    factory: str | None,
    settings: Mapping[str, object] | None,
    entry: str | None,
) -> None:
    """A file of ours says its own network: saying something else is a mistake, not a wish."""
    problems = []
    if architecture not in (None, contents.architecture):
        problems.append(f"architecture is {architecture!r}, the file says {contents.architecture!r}")
    if factory is not None:
        problems.append(f"factory is {factory!r}, the file says {contents.architecture!r}")
    if settings and checkpoint_format.as_plain(settings) != contents.settings:
        problems.append(f"settings are {dict(settings)}, the file says {dict(contents.settings)}")
    if entry is not None:
        problems.append(f"entry is {entry!r}, the file has one set of weights")
    if problems:
        message = f"{place}: is a condmix checkpoint and says its network itself; {'; '.join(problems)}; leave it out"
        raise CheckpointError(message)


def _check_input_size(place: str, input_size: InputSize | None) -> None:
    if input_size is None:
        return
    if len(input_size) != 3 or not all(type(size) is int and size > 0 for size in input_size):
        message = f"{place}: input_size is {input_size!r}, expected channels, height, width: whole numbers above 0"
        raise InputSizeError(message)


def _finished(
    path: Path,
    built: Assembly,
    read_notes: tuple[str, ...],
    input_size: InputSize | None,
    preprocessing: Preprocessing | None,
    more_inputs: Mapping[str, tuple[int, ...]],
) -> TorchNetwork:
    """The network in the state promised, tried on one input of zeros."""
    place = str(path)
    size = input_size or built.input_size
    if size is None:
        message = (
            f"{place}: nothing says the input size of {built.architecture}; give --input-size CHANNELS,HEIGHT,WIDTH"
        )
        raise InputSizeError(message)
    notes = (*read_notes, *built.notes)
    chosen = preprocessing or built.preprocessing
    if chosen is None:
        chosen = Preprocessing.default(size[0])
        notes = (*notes, assumed(chosen, built.architecture))
    module = built.module.eval().requires_grad_(requires_grad=False)
    _try_out(place, module, size, built.class_names, more_inputs)
    if len(chosen.mean) != size[0]:
        message = (
            f"{place}: the preprocessing has {len(chosen.mean)} channels, the input size {size} has "
            f"{size[0]}; give both alike"
        )
        raise InputSizeError(message)
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return TorchNetwork(
        module=module,
        architecture=built.architecture,
        settings=dict(built.settings),
        input_size=size,
        preprocessing=chosen,
        class_names=built.class_names,
        source=path,
        source_sha256=sha256,
        notes=notes,
    )


def _try_out(
    place: str,
    module: nn.Module,
    size: InputSize,
    class_names: tuple[str, ...] | None,
    more_inputs: Mapping[str, tuple[int, ...]],
) -> None:
    shape = (1, *size)
    try:
        with torch.no_grad():
            output = module(torch.zeros(shape), *(torch.zeros((1, *more)) for more in more_inputs.values()))
    except Exception as error:
        message = (
            f"{place}: the network does not run on an input of (batch, channels, height, width) = {shape}: "
            f"{type(error).__name__}: {error}; give the right --input-size"
            + (
                "; what its forward takes behind the image is told with --extra-input (export, inspect)"
                * isinstance(error, TypeError)
            )
        )
        raise InputSizeError(message) from error
    if class_names is not None and isinstance(output, Tensor) and output.shape[-1] != len(class_names):
        message = f"{place}: names {len(class_names)} classes, its network gives {output.shape[-1]} scores"
        raise CheckpointError(message)
