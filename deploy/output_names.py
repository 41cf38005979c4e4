"""Where an export writes: the file and its record, and the names it takes instead when parity fails."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from condmix.deploy.errors import PlanError

RECORD_SUFFIX = ".condmix.json"
_WEIGHTS_SUFFIXES = frozenset({".pt", ".pth", ".tar", ".ckpt", ".bin", ".safetensors"})


@dataclass(frozen=True, kw_only=True)
class OutputNames:
    """The four names one export may write to; never more than two of them are used."""

    model: Path
    record: Path
    rejected_model: Path
    rejected_record: Path

    @property
    def all(self) -> tuple[Path, ...]:
        """Every name, the wanted ones first."""
        return self.model, self.record, self.rejected_model, self.rejected_record


def output_names(source: Path, output: Path | None, stage: str) -> OutputNames:
    """The names for `source` (a weights file) and `output` as typed: a file, a folder, or nothing.

    A stage before the last shows in the default name. Raises PlanError for a name that is not .onnx, or that
    is the source itself.
    """
    marked = "" if stage == "final" else f".{stage}"
    default_name = f"{weights_stem(source)}{marked}.onnx"
    model = source.with_name(default_name) if output is None else output
    if output is not None and output.is_dir():
        model = output / default_name
    problems = []
    if model.suffix != ".onnx" or model.name == ".onnx":
        problems.append(f"{model} does not end in .onnx: --format onnx writes NAME.onnx and NAME{RECORD_SUFFIX}")
    if model.absolute() == source.absolute():
        problems.append(f"{model} is the weights file itself: choose another name")
    if problems:
        summary = "the output (-o) cannot be used:"
        raise PlanError(summary, problems)
    stem = model.name.removesuffix(".onnx")
    return OutputNames(
        model=model,
        record=model.with_name(f"{stem}{RECORD_SUFFIX}"),
        rejected_model=model.with_name(f"{stem}.rejected.onnx"),
        rejected_record=model.with_name(f"{stem}.rejected{RECORD_SUFFIX}"),
    )


def record_beside(model: Path) -> Path:
    """Where the record of an exported file lies."""
    return model.with_name(f"{model.name.removesuffix('.onnx')}{RECORD_SUFFIX}")


def weights_stem(source: Path) -> str:
    """The name of a weights file without what says its kind: `a.pth.tar` is `a`, `mixnet_s.ft_in1k` stays."""
    name = Path(source.name)
    while name.suffix.lower() in _WEIGHTS_SUFFIXES and name.stem:
        name = Path(name.stem)
    return name.name
