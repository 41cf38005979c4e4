import math
from pathlib import Path

import numpy as np
import pytest

from condmix.deploy.browser.posted import read_run
from condmix.deploy.browser.variants import variants
from condmix.runtime.errors import InferenceError, InvalidRecordError
from tests.deploy.browser.pieces import FACTS, IMAGES, SETTINGS, WEIGHT, posted_array, posted_run, subject_files

PLAN = {"nonce": "n", "subjects": [{"name": "net@wasm"}]}


@pytest.fixture
def measured(tmp_path: Path):
    return variants(subject_files(tmp_path), FACTS, all_cores=False, webgpu=False).offered


def changed(*path: object, value: object) -> dict:
    """The sound run with one value in it replaced, or removed."""
    run = posted_run(PLAN)
    place = run
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return run


def test_a_sound_run_is_read(measured) -> None:
    run = read_run(posted_run(PLAN), measured, SETTINGS)
    (subject,) = run.subjects
    assert (run.rounds, len(subject.samples), subject.samples.cpu_ns) == (24, 120, (0,) * 120)
    assert subject.outputs[0]["y"].tolist() == (IMAGES @ WEIGHT).reshape(3, 1, 5).tolist()
    assert subject.openings[0].peak_memory_bytes is None


OUTPUT = ("subjects", 0, "outputs", 0, "y")
SAMPLES = ("subjects", 0, "samples")
WRONG = [
    (("extra",), 1, "unknown name 'extra'"),
    (("rounds",), ..., "'rounds' is missing"),
    (("rounds",), -1, "at least 0"),
    (("rounds",), True, "must be int"),
    (("kind",), "x", "'kind' must be"),
    (("hidden_seconds",), math.inf, "finite"),
    (("clock_step_ns",), 0, "clock_step_ns"),
    (("interrupted",), "\x1b[2J", "can be shown"),
    (("power",), "x" * 1001, "at most 1000"),
    (("subjects",), [], "must have 1 items"),
    (("subjects", 0), [], "expected a mapping"),
    (("subjects", 0, "extra"), 1, "unknown name"),
    (("subjects", 0, "name"), "other", "'name' is not that"),
    (("subjects", 0, "engine_version"), "a\nb", "can be shown"),
    (("subjects", 0, "engine_start_ns"), -5, "engine_start_ns"),
    (("subjects", 0, "fully_accelerated"), 1, "fully_accelerated"),
    (("subjects", 0, "openings"), [], "as many as 'outputs'"),
    (("subjects", 0, "openings", 0, "load_ns"), -1, "load_ns"),
    (("subjects", 0, "openings", 0, "peak_memory_bytes"), 1, "unknown name"),
    (("subjects", 0, "openings", 0, "warmup_wall_ns"), [1.5], "must be int"),
    ((*SAMPLES, "wall_ns"), [1], "of one length"),
    ((*SAMPLES, "wall_ns", 3), -1, "'wall_ns' must be 0"),
    ((*SAMPLES, "wall_ns", 3), 2**60, "'wall_ns' must be 0"),
    ((*SAMPLES, "round", 119), 25, "'round' must be 0 to 24"),
    ((*SAMPLES, "round", 0), 5, "order of their rounds"),
    ((*SAMPLES, "opening", 0), 1, "'opening' must be 0 to 0"),
    ((*SAMPLES, "input", 0), 3, "'input' must be 0 to 2"),
    ((*SAMPLES, "cpu_ns"), [0] * 120, "unknown name"),
    (("subjects", 0, "outputs", 0), [], "mappings of at most 64"),
    (("subjects", 0, "outputs", 0), {str(one): {} for one in range(65)}, "mappings of at most 64"),
    ((*OUTPUT, "dtype"), "object", "'dtype' must be one of"),
    ((*OUTPUT, "shape"), [2, 5], "begin with 3"),
    ((*OUTPUT, "shape"), [3, 2**30], "at most"),
    ((*OUTPUT, "shape"), [3, 1, 6], "belong to that shape"),
    ((*OUTPUT, "data"), "!!!!", "not base64"),
    ((*OUTPUT, "data"), "é", "not base64"),
]


@pytest.mark.parametrize(("path", "value", "words"), WRONG, ids=[words for _, _, words in WRONG])
def test_whatever_is_wrong_is_named(measured, path: tuple[object, ...], value: object, words: str) -> None:
    with pytest.raises(InvalidRecordError, match=words):
        read_run(changed(*path, value=value), measured, SETTINGS)


@pytest.mark.parametrize("data", [None, [], "text", 7, {"kind": "condmix-browser-run"}])
def test_something_else_is_refused(measured, data: object) -> None:
    with pytest.raises(InferenceError):
        read_run(data, measured, SETTINGS)


def test_a_subject_that_was_lost_early_is_read(measured) -> None:
    run = posted_run(PLAN)
    run["subjects"][0] |= {
        "failure": "out of memory",
        "engine_start_ns": None,
        "openings": [],
        "outputs": [],
        "samples": {name: [] for name in run["subjects"][0]["samples"]},
    }
    (subject,) = read_run(run, measured, SETTINGS).subjects
    assert (subject.failure, len(subject.samples)) == ("out of memory", 0)


def test_whole_numbers_keep_their_type(measured) -> None:
    outputs = {"y": posted_array(np.arange(15, dtype=np.int64).reshape(3, 5))}
    run = read_run(changed("subjects", 0, "outputs", value=[outputs]), measured, SETTINGS)
    assert run.subjects[0].outputs[0]["y"].dtype == np.int64
