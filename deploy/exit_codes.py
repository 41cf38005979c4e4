"""What each exit code means, and which failure leads to which."""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType

from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.errors import ImagesError, OutputError, PlanError, UnreadableFileError
from condmix.deploy.evaluate.errors import ShardsFailedError
from condmix.exporters.errors import (
    CalibrationError,
    CaptureError,
    ExportError,
    FormsFileError,
    GivenGraphError,
    NotExportableError,
    OptionsError,
    VerificationError,
)
from condmix.models.errors import ModelError, OptionalPackageError
from condmix.runtime.bundle.errors import BundleError, UnpackError
from condmix.runtime.errors import EngineMissingError, InvalidSettingError, ModelUnreadableError


class ExitCode(IntEnum):
    """The exit codes of every command."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    INPUT = 3
    NOT_EXPORTABLE = 4
    PARITY = 5
    ACCURACY = 6
    LATENCY = 7
    MISSING = 8
    INTERRUPTED = 130


MEANINGS = MappingProxyType(
    {
        ExitCode.OK: "done",
        ExitCode.UNEXPECTED: "unexpected error, or the output could not be written",
        ExitCode.USAGE: "wrong usage: unknown or contradictory flags, output exists",
        ExitCode.INPUT: "the input was not understood",
        ExitCode.NOT_EXPORTABLE: "a construct has no exact form for what was asked",
        ExitCode.PARITY: "the file does not compute what PyTorch computes",
        ExitCode.ACCURACY: "int8 loses more accuracy than --max-drop allows",
        ExitCode.LATENCY: "a latency gate (--fail-if, --baseline) is not met",
        ExitCode.MISSING: "an engine, a package or a device is missing, or the device failed",
        ExitCode.INTERRUPTED: "interrupted",
    }
)
"""Those that a command can end with today, in the words of --help."""

CODE_OF_FAILURE: tuple[tuple[type[BaseException], ExitCode], ...] = (
    (DeviceError, ExitCode.MISSING),
    (OptionsError, ExitCode.USAGE),
    (PlanError, ExitCode.USAGE),
    (InvalidSettingError, ExitCode.USAGE),
    (EngineMissingError, ExitCode.MISSING),
    (OptionalPackageError, ExitCode.MISSING),
    (ModelError, ExitCode.INPUT),
    (CaptureError, ExitCode.INPUT),
    (GivenGraphError, ExitCode.INPUT),
    (CalibrationError, ExitCode.INPUT),
    (FormsFileError, ExitCode.INPUT),
    (ImagesError, ExitCode.INPUT),
    (UnreadableFileError, ExitCode.INPUT),
    (ShardsFailedError, ExitCode.INPUT),
    (ModelUnreadableError, ExitCode.INPUT),
    (BundleError, ExitCode.INPUT),
    (NotExportableError, ExitCode.NOT_EXPORTABLE),
    # Nothing sound to compare with, such as a reference that is not finite: nothing was proven.
    (VerificationError, ExitCode.PARITY),
    (OutputError, ExitCode.UNEXPECTED),
    (UnpackError, ExitCode.UNEXPECTED),
    (ExportError, ExitCode.UNEXPECTED),
)
"""The first class that fits decides; every class here explains itself to a user."""


def code_of(error: BaseException) -> ExitCode | None:
    """The exit code of a failure that explains itself, None for one that nobody foresaw."""
    return next((code for kind, code in CODE_OF_FAILURE if isinstance(error, kind)), None)
