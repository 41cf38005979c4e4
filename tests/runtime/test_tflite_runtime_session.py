import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from condmix.runtime import tflite_environment
from condmix.runtime.errors import (
    EnvironmentMissingError,
    InvalidSettingError,
    ModelUnreadableError,
    SessionFailedError,
    SignatureMismatchError,
)
from condmix.runtime.litert_session import LiteRtBackend
from condmix.runtime.tflite_runtime_session import TfliteRuntimeBackend, prepare
from tests.runtime.tflite_files import DenseNet, DynamicDepthwise, Operator, build_tflite
from tests.runtime.tflite_sites import CRASH, HANG, STAND_IN, add_metadata, make_stand_in

NET = DenseNet()
PYTHON = Path(sys.executable)


@pytest.fixture
def backend(stand_in: Path) -> TfliteRuntimeBackend:
    return TfliteRuntimeBackend(stand_in, python=PYTHON)


def test_a_session_gives_what_litert_gives(backend: TfliteRuntimeBackend, tmp_path: Path):
    path = tmp_path / "net.tflite"
    path.write_bytes(NET.to_tflite())
    assert backend.available() is None
    for model in (path, NET.to_tflite()):
        for delegate in (True, False):
            here = LiteRtBackend().open(model, threads=1, delegate=delegate)
            with backend.open(model, threads=1, delegate=delegate) as there:
                assert there.signature == here.signature
                for images in (NET.images, -NET.images):
                    found = there.run({"images": images})
                    # The stand-in is LiteRT: not a bit may be lost on the way.
                    np.testing.assert_array_equal(found["logits"], here.run({"images": images})["logits"])
                    assert found["logits"].flags.owndata


def test_two_sessions_do_not_meet(backend: TfliteRuntimeBackend):
    with backend.open(NET.to_tflite(), threads=1) as one, backend.open(NET.to_tflite(), threads=2) as other:
        assert one.process_number != other.process_number
        first = one.run({"images": NET.images})["logits"]
        other.run({"images": -NET.images})
        np.testing.assert_array_equal(one.run({"images": NET.images})["logits"], first)


def test_two_names_for_one_output(backend: TfliteRuntimeBackend):
    names = {"serving_default": ({"images": "x"}, {"logits": "y", "again": "y"})}
    with backend.open(NET.to_tflite(signatures=names), threads=1) as session:
        outputs = session.run({"images": NET.images})
    assert sorted(outputs) == ["again", "logits"]
    np.testing.assert_array_equal(outputs["again"], outputs["logits"])


def test_feeds_in_any_memory_order_arrive(backend: TfliteRuntimeBackend):
    with backend.open(NET.to_tflite(), threads=1) as session:
        straight = session.run({"images": NET.images})["logits"]
        np.testing.assert_array_equal(session.run({"images": np.asfortranarray(NET.images)})["logits"], straight)


def test_feeds_that_do_not_fit_never_reach_the_worker(backend: TfliteRuntimeBackend):
    with (
        backend.open(NET.to_tflite(), threads=1) as session,
        pytest.raises(SignatureMismatchError, match="axis 0 must be 2, found 3"),
    ):
        session.run({"images": np.zeros((3, 4), np.float32)})


def test_a_crash_fails_the_run_and_every_later_one(backend: TfliteRuntimeBackend):
    session = backend.open(NET.to_tflite(), threads=1)
    with pytest.raises(SessionFailedError, match=r"^tflite-runtime failed .* in memory: the worker .* signal SIGSEGV"):
        session.run({"images": np.full((2, 4), CRASH, np.float32)})
    with pytest.raises(SessionFailedError, match="the worker process was ended before"):
        session.run({"images": NET.images})


def test_a_worker_that_was_killed_between_runs(backend: TfliteRuntimeBackend):
    session = backend.open(NET.to_tflite(), threads=1)
    os.kill(session.process_number, signal.SIGKILL)
    with pytest.raises(SessionFailedError, match="the worker process ended with signal SIGKILL"):
        session.run({"images": NET.images})


def test_a_run_without_end_fails_in_time(stand_in: Path):
    session = TfliteRuntimeBackend(stand_in, python=PYTHON, timeout_seconds=2).open(NET.to_tflite(), threads=1)
    with pytest.raises(SessionFailedError, match="the worker process gave no answer within 2 s"):
        session.run({"images": np.full((2, 4), HANG, np.float32)})


def test_unreadable_files(backend: TfliteRuntimeBackend, tmp_path: Path):
    with pytest.raises(ModelUnreadableError, match=r"tflite-runtime 2\.14\.0 says: The model is not a valid Flat"):
        backend.open(b"this is no flatbuffer", threads=1)
    with pytest.raises(ModelUnreadableError, match=r"no.tflite' cannot be opened: there is no such file\."):
        backend.open(tmp_path / "no.tflite", threads=1)
    with pytest.raises(ModelUnreadableError, match="it is a folder"):
        backend.open(tmp_path, threads=1)
    with pytest.raises(ModelUnreadableError, match="it is empty"):
        backend.open(b"", threads=1)
    unknown = build_tflite(
        {"x": ((1,), "float32"), "y": ((1,), "float32")},
        [Operator(name="Frobnicate", inputs=["x"], outputs=["y"])],
        inputs=["x"],
        outputs=["y"],
    )
    with pytest.raises(ModelUnreadableError, match="Frobnicate"):
        backend.open(unknown, threads=1)


def test_settings_that_cannot_be(backend: TfliteRuntimeBackend):
    with pytest.raises(InvalidSettingError, match="threads must be at least 1, found 0"):
        backend.open(NET.to_tflite(), threads=0)
    with pytest.raises(InvalidSettingError, match="timeout_seconds must be above 0, found 0"):
        TfliteRuntimeBackend(backend.site, timeout_seconds=0)


def test_all_that_is_missing_is_told_at_once(tmp_path: Path):
    backend = TfliteRuntimeBackend(tmp_path / "no", python=tmp_path / "python")
    reason = str(backend.available())
    assert f"'{tmp_path / 'python'}' does not start: " in reason
    assert f"there is no folder '{tmp_path / 'no'}' with its packages. Install it with: python3.11 -m pip " in reason
    with pytest.raises(EnvironmentMissingError):
        backend.open(NET.to_tflite(), threads=1)


def test_without_any_python_that_fits(stand_in: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tflite_environment, "python_problem", lambda _: "does not fit")
    assert "no Python of 3.9 to 3." in str(TfliteRuntimeBackend(stand_in).available())


def test_an_engine_that_is_imported_but_cannot_compute_is_not_available(tmp_path: Path, stand_in: Path):
    # As tflite-runtime beside numpy 2 does; the metadata of this folder do not give it away.
    broken = STAND_IN + "\n    def __init__(self, **settings): raise SystemError('_ARRAY_API not found')\n"
    site = make_stand_in(tmp_path / "broken", broken)
    reason = str(TfliteRuntimeBackend(site, python=PYTHON).available())
    assert "tflite-runtime 2.14.0 says: _ARRAY_API not found" in reason
    assert TfliteRuntimeBackend(stand_in, python=PYTHON).available() is None


def test_an_engine_that_computes_wrongly_is_not_available(tmp_path: Path, stand_in: Path):
    wrong = STAND_IN + "\n    def get_tensor(self, number): return super().get_tensor(number) * 2\n"
    site = make_stand_in(tmp_path / "wrong", wrong)
    assert "tflite-runtime computes wrongly" in str(TfliteRuntimeBackend(site, python=PYTHON).available())
    assert TfliteRuntimeBackend(stand_in, python=PYTHON).available() is None


def test_preparing_leaves_a_folder_that_works(stand_in: Path):
    before = sorted(stand_in.iterdir())
    assert prepare(stand_in, PYTHON).available() is None
    assert sorted(stand_in.iterdir()) == before


def test_preparing_never_touches_a_folder_that_holds_something_else(tmp_path: Path, stand_in: Path):
    add_metadata(tmp_path / "mine", "numpy", "2.4.6")
    with pytest.raises(InvalidSettingError) as caught:
        prepare(tmp_path / "mine", PYTHON)
    assert "exists and does not work: the engine 'tflite-runtime' cannot be used: " in caught.value.problems[0]
    assert caught.value.problems[1] == "remove it, or name another folder"
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["numpy-2.4.6.dist-info"]
    assert stand_in.is_dir()


@pytest.mark.parametrize(
    ("pip", "reason"),
    [
        ("echo 'ERROR: no route' >&2; exit 1", "pip could not install it: ERROR: no route"),
        ("exit 0", "it was installed but does not work: "),
    ],
)
def test_preparing_that_fails_leaves_nothing(tmp_path: Path, stand_in: Path, pip: str, reason: str):
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\ncase "$*" in *pip*) {pip};; *) echo 3 11;; esac\n')
    python.chmod(0o755)
    with pytest.raises(EnvironmentMissingError) as caught:
        prepare(tmp_path / "new" / "site", python)
    assert reason in str(caught.value)
    assert list((tmp_path / "new").iterdir()) == []
    assert stand_in.is_dir()


def test_preparing_with_a_python_that_does_not_fit(tmp_path: Path):
    with pytest.raises(EnvironmentMissingError, match="no' does not start"):
        prepare(tmp_path / "site", tmp_path / "no")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_real_tflite_runtime_agrees_with_litert(tflite_site: Path):
    backend = TfliteRuntimeBackend(tflite_site)
    assert backend.available() is None
    depthwise = DynamicDepthwise()
    names = ("image", "kernel")
    for delegate in (True, False):
        here = LiteRtBackend().open(depthwise.to_tflite(), threads=1, delegate=delegate)
        with backend.open(depthwise.to_tflite(), threads=2, delegate=delegate) as there:
            assert there.versions["tflite-runtime"] == "2.14.0"
            assert there.versions["numpy"].startswith("1.")
            assert there.signature == here.signature
            for kernel in depthwise.kernels:
                feeds = dict(zip(names, (depthwise.image_nhwc, kernel), strict=True))
                found, wanted = there.run(feeds)["result"], here.run(feeds)["result"]
                np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)
                np.testing.assert_allclose(found, depthwise.expected(*feeds.values()), rtol=0, atol=1e-5)


@pytest.mark.slow
def test_the_real_tflite_runtime_refuses_what_it_cannot_read(tflite_site: Path):
    with pytest.raises(ModelUnreadableError, match=r"tflite-runtime 2\.14\.0 says: "):
        TfliteRuntimeBackend(tflite_site).open(b"this is no flatbuffer", threads=1)
