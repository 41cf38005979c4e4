"""A model with its weights in other files is served as one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest

from condmix.deploy.browser.errors import BrowserError
from condmix.deploy.browser.one_file import with_weights
from condmix.deploy.browser.session import BrowserSession
from condmix.deploy.browser.subject_file import SubjectFile, look_into
from condmix.runtime.bench.subject import BenchSubject
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from tests.deploy.browser.pieces import IMAGES, SETTINGS
from tests.runtime.test_external_data import WEIGHT, model_of


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "net.onnx"
    path.write_bytes(model_of("net.onnx.data"))
    (tmp_path / "net.onnx.data").write_bytes(WEIGHT.tobytes())
    return path


def session_of(model: Path) -> BrowserSession:
    subject = BenchSubject(name="net", file=model, engine="onnxruntime")
    files = look_into([subject], inputs={"net": {"x": IMAGES}}, references={}, seed=0)
    return opened(files)


def opened(files: Sequence[SubjectFile]) -> BrowserSession:
    return BrowserSession(
        files, SETTINGS, title="net", all_cores=False, webgpu=False, command=(), subject_seconds=9.0,
        report_progress=lambda _progress: None,
    )  # fmt: skip


def test_what_is_served_computes_the_same_alone(model: Path, tmp_path: Path):
    served = session_of(model).model_content(0)
    assert served is not None
    alone = tmp_path / "elsewhere"
    alone.mkdir()
    (alone / "one.onnx").write_bytes(served)
    outputs = OnnxRuntimeBackend().open(alone / "one.onnx", threads=1).run({"x": IMAGES})
    np.testing.assert_allclose(outputs["y"], IMAGES @ WEIGHT, rtol=0, atol=1e-5)


def test_weights_that_were_changed_meanwhile(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    subject = BenchSubject(name="net", file=model, engine="onnxruntime")
    files = look_into([subject], inputs={"net": {"x": IMAGES}}, references={}, seed=0)
    (tmp_path / "net.onnx.data").write_bytes((-WEIGHT).tobytes())
    with pytest.raises(BrowserError, match="was changed while it was looked into"):
        opened(files)
    monkeypatch.setattr(onnx, "load", lambda _path: (_ for _ in ()).throw(ValueError("too large")))
    with pytest.raises(BrowserError, match=r"net.onnx cannot be made one file for the page: too large. Measure"):
        with_weights(model)
