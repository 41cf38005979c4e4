"""Images from a function of the user's own, named `package.module:function`."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from condmix.deploy.class_labels import number_problem
from condmix.deploy.errors import ImagesError
from condmix.deploy.image_sources import PURPOSE, Item
from condmix.deploy.input_arrays import input_or_problem
from condmix.models.errors import FactoryError
from condmix.models.factory import find, working_directory_importable
from condmix.models.network import LoadedNetwork


class FunctionSource:
    """The function is called anew for each pass; arrays or (array, labels) pairs, one image or a batch each.

    It is called with the input size (channels, height, width) if it takes an argument, else with none. Raises
    ImagesError where it cannot be found or called.
    """

    def __init__(self, name: str, network: LoadedNetwork, class_count: int | None, *, use_labels: bool = True) -> None:
        self.name = name
        self._network, self._class_count, self._use_labels = network, class_count, use_labels
        with working_directory_importable():
            try:
                self._function = find(name)
            except FactoryError as error:
                raise self._refusal(str(error).removeprefix(f"factory {name}: ")) from error
        self._arguments = self._fitting_arguments()

    @property
    def count(self) -> None:
        """Only going through them tells."""
        return None

    def items(self, places: Sequence[int]) -> Iterator[Item]:
        """The images at these places, ascending; the function is not asked for more than the last."""
        wanted, last = set(places), max(places, default=-1)
        place = 0
        for given in self._given():
            for item in self._split(given, place):
                if place in wanted:
                    yield item
                place += 1
                if place > last:
                    return

    def _given(self) -> Iterator[object]:
        """What the function gives, one after the other; what it raises becomes ImagesError."""
        assert callable(self._function)
        try:
            with working_directory_importable():
                found = self._function(*self._arguments)
        except (Exception, SystemExit) as error:
            message = f"calling it failed with {type(error).__name__}: {error}"
            raise self._refusal(message) from error
        if not isinstance(found, Iterable):
            message = f"gave a {type(found).__name__}: expected arrays, one after the other"
            raise self._refusal(message)
        if hasattr(found, "__array__") and np.asarray(found).ndim <= 3:
            found = [found]
        iterator = iter(found)
        while True:
            try:
                with working_directory_importable():
                    given = next(iterator)
            except StopIteration:
                return
            except (Exception, SystemExit) as error:
                message = f"failed with {type(error).__name__}: {error}"
                raise self._refusal(message) from error
            yield given

    def _split(self, given: object, place: int) -> Iterator[Item]:
        images, labels = given, None
        if isinstance(given, tuple | list) and len(given) == 2 and np.ndim(given[1]) <= 1:
            images, labels = given
        try:
            array = np.asarray(images)
        except (ValueError, TypeError) as error:
            yield Item(name=f"image {place}", found=f"is no array: {error}")
            return
        if array.ndim not in (3, 4):
            wanted = "(channels, height, width), or a batch of them"
            yield Item(name=f"image {place}", found=f"is {array.dtype} of shape {array.shape}: expected {wanted}")
            return
        batch = array if array.ndim == 4 else array[None]
        numbers = self._numbers(labels, len(batch)) if self._use_labels else [None] * len(batch)
        for index, image in enumerate(batch):
            found = numbers if isinstance(numbers, str) else input_or_problem(image, self._network)
            label = None if isinstance(numbers, str) else numbers[index]
            yield Item(name=f"image {place + index}", found=found, label=label)

    def _numbers(self, labels: object, count: int) -> Sequence[int | None] | str:
        if labels is None:
            return [None] * count
        array = np.atleast_1d(np.asarray(labels))
        if array.shape != (count,) or not np.issubdtype(array.dtype, np.integer):
            return f"labels are {array.dtype} of shape {array.shape}: expected whole numbers of shape ({count},)"
        return number_problem(array, self._class_count) or [int(label) for label in array]

    def _fitting_arguments(self) -> tuple[object, ...]:
        if not callable(self._function):
            message = f"is a {type(self._function).__name__}: expected a function"
            raise self._refusal(message)
        try:
            signature = inspect.signature(self._function)
        except ValueError:
            # Some compiled functions have no signature to look at: calling tells.
            return ()
        for arguments in ((), (self._network.input_size,)):
            try:
                signature.bind(*arguments)
            except TypeError:
                continue
            return arguments
        message = f"takes {signature}: expected no arguments, or one, the input size (channels, height, width)"
        raise self._refusal(message)

    def _refusal(self, problem: str) -> ImagesError:
        return ImagesError(self.name, [problem], purpose=PURPOSE)
