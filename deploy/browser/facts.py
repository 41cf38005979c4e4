"""What a browser tells of itself, bounded and checked: whoever posts it is only as trusted as the address is secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, cast

from condmix.deploy.browser.packages import LITERT_JS, ONNXRUNTIME_WEB, version_of
from condmix.runtime.bench.environment import Environment
from condmix.runtime.cpu import CpuFacts
from condmix.runtime.errors import InvalidRecordError
from condmix.runtime.records import read_fields

SCHEMA_VERSION = 1
KIND = "condmix-browser-facts"
LONGEST_TEXT = 1000
MOST_CORES = 4096
_NULL = type(None)
_UNREADABLE = "a browser does not tell"
_NOT_TOLD = (
    "governors and frequencies",
    "temperatures",
    "load average",
    "memory",
    "stolen time",
    "CPU quota",
    "hypervisor",
    "emulation",
    "peak memory of a subject",
    "CPU time of a run (0 in the samples)",
)
# The first that is in a user agent decides: the later words are in the texts of the earlier ones too.
_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("HeadlessChrome/", "Chrome (headless)"),
    ("Chrome/", "Chrome"),
    ("Version/", "Safari"),
)


@dataclass(frozen=True, kw_only=True)
class BrowserFacts:
    """One browser in its own words, None where it does not say; `user_agent` may be anything that it likes to be.

    platform, architecture, model: of the device. hardware_concurrency: logical cores, maybe fewer than there are.
    clock_step_ns: the smallest step of its clock that was seen. power: "charging, 80 %".
    webgpu_adapter: its name; None for the reason `webgpu_missing`.
    """

    user_agent: str
    platform: str | None
    architecture: str | None
    model: str | None
    hardware_concurrency: int | None
    device_memory_gib: float | None
    cross_origin_isolated: bool
    secure_context: bool
    relaxed_simd: bool
    webgpu_adapter: str | None
    webgpu_missing: str | None
    clock_step_ns: int
    power: str | None
    screen: str

    def __post_init__(self) -> None:
        problems = text_problems({one.name: getattr(self, one.name) for one in fields(self)})
        cores = self.hardware_concurrency
        if cores is not None and not 1 <= cores <= MOST_CORES:
            problems.append(f"hardware_concurrency must be 1 to {MOST_CORES}, found {cores}")
        if not 1 <= self.clock_step_ns <= 10**10:
            problems.append(f"clock_step_ns must be 1 to 10^10, found {self.clock_step_ns}")
        if self.device_memory_gib is not None and not 0 < self.device_memory_gib < 2**20:
            problems.append(f"device_memory_gib must be above 0, found {self.device_memory_gib}")
        if (self.webgpu_adapter is None) == (self.webgpu_missing is None):
            problems.append("one of webgpu_adapter and webgpu_missing must be null")
        if problems:
            raise InvalidRecordError(problems, record="BrowserFacts")

    @property
    def browser(self) -> str:
        """Name and version as far as the user agent gives them."""
        for word, name in _BROWSERS:
            if word in self.user_agent:
                version = self.user_agent.split(word, 1)[1].split(" ", 1)[0].split(".", 1)[0]
                return f"{name} {version}"
        return "an unknown browser"

    def sentence(self) -> str:
        """For a person: `Chrome 156 on Android 16, Pixel 9, 8 cores`."""
        cores = "" if self.hardware_concurrency is None else f", {self.hardware_concurrency} cores"
        model = "" if self.model is None else f", {self.model}"
        return f"{self.browser}{'' if self.platform is None else f' on {self.platform}'}{model}{cores}"

    def environment(self, power: str | None) -> Environment:
        """The machine as far as a browser shows it. power: at that moment."""
        cores = self.hardware_concurrency
        unreadable = dict.fromkeys(_NOT_TOLD, _UNREADABLE)
        if power is None:
            unreadable["power"] = _UNREADABLE
        versions = (
            ("browser", self.user_agent),
            (ONNXRUNTIME_WEB, version_of(ONNXRUNTIME_WEB)),
            (LITERT_JS, version_of(LITERT_JS)),
        )
        return Environment(
            cpu=CpuFacts(
                architecture=self.architecture or "not told",
                system=self.platform or "not told",
                model_names=() if self.model is None else (self.model,),
                features=(),
                logical_cores=cores,
                usable_cores=cores,
                versions=versions,
            ),
            cores=(),
            temperatures_celsius={},
            load_average=None,
            memory_total_bytes=None if self.device_memory_gib is None else int(self.device_memory_gib * 2**30),
            memory_available_bytes=None,
            stolen_seconds=None,
            throttled_periods=None,
            throttled_seconds=None,
            cpu_quota_cores=None,
            hypervisor=None,
            emulated=None,
            power=power,
            unreadable=unreadable,
        )

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, as it is posted."""
        own = {one.name: getattr(self, one.name) for one in fields(self)}
        return {"schema_version": SCHEMA_VERSION, "kind": KIND, **own}

    @classmethod
    def from_dict(cls, data: object) -> BrowserFacts:
        """What a page posts. Raises InvalidRecordError naming every key that is unknown, missing or out of bounds."""
        text, maybe = str, (str, _NULL)
        wanted: dict[str, type | tuple[type, ...]] = {
            "kind": text,
            "user_agent": text,
            "platform": maybe,
            "architecture": maybe,
            "model": maybe,
            "hardware_concurrency": (int, _NULL),
            "device_memory_gib": (float, _NULL),
            "cross_origin_isolated": bool,
            "secure_context": bool,
            "relaxed_simd": bool,
            "webgpu_adapter": maybe,
            "webgpu_missing": maybe,
            "clock_step_ns": int,
            "power": maybe,
            "screen": text,
        }
        values = read_fields(data, record="BrowserFacts", fields=wanted, schema_version=SCHEMA_VERSION)
        if values.pop("kind") != KIND:
            raise InvalidRecordError([f"'kind' must be {KIND!r}"], record="BrowserFacts")
        return cls(**cast("dict[str, Any]", values))


def text_problems(values: Mapping[str, object]) -> list[str]:
    """A line for each text that is too long, or has what a terminal or a page must not get."""
    return [
        f"{name} must be at most {LONGEST_TEXT} characters that can be shown, found {value[:60]!r}"
        for name, value in values.items()
        if isinstance(value, str) and not (len(value) <= LONGEST_TEXT and value.isprintable())
    ]
