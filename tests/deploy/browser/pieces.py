"""A small ONNX file with its reference, what a browser tells, and what its page posts, without a browser."""

from __future__ import annotations

import base64
import dataclasses
import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from condmix.deploy.browser.facts import BrowserFacts
from condmix.deploy.browser.server import BrowserServer
from condmix.deploy.browser.session import BrowserSession
from condmix.deploy.browser.subject_file import SubjectFile, look_into
from condmix.runtime.bench.reference import Limit, Reference
from condmix.runtime.bench.run import Progress
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.bench.subject import BenchSubject

WEIGHT = np.random.default_rng(3).standard_normal((4, 5)).astype(np.float32)
IMAGES = np.random.default_rng(4).standard_normal((3, 4)).astype(np.float32)
SETTINGS = BenchSettings(minimum_runs=10, minimum_seconds=0.0, openings=1, block=5)
FACTS = BrowserFacts(
    user_agent="Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 (KHTML) Chrome/156.0.0.0 Mobile Safari/537.36",
    platform="Android 16",
    architecture="arm 64",
    model="Pixel",
    hardware_concurrency=8,
    device_memory_gib=8.0,
    cross_origin_isolated=True,
    secure_context=True,
    relaxed_simd=True,
    webgpu_adapter="arm valhall",
    webgpu_missing=None,
    clock_step_ns=5000,
    power="battery discharging, 80 %",
    screen="412x915 at 2.625",
)
PLAIN = dataclasses.replace(
    FACTS,
    cross_origin_isolated=False,
    webgpu_adapter=None,
    webgpu_missing="WebGPU needs https or localhost",
)


def model_content(dtype: int = TensorProto.FLOAT) -> bytes:
    """y[1, 5] = x[1, 4] @ weight."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "graph",
        [helper.make_tensor_value_info("x", dtype, [1, 4])],
        [helper.make_tensor_value_info("y", dtype, [1, 5])],
        [numpy_helper.from_array(WEIGHT.astype(helper.tensor_dtype_to_np_dtype(dtype)), "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString()


def onnx_subject(folder: Path, *, name: str = "net", threads: int = 1) -> BenchSubject:
    path = folder / "net.onnx"
    path.write_bytes(model_content())
    return BenchSubject(name=name, file=path, engine="onnxruntime", threads=threads)


def reference(file_name: str = "net.onnx") -> Reference:
    return Reference(
        inputs={"x": IMAGES},
        outputs={"y": IMAGES @ WEIGHT},
        outputs_are="PyTorch in float64",
        limits={file_name: Limit(max_abs_difference=1e-5)},
    )


def subject_files(folder: Path, *, threads: int = 1) -> tuple[SubjectFile, ...]:
    subject = onnx_subject(folder, threads=threads)
    return look_into([subject], inputs={}, references={subject.name: reference()}, seed=0)


def session_of(
    files: tuple[SubjectFile, ...], *, all_cores: bool = False, webgpu: bool = False, told: list[Progress] | None = None
) -> BrowserSession:
    return BrowserSession(
        files,
        SETTINGS,
        title="net.onnx",
        all_cores=all_cores,
        webgpu=webgpu,
        command=("condmix", "bench"),
        subject_seconds=60.0,
        report_progress=(lambda _progress: None) if told is None else told.append,
    )


def posted_array(array: np.ndarray) -> dict[str, object]:
    return {
        "dtype": array.dtype.name,
        "shape": list(array.shape),
        "data": base64.b64encode(np.ascontiguousarray(array).tobytes()).decode(),
    }


def posted_subject(name: str, *, runs: int = 120, wall_ns: int = 2_000_000, off: float = 0.0) -> dict[str, Any]:
    """Runs in blocks of five, each a little different from the last."""
    outputs = (IMAGES @ WEIGHT + np.float32(off)).reshape(3, 1, 5).astype(np.float32)
    return {
        "name": name,
        "engine_version": "1.30.0",
        "engine_start_ns": 300_000_000,
        "fully_accelerated": None,
        "failure": None,
        "openings": [{"load_ns": 9_000_000, "first_inference_ns": 8_000_000, "warmup_wall_ns": [2_100_000] * 5}],
        "outputs": [{"y": posted_array(outputs)}],
        "samples": {
            "start_ns": [place * 3_000_000 for place in range(runs)],
            "wall_ns": [wall_ns + 1000 * (place % 7) for place in range(runs)],
            "round": [place // 5 for place in range(runs)],
            "opening": [0] * runs,
            "input": [place % 3 for place in range(runs)],
        },
    }


def posted_run(plan: dict[str, Any], **changes: object) -> dict[str, Any]:
    """What a page that measured that plan without a fault hands in."""
    return {
        "schema_version": 1,
        "kind": "condmix-browser-run",
        "nonce": plan["nonce"],
        "rounds": 24,
        "interrupted": None,
        "hidden_seconds": 0.0,
        "clock_step_ns": 5000,
        "power": "battery discharging, 79 %",
        "subjects": [posted_subject(one["name"]) for one in plan["subjects"]],
        **changes,
    }


@dataclasses.dataclass(frozen=True, kw_only=True)
class Client:
    """Requests to one server, with or without what a browser would add."""

    port: int
    token: str

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, *, token: str | None = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
        return self.raw("GET", f"/{self.token if token is None else token}/{path}", b"", headers)

    def post(self, path: str, data: object, **headers: str) -> tuple[int, dict[str, Any]]:
        own = {"Origin": self.origin, "Content-Type": "application/json", **headers}
        content = data if isinstance(data, bytes) else json.dumps(data).encode()
        status, _, answer = self.raw("POST", f"/{self.token}/{path}", content, own)
        return status, json.loads(answer)

    def raw(self, method: str, path: str, content: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.putrequest(method, path, skip_host="Host" in headers)
            if method == "POST" and "Content-Length" not in headers and "Transfer-Encoding" not in headers:
                connection.putheader("Content-Length", str(len(content)))
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders(content or None)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()


@contextmanager
def serving(session: BrowserSession, assets: dict[str, Path] | None = None, **choices: Any) -> Iterator[Client]:
    server = BrowserServer(session, assets or {}, bind="127.0.0.1", port=0, **choices)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield Client(port=server.server_address[1], token=session.token)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
