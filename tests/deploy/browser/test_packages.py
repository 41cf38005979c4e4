import base64
import hashlib
import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from condmix.deploy.browser import packages as module
from condmix.deploy.browser.errors import BrowserError
from condmix.deploy.browser.packages import (
    Package,
    PackageFile,
    default_cache,
    engine_files,
    npm_pack,
    pinned,
    served_content,
    version_of,
)

CONTENT = {"package/dist/a.mjs": b"export {}", "package/b.wasm": b"\0asm", "package/../../evil": b"not asked for"}


def archive_bytes() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as content:
        for name, data in CONTENT.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            content.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


ARCHIVE = archive_bytes()


def package(**changes: object) -> Package:
    files = tuple(
        PackageFile(member=name, name=Path(name).name, sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))
        for name, data in CONTENT.items()
        if "evil" not in name
    )
    values = {
        "name": "thing",
        "version": "1.0.0",
        "archive": "thing-1.0.0.tgz",
        "integrity": "sha512-" + base64.b64encode(hashlib.sha512(ARCHIVE).digest()).decode(),
        "files": files,
    }
    return Package(**{**values, **changes})


def writes(content: bytes, calls: list[str]):
    def fetch(wanted: Package, folder: Path) -> None:
        calls.append(wanted.name)
        (folder / wanted.archive).write_bytes(content)

    return fetch


def test_packages_are_fetched_once_and_only_the_pinned_files_are_kept(tmp_path: Path) -> None:
    calls: list[str] = []
    cache = tmp_path / "cache"
    found = engine_files(cache, packages=[package()], fetch=writes(ARCHIVE, calls))
    assert {name: path.read_bytes() for name, path in found.items()} == {"a.mjs": b"export {}", "b.wasm": b"\0asm"}
    assert engine_files(cache, packages=[package()], fetch=writes(ARCHIVE, calls)) == found
    assert calls == ["thing"]
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["a.mjs", "b.wasm"]


def test_an_archive_put_there_by_hand_is_taken(tmp_path: Path) -> None:
    (tmp_path / "thing-1.0.0.tgz").write_bytes(ARCHIVE)
    calls: list[str] = []
    assert set(engine_files(tmp_path, packages=[package()], fetch=writes(b"", calls))) == {"a.mjs", "b.wasm"}
    assert calls == []


def test_a_file_that_was_changed_in_the_cache_is_fetched_again(tmp_path: Path) -> None:
    calls: list[str] = []
    found = engine_files(tmp_path, packages=[package()], fetch=writes(ARCHIVE, calls))
    found["b.wasm"].write_bytes(b"tampered")
    again = engine_files(tmp_path, packages=[package()], fetch=writes(ARCHIVE, calls))
    assert again["b.wasm"].read_bytes() == b"\0asm"
    assert calls == ["thing", "thing"]


def test_another_archive_than_the_pinned_one_is_not_used(tmp_path: Path) -> None:
    with pytest.raises(BrowserError, match="it is another file") as caught:
        engine_files(tmp_path, packages=[package()], fetch=writes(ARCHIVE + b"x", []))
    assert caught.value.step == module.STEP
    assert list(tmp_path.iterdir()) == []


def test_pins_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    wrong = PackageFile(member="package/b.wasm", name="b.wasm", sha256="0" * 64, size_bytes=4)
    with pytest.raises(BrowserError, match=r"package/b\.wasm of thing-1\.0\.0\.tgz is not the pinned file"):
        engine_files(tmp_path, packages=[package(files=(wrong,))], fetch=writes(ARCHIVE, []))
    assert [path.name for path in tmp_path.iterdir()] == ["thing-1.0.0.tgz"]


def test_a_cache_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BrowserError, match="XDG_CACHE_HOME"):
        engine_files(tmp_path / "file" / "cache", packages=[package()], fetch=writes(ARCHIVE, []))


def test_without_npm_the_next_step_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.shutil, "which", lambda _name: None)
    with pytest.raises(BrowserError, match=r"npm is not installed.*npm pack thing@1\.0\.0"):
        npm_pack(package(), tmp_path)


@pytest.mark.parametrize("words", ["npm error 404 Not Found", ""])
def test_npm_that_fails_is_told_in_its_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    monkeypatch.setattr(module.shutil, "which", lambda _name: "npm")
    seen: list[list[str]] = []

    def run(command: list[str], **_choices: object) -> subprocess.CompletedProcess[str]:
        seen.append(command)
        return subprocess.CompletedProcess(command, 1, "", words)

    monkeypatch.setattr(module.subprocess, "run", run)
    with pytest.raises(BrowserError, match=words or "no reason given"):
        npm_pack(package(), tmp_path)
    assert seen[0][:3] == ["npm", "pack", "thing@1.0.0"]
    assert "--ignore-scripts" in seen[0]


def test_npm_that_cannot_run_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.shutil, "which", lambda _name: str(tmp_path / "no-npm"))
    with pytest.raises(BrowserError, match="No such file"):
        npm_pack(package(), tmp_path)


def test_the_pins_are_whole() -> None:
    names = [file.name for one in pinned() for file in one.files]
    assert len(names) == len(set(names))
    assert all("/" not in name and Path(name).suffix in (".js", ".mjs", ".wasm") for name in names)
    assert all(one.integrity.startswith("sha512-") for one in pinned())
    assert {"litert.js", "ort.wasm.min.mjs", "ort.webgpu.min.mjs"} <= set(names)
    assert version_of("onnxruntime-web") == "1.30.0"


def test_the_bare_name_becomes_a_path_and_nothing_else_changes() -> None:
    served = served_content("litert.js", b'import { x } from "@litertjs/wasm-utils";')
    assert served == b'import { x } from "./litert-wasm-utils.js";'
    assert served_content("other.js", b'"@litertjs/wasm-utils"') == b'"@litertjs/wasm-utils"'
    with pytest.raises(BrowserError, match="expected once"):
        served_content("litert.js", b"")


def test_the_cache_is_the_users(tmp_path: Path) -> None:
    assert default_cache({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "condmix" / "browser"
    assert default_cache({"XDG_CACHE_HOME": "relative"}) == Path.home() / ".cache" / "condmix" / "browser"
