"""What one comparison of a network's files is to make, and where everything will lie."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from condmix.deploy.atomic import require_room
from condmix.deploy.compare.write import NAMES as COMPARISON_NAMES
from condmix.deploy.errors import OutputError
from condmix.deploy.format_choices import FORMATS, FormatFlags, choose_formats
from condmix.deploy.int8.flags import Int8Flags
from condmix.deploy.int8.plan import Int8Plan, plan_int8
from condmix.deploy.loading import Loading
from condmix.deploy.output_names import output_names, weights_stem
from condmix.deploy.plan import Plan
from condmix.deploy.report.write import NAMES as REPORT_NAMES
from condmix.deploy.tolerances import tolerances_for
from condmix.exporters.options import DEFAULT_OPSET

INT8_BANKS = "int8"


@dataclass(frozen=True, kw_only=True)
class CompareRequest:
    """One network from a weights file, in all its files, for one image a run.

    Before anything is built `room` makes sure that no older file is in the way; from then on exports may replace what
    is there, which is this comparison's own: a format tried alone writes the record of both.

    calib: images for int8; None for no int8 files. evaluate: labelled images; None for no accuracy.
    expert_banks: whether files with int8 expert banks and float arithmetic are among them.
    profile: whether each file is profiled after the measurement.
    """

    loading: Loading
    folder: Path
    calib: str | None = None
    evaluate: str | None = None
    expert_banks: bool = False
    profile: bool = False
    overwrite: bool = False
    command_line: tuple[str, ...] = ()

    @property
    def stem(self) -> str:
        """What all files are called after."""
        return weights_stem(self.loading.model)

    @property
    def stock_path(self) -> Path:
        """What torch.onnx.export writes."""
        return self.folder / f"{self.stem}_stock.onnx"

    @property
    def stock_int8_path(self) -> Path:
        """What onnxruntime's quantize_static makes of it."""
        return self.folder / f"{self.stem}_stock_int8.onnx"

    def float_plan(self, formats: tuple[str, ...], *, banks: bool) -> Plan:
        """The export of these formats in float arithmetic; banks: with int8 expert banks, under names of their own."""
        flags = FormatFlags(opset=DEFAULT_OPSET, experts=INT8_BANKS if banks else None)
        choices = choose_formats(formats, flags)
        # Beside the record of the plain files there is a record of these.
        target = self.folder / f"{self.stem}_int8experts.{formats[0]}" if banks else self.folder
        return Plan(
            loading=self.loading,
            output=output_names(self.loading.model, target, choices),
            choices=choices,
            tolerances=tolerances_for(choices, None),
            images=None,
            overwrite=True,
            command_line=self.command_line,
        )

    def int8_plan(self, formats: tuple[str, ...]) -> Int8Plan:
        """The export of these formats in int8."""
        return plan_int8(
            self.loading,
            self.folder,
            formats,
            Int8Flags(calib=self.calib),
            batch=1,
            opset=DEFAULT_OPSET,
            layout="nhwc",
            overwrite=True,
            command_line=self.command_line,
        )

    @cached_property
    def all_paths(self) -> tuple[Path, ...]:
        """Every file that may be written."""
        paths = [*self.float_plan(FORMATS, banks=False).output.all, self.stock_path]
        if self.expert_banks:
            paths += self.float_plan(FORMATS, banks=True).output.all
        if self.calib is not None:
            paths += [*self.int8_plan(FORMATS).all_paths, self.stock_int8_path]
        return (*paths, *(self.folder / name for name in (*REPORT_NAMES, *COMPARISON_NAMES)))


@contextmanager
def room(request: CompareRequest) -> Iterator[None]:
    """Inside, the folder is there and no file is in the way; one that was made here and stays empty goes again.

    Raises PlanError listing all files that are in the way, OutputError where the folder takes none.
    """
    made = make_folder(request.folder)
    try:
        require_room(request.all_paths, overwrite=request.overwrite)
        yield
    finally:
        if made:
            with contextlib.suppress(OSError):  # only an empty one goes
                request.folder.rmdir()


def make_folder(folder: Path) -> bool:
    """The folder is there; whether it was made now. Raises OutputError."""
    if folder.is_dir():
        return False
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise OutputError(folder, error) from error
    return True
