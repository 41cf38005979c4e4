"""What --fail-if takes: METRIC[(SUBJECT)] OPERATOR VALUE[UNIT], read strictly."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from condmix.deploy.errors import PlanError

ORDERS = (">=", "<=", ">", "<")
EQUALITIES = ("==", "!=")
VERDICT_WORDS = ("VALID", "NOISY", "THROTTLED", "TOO_SHORT", "EMULATED", "UNVERIFIED")
"""The names of runtime.bench's judgements; repeated here, for --help and wrong usage load no numpy."""
_NS = MappingProxyType({"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9})
_BYTES = MappingProxyType({"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30})
_SHARE = MappingProxyType({"": 1.0, "%": 0.01})
_PLAIN = MappingProxyType({"": 1.0})
_DB = MappingProxyType({"dB": 1.0})
_EXPRESSION = re.compile(
    r"\s*(?P<metric>[A-Za-z_0-9]+)\s*"
    r"(?:\((?P<subject>[^()]*(?:\([^()]*\)[^()]*)*)\))?\s*"
    r"(?P<operator>>=|<=|==|!=|>|<|=)\s*"
    r"(?P<value>.*?)\s*",
    re.DOTALL,
)
_QUANTITY = re.compile(r"(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(?P<unit>[A-Za-z]*|%)")
EXAMPLES = "such as p90>12ms, median(model_int8)>5ms, ratio(model_int8)>0.7, peak_memory>200MB, verdict!=VALID"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A figure that can be judged.

    units: what may stand behind its value -> how much of the base unit (ns, bytes, 1) that is; empty for words.
    of_subject: it exists once a subject; others exist once a report.
    """

    name: str
    about: str
    units: Mapping[str, float]
    of_subject: bool = True


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric(name="median", about="steady state, median", units=_NS),
            Metric(name="p90", about="steady state, 100 runs or more", units=_NS),
            Metric(name="p95", about="steady state, 200 runs or more", units=_NS),
            Metric(name="p99", about="steady state, 1000 runs or more", units=_NS),
            Metric(name="minimum", about="steady state, the fastest run", units=_NS),
            Metric(name="maximum", about="steady state, the slowest run", units=_NS),
            Metric(name="mean", about="steady state, mean", units=_NS),
            Metric(name="load", about="opening the model, median over its processes", units=_NS),
            Metric(name="first", about="the first inference, median over its processes", units=_NS),
            Metric(name="warmup", about="warm-up runs, mean", units=_NS),
            Metric(name="size", about="the file", units=_BYTES),
            Metric(name="peak_memory", about="of its process, the largest", units=_BYTES),
            Metric(name="ratio", about="median over that of the first subject", units=_SHARE),
            Metric(name="agreement", about="share of images with the class of the reference", units=_SHARE),
            Metric(name="max_difference", about="largest absolute difference from the reference", units=_PLAIN),
            Metric(name="sqnr", about="signal to noise against the reference", units=_DB),
            Metric(name="noise_floor", about="the first subject against itself", units=_SHARE, of_subject=False),
            Metric(name="verdict", about="of the report", units={}, of_subject=False),
        )
    }
)

_ANYWHERE = ("size", "agreement", "max_difference", "sqnr", "verdict")
TIMES = tuple(name for name in METRICS if name not in _ANYWHERE)
"""What an emulated machine cannot tell: every time, what is made of times, and the memory of its processes."""


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A condition under which the command fails.

    text: as typed. subject: the name of the one that is judged, None for all. limit: in ns, bytes or 1, or a word.
    """

    text: str
    metric: Metric
    subject: str | None
    operator: str
    limit: float | str

    def holds_for(self, value: float) -> bool:
        """Whether the condition is true of the value, which fails the command."""
        assert isinstance(self.limit, float)
        return {
            ">": value > self.limit,
            ">=": value >= self.limit,
            "<": value < self.limit,
            "<=": value <= self.limit,
        }[self.operator]


def parse_gates(texts: Sequence[str]) -> tuple[Gate, ...]:
    """The gates in the order given. Raises PlanError with one line for each text that is none."""
    gates, problems = [], []
    for text in texts:
        try:
            gates.append(parse_gate(text))
        except ValueError as error:
            problems.append(str(error))
    if problems:
        summary = f"--fail-if takes METRIC[(SUBJECT)] OPERATOR VALUE[UNIT], {EXAMPLES}:"
        raise PlanError(summary, problems)
    return tuple(gates)


def parse_gate(text: str) -> Gate:
    """The gate that the text says. Raises ValueError with what is wrong and what would be right."""
    found = _EXPRESSION.fullmatch(text)
    if found is None:
        message = f"{text!r}: expected a metric, an operator and a value"
        raise ValueError(message)
    metric = METRICS.get(found["metric"])
    if metric is None:
        nearest = difflib.get_close_matches(found["metric"], METRICS, n=1, cutoff=0.5)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        message = f"{text!r}: {found['metric']!r} is not a metric: {hint}valid: {', '.join(METRICS)}"
        raise ValueError(message)
    subject = None if found["subject"] is None else found["subject"].strip()
    if subject is not None and not metric.of_subject:
        message = f"{text!r}: there is one {metric.name} for the whole report: leave out ({found['subject']})"
        raise ValueError(message)
    if subject == "":
        message = f"{text!r}: the subject between the brackets is empty: name one, or leave the brackets out for all"
        raise ValueError(message)
    limit = _limit(text, metric, found["operator"], found["value"])
    return Gate(text=text.strip(), metric=metric, subject=subject, operator=found["operator"], limit=limit)


def _limit(text: str, metric: Metric, operator: str, value: str) -> float | str:
    valid = ORDERS if metric.units else EQUALITIES
    if operator not in valid:
        message = f"{text!r}: {operator!r} cannot judge {metric.name}: valid: {', '.join(valid)}"
        raise ValueError(message)
    if not metric.units:
        return _word(text, value)
    quantity = _QUANTITY.fullmatch(value)
    if quantity is None:
        message = f"{text!r}: {value!r} is not a value: expected a number{_units_text(metric)}"
        raise ValueError(message)
    unit = quantity["unit"]
    if unit not in metric.units:
        said = f"{unit!r} is not a unit of {metric.name}" if unit else f"{metric.name} needs a unit"
        message = f"{text!r}: {said}: expected a number{_units_text(metric)}"
        raise ValueError(message)
    return float(quantity["number"]) * metric.units[unit]


def _word(text: str, value: str) -> str:
    word = "_".join(value.upper().split())
    if word not in VERDICT_WORDS:
        nearest = difflib.get_close_matches(word, VERDICT_WORDS, n=1, cutoff=0.5)
        hint = f"did you mean {nearest[0]}? " if nearest else ""
        message = f"{text!r}: {value!r} is not a verdict: {hint}valid: {', '.join(VERDICT_WORDS)}"
        raise ValueError(message)
    return word


def _units_text(metric: Metric) -> str:
    units = [unit for unit in metric.units if unit]
    if not units:
        return " without a unit"
    optional = ", or without one" if "" in metric.units else ""
    return f" with one of the units {', '.join(units)}{optional}" if len(units) > 1 or optional else f" in {units[0]}"
