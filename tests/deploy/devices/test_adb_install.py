"""Python on the phone: whole and checked, or not there; and the archive that it comes from."""

import tarfile
from pathlib import Path

import pytest

from condmix.deploy.devices import phone_archive
from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.phone_archive import phone_python
from condmix.deploy.devices.phone_guard import PhoneGuard
from condmix.deploy.devices.phone_install import install_python
from condmix.deploy.devices.phone_python import KINDS, LIBRARIES, build_phone_python
from tests.deploy.devices.adb_fake import FakePhone, fake_python, phone  # noqa: F401 - a fixture


def install(phone: FakePhone, archive: Path, free_bytes: int | None = None, **more: bytes) -> str:  # noqa: F811
    python = fake_python(archive, more)
    guard = PhoneGuard(phone.client(), phone.tmp / "condmix-lock")
    try:
        return str(install_python(phone.client(), guard, python, phone.tmp, free_bytes=free_bytes))
    finally:
        guard.release()


def test_it_is_brought_once_and_checked_each_time(phone: FakePhone, tmp_path: Path):  # noqa: F811
    program = install(phone, tmp_path / "a.tar")
    home = Path(program).parent
    assert phone.left() == [home.name]
    assert home.name.startswith("condmix-")
    assert install(phone, tmp_path / "a.tar") == program
    assert phone.log.count("push ") == 1
    other = install(phone, tmp_path / "b.tar", x=b"another")
    assert phone.left() == sorted([home.name, Path(other).parent.name])


def test_a_stale_copy_is_replaced(phone: FakePhone, tmp_path: Path):  # noqa: F811
    home = Path(install(phone, tmp_path / "a.tar")).parent
    (home / "lib/one.py").write_text("2\n")
    install(phone, tmp_path / "a.tar")
    assert (home / "lib/one.py").read_text() == "1\n"
    (home / "check.py").unlink()
    install(phone, tmp_path / "a.tar")
    assert phone.log.count("push ") == 3
    assert phone.left() == [home.name]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("cut", "push: the link to the phone was lost: .*EOF"),
        ("full", "push: no space left on the device. Free space on /data"),
        ("flip", "push: the archive arrived with another content than was sent. Run it again; nothing half-written"),
    ],
)
def test_nothing_half_written_is_left(phone: FakePhone, tmp_path: Path, fault: str, words: str):  # noqa: F811
    phone.fail(fault)
    with pytest.raises(DeviceError, match=words):
        install(phone, tmp_path / "a.tar")
    assert phone.left() == []
    phone.heal(fault)
    assert install(phone, tmp_path / "a.tar")


def test_no_room_is_told_before_anything_is_pushed(phone: FakePhone, tmp_path: Path):  # noqa: F811
    with pytest.raises(DeviceError, match=r"space: .* has 1 MiB free, expected 16 MiB for Python\. Free space"):
        install(phone, tmp_path / "a.tar", free_bytes=1 << 20)
    assert "push " not in phone.log


def test_a_phone_that_does_not_run_it(phone: FakePhone, tmp_path: Path):  # noqa: F811
    archive = tmp_path / "a.tar"
    start = b"#!/bin/sh\necho 'Bad system call' >&2; exit 159\n"
    with pytest.raises(
        DeviceError, match=r"start Python: Bad system call\. This phone does not run .*--device browser"
    ):
        install(phone, archive, python=start)
    assert phone.left() == []
    phone.command("tar", "echo 'tar: write: No space left on device' >&2; exit 1")
    with pytest.raises(DeviceError, match=r"unpack: tar: write: No space left on device\. Free space on /data"):
        install(phone, archive)
    assert phone.left() == []


def debian(root: Path, triplet: str, loader: str) -> Path:
    for name in ("usr/bin", f"usr/lib/{triplet}", "usr/lib/python3.11/lib-dynload", "usr/lib/python3.11/test"):
        (root / name).mkdir(parents=True)
    (root / "lib").symlink_to("usr/lib")
    for name in (*LIBRARIES, loader):
        (root / "usr/lib" / triplet / f"{name}.real").write_bytes(name.encode())
        (root / "usr/lib" / triplet / name).symlink_to(f"/usr/lib/{triplet}/{name}.real")
    (root / "usr/bin/python3.11").write_bytes(b"python")
    library = root / "usr/lib/python3.11"
    for name in ("os.py", "test/a.py", "lib-dynload/_ctypes.so", "lib-dynload/_ssl.so", "sitecustomize.py"):
        (library / name).write_bytes(name.encode())
    (library / "dangling.py").symlink_to("/etc/none")
    return root


def test_the_archive_has_what_python_needs_and_is_the_same_each_time(tmp_path: Path):
    kind = KINDS["aarch64"]
    root = debian(tmp_path / "root", kind.triplet, kind.loader)
    first = build_phone_python(root, "aarch64", tmp_path / "x/1.tar", device="adb")
    assert build_phone_python(root, "aarch64", tmp_path / "2.tar", device="adb").sha256 == first.sha256
    with tarfile.open(first.path) as archive:
        members = {one.name: one for one in archive.getmembers()}
        assert all(one.isfile() for one in members.values())
        start = archive.extractfile("python").read().decode()
        listing = archive.extractfile("FILES").read().decode()
    assert set(members) == {
        "FILES", "check.py", "python", kind.loader, "bin/python3.11", *(f"lib/{name}" for name in LIBRARIES),
        "lib/python3.11/os.py", "lib/python3.11/lib-dynload/_ctypes.so",
    }  # fmt: skip
    assert [name for name, one in members.items() if one.mode == 0o755] == ["bin/python3.11", kind.loader, "python"]
    assert start.startswith("#!/system/bin/sh\n")
    assert f'exec "$here/{kind.loader}" --argv0 "$0"' in start
    assert len(listing.splitlines()) == len(members) - 1
    assert first.unpacked_bytes == sum(one.size for one in members.values())


def test_a_root_that_lacks_something(tmp_path: Path):
    kind = KINDS["aarch64"]
    root = debian(tmp_path / "root", kind.triplet, kind.loader)
    (root / f"usr/lib/{kind.triplet}/libc.so.6.real").unlink()
    (root / "usr/bin/python3.11").unlink()
    with pytest.raises(DeviceError, match=r"packages: the Debian system for it lacks libc\.so\.6, python3\.11\."):
        build_phone_python(root, "aarch64", tmp_path / "1.tar", device="adb")
    assert not (tmp_path / "1.tar").exists()


def test_the_archive_is_made_once_and_again_when_it_was_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):  # fmt: skip
    made = []

    def build(command: list[str], **_: object) -> object:
        made.append(command)
        debian(Path(command[-2]), KINDS["x86_64"].triplet, KINDS["x86_64"].loader)
        return type("Ran", (), {"returncode": 0})

    monkeypatch.setattr(phone_archive.shutil, "which", lambda _name: "/bin/mmdebstrap")
    monkeypatch.setattr(phone_archive.subprocess, "run", build)
    monkeypatch.setattr(phone_archive, "debian_mirror", lambda: ["http://mirror.example"])
    found = phone_python("adb", "x86_64", tmp_path)
    assert phone_python("adb", "x86_64", tmp_path) == found
    assert len(made) == 1
    assert "--architectures=amd64" in made[0]
    assert made[0][-1] == "http://mirror.example"  # this machine's mirror alone, without the suite of security updates
    found.path.write_bytes(found.path.read_bytes()[:5000])
    assert phone_python("adb", "x86_64", tmp_path).sha256 == found.sha256
    assert len(made) == 2
    assert sorted(path.suffix for path in found.path.parent.iterdir()) == [".sha256", ".tar"]


def test_what_the_archive_is_made_with_is_missing_or_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(phone_archive.shutil, "which", lambda _name: None)
    with pytest.raises(DeviceError, match=r"no mmdebstrap on the PATH.* Install it: sudo apt-get install mmdebstrap"):
        phone_python("adb", "aarch64", tmp_path)
    monkeypatch.setattr(phone_archive.shutil, "which", lambda _name: "/bin/false")
    with pytest.raises(DeviceError, match=r"mmdebstrap could not unpack Debian"):
        phone_python("adb", "aarch64", tmp_path)
    assert list((tmp_path / "phones").iterdir()) == []
