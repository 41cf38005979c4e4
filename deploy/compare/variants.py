"""The files of one network: what was built and may be measured, and why the others are not there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from condmix.deploy.atomic import pending_files
from condmix.deploy.calibration_images import open_calibration_images
from condmix.deploy.compare.opened import OpenedNetwork
from condmix.deploy.compare.request import CompareRequest
from condmix.deploy.compare.stock import stock_int8
from condmix.deploy.errors import DeployError
from condmix.deploy.format_choices import FORMATS, TITLES
from condmix.deploy.int8.pipeline import run as run_int8
from condmix.deploy.int8.record import Int8Outcome
from condmix.deploy.pipeline import run as run_float
from condmix.deploy.record import ExportOutcome
from condmix.exporters.errors import CalibrationError, CaptureError, ExportError, VerificationError
from condmix.exporters.verify.records import Verification
from condmix.models.network import LoadedNetwork
from condmix.runtime.bench.reference import Reference, read_reference
from condmix.runtime.errors import EngineMissingError, one_line

STOCK, STOCK_INT8 = "stock ONNX", "stock int8 ONNX"
STOCK_SAMPLES = 16
"""quantize_static keeps every value of the network for all images: of more a laptop's memory would not suffice."""
OURS, OURS_INT8, OURS_BANKS = "condmix", "condmix int8", "condmix int8 experts"


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One file that was built and has passed its proof; stock files have none of their own."""

    name: str
    path: Path
    is_ours: bool


@dataclass(frozen=True, kw_only=True)
class Missing:
    """One file that is not there, and why. rejected: it was built and does not compute what it should."""

    name: str
    reason: str
    rejected: bool = False


@dataclass(kw_only=True)
class Built:
    """What came of one network, in the order of the table. references: of float and int8 exports, by their kind."""

    variants: list[Variant] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    references: dict[str, Reference] = field(default_factory=dict)
    errors: list[Exception] = field(default_factory=list)
    """Of exports that could not be made at all."""


Export = Callable[[tuple[str, ...]], ExportOutcome | Int8Outcome]


def build_variants(request: CompareRequest, opened: OpenedNetwork, report_progress: Callable[[str], None]) -> Built:
    """Every file that the request names, each in its place of `variants` or `missing`.

    Raises what is wrong with the input (unreadable weights or images), and the first error when nothing was built.
    """
    built = Built()
    stock = _stock(request, opened, built, report_progress)

    def told(name: str) -> Callable[[str], None]:
        return lambda stage: report_progress(f"{name}: {stage}")

    def export_float(formats: tuple[str, ...]) -> ExportOutcome:
        return run_float(request.float_plan(formats, banks=False), told(OURS))

    def export_banks(formats: tuple[str, ...]) -> ExportOutcome:
        return run_float(request.float_plan(formats, banks=True), told(OURS_BANKS))

    def export_int8(formats: tuple[str, ...]) -> Int8Outcome:
        return run_int8(request.int8_plan(formats), told(OURS_INT8))

    _add(built, OURS, export_float)
    if request.expert_banks:
        _add(built, OURS_BANKS, export_banks)
    if request.calib is not None:
        if stock is not None:
            _stock_int8(request, opened.network, stock, built, report_progress)
        else:
            built.missing.append(Missing(name=STOCK_INT8, reason=f"there is no {STOCK} file to make it of"))
        _add(built, OURS_INT8, export_int8)
    if not built.variants and built.errors:
        raise built.errors[0]
    return built


def _stock(
    request: CompareRequest, opened: OpenedNetwork, built: Built, report_progress: Callable[[str], None]
) -> bytes | None:
    report_progress(f"{STOCK}: torch.onnx.export")
    try:
        content = opened.stock()
    except Exception as error:  # noqa: BLE001 - an exporter of others may raise anything, and is then a row
        built.missing.append(Missing(name=STOCK, reason=f"torch.onnx.export failed: {_reason(error)}"))
        return None
    _keep(built, STOCK, request.stock_path, content)
    return content


def _stock_int8(
    request: CompareRequest,
    network: LoadedNetwork,
    stock: bytes,
    built: Built,
    report_progress: Callable[[str], None],
) -> None:
    report_progress(f"{STOCK_INT8}: quantize_static")
    assert request.calib is not None
    images = open_calibration_images(request.calib, network, samples=STOCK_SAMPLES, use_labels=False)
    try:
        content = stock_int8(stock, images)
    except DeployError:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        built.missing.append(Missing(name=STOCK_INT8, reason=f"quantize_static failed: {_reason(error)}"))
        return
    _keep(built, STOCK_INT8, request.stock_int8_path, content)


def _keep(built: Built, name: str, path: Path, content: bytes) -> None:
    with pending_files(overwrite=True) as files:
        files.write(path, content)
        files.commit()
    built.variants.append(Variant(name=name, path=path, is_ours=False))


def _add(built: Built, title: str, export: Export) -> None:
    """The files of one export. What stops both formats may be about one of them: then each is tried alone."""
    try:
        _take(built, title, export(FORMATS))
    except (CaptureError, CalibrationError, VerificationError) as error:
        built.errors.append(error)
        built.missing += [Missing(name=_name(title, one), reason=_reason(error)) for one in FORMATS]
    except (ExportError, EngineMissingError):
        for one in FORMATS:
            try:
                _take(built, title, export((one,)))
            except (ExportError, EngineMissingError) as error:
                built.errors.append(error)
                built.missing.append(Missing(name=_name(title, one), reason=_reason(error)))


def _take(built: Built, title: str, outcome: ExportOutcome | Int8Outcome) -> None:
    made = {str(file.artifact.format) for file in outcome.files}
    for file in outcome.files:
        name = _name(title, str(file.artifact.format))
        if file.passed:
            built.variants.append(Variant(name=name, path=file.artifact.path, is_ours=True))
        else:
            proof = file.verification
            faults = _float_faults(proof) if isinstance(proof, Verification) else proof.problems()
            reason = f"it was rejected: {'; '.join(faults)}"
            built.missing.append(Missing(name=name, reason=reason, rejected=True))
    if isinstance(outcome, Int8Outcome) and not made:
        reason = f"the float graph is not PyTorch's: {'; '.join(_float_faults(outcome.shared))}"
        built.missing += [Missing(name=_name(title, one), reason=reason, rejected=True) for one in outcome.plan.formats]
    if outcome.reference is not None:
        built.references[title] = read_reference(outcome.reference.path)


def _float_faults(verification: Verification) -> list[str]:
    """What spoke against the file, or the graph before it."""
    faults = [f"stage {item.stage}: {item.report.sentence()}" for item in verification.stages if not item.report.passed]
    faults += [] if verification.rounded is None else verification.rounded.problems()
    batches = verification.batches
    return [*faults, *([] if batches is None or batches.passed else [f"batches: {batches.sentence()}"])]


def _name(title: str, format_name: str) -> str:
    return f"{title} {TITLES[format_name]}"


def _reason(error: Exception) -> str:
    return one_line(error) or type(error).__name__
