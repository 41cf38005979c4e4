"""Calibration images: found, checked as a whole, spread, and the same on every pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from condmix.deploy.calibration_images import open_calibration_images
from condmix.deploy.errors import ImagesError
from condmix.models.network import LoadedNetwork


def saved(path: Path, array: np.ndarray) -> Path:
    np.save(path, array)
    return path


def noise(count: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 1, 32, 32)).astype(np.float32)


def pictures(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        pixels = np.random.default_rng(index).integers(0, 256, (20, 20), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index:03}.png")
    return folder


def test_of_many_images_as_many_as_asked_are_spread_evenly(tmp_path: Path, network: LoadedNetwork) -> None:
    everything = noise(100)
    opened = open_calibration_images(saved(tmp_path / "a.npy", everything), network, samples=34)
    assert len(opened) == 34
    assert opened.places[:3] == (0, 3, 6)
    assert opened.places[-1] == 99
    for _ in range(2):
        assert np.array_equal(list(opened), everything[list(opened.places)])
    assert opened.notes == ("calibrated on 34 of 100 images in a.npy, spread evenly",)
    assert opened.warnings == ()
    assert opened.labels is None


def test_all_are_taken_where_that_is_asked_for(tmp_path: Path, network: LoadedNetwork) -> None:
    opened = open_calibration_images(saved(tmp_path / "a.npy", noise(40)), network, samples=None)
    assert (len(opened), opened.notes, opened.warnings) == (40, ("calibrated on 40 of 40 images in a.npy",), ())


def test_fewer_than_asked_are_all_used_and_told(tmp_path: Path, network: LoadedNetwork) -> None:
    opened = open_calibration_images(saved(tmp_path / "a.npy", noise(20)), network)
    assert len(opened) == 20
    assert opened.warnings == ("20 calibration images where 300 were asked for: there are no more",)


def test_very_few_are_warned_of(tmp_path: Path, network: LoadedNetwork) -> None:
    opened = open_calibration_images(saved(tmp_path / "a.npy", noise(15)), network)
    assert opened.warnings == ("15 calibration images are few: expected at least 16, better 300",)


def test_a_folder_is_read_again_on_each_pass(tmp_path: Path, network: LoadedNetwork) -> None:
    opened = open_calibration_images(pictures(tmp_path / "images", 17), network)
    first = next(iter(opened))
    with Image.open(tmp_path / "images" / "000.png") as image:
        pixels = np.asarray(image)[..., np.newaxis]
    assert np.array_equal(first, network.preprocessing.apply(pixels, input_size=network.input_size))
    (tmp_path / "images" / "003.png").write_bytes((tmp_path / "images" / "004.png").read_bytes())
    with pytest.raises(ImagesError, match=r"003\.png is not what it was when it was checked: expected the same"):
        list(opened)


def test_labels_follow_the_images_that_were_taken(tmp_path: Path, network: LoadedNetwork) -> None:
    for name in ("2", "5"):
        pictures(tmp_path / name, 10)
    # The pictures of both folders are equal one by one, and not all the same.
    opened = open_calibration_images(tmp_path, network, samples=18)
    assert opened.labels is not None
    assert opened.labels.tolist() == [2] * 9 + [5] * 9
    some = opened.take((17, 0, 9))
    assert some.labels is not None
    assert some.labels.tolist() == [2, 5, 5]
    everything = list(opened)
    assert np.array_equal(list(some), [everything[0], everything[9], everything[17]])
    assert open_calibration_images(tmp_path, network, use_labels=False).labels is None


def test_every_fault_is_named_at_once(tmp_path: Path, network: LoadedNetwork) -> None:
    folder = pictures(tmp_path / "images", 16)
    Image.fromarray(np.full((20, 20), 7, np.uint8)).save(folder / "flat.png")
    (folder / "broken.png").write_bytes(b"no")
    (folder / "worse.jpg").write_bytes(b"")
    with pytest.raises(ImagesError) as caught:
        open_calibration_images(folder, network)
    assert str(caught.value).startswith(f"{folder}: cannot be used for calibration\n  - broken.png: cannot identify")
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "broken.png",
        "worse.jpg",
        "all pixels are equal in 1 images",
    ]


@pytest.mark.parametrize(
    ("array", "problem"),
    [
        (np.zeros((0, 1, 32, 32), np.float32), "holds no images"),
        (np.repeat(noise(1), 20, axis=0), "all 20 images are the same one"),
        (np.where(noise(20) > 3, np.nan, noise(20)), "NaN or infinity in"),
        (128 + 40 * noise(20), "they look unnormalised"),
        (np.ones((3, 1, 32, 32), np.float32), "all pixels are equal in 3 images: image 0, image 1, image 2"),
    ],
)
def test_an_array_with_faults_is_refused(
    tmp_path: Path, network: LoadedNetwork, array: np.ndarray, problem: str
) -> None:
    with pytest.raises(ImagesError, match=problem):
        open_calibration_images(saved(tmp_path / "a.npy", array), network)


def test_warnings_of_the_checks_are_passed_on(tmp_path: Path, network: LoadedNetwork) -> None:
    scaled = np.random.default_rng(0).uniform(size=(20, 1, 32, 32)).astype(np.float32)
    opened = open_calibration_images(saved(tmp_path / "a.npy", scaled), network, samples=20)
    (warning,) = opened.warnings
    assert "if they are pictures scaled to 0..1" in warning


def test_a_npz_brings_its_labels(tmp_path: Path, network: LoadedNetwork) -> None:
    np.savez(tmp_path / "a.npz", images=noise(20), labels=np.arange(20) % 10)
    opened = open_calibration_images(tmp_path / "a.npz", network, samples=20)
    assert opened.labels is not None
    assert opened.labels.tolist() == [*range(10), *range(10)]


def test_of_a_function_the_first_ones_are_taken(user_code: Callable[[str], str], network: LoadedNetwork) -> None:
    module = user_code(
        "import numpy as np\n"
        "def images():\n"
        "    generator = np.random.default_rng(0)\n"
        "    while True:\n"
        "        yield generator.standard_normal((1, 32, 32)), 4\n"
    )
    opened = open_calibration_images(f"{module}:images", network, samples=20)
    assert len(list(opened)) == len(opened) == 20
    assert opened.labels is not None
    assert opened.labels.tolist() == [4] * 20
    assert opened.notes == (f"calibrated on 20 images of {module}:images, the first that it gives",)


def test_a_function_that_ends_early_gives_all(user_code: Callable[[str], str], network: LoadedNetwork) -> None:
    module = user_code(
        "import numpy as np\ndef images():\n    return np.random.default_rng(0).standard_normal((18, 1, 32, 32))\n"
    )
    opened = open_calibration_images(f"{module}:images", network)
    assert (len(opened), opened.places) == (18, tuple(range(18)))
    assert opened.notes == (f"calibrated on 18 images of {module}:images, all that it gives",)
    assert opened.warnings == ("18 calibration images where 300 were asked for: there are no more",)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("generator.standard_normal((18, 1, 32, 32))", "image 0 is not what it was when it was checked"),
        ("left", "gave 18 images on the first pass and 0 now: expected the same on each"),
        ("[(image, 1) if index else image for index, image in enumerate(images)]", "17 of 18 images have a label"),
        ("[]", "holds no images"),
    ],
)
def test_a_function_that_is_not_steady_is_found_out(
    user_code: Callable[[str], str], network: LoadedNetwork, body: str, problem: str
) -> None:
    module = user_code(
        "import numpy as np\n"
        "generator = np.random.default_rng(0)\n"
        "images = np.random.default_rng(1).standard_normal((18, 1, 32, 32))\n"
        "left = iter(images)\n"
        f"def given():\n    return {body}\n"
    )
    with pytest.raises(ImagesError, match=problem):
        list(open_calibration_images(f"{module}:given", network))


def test_random_images_need_permission(network: LoadedNetwork) -> None:
    with pytest.raises(ImagesError) as caught:
        open_calibration_images("random", network)
    assert str(caught.value) == (
        "random: cannot be used for calibration\n  - random images tell nothing of what the network will see: allow "
        "them with --allow-random-calibration"
    )
    opened = open_calibration_images("random", network, samples=20, allow_random=True)
    assert len(list(opened)) == 20
    assert opened.warnings == ("calibrated on random images: the accuracy of the int8 files is a matter of luck",)


@pytest.mark.parametrize(
    ("name", "found"),
    [("absent", "no such file or folder"), ("a.txt", r"a file named \.txt"), ("absent.npy", "no such file or folder")],
)
def test_what_leads_nowhere_is_refused(tmp_path: Path, network: LoadedNetwork, name: str, found: str) -> None:
    (tmp_path / "a.txt").touch()
    with pytest.raises(ImagesError, match=rf"a \.npy or \.npz file, or package\.module:function; found {found}"):
        open_calibration_images(tmp_path / name, network)


def test_no_samples_are_no_choice(network: LoadedNetwork) -> None:
    with pytest.raises(ImagesError, match="0 samples were asked for: expected at least 1"):
        open_calibration_images("random", network, samples=0, allow_random=True)
