"""The engines of the page: pinned npm packages, fetched once by npm into a cache folder, each file known by hash."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from condmix.deploy.browser.errors import BrowserError

PINS = "pins.json"
STEP = "fetching the engines"
NPM_SECONDS = 600.0
ONNXRUNTIME_WEB, LITERT_JS = "onnxruntime-web", "@litertjs/core"
# Import maps do not reach workers, so the one bare name in LiteRT.js becomes a path as it is served.
REWRITTEN: Mapping[str, tuple[bytes, bytes]] = {"litert.js": (b'"@litertjs/wasm-utils"', b'"./litert-wasm-utils.js"')}
Fetch = Callable[["Package", Path], None]


@dataclass(frozen=True, kw_only=True)
class PackageFile:
    """One file of a package. member: in the archive. name: under which it is served."""

    member: str
    name: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class Package:
    """One npm package. archive: the file that `npm pack` writes. integrity: of that file, in npm's own form."""

    name: str
    version: str
    archive: str
    integrity: str
    files: tuple[PackageFile, ...]


@cache
def pinned() -> tuple[Package, ...]:
    """The packages that this condmix serves, and no others."""
    data = json.loads(files("condmix.deploy.browser").joinpath(PINS).read_text(encoding="utf-8"))
    return tuple(
        Package(
            name=one["name"],
            version=one["version"],
            archive=one["archive"],
            integrity=one["integrity"],
            files=tuple(PackageFile(**file) for file in one["files"]),
        )
        for one in data["packages"]
    )


def version_of(name: str) -> str:
    """The pinned version of the package of that name."""
    return next(one.version for one in pinned() if one.name == name)


def default_cache(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder in the user's cache (XDG_CACHE_HOME, else ~/.cache); nothing is looked at or made."""
    found = environment.get("XDG_CACHE_HOME", "")
    # The specification of that variable says to ignore a relative path.
    parent = Path(found) if Path(found).is_absolute() else Path.home() / ".cache"
    return parent / "condmix" / "browser"


def npm_pack(package: Package, folder: Path) -> None:
    """The archive of the package lies in the folder. Raises BrowserError without npm, or when npm fails."""
    npm = shutil.which("npm")
    wanted = f"{package.name}@{package.version}"
    by_hand = f"Or run `npm pack {wanted}` elsewhere and put {package.archive} into that folder"
    if npm is None:
        reason = f"npm is not installed, and {package.archive} is not in {folder}"
        raise BrowserError(STEP, reason, f"Install npm (Debian: apt-get install npm). {by_hand}.")
    command = [npm, "pack", wanted, "--ignore-scripts", "--pack-destination", str(folder)]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=NPM_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BrowserError(STEP, f"npm pack {wanted}: {error}", f"Check the network. {by_hand}: {folder}.") from error
    if done.returncode != 0:
        words = " ".join(line.strip() for line in done.stderr.splitlines() if "error" in line.lower())[:500]
        reason = f"npm pack {wanted} ended with exit code {done.returncode}: {words or 'no reason given'}"
        raise BrowserError(STEP, reason, f"Check the network. {by_hand}: {folder}.")


def engine_files(
    folder: Path | None = None,
    *,
    packages: Sequence[Package] | None = None,
    fetch: Fetch = npm_pack,
    report_progress: Callable[[str], None] = lambda _stage: None,
) -> dict[str, Path]:
    """Name as served -> file, each the very bytes that are pinned; what is not in the folder yet is fetched.

    folder: `default_cache()` unless given. fetch: what puts the archive of a package into a folder.
    Raises BrowserError when something cannot be fetched, or is not what it is pinned to be.
    """
    cached = default_cache() if folder is None else folder
    found: dict[str, Path] = {}
    for package in pinned() if packages is None else packages:
        home = cached / f"{package.archive.removesuffix('.tgz')}"
        if not _is_whole(package, home):
            report_progress(f"fetch {package.name} {package.version}")
            try:
                cached.mkdir(parents=True, exist_ok=True)
                _unpack(package, _archive(package, cached, fetch), home)
            except OSError as error:
                reason = f"{cached}: {error.strerror or error}"
                raise BrowserError(
                    STEP, reason, "Free space there, or set XDG_CACHE_HOME to another folder."
                ) from error
        found |= {file.name: home / file.name for file in package.files}
    return found


def served_content(name: str, content: bytes) -> bytes:
    """The file as the page gets it: unchanged, but for the one name in REWRITTEN."""
    if name not in REWRITTEN:
        return content
    old, new = REWRITTEN[name]
    if content.count(old) != 1:
        raise BrowserError(STEP, f"{name} has {content.count(old)} times {old!r}, expected once", "Report this.")
    return content.replace(old, new)


def _is_whole(package: Package, home: Path) -> bool:
    return all(_sha256(home / file.name) == file.sha256 for file in package.files)


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None


def _archive(package: Package, cached: Path, fetch: Fetch) -> Path:
    """One that was put there by hand counts, if it is the right one."""
    path = cached / package.archive
    if _integrity(path) != package.integrity:
        path.unlink(missing_ok=True)
        fetch(package, cached)
    found = _integrity(path)
    if found != package.integrity:
        path.unlink(missing_ok=True)
        reason = f"{package.archive} is {found or 'not there'}, pinned is {package.integrity}: it is another file"
        raise BrowserError(STEP, reason, "Nothing of it was used. Check the registry that npm is set to.")
    return path


def _integrity(path: Path) -> str | None:
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha512").digest()
    except OSError:
        return None
    return "sha512-" + base64.b64encode(digest).decode()


def _unpack(package: Package, archive: Path, home: Path) -> None:
    """The pinned members, and nothing else, lie in `home`, which appears whole."""
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=".unpacking-") as parent:
        partial = Path(parent) / "files"
        partial.mkdir()
        with tarfile.open(archive, "r:gz") as content:
            for file in package.files:
                stream = content.extractfile(file.member)
                data = b"" if stream is None else stream.read(file.size_bytes + 1)
                if hashlib.sha256(data).hexdigest() != file.sha256:
                    reason = f"{file.member} of {package.archive} is not the pinned file"
                    raise BrowserError(STEP, reason, "Report this: the pins of condmix contradict each other.")
                (partial / file.name).write_bytes(data)
        if home.exists():
            shutil.rmtree(home)
        try:
            partial.rename(home)
        except OSError:
            if not _is_whole(package, home):  # else another run was faster
                raise
    archive.unlink(missing_ok=True)
