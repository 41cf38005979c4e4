"""A .pt2 archive is let through only if loading it runs nothing but torch: every way of running something is found."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from condmix.exporters.errors import ProgramInputError
from condmix.exporters.program.archive import MODEL, require_plain
from condmix.exporters.program.exported import load_exported
from tests.exporters.program.programs import changed, with_entry

WEIGHTS = "data/weights/model_weights_config.json"


def refusal(path: Path) -> str:
    with pytest.raises(ProgramInputError) as caught:
        require_plain(path)
    return str(caught.value)


def test_what_torch_saved_passes(exported: Path, exported_dynamic: Path) -> None:
    require_plain(exported)
    require_plain(exported_dynamic)


def graph(model: Any) -> Any:
    return model["graph_module"]["graph"]


def set_target(name: str) -> Callable[[Any], None]:
    return lambda model: graph(model)["nodes"][0].update(target=name)


def set_spec(kind: str, context: str) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        spec = [1, {"type": kind, "context": context, "children_spec": []}]
        model["graph_module"]["module_call_graph"][0]["signature"]["in_spec"] = json.dumps(spec)

    return change


def set_size(model: Any) -> None:
    next(iter(graph(model)["tensor_values"].values()))["sizes"][0] = {"as_expr": {"expr_str": "print(1)", "hint": None}}


@pytest.mark.parametrize(
    ("entry", "change", "said"),
    [
        (MODEL, set_target("torch.os.system"), "it calls 'torch.os.system', which is none of torch's operators"),
        (MODEL, set_target("torch.ops.aten.from_file.default"), "it calls 'torch.ops.aten.from_file.default'"),
        (MODEL, set_target("_operator.methodcaller"), "it calls '_operator.methodcaller'"),
        (MODEL, set_target("torch.ops.mine.op.default"), "it calls 'torch.ops.mine.op.default'"),
        (MODEL, set_size, "it has a size that is no arithmetic ('print(1)')"),
        (MODEL, lambda model: model.update(guards_code=["__import__('os')"]), "a condition that is no arithmetic"),
        (MODEL, set_spec("collections.defaultdict", "{}"), "of classes of their own"),
        (MODEL, set_spec("builtins.dict", '{"__enum__": true}'), "of classes of their own"),
        (
            MODEL,
            lambda model: graph(model)["nodes"][0]["metadata"].update(source_fn_stack="a,torch.os"),
            "a node carries source_fn_stack, which names functions",
        ),
        (WEIGHTS, lambda found: found["config"]["head.bias"].update(use_pickle=True), "tensor 'head.bias' is pickled"),
        (
            WEIGHTS,
            lambda found: found["config"]["head.bias"]["tensor_meta"].update(sizes=[{"as_int": 10**12}]),
            "tensor 'head.bias' claims 1000000000000 numbers, 20 bytes are stored",
        ),
    ],
)
def test_what_would_run_is_named(
    entry: str, change: Callable[[Any], None], said: str, exported: Path, tmp_path: Path
) -> None:
    text = refusal(changed(exported, entry, change, tmp_path / "bad.pt2"))
    assert said in text
    assert "[PROGRAM_PICKLE]" in text
    assert "--allow-pickle" in text


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("data/aotinductor/model/a.so", "it holds a compiled library"),
        ("data/constants/custom_obj_0", "it holds an object of TorchScript"),
        ("data/constants/opaque_obj_0", "it holds a pickled object"),
        ("data/weights/model.pt", "it holds pickled weights"),
    ],
)
def test_an_entry_that_would_run_is_named(entry: str, said: str, exported: Path, tmp_path: Path) -> None:
    assert said in refusal(with_entry(exported, entry, b"x", tmp_path / "bad.pt2"))


class Hostile:
    """Makes a folder when unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (self.folder,)


def test_sample_inputs_are_not_unpickled(exported: Path, tmp_path: Path) -> None:
    content = io.BytesIO()
    torch.save(Hostile(tmp_path / "made"), content)
    path = with_entry(exported, "data/sample_inputs/model.pt", content.getvalue(), tmp_path / "bad.pt2")
    with pytest.raises(ProgramInputError, match=r"sample inputs are more than tensors.*\[PROGRAM_PICKLE\]"):
        load_exported(path, allow_pickle=False)
    assert not (tmp_path / "made").exists()


def test_sample_inputs_that_grow_are_refused(exported: Path, tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(10_000_000))
    path = with_entry(exported, "data/sample_inputs/model.pt", content.getvalue(), tmp_path / "bad.pt2")
    assert "unpack to far more than their size" in refusal(path)


def test_an_older_format_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pt2", "w") as archive:
        archive.writestr("serialized_exported_program.json", "{}")
    text = refusal(tmp_path / "a.pt2")
    assert "saved by torch 2.7 or older" in text
    assert "[PROGRAM_VERSION]" in text


@pytest.mark.parametrize("change", [lambda model: model.pop("graph_module"), lambda model: model.update(guards_code=1)])
def test_a_description_of_another_form_is_damaged(
    change: Callable[[Any], None], exported: Path, tmp_path: Path
) -> None:
    assert "[PROGRAM_DAMAGED]" in refusal(changed(exported, MODEL, change, tmp_path / "bad.pt2"))


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_two_entries_of_one_name_are_refused(exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "twice.pt2"
    path.write_bytes(exported.read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(archive.namelist()[0], b"other")
    assert "two entries of one name" in refusal(path)


def test_entries_outside_its_folder_are_refused(exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "outside.pt2"
    path.write_bytes(exported.read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("elsewhere/models/model.json", b"{}")
    assert "do not lie in one folder" in refusal(path)
