"""What a .pt2 archive of torch.export holds, read before torch loads it: loading runs whatever is in it.

torch.export.load unpickles, imports modules named in the file, resolves names to any function under `torch`, loads
compiled libraries and evaluates texts. Here only tensors as plain bytes, aten's operators, arithmetic on sizes and
containers of Python's own are let through.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from condmix.exporters.errors import ProgramInputError
from condmix.exporters.program.expressions import is_arithmetic
from condmix.exporters.program.refused import refused
from condmix.models.file_kind import MOST_GROWTH

MODEL = "models/model.json"
LARGEST_JSON = 200_000_000
_OPERATOR = re.compile(
    r"torch\.ops\.aten\.(?!from_file\b|save\b|load\b)(?:__(?:and|or|xor|lshift|rshift)__|[A-Za-z_]\w*)\.[A-Za-z]\w*"
    r"|torch\.ops\.higher_order\.wrap_with_(?:set_grad_enabled|autocast)"
    r"|_operator\.(?:getitem|add|sub|mul|floordiv|truediv|mod|neg|eq|ne|le|lt|ge|gt|and_|or_)"
    r"|math\.(?:ceil|floor|trunc|sqrt)"
    r"|torch\.sym_(?:int|float|max|min|not|ite)"
)
_SIZE_OF_INPUT = re.compile(r"L(?:\['\w+'\]|\[\d+\])+\.size\(\)\[\d+\]")
_CONTAINERS = frozenset({None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"})
_METADATA = frozenset({"stack_trace", "nn_module_stack", "torch_fn", "from_node", "custom"})
_FOLDERS_THAT_RUN = {
    "data/aotinductor/": "a compiled library",
    "data/constants/custom_obj": "an object of TorchScript",
    "data/constants/opaque_obj": "a pickled object",
}


def require_plain(path: Path) -> None:
    """Nothing happens if loading the archive runs nothing but torch itself. Raises ProgramInputError with all against.

    The archive's check sums were checked before, by `condmix.models.file_kind`.
    """
    place = str(path)
    with zipfile.ZipFile(path) as archive:
        root = require_one_folder(place, archive)
        if f"{root}/{MODEL}" not in archive.namelist():
            raise refused(place, "PROGRAM_VERSION", _no_model(archive.namelist()))
        content = {name.removeprefix(f"{root}/"): name for name in archive.namelist()}
        try:
            problems = list(dict.fromkeys(_problems(archive, content)))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, MemoryError):
            text = "its description is not as torch.export.save writes it: save it again"
            raise refused(place, "PROGRAM_DAMAGED", text) from None
    if problems:
        listed = problems[:8] + ([f"and {len(problems) - 8} more of the kind"] if len(problems) > 8 else [])
        advice = "export it with torch's own operators, or, if you trust where it comes from, give --allow-pickle"
        raise ProgramInputError(place, tuple(("PROGRAM_PICKLE", f"{text}: {advice}") for text in listed))


def require_one_folder(place: str, archive: zipfile.ZipFile) -> str:
    """The folder that all entries lie in, each once: torch's own reader must see what was looked at here."""
    names = archive.namelist()
    folders = {name.partition("/")[0] for name in names}
    if len(set(names)) != len(names):
        raise refused(place, "PROGRAM_DAMAGED", "it holds two entries of one name: save it again")
    if len(folders) != 1 and any("/" in name for name in names):
        raise refused(place, "PROGRAM_DAMAGED", "its entries do not lie in one folder: save it again")
    return names[0].partition("/")[0]


def _no_model(names: list[str]) -> str:
    if any(name.rpartition("/")[2].startswith("serialized_") for name in names):
        found = "it was saved by torch 2.7 or older, in a format that is all pickles"
    else:
        found = "it holds no program under the name 'model'"
    return f"{found}: save it again with torch.export.save of torch 2.9 or newer"


def _problems(archive: zipfile.ZipFile, content: dict[str, str]) -> Iterator[str]:
    for name in content:
        yield from (
            f"it holds {what} ({name})" for prefix, what in _FOLDERS_THAT_RUN.items() if name.startswith(prefix)
        )
        if re.fullmatch(r"data/(weights|constants)/[^/]*\.pt", name):
            yield f"it holds pickled weights ({name})"
        if name.startswith("data/sample_inputs/") and not _is_small_archive(archive.read(content[name])):
            yield f"its sample inputs unpack to far more than their size ({name})"
    for name in (name for name in content if name.endswith("_config.json")):
        yield from _payload_problems(_json(archive, content[name]), archive, content, name.rpartition("/")[0])
    for name in (name for name in content if name.startswith("models/") and name.endswith(".json")):
        model = _json(archive, content[name])
        yield from _texts(model)
        for text in model.get("guards_code") or []:
            if not is_arithmetic(_SIZE_OF_INPUT.sub("s0", text)):
                yield f"it has a condition that is no arithmetic ({text[:60]!r})"
        if model["graph_module"].get("treespec_namedtuple_fields"):
            yield "its inputs or outputs are of classes of their own"


def _json(archive: zipfile.ZipFile, name: str) -> Any:  # whatever the file holds: a wrong field raises
    if archive.getinfo(name).file_size > LARGEST_JSON:
        raise ValueError
    return json.loads(archive.read(name))


def _payload_problems(config: Any, archive: zipfile.ZipFile, content: dict[str, str], folder: str) -> Iterator[str]:
    """Tensors have to be plain bytes, as many as they say: a shape of its own could fill the memory."""
    for name, entry in config["config"].items():
        if entry["use_pickle"]:
            yield f"tensor '{name}' is pickled"
            continue
        held = archive.getinfo(content[f"{folder}/{entry['path_name']}"]).file_size
        elements = 1
        for size in entry["tensor_meta"]["sizes"]:
            elements *= int(size["as_int"])
        # Eight bytes a number at most; a tensor that is stored once may stand for a few more.
        if elements > max(held, 1) * 8 or elements < 0:
            yield f"tensor '{name}' claims {elements} numbers, {held} bytes are stored"


def _texts(item: object) -> Iterator[str]:
    """All that torch would resolve, evaluate or import."""
    waiting = [item]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, dict):
            for key, value in node.items():
                if isinstance(value, str):
                    yield from _text_problem(key, value)
                elif key == "metadata" and isinstance(value, dict):
                    unknown = sorted(set(value) - _METADATA)
                    yield from (f"a node carries {name}, which names functions" for name in unknown)
                else:
                    waiting.append(value)


def _text_problem(key: str, value: str) -> Iterator[str]:
    if key in ("target", "as_operator") and not _OPERATOR.fullmatch(value):
        yield f"it calls {value[:80]!r}, which is none of torch's operators on tensors"
    elif key == "expr_str" and not is_arithmetic(value):
        yield f"it has a size that is no arithmetic ({value[:60]!r})"
    elif key in ("in_spec", "out_spec") and value and not _is_plain_spec(value):
        yield "its inputs or outputs are of classes of their own"


def _is_plain_spec(text: str) -> bool:
    """Containers of Python's own, with plain texts as keys."""
    waiting = [json.loads(text)[1]]
    while waiting:
        node = waiting.pop()
        context = node["context"]
        if node["type"] not in _CONTAINERS or (context is not None and "__" in context):
            return False
        waiting.extend(node["children_spec"])
    return True


def _is_small_archive(content: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as inner:
            return sum(entry.file_size for entry in inner.infolist()) <= MOST_GROWTH * max(len(content), 1)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError):
        raise ValueError from None
