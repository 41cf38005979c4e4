"""Images for a network that takes more than images: a .npz with an array for each input, or random numbers."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from condmix.deploy.class_labels import Labels
from condmix.deploy.errors import ImagesError
from condmix.deploy.image_sources import Item
from condmix.deploy.input_arrays import input_or_problem, shape_problem
from condmix.deploy.network_input import NetworkInput
from condmix.runtime.joint_inputs import joint

IMAGES = "images"
SEED = 20190410


class JointSource:
    """One row of every input at a time, as `condmix.runtime.joint_inputs` joins them. Conforms to `ImageSource`.

    arrays: (count, ...) by input name, the image first; it may be raw pictures, which are preprocessed.
    """

    def __init__(
        self, name: str, arrays: Mapping[str, np.ndarray], labels: Labels | None, network: NetworkInput
    ) -> None:
        self.name = name
        self._arrays, self._labels, self._network = arrays, labels, network

    @property
    def count(self) -> int:
        return len(next(iter(self._arrays.values())))

    def items(self, places: Sequence[int]) -> Iterator[Item]:
        first, *more = self._arrays
        for place in places:
            found = input_or_problem(np.asarray(self._arrays[first][place]), self._network)
            if not isinstance(found, str):
                rows = {name: np.asarray(self._arrays[name][place], np.float32) for name in more}
                unsound = [name for name, row in rows.items() if not np.isfinite(row).all()]
                if unsound:
                    found = f"NaN or infinity in {', '.join(unsound)}"
                else:
                    found = joint({first: found[None], **{name: row[None] for name, row in rows.items()}})[0, ...]
            label = None if self._labels is None else int(self._labels[place])
            yield Item(name=f"image {place}", found=found, label=label)


def joint_arrays(
    path: Path, network: NetworkInput, inputs: Mapping[str, tuple[int, ...]], *, purpose: str
) -> tuple[dict[str, np.ndarray], Labels | None]:
    """The arrays of a .npz by input name, the image first, and its labels. inputs: shapes of one, by name.

    The image may be called by its name or `images`. Raises ImagesError naming everything that does not fit.
    """
    members = read_npz(path, purpose=purpose)
    first = next(iter(inputs))
    problems = []
    arrays: dict[str, np.ndarray] = {}
    for name, shape in inputs.items():
        array = members.get(name, members.get(IMAGES) if name == first else None)
        if array is None:
            called = f"'{name}' or '{IMAGES}'" if name == first else f"'{name}'"
            problems.append(f"holds {', '.join(members) or 'nothing'}: expected an array called {called}")
            continue
        arrays[name] = array
        if array.ndim == 0:
            problems.append(f"'{name}' is a single number: expected a row for every image")
        elif name == first:
            problem = shape_problem(array.shape[1:], array.dtype, network)
            problems += [] if problem is None else [f"'{name}' {problem}"]
        elif array.shape[1:] != shape or array.dtype.kind != "f":
            wanted = ", ".join(map(str, ("count", *shape)))
            problems.append(f"'{name}' is {array.dtype} of shape {array.shape}: expected float32, ({wanted})")
    counts = {name: len(array) for name, array in arrays.items() if array.ndim}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"'{name}' {count}" for name, count in counts.items())
        problems.append(f"its arrays have different numbers of rows: {listed}")
    labels = members.get("labels")
    fits = labels is None or (labels.ndim == 1 and labels.dtype.kind in "iu" and {len(labels)} == {*counts.values()})
    if labels is not None and not fits:
        problems.append(f"'labels' is {labels.dtype} of shape {labels.shape}: expected one whole number an image")
    if problems:
        raise ImagesError(path, problems, purpose=purpose)
    return arrays, None if labels is None else labels.astype(np.int64)


def joint_source(
    given: str, network: NetworkInput, inputs: Mapping[str, tuple[int, ...]], count: int, *, purpose: str
) -> JointSource:
    """The source that `given` leads to: a .npz, or `random` for seeded noise. Raises ImagesError for anything else."""
    path = Path(given)
    if path.is_file() and path.suffix == ".npz":
        arrays, labels = joint_arrays(path, network, inputs, purpose=purpose)
        return JointSource(path.name, arrays, labels, network)
    if given == "random" and not path.exists():
        generator = np.random.default_rng(SEED)
        drawn = {name: generator.standard_normal((count, *shape)).astype(np.float32) for name, shape in inputs.items()}
        return JointSource("random", drawn, None, network)
    listed = ", ".join(f"'{name}' (count, {', '.join(map(str, shape))})" for name, shape in inputs.items())
    problem = f"the network takes more than images: expected a .npz with an array for each input: {listed}"
    raise ImagesError(given, [problem], purpose=purpose)


def read_npz(path: Path, *, purpose: str) -> dict[str, np.ndarray]:
    """The arrays of a .npz. Raises ImagesError where it is none of numbers."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        # A .npy under that name has no context manager and no `files`.
        raise ImagesError(path, [f"is not a NumPy archive of numbers: {error}"], purpose=purpose) from error
