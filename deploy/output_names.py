"""Where an export writes: its files and their record, and the names they take instead when parity fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from condmix.deploy.errors import PlanError
from condmix.deploy.format_choices import ONNX, TFLITE, FormatChoices
from condmix.exporters.options import ExportOptions
from condmix.exporters.tflite.options import TfliteOptions
from condmix.exporters.tune.forms_file import SUFFIX as FORMS_SUFFIX

RECORD_SUFFIX = ".condmix.json"
REFERENCE_SUFFIX = ".reference.npz"
REJECTED = ".rejected"
_WEIGHTS_SUFFIXES = frozenset({".pt", ".pth", ".tar", ".ckpt", ".bin", ".safetensors", ".onnx", ".pt2"})
_STAGE_MARKS = (".named", ".rewritten")
REWRITTEN_MARK = "_condmix"
"""What the default name of an ONNX file carries that was made of another ONNX file."""
INT8_MARKS = MappingProxyType(
    {"full": "_int8", "dynamic": "_int8dynamic", "weights": "_int8weights", "int16": "_int16"}
)
"""What the default name of a quantised file carries, by its mode."""
_PRECISION_MARKS = (REWRITTEN_MARK, "_int8experts", "_float16experts", "_float16", *INT8_MARKS.values())


@dataclass(frozen=True, kw_only=True)
class OutputNames:
    """The names one export may write to: a file of each format, or its rejected twin, one record and one reference.

    The record and the reference have their rejected names only when no file was accepted.
    """

    models: Mapping[str, Path]
    """Format -> file."""
    record: Path

    def rejected_model(self, format_name: str) -> Path:
        """The name of a file that failed."""
        return _rejected(self.models[format_name], f".{format_name}")

    @property
    def rejected_record(self) -> Path:
        """The record's name when every file failed."""
        return _rejected(self.record, RECORD_SUFFIX)

    @property
    def reference(self) -> Path:
        """Images with PyTorch's results on them, beside the record."""
        return _other_suffix(self.record)

    @property
    def rejected_reference(self) -> Path:
        """The name of the same when every file failed."""
        return _other_suffix(self.rejected_record)

    @property
    def forms(self) -> Path:
        """The forms that tuning has found, beside the record."""
        return _other_suffix(self.record, FORMS_SUFFIX)

    @property
    def all(self) -> tuple[Path, ...]:
        """Every name, the wanted ones first."""
        wanted = (*self.models.values(), self.record, self.reference)
        rejected = (self.rejected_model(format_name) for format_name in self.models)
        return *wanted, *rejected, self.rejected_record, self.rejected_reference


def output_names(source: Path, output: Path | None, choices: FormatChoices) -> OutputNames:
    """The names for `source` (a weights file) and `output` as typed: a file, a folder, or nothing.

    A stage before the last and rounded weights show in the default names. Of several formats, `output` names the file
    of one and the others lie beside it.
    Raises PlanError for a name that ends in none of the formats, or that is the source itself.
    """
    marks = _marks(choices)
    if ONNX in marks and source.suffix.lower() == ".onnx":
        marks[ONNX] = marks[ONNX] or REWRITTEN_MARK
    return marked_names(source, output, marks)


def marked_names(source: Path, output: Path | None, marks: Mapping[str, str], *, record_mark: str = "") -> OutputNames:
    """The same for formats with what their default names carry beyond the stem: format -> mark.

    record_mark: what the default name of a record of several files carries.
    """
    folder, stem, typed = source.parent, weights_stem(source), None
    if output is not None and output.is_dir():
        folder = output
    elif output is not None:
        typed = next((name for name in marks if output.suffix == f".{name}" and output.name != f".{name}"), None)
        folder, stem = output.parent, output.name if typed is None else output.name.removesuffix(f".{typed}")
        if typed is None:
            summary = "the output (-o) cannot be used:"
            raise PlanError(summary, [_wrong_suffix(output, list(marks))])
    models = {
        name: folder / (f"{stem}.{name}" if name == typed else f"{_with_mark(stem, mark)}.{name}")
        for name, mark in marks.items()
    }
    problems = [
        f"{model} is the weights file itself: choose another name"
        for model in models.values()
        if model.absolute() == source.absolute()
    ]
    if problems:
        summary = "the output (-o) cannot be used:"
        raise PlanError(summary, problems)
    alone = next(iter(models.values()))
    record_stem = alone.name.removesuffix(alone.suffix) if len(models) == 1 else _with_mark(stem, record_mark)
    return OutputNames(models=models, record=folder / f"{record_stem}{RECORD_SUFFIX}")


def records_beside(model: Path) -> tuple[Path, ...]:
    """Where the record of an exported file may lie, likeliest first: its own, or one it shares with another format."""
    stem = model.name.removesuffix(model.suffix)
    names = dict.fromkeys(_record_stems(stem))
    return tuple(model.with_name(f"{name}{RECORD_SUFFIX}") for name in names)


def weights_stem(source: Path) -> str:
    """The name of a weights file without what says its kind: `a.pth.tar` is `a`, `mixnet_s.ft_in1k` stays."""
    name = Path(source.name)
    while name.suffix.lower() in _WEIGHTS_SUFFIXES and name.stem:
        name = Path(name.stem)
    return name.name


def _with_mark(stem: str, mark: str) -> str:
    """The stem with the mark, once: `-o net_int8.onnx` names the other files after it."""
    return stem if mark and stem.endswith(mark) else f"{stem}{mark}"


def _marks(choices: FormatChoices) -> dict[str, str]:
    """Format -> what its default name carries beyond the stem."""
    marks = {}
    if choices.onnx is not None:
        marks[ONNX] = _stage_mark(choices.onnx)
    if choices.tflite is not None:
        marks[TFLITE] = _precision_mark(choices.tflite)
    return marks


def _stage_mark(options: ExportOptions) -> str:
    if options.experts != "float32":
        return f"_{options.experts}experts"
    return "" if options.stage == "final" else f".{options.stage}"


def _precision_mark(options: TfliteOptions) -> str:
    weights = "" if options.precision == "float32" else f"_{options.precision}"
    return weights if options.bank == options.precision else f"{weights}_{options.bank}experts"


def _wrong_suffix(output: Path, formats: list[str]) -> str:
    suffixes = " or ".join(f".{name}" for name in formats)
    written = ", ".join(f"NAME.{name}" for name in formats)
    return f"{output} does not end in {suffixes}: --format {','.join(formats)} writes {written} and NAME{RECORD_SUFFIX}"


def _rejected(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name.removesuffix(suffix)}{REJECTED}{suffix}")


def _other_suffix(record: Path, suffix: str = REFERENCE_SUFFIX) -> Path:
    """What lies beside a record under its name; the reference unless told."""
    return record.with_name(f"{record.name.removesuffix(RECORD_SUFFIX)}{suffix}")


def _record_stems(stem: str) -> Iterator[str]:
    yield stem
    accepted = stem.removesuffix(REJECTED)
    for mark in (*_STAGE_MARKS, *_PRECISION_MARKS):
        # With int8 experts beside float16 weights there are two marks.
        accepted = accepted.removesuffix(mark)
    yield stem.removesuffix(REJECTED)
    yield accepted
    if stem.endswith(REJECTED):
        yield f"{accepted}{REJECTED}"
