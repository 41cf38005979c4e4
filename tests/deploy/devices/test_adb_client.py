"""Shell commands and files over adb: an exit code is the command's own, everything else is the link."""

from pathlib import Path

import pytest

from condmix.deploy.devices.adb_client import AdbClient, last_words
from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.phone_check import check_features
from tests.deploy.devices.adb_fake import FakePhone, phone  # noqa: F401 - a fixture


def test_a_command_has_its_own_code_and_both_outputs(phone: FakePhone):  # noqa: F811
    done = phone.client().shell("echo out; echo no newline at the end | tr -d '\\n'; echo err >&2; exit 7", step="try")
    assert (done.code, done.stdout, done.stderr) == (7, "out\nno newline at the end", "err\n")
    assert phone.client().shell("printf 'a\\r\\nb\\r\\n'", step="try").stdout == "a\nb\n"
    with pytest.raises(DeviceError, match=r"adb: try: exit code 3: because\. Then this\."):
        phone.client().demand("echo because >&2; exit 3", step="try", next_step="Then this.")


def test_a_lost_link_is_not_an_exit_code(phone: FakePhone):  # noqa: F811
    phone.fail("unplugged")
    with pytest.raises(
        DeviceError, match=r"adb: probe: the link to the phone was lost: device 'R58M12ABCDE' not found"
    ):
        phone.client().shell("true", step="probe")
    phone.heal("unplugged")
    with pytest.raises(DeviceError, match=r"adb: probe: adb was ended by SIGKILL"):
        phone.client().shell("kill -9 $$", step="probe")


def test_silence_ends(phone: FakePhone):  # noqa: F811
    phone.fail("hang")
    with pytest.raises(DeviceError, match=r"adb: probe: no answer within 0\.2 s"):
        phone.client().shell("true", step="probe", timeout_seconds=0.2)


def test_files_that_do_not_arrive(phone: FakePhone, tmp_path: Path):  # noqa: F811
    (tmp_path / "a").write_bytes(b"content")
    for fault, words in (
        ("cut", "the link to the phone was lost: .*failed to read copy response: EOF"),
        ("full", "no space left on the device. Free space on /data"),
    ):
        phone.fail(fault)
        with pytest.raises(DeviceError, match=words):
            phone.client().push(tmp_path / "a", phone.tmp / "a", step="push", timeout_seconds=9)
        phone.heal(fault)
    phone.client().push(tmp_path / "a", phone.tmp / "a", step="push", timeout_seconds=9)
    assert Path(phone.tmp / "a").read_bytes() == b"content"


def test_what_is_no_adb_and_what_is_too_old(phone: FakePhone, tmp_path: Path):  # noqa: F811
    with pytest.raises(DeviceError, match=r"does not start: No such file"):
        AdbClient(tmp_path / "none", None, device="adb").shell("true", step="probe")
    check_features(phone.client())
    (phone.control / "features").write_text("cmd\n")
    with pytest.raises(DeviceError, match=r"its adb has no shell_v2, expected Android 7 or newer"):
        check_features(phone.client())
    phone.fail("unplugged")
    with pytest.raises(DeviceError, match=r"connect: the link to the phone was lost"):
        check_features(phone.client())


def test_last_words_are_without_adbs_own_prefixes():
    assert last_words("* daemon started successfully\nadb: error: closed\n\n") == "closed"
    assert last_words("* daemon started successfully") == ""
