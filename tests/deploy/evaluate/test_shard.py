"""A key is another one as soon as the result could be: each of its ingredients is changed in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from condmix.deploy.evaluate.flow import EvalPlan
from condmix.deploy.evaluate.intake import Intake
from condmix.deploy.evaluate.job import EvalJob, LabelledImage
from condmix.deploy.evaluate.model_source import ModelSource
from condmix.deploy.evaluate.shard import digest_of, shard_key
from condmix.models.preprocessing import Preprocessing
from condmix.runtime.artifact import Format


def changed_file(place: int, **changes: object) -> Callable[[EvalJob], EvalJob]:
    def change(job: EvalJob) -> EvalJob:
        files = list(job.files)
        files[place] = replace(files[place], **changes)  # type: ignore[arg-type]
        return replace(job, files=tuple(files))

    return change


def intake(job: EvalJob) -> Intake:
    return job.files[0].intake


def with_version(package: str) -> Callable[[EvalJob], EvalJob]:
    return lambda job: replace(job, versions={**job.versions, package: "0"})


def source(path: str, sha256: str) -> ModelSource:
    return ModelSource(path=Path(path), member=None, format=Format.ONNX, sha256=sha256)


@pytest.mark.parametrize("package", ["condmix", "numpy", "pillow", "onnxruntime"])
def test_versions_are_in_the_key(plan: EvalPlan, package: str) -> None:
    images = plan.labelled.images[:8]
    assert shard_key(with_version(package)(plan.job), 0, images) != shard_key(plan.job, 0, images)


def test_the_file_and_what_it_is_fed_are_in_the_key(plan: EvalPlan) -> None:
    images = plan.labelled.images[:8]
    other_pictures = replace(intake(plan.job), preprocessing=Preprocessing(mean=(0.0,), std=(1.0,)))
    other_size = replace(intake(plan.job), input_size=(1, 8, 8))
    changes = [
        changed_file(0, source=source("/a", "0" * 64)),
        changed_file(0, batch=2),
        changed_file(0, intake=other_pictures),
        changed_file(0, intake=other_size),
        changed_file(0, class_count=7),
        changed_file(0, engine="else"),
    ]
    keys = [shard_key(change(plan.job), 0, images) for change in changes]
    assert len({*keys, shard_key(plan.job, 0, images)}) == len(keys) + 1
    # The second file is compared with the first: all of that is in its key too.
    keys = [shard_key(change(plan.job), 1, images) for change in changes]
    assert len({*keys, shard_key(plan.job, 1, images)}) == len(keys) + 1


def test_images_labels_and_their_order_are_in_the_key(plan: EvalPlan) -> None:
    images = plan.labelled.images[:8]
    other_label = (replace(images[0], label=images[0].label + 1), *images[1:])
    other_image = (replace(images[0], sha256="0" * 64), *images[1:])
    sets = [images, images[:7], images[::-1], other_label, other_image]
    assert len({shard_key(plan.job, 0, one) for one in sets}) == len(sets)


def test_names_and_places_are_not(plan: EvalPlan) -> None:
    images = plan.labelled.images[:8]
    moved = replace(plan.job, images_path=Path("/elsewhere"))
    renamed = changed_file(0, name="other", shown="other", source=source("/b", plan.job.files[0].source.sha256))(moved)
    as_called: tuple[LabelledImage, ...] = tuple(replace(image, name="other") for image in images)
    assert shard_key(renamed, 0, as_called) == shard_key(plan.job, 0, images)


def test_a_later_file_changes_nothing_for_an_earlier_one(plan: EvalPlan) -> None:
    images = plan.labelled.images[:8]
    fewer = replace(plan.job, files=plan.job.files[:2])
    assert shard_key(fewer, 1, images) == shard_key(plan.job, 1, images)


def test_the_digest_does_not_know_the_order_of_keys() -> None:
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1}) != digest_of({"a": 1, "b": 3})
