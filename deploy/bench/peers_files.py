"""Every file of a network: ours, the stock one, the static twin's and the peers', each peer's own way."""

from __future__ import annotations

import copy
import shutil
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from condmix.deploy.bench.int8_files import int8_bytes, quantize_static_bytes
from condmix.deploy.bench.litert_environment import QUANTIZER_WORKER
from condmix.deploy.bench.litert_environment import WORKER as LITERT_WORKER
from condmix.deploy.bench.peers_process import ConversionFailedError, run_conversion, worker_command
from condmix.deploy.bench.peers_rows import (
    CONVERTER,
    INT8,
    INT8_EXPERTS,
    NETWORK_REFERENCE,
    STOCK,
    TWIN,
    TWIN_LITERT,
    TWIN_REFERENCE,
    PeerRow,
    Reference,
    load,
    save,
)
from condmix.deploy.bench.subjects import Subject, condmix_bytes, settled_network, stock_bytes
from condmix.deploy.bench.tflite_int8 import int8_tflite
from condmix.deploy.bench.tflite_latency import CHECKED_IMAGES, own_error
from condmix.exporters.capture import capture
from condmix.exporters.tflite.build import build_tflite
from condmix.exporters.tflite.options import TfliteOptions
from condmix.exporters.verify.images import candidate_images
from condmix.runtime.bench.subject import LITERT, ONNXRUNTIME

ReportProgress = Callable[[str], None]
OnnxForms = Mapping[str, Mapping[str, str]]
MIXED: OnnxForms = {"condmix": {}, "condmix blocked": {"condconv": "blocked"}}
CONDITIONAL: OnnxForms = {**MIXED, "condmix blocked, int8 experts": {"condconv": "blocked", "experts": "int8"}}


class NetworkFiles:
    """Writes the files of one network that need no peer into a folder, and a row for each."""

    def __init__(self, subject: Subject, folder: Path, size: int, report_progress: ReportProgress) -> None:
        self._rows: list[PeerRow] = []
        self._subject = subject
        self._folder = folder
        self._size = size
        self._tell = report_progress

    def write(self) -> None:
        """Ours, the stock ones, the static twin's, and what the peers start from; the folder held nothing else before.

        Raises what our own export and torch.onnx.export raise.
        """
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        subject, size = self._subject, self._size
        self._tell(f"{subject.network}: torch.onnx.export and condmix")
        module = settled_network(subject.network, {}, size)
        references = {NETWORK_REFERENCE: reference_of(module, size)}
        stock = stock_bytes(module, size)
        self._add(PeerRow(name=STOCK, engine=ONNXRUNTIME, file="stock.onnx"), stock)
        self._add_ours(module)
        self._add_int8(module, stock)
        if subject.twin is not None:
            self._tell(f"{subject.network}: its static twin, {subject.twin}")
            twin = settled_network(subject.twin, {}, size)
            references[TWIN_REFERENCE] = reference_of(twin, size)
            row = PeerRow(name=TWIN, engine=ONNXRUNTIME, file="twin.onnx", reference=TWIN_REFERENCE)
            self._add(row, stock_bytes(twin, size))
            row = PeerRow(name=TWIN_LITERT, engine=LITERT, file="twin.tflite", reference=TWIN_REFERENCE)
            self._add(row, _tflite(twin, size, TfliteOptions()))
        self._write_program(module)
        save(self._folder, self._rows, references)

    def _add(self, row: PeerRow, content: bytes) -> None:
        assert row.file is not None
        (self._folder / row.file).write_bytes(content)
        self._rows.append(row)

    def _add_ours(self, module: nn.Module) -> None:
        is_conditional = self._subject.twin is not None
        forms = CONDITIONAL if is_conditional else MIXED
        for name, content in condmix_bytes(replace(self._subject, forms=forms), module, self._size).items():
            weights = INT8_EXPERTS if forms[name].get("experts") == "int8" else "float32"
            file = f"{name.replace(', ', '-').replace(' ', '-')}.onnx"
            self._add(PeerRow(name=f"{name}, ONNX Runtime", engine=ONNXRUNTIME, weights=weights, file=file), content)
        row = PeerRow(name="condmix, LiteRT", engine=LITERT, file="condmix.tflite")
        self._add(row, _tflite(module, self._size, TfliteOptions()))
        if is_conditional:
            name, file = "condmix, int8 experts, LiteRT", "condmix-int8-experts.tflite"
            row = PeerRow(name=name, engine=LITERT, weights=INT8_EXPERTS, file=file)
            self._add(row, _tflite(module, self._size, TfliteOptions(experts="int8")))

    def _add_int8(self, module: nn.Module, stock: bytes) -> None:
        self._tell(f"{self._subject.network}: int8")
        made = int8_bytes(module, self._size, conditional=False)
        for name, content in made.items():
            row = PeerRow(name=f"{name}, ONNX Runtime", engine=ONNXRUNTIME, weights=INT8, file="condmix-int8.onnx")
            self._add(row, content)
        row = PeerRow(
            name="quantize_static on stock, ONNX Runtime", engine=ONNXRUNTIME, weights=INT8, file="stock-int8.onnx"
        )
        self._add(row, quantize_static_bytes(stock, self._size))
        row = PeerRow(name="condmix int8, LiteRT", engine=LITERT, weights=INT8, file="condmix-int8.tflite")
        self._add(row, int8_tflite(module, self._size)[0])
        np.save(self._folder / "calibration.npy", candidate_images((3, self._size, self._size)).array_nchw)

    def _write_program(self, module: nn.Module) -> None:
        with warnings.catch_warnings():
            # torch's own export code warns about its tree utilities; nothing a user could act on.
            warnings.simplefilter("ignore")
            program = torch.export.export(module, (torch.zeros(1, 3, self._size, self._size),))
            torch.export.save(program, self._folder / "program.pt2")


def convert_peers(
    network: str,
    folder: Path,
    pythons: Mapping[str, Path | str],
    timeout_seconds: float,
    report_progress: ReportProgress,
) -> None:
    """The rows of these peers are made anew, each by its own converter; one that fails has its reason in its row.

    pythons: peer -> its interpreter, or why there is none. Raises FileNotFoundError before NetworkFiles wrote there.
    """
    rows, references = load(folder)
    for peer, python in pythons.items():
        made = []
        for row, source in peer_rows(peer):
            report_progress(f"{network}: {row.name}")
            made.append(_converted(row, peer, python, folder, source, timeout_seconds))
        names = {row.name for row in made}
        rows = [*(row for row in rows if row.name not in names), *made]
    save(folder, rows, references)


def _converted(
    row: PeerRow, peer: str, python: Path | str, folder: Path, source: str, timeout_seconds: float
) -> PeerRow:
    assert row.file is not None
    source_path, target, report = folder / source, folder / row.file, folder / "report.json"
    for old in (target, report):
        old.unlink(missing_ok=True)
    if isinstance(python, str):
        return replace(row, file=None, failure=python)
    if not source_path.is_file():
        return replace(row, file=None, failure=f"not converted: there is no {source} to convert")
    with tempfile.TemporaryDirectory() as name:
        # A copy: onnx2tf writes its simplified graph over the file that it is given.
        copy = Path(shutil.copy(source_path, name))
        command = conversion_command(peer, python, copy, target, report, folder / "calibration.npy")
        try:
            made = run_conversion(command, report, timeout_seconds=timeout_seconds)
        except ConversionFailedError as error:
            failure = str(error).replace(f"{folder.absolute()}/", "").replace(f"{name}/", "")
            return replace(row, file=None, failure=failure)
    return replace(row, convert_seconds=made.cpu_seconds, versions=dict(made.versions))


def peer_rows(peer: str) -> list[tuple[PeerRow, str]]:
    """The rows of a peer, each with the file that its converter starts from."""
    if peer == "openvino":
        quantized = PeerRow(
            name="quantize_static on stock, OpenVINO",
            engine=peer,
            weights=INT8,
            file="openvino-int8.xml",
            is_peer=True,
        )
        return [
            (PeerRow(name="OpenVINO", engine=peer, file="openvino.xml", is_peer=True), "stock.onnx"),
            (quantized, "stock-int8.onnx"),
        ]
    if peer == "mnn":
        return [(PeerRow(name="MNN", engine=peer, file="network.mnn", is_peer=True), "stock.onnx")]
    if peer == "executorch":
        return [(PeerRow(name="ExecuTorch", engine=peer, file="network.pte", is_peer=True), "program.pt2")]
    if peer == "onnx2tf":
        return [(PeerRow(name="onnx2tf, LiteRT", engine=LITERT, file="onnx2tf.tflite", is_peer=True), "stock.onnx")]
    quantized = PeerRow(
        name="litert-torch + ai-edge-quantizer, LiteRT",
        engine=LITERT,
        weights=INT8,
        file="litert-torch-int8.tflite",
        is_peer=True,
    )
    return [
        (PeerRow(name=CONVERTER, engine=LITERT, file="litert-torch.tflite", is_peer=True), "program.pt2"),
        (quantized, "litert-torch.tflite"),
    ]


def conversion_command(peer: str, python: Path, source: Path, target: Path, report: Path, images: Path) -> list[str]:
    """What writes the target from the source, by the peer's own interpreter."""
    paths = [str(path.absolute()) for path in (source, target, report)]
    if peer != "litert-torch":
        return worker_command(python, peer, "convert", *paths)
    if source.suffix == ".pt2":
        return [str(python), "-I", str(LITERT_WORKER), *paths]
    return [str(python), "-I", str(QUANTIZER_WORKER), paths[0], str(images.absolute()), *paths[1:]]


def reference_of(module: nn.Module, size: int) -> Reference:
    """Ordinary images, as the networks were settled on, and what PyTorch makes of them in float64."""
    candidates = candidate_images((3, size, size)).array_nchw
    images = candidates[:: max(1, len(candidates) // CHECKED_IMAGES)][:CHECKED_IMAGES]
    with torch.no_grad():
        expected = copy.deepcopy(module).double()(torch.from_numpy(images).double()).numpy()
    return Reference(images_nchw=images, expected=expected, own_error=own_error(module, images))


def _tflite(module: nn.Module, size: int, options: TfliteOptions) -> bytes:
    captured = capture(module, (3, size, size))
    return build_tflite(captured, options, {}, lambda _stage: None).content
