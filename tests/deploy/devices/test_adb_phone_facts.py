"""What a phone tells of itself, from recorded forms of its answers; what it does not tell is listed."""

import dataclasses
import threading

import pytest

from condmix.deploy.devices.adb_client import ShellResult
from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.phone_check import check_phone
from condmix.deploy.devices.phone_cooling import wait_until_cool
from condmix.deploy.devices.phone_cores import choose_cores, clusters, core_words
from condmix.deploy.devices.phone_dumpsys import read_battery, read_thermal
from condmix.deploy.devices.phone_facts import Battery, PhoneCore, PhoneFacts, PhoneState
from condmix.deploy.devices.phone_probe import probe_phone, read_state
from tests.deploy.devices.adb_fake import BATTERY, THERMAL, FakePhone, phone  # noqa: F401 - a fixture

KHZ = (1_803_000,) * 4 + (2_348_000,) * 2 + (2_850_000,) * 2
CORES = tuple(PhoneCore(number=n, maximum_khz=khz, current_khz=None, governor="x") for n, khz in enumerate(KHZ))
STATE = PhoneState(
    temperatures_celsius={"BIG": 50.0, "skin": 33.0}, skin=("skin",), thermal_status=0, battery=None, unreadable={}
)
ANSWERS = {
    "machine": "aarch64\n",
    "kernel": "5.10.149-android13\n",
    "free space": "Filesystem  1K-blocks Used Available Use% Mounted on\n/dev/block/dm-44\n 112 12 100 11% /data\n",
    "clock": "1700000010\n",
    "properties": "[ro.build.version.release]: [14]\n[ro.product.manufacturer]: [Google]\n"
    "[ro.product.model]: [Pixel 7]\n"
    "[ro.soc.model]: [Tensor G2]\n[ro.product.cpu.abilist]: [arm64-v8a,armeabi-v7a]\n[empty]: []\n",
    "cores": "10|2850000|500000|sched_pixel\n2||\n0|1803000|300000|sched_pixel\n1|||\n",
    "battery": BATTERY,
    "thermal service": THERMAL,
    "temperatures": "cpu-big|41500\nasleep|-274000\n|\nskin|33000\n",
}


class Answers:
    """A client whose phone says what it is given; a number is an exit code."""

    def __init__(self, **changes: str | int) -> None:
        self.answers: dict[str, str | int] = {**ANSWERS, **changes}

    def shell(self, script: str, *, step: str) -> ShellResult:  # noqa: ARG002
        names = [
            line.split(" ", 2)[2].rstrip('"') for line in script.splitlines() if line.startswith('echo "@condmix@ ')
        ]
        said = []
        for name in names:
            answer = self.answers[name]
            text, code = (answer, 0) if isinstance(answer, str) else ("Permission denied\n", answer)
            said.append(f"@condmix@ {name}\n{text}@condmix@= {code}\n")
        return ShellResult(code=0, stdout="".join(said), stderr="")


def probed(**changes: str | int) -> PhoneFacts:
    return probe_phone(Answers(**changes), "/data/local/tmp", clock=lambda: 1_700_000_000.0)  # type: ignore[arg-type]


def test_everything_that_is_told():
    found = probed()
    assert found.sentence() == "Google Pixel 7, Tensor G2, Android 14, aarch64"
    assert (found.kernel, found.abis) == ("5.10.149-android13", ("arm64-v8a", "armeabi-v7a"))
    assert (found.free_bytes, found.clock_offset_seconds, found.clock_is_wrong) == (100 * 1024, 10.5, False)
    assert [(core.number, core.maximum_khz, core.governor) for core in found.cores] == [
        (0, 1_803_000, "sched_pixel"), (1, None, None), (10, 2_850_000, "sched_pixel"),
    ]  # fmt: skip
    assert found.state.temperatures_celsius == {"BIG": 36.25, "VIRTUAL-SKIN": 31.5, "battery": 28.0}
    assert (found.state.thermal_status, found.state.status_words()) == (0, "none")
    assert found.state.warmth() == ("VIRTUAL-SKIN", 31.5)
    assert found.state.battery.words() == "USB; battery charging, 82 %"
    assert found.unreadable == {"build": "no property ro.build.fingerprint"}
    assert found.state.unreadable == {}
    assert "R58M" not in str(found.to_dict())


def test_everything_that_is_withheld_is_listed_with_the_reason():
    found = probed(**dict.fromkeys(ANSWERS, 1))
    assert (found.machine, found.cores, found.free_bytes, found.clock_offset_seconds) == ("unknown", (), None, None)
    assert found.unreadable == dict.fromkeys(
        ("machine", "kernel", "free space", "clock", "properties", "cores"), "Permission denied"
    )
    assert found.state.unreadable == dict.fromkeys(("battery", "thermal service", "temperatures"), "Permission denied")
    assert (found.state.warmth(), found.state.status_words()) == (None, None)
    assert found.sentence() == "a device without a name, unknown"
    odd = probed(clock="soon\n", cores="0|||\n", battery="Can't find service: battery\n")
    assert odd.unreadable["clock"] == "it does not tell any: 'soon'"
    assert odd.unreadable["frequencies"] == "no core tells its frequency"
    assert odd.state.unreadable == {"battery": 'it does not tell any: "Can\'t find service: battery"'}


def test_a_script_of_a_real_shell_is_read(phone: FakePhone):  # noqa: F811
    found = probe_phone(phone.client(), phone.tmp)
    assert (found.machine, found.model, found.abis) == ("x86_64", "Pixel 7", ("x86_64", "arm64-v8a"))
    assert abs(found.clock_offset_seconds) < 5
    assert found.free_bytes > 0
    assert [core.number for core in found.cores] == list(range(len(found.cores)))
    assert read_state(phone.client(), step="x").warmth() == ("VIRTUAL-SKIN", 31.5)


def test_dumpsys_in_other_forms():
    assert read_battery("  status: 5\n  AC powered: true\n").words() == "mains; battery full"
    assert read_battery("  level: 7\n  status: x\n").words() == "battery in an unknown state, 7 %"
    assert read_battery("no battery here") is None
    remembered = read_thermal(THERMAL.partition("HAL Ready")[0])
    assert (remembered.temperatures_celsius, remembered.skin) == ({"old-skin": 55.0}, ("old-skin",))
    assert read_thermal("Thermal Status: 3\n").status == 3
    assert read_thermal("Can't find service: thermalservice") is None
    assert dataclasses.replace(STATE, thermal_status=9).status_words() == "unknown status 9"


def test_warmth_is_of_the_skin_then_the_battery_then_whatever_is_warmest():
    battery = Battery(level_percent=None, state="full", plugged=None, temperature_celsius=29.0)
    assert STATE.warmth() == ("skin", 33.0)
    assert dataclasses.replace(STATE, skin=(), battery=battery).warmth() == ("battery", 29.0)
    assert dataclasses.replace(STATE, skin=()).warmth() == ("BIG", 50.0)


@pytest.mark.parametrize(
    ("wanted", "threads", "cores"),
    [("fastest", 1, (6, 7)), ("fastest", 3, (4, 5, 6, 7)), ("slowest", 4, (0, 1, 2, 3)), ("all", 1, tuple(range(8))),
     ("4-6", 1, (4, 5, 6)), ("7, 0,1-2", 4, (0, 1, 2, 7)), ("fastest", 99, tuple(range(8)))],
)  # fmt: skip
def test_cores_by_kind_or_number(wanted: str, threads: int, cores: tuple[int, ...]):
    assert choose_cores(CORES, wanted, threads, device="adb") == cores


def test_cores_that_there_are_not():
    assert core_words(CORES) == "0-3 at 1.80 GHz, 4-5 at 2.35 GHz, 6-7 at 2.85 GHz"
    assert [len(kind) for kind in clusters(CORES)] == [2, 2, 4]
    for wanted in ("8", "big", "", "3-1", "0-9", "-1"):
        with pytest.raises(
            DeviceError, match=r"is no choice of cores, expected fastest, slowest, all, or numbers.*0-3 at"
        ):
            choose_cores(CORES, wanted, 1, device="adb")
    assert choose_cores((), "fastest", 1, device="adb") == ()
    assert core_words(()) == "none are listed"


def test_a_phone_that_can_run_nothing_of_ours():
    good = probed()
    check_phone("adb", good, now=1.7e9)
    for changes, words in (
        (
            {"machine": "armv8l"},
            "it is Google Pixel 7, .*, expected a 64-bit kernel: aarch64, x86_64. Use --device browser",
        ),
        ({"abis": ("armeabi-v7a",)}, "runs armeabi-v7a, expected arm64-v8a"),
        ({"clock_offset_seconds": -7200.0}, r"its clock is 2\.0 hours behind.*date -u @1700000000"),
    ):
        with pytest.raises(DeviceError, match=words):
            check_phone("adb", dataclasses.replace(good, **changes), now=1.7e9)
    assert dataclasses.replace(good, clock_offset_seconds=300.0).clock_is_wrong


class Phone:
    """One that cools by a degree at each look; time goes by as it is slept."""

    def __init__(self, degrees: float, status: int = 0) -> None:
        self.degrees, self.status, self.now, self.said = degrees, status, 0.0, []

    def read(self) -> PhoneState:
        self.degrees -= 1
        return dataclasses.replace(STATE, temperatures_celsius={"skin": self.degrees}, thermal_status=self.status)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def wait(self, **changes: object):
        settings = {"target_celsius": 37.0, "most_seconds": 60.0, "say": self.said.append, **changes}
        return wait_until_cool(self.read, clock=lambda: self.now, sleep=self.sleep, **settings)


def test_it_is_waited_until_the_phone_is_cool():
    hot = Phone(40.0)
    found = hot.wait()
    assert (found.start_celsius, found.end_celsius, found.waited_seconds, found.reached) == (39.0, 37.0, 10.0, True)
    assert found.sentence() == "skin at 37.0 °C after 10 s of waiting, target 37 °C"
    assert hot.said == ["cooling: skin at 39.0 °C, target 37 °C", "cooling: skin at 38.0 °C, target 37 °C"]
    assert Phone(30.0).wait().waited_seconds == 0


def test_and_no_longer_than_allowed():
    found = Phone(90.0).wait(most_seconds=12.0)
    assert (found.waited_seconds, found.reached) == (12.0, False)
    assert found.sentence().startswith("it did not cool down to 37 °C: skin at 86.0 °C after 12 s")
    throttled = Phone(30.0, status=2)
    assert throttled.wait(most_seconds=5.0).reached is False
    assert "thermal status moderate" in throttled.said[0]
    stop = threading.Event()
    stop.set()
    assert Phone(90.0).wait(stop=stop).waited_seconds == 0
    silent = dataclasses.replace(STATE, temperatures_celsius={}, skin=())
    found = wait_until_cool(lambda: silent, target_celsius=37, most_seconds=60, say=print)
    assert (found.reached, found.sentence()[:31]) == (None, "the phone tells no temperature:")
