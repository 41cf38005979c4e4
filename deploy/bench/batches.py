"""python -m condmix.deploy.bench.batches: what an image costs in a call of several, beside a call of one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from torch import nn

from condmix.deploy.bench.subjects import SUBJECTS, settled_network
from condmix.exporters.build import build_prepared, prepare
from condmix.exporters.capture import capture
from condmix.exporters.errors import NotExportableError
from condmix.exporters.options import ExportOptions
from condmix.exporters.tflite.build import build_tflite
from condmix.exporters.tflite.options import TfliteOptions
from condmix.runtime.cpu import read_cpu_facts
from condmix.runtime.latency import measure
from condmix.runtime.latency_report import Clock, LatencyReport, LatencySettings
from condmix.runtime.litert_session import LiteRtBackend
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from condmix.runtime.session import Session

ONE, ONE_TFLITE = "ONNX, one image a call", "TFLite, one image a call"


@dataclass(frozen=True, kw_only=True)
class BatchFile:
    """A file that is measured. images: of a call. base: the file for one image that it is compared with."""

    content: bytes
    images: int
    base: str
    is_onnx: bool = True


def batch_files(module: nn.Module, size: int, images: int, *, conditional: bool) -> dict[str, BatchFile]:
    """Name -> file: for one image, for `images` in every form that there is, for any number, in turn; and TFLite."""
    captured = capture(module, (3, size, size))
    prepared = prepare(captured, ExportOptions(), {}, lambda _stage: None)

    def onnx(images: int, **choices: object) -> BatchFile:
        options = ExportOptions(**choices)  # type: ignore[arg-type]
        proto = build_prepared(prepared, options, {}, lambda _stage: None).final.proto
        return BatchFile(content=proto.SerializeToString(), images=images, base=ONE)

    def tflite(images: int) -> BatchFile:
        made = build_tflite(captured, TfliteOptions(batch=images), {}, lambda _stage: None)
        return BatchFile(content=made.content, images=images, base=ONE_TFLITE, is_onnx=False)

    files = {ONE: onnx(1)}
    for form in ("auto", "grouped", "matmul", "experts") if conditional else ("auto",):
        shown = "" if form == "auto" else f" --condconv {form}"
        for batch, name in ((images, str(images)), (None, "dynamic")):
            try:
                files[f"--batch {name}{shown}"] = onnx(images, batch=batch, condconv=form)
            except (NotExportableError, ValueError) as error:
                click.echo(f"--batch {name}{shown}: {' '.join(str(error).split())[:120]}", err=True)
    files[f"--batch {images} --in-turn"] = onnx(images, batch=images, in_turn=True)
    files["--batch dynamic --in-turn"] = onnx(images, batch=None, in_turn=True)
    if conditional:
        files["--batch dynamic --in-turn --condconv blocked"] = onnx(
            images, batch=None, in_turn=True, condconv="blocked"
        )
    return {**files, ONE_TFLITE: tflite(1), f"TFLite, --batch {images}": tflite(images)}


def rows(files: Mapping[str, BatchFile], report: LatencyReport) -> list[str]:
    """Lines of a table: milliseconds an image, and their ratio to a call of one image."""
    lines = ["| file | ms an image | ratio to one image a call | interval |", "|---|---|---|---|"]
    for candidate in report.candidates:
        if candidate.name not in files:
            # The first file once more, which the noise floor is made of.
            continue
        file = files[candidate.name]
        ratio = report.ratio(candidate.name, file.base, Clock.CPU)
        ends = [end / file.images for end in (ratio.low, ratio.high) if end is not None]
        interval = " to ".join(f"{end:.3f}" for end in ends)
        milliseconds = candidate.median_ns(Clock.CPU) / 1e6 / file.images
        shown = "" if ratio.ratio is None else f"{ratio.ratio / file.images:.3f}"
        lines.append(f"| {candidate.name} | {milliseconds:.2f} | {shown} | {interval} |")
    return lines


def runner(file: BatchFile, images_nchw: np.ndarray) -> Callable[[], Mapping[str, np.ndarray]]:
    """A call of the file with its number of images."""
    backend = OnnxRuntimeBackend() if file.is_onnx else LiteRtBackend()
    session: Session = backend.open(file.content, threads=1)
    images = images_nchw if file.is_onnx else np.ascontiguousarray(images_nchw.transpose(0, 2, 3, 1))
    feeds = {session.signature.inputs[0].name: images[: file.images]}
    return lambda: session.run(feeds)


@click.command()
@click.argument("page", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--network", "networks", multiple=True, help="Only these networks (default: all).")
@click.option("--images", type=click.IntRange(min=2), default=8, show_default=True, help="Of a call.")
@click.option("--runs", default=30, show_default=True, help="Timed calls of each file.")
@click.option("--size", default=224, show_default=True, help="Height and width of the input.")
def main(page: Path, networks: tuple[str, ...], images: int, runs: int, size: int) -> None:
    """Write PAGE: milliseconds an image of calls with several images, one interleaved run a network, one thread."""
    settings = LatencySettings(warmup_runs=2, minimum_runs=runs, minimum_seconds=0.1, block=1, seed=0)
    facts = read_cpu_facts()
    lines = [f"Command: `python -m condmix.deploy.bench.batches {' '.join(sys.argv[1:])}`", ""]
    lines += [f"Machine: {', '.join(facts.model_names) or facts.architecture}, {', '.join(facts.features)}.", ""]
    image = np.random.default_rng(0).standard_normal((images, 3, size, size)).astype(np.float32)
    for subject in SUBJECTS:
        if networks and subject.network not in networks:
            continue
        click.echo(f"measuring {subject.network} ...", err=True)
        module = settled_network(subject.network, subject.settings, size)
        files = batch_files(module, size, images, conditional=subject.twin is not None)
        report = measure({name: runner(file, image) for name, file in files.items()}, settings=settings)
        floor = report.noise_floor(Clock.CPU)
        noise = "" if floor is None else f" (a file against itself differs by up to {floor:.3f})"
        lines += [f"**{subject.network}**, {images} images a call{noise}", "", *rows(files, report), ""]
    page.write_text("\n".join(lines))
    click.echo(page.read_text())


if __name__ == "__main__":
    main()
