"""The user's own images for verification: a folder of pictures, or an array that is already preprocessed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from condmix.deploy.errors import ImagesError, UnreadableFileError
from condmix.deploy.joint_source import JointSource, joint_arrays
from condmix.deploy.picture_files import PICTURE_SUFFIXES, Images, pictures_in, read_picture, spread_evenly
from condmix.models.network import LoadedNetwork

MOST_IMAGES = 16
"""More make parity no surer, and each costs a pass in float64."""
LEAST_IMAGES, LEAST_FOR_DYNAMIC_BATCH = 2, 8


@dataclass(frozen=True, kw_only=True, eq=False)
class GivenImages:
    """Preprocessed images (count, channels, height, width) and a sentence on where they come from."""

    array_nchw: Images
    note: str


def read_images(path: Path, network: LoadedNetwork, *, batch: int | None) -> GivenImages:
    """The images at `path`, as the network takes them; of many, `MOST_IMAGES` spread over the whole.

    A folder is read in order of name, not into its subfolders, and preprocessed as the network says; a .npy
    holds float32 or float64 of shape (count, channels, height, width), preprocessed already; a .npz an array of every
    input by its name.
    Raises ImagesError naming every file that cannot be used.
    """
    least = LEAST_FOR_DYNAMIC_BATCH if batch is None else LEAST_IMAGES
    if path.is_dir():
        return _from_folder(path, network, least)
    if path.suffix == ".npz" and path.is_file() and network.input_shapes:
        return _from_archive(path, network, least)
    if path.suffix == ".npy" and path.is_file():
        return _from_array(path, network.input_size, least)
    found = "no such file or folder" if not path.exists() else f"a file named {path.suffix or 'without a suffix'}"
    raise ImagesError(path, [f"expected a folder of pictures, a .npy or a .npz file, found {found}"])


def _from_archive(path: Path, network: LoadedNetwork, least: int) -> GivenImages:
    """An array for each input, the image called by its name or `images`."""
    arrays, _ = joint_arrays(path, network, network.input_shapes, purpose="verification")
    source = JointSource(path.name, arrays, None, network)
    _require_count(path, source.count, least, "images")
    items = list(source.items(list(spread_evenly(source.count, MOST_IMAGES))))
    problems = [f"{item.name}: {item.found}" for item in items if isinstance(item.found, str)]
    if problems:
        raise ImagesError(path, problems)
    rows = np.stack([item.found for item in items if not isinstance(item.found, str)])
    return GivenImages(array_nchw=rows, note=f"verified on {len(rows)} of {source.count} images in {path.name}")


def _from_folder(path: Path, network: LoadedNetwork, least: int) -> GivenImages:
    pictures = pictures_in(path)
    _require_count(path, len(pictures), least, f"pictures ({', '.join(sorted(PICTURE_SUFFIXES))})")
    arrays, problems = [], []
    for place in spread_evenly(len(pictures), MOST_IMAGES):
        try:
            arrays.append(read_picture(pictures[place], network))
        except UnreadableFileError as error:
            problems.append(f"{pictures[place].name}: {error}")
    if problems:
        raise ImagesError(path, problems)
    return GivenImages(
        array_nchw=np.stack(arrays),
        note=f"verified on {len(arrays)} of {len(pictures)} pictures in {path.name}",
    )


def _from_array(path: Path, input_size: tuple[int, int, int], least: int) -> GivenImages:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ImagesError(path, [f"is not a NumPy array of numbers: {error}"]) from error
    wanted = f"(count, {', '.join(map(str, input_size))})"
    problems = []
    if array.dtype not in (np.float32, np.float64):
        problems.append(f"holds {array.dtype}: expected float32, preprocessed as the network wants it")
    if array.ndim != 4 or array.shape[1:] != input_size:
        problems.append(f"has shape {array.shape}: expected {wanted}")
    if not problems and not np.isfinite(array).all():
        problems.append("holds NaN or infinity: expected finite numbers")
    if problems:
        raise ImagesError(path, problems)
    _require_count(path, len(array), least, "images")
    chosen = array[list(spread_evenly(len(array), MOST_IMAGES))].astype(np.float32)
    return GivenImages(array_nchw=chosen, note=f"verified on {len(chosen)} of {len(array)} images in {path.name}")


def _require_count(path: Path, count: int, least: int, what: str) -> None:
    if count < least:
        problem = f"holds {count} {what}: expected at least {least}"
        raise ImagesError(
            path,
            [problem + (", as many as the largest batch that is proven" if least > LEAST_IMAGES else "")],
        )
