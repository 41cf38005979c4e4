"""The small strict grammar of --fail-if."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.deploy.errors import PlanError
from condmix.deploy.measure.gate_expression import METRICS, ORDERS, VERDICT_WORDS, parse_gate, parse_gates
from condmix.runtime.bench.verdict import Judgement


@pytest.mark.parametrize(
    ("text", "metric", "subject", "operator", "limit"),
    [
        ("p90>12ms", "p90", None, ">", 12e6),
        (" median ( model_int8 ) >= 5.5 ms ", "median", "model_int8", ">=", 5.5e6),
        ("ratio(model_int8)>0.7", "ratio", "model_int8", ">", 0.7),
        ("ratio>70%", "ratio", None, ">", 0.7),
        ("load>200ms", "load", None, ">", 2e8),
        ("first>1s", "first", None, ">", 1e9),
        ("minimum<150us", "minimum", None, "<", 150e3),
        ("maximum>=1e3ns", "maximum", None, ">=", 1e3),
        ("peak_memory>200MB", "peak_memory", None, ">", 200e6),
        ("size>24MiB", "size", None, ">", 24 * 1024**2),
        ("agreement<99%", "agreement", None, "<", 0.99),
        ("max_difference>1e-4", "max_difference", None, ">", 1e-4),
        ("sqnr<20dB", "sqnr", None, "<", 20.0),
        ("noise_floor>5%", "noise_floor", None, ">", 0.05),
        ("median(net (again)) > 1 s", "median", "net (again)", ">", 1e9),
        ("verdict!=VALID", "verdict", None, "!=", "VALID"),
        ("verdict==too short", "verdict", None, "==", "TOO_SHORT"),
    ],
)
def test_a_gate_is_read(text: str, metric: str, subject: str | None, operator: str, limit: float | str) -> None:
    gate = parse_gate(text)
    assert (gate.metric.name, gate.subject, gate.operator) == (metric, subject, operator)
    assert gate.limit == (pytest.approx(limit) if isinstance(limit, float) else limit)
    assert gate.text == text.strip()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("p90", "'p90': expected a metric, an operator and a value"),
        ("", "'': expected a metric, an operator and a value"),
        (
            "p80>12ms",
            "'p80>12ms': 'p80' is not a metric: did you mean 'p90'? valid: median, p90, p95, p99, minimum, "
            "maximum, mean, load, first, warmup, size, peak_memory, ratio, agreement, max_difference, sqnr, "
            "noise_floor, verdict",
        ),
        ("p90=12ms", "'p90=12ms': '=' cannot judge p90: valid: >=, <=, >, <"),
        ("p90==12ms", "'p90==12ms': '==' cannot judge p90: valid: >=, <=, >, <"),
        ("verdict>VALID", "'verdict>VALID': '>' cannot judge verdict: valid: ==, !="),
        ("p90>12", "'p90>12': p90 needs a unit: expected a number with one of the units ns, us, ms, s"),
        ("p90>12sec", "'p90>12sec': 'sec' is not a unit of p90: expected a number with one of the units ns, us, ms, s"),
        ("p90>12MS", "'p90>12MS': 'MS' is not a unit of p90: expected a number with one of the units ns, us, ms, s"),
        (
            "peak_memory>200ms",
            "'peak_memory>200ms': 'ms' is not a unit of peak_memory: expected a number with one of the units "
            "B, kB, MB, GB, KiB, MiB, GiB",
        ),
        ("ratio>1x", "'ratio>1x': 'x' is not a unit of ratio: expected a number with one of the units %, or without "
         "one"),
        ("sqnr<20", "'sqnr<20': sqnr needs a unit: expected a number in dB"),
        ("max_difference>1%", "'max_difference>1%': '%' is not a unit of max_difference: expected a number without a "
         "unit"),
        ("p90>-1ms", "'p90>-1ms': '-1ms' is not a value: expected a number with one of the units ns, us, ms, s"),
        ("p90>nan", "'p90>nan': 'nan' is not a value: expected a number with one of the units ns, us, ms, s"),
        ("p90>1ms p95>2ms", "'p90>1ms p95>2ms': '1ms p95>2ms' is not a value: expected a number with one of the units "
         "ns, us, ms, s"),
        ("median()>5ms", "'median()>5ms': the subject between the brackets is empty: name one, or leave the brackets "
         "out for all"),
        ("verdict(net)!=VALID", "'verdict(net)!=VALID': there is one verdict for the whole report: leave out (net)"),
        ("verdict!=GOOD", "'verdict!=GOOD': 'GOOD' is not a verdict: valid: VALID, NOISY, THROTTLED, TOO_SHORT, "
         "EMULATED, UNVERIFIED"),
        (
            "verdict!=VALIDE",
            "'verdict!=VALIDE': 'VALIDE' is not a verdict: did you mean VALID? valid: VALID, NOISY, THROTTLED, "
            "TOO_SHORT, EMULATED, UNVERIFIED",
        ),
    ],
)  # fmt: skip
def test_what_is_no_gate_is_told_what_would_be_right(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        parse_gate(text)
    assert str(caught.value) == message


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(PlanError) as caught:
        parse_gates(["p90>12ms", "p90>12", "verdict>VALID"])
    assert len(caught.value.problems) == 2
    assert str(caught.value).startswith("--fail-if takes METRIC[(SUBJECT)] OPERATOR VALUE[UNIT], such as p90>12ms, ")


@pytest.mark.parametrize(
    ("operator", "holds"), [(">", [False, False, True]), (">=", [False, True, True]),
                            ("<", [True, False, False]), ("<=", [True, True, False])],
)  # fmt: skip
def test_a_gate_holds_on_the_right_side_of_its_limit(operator: str, holds: list[bool]) -> None:
    gate = parse_gate(f"median{operator}2ns")
    assert [gate.holds_for(value) for value in (1.0, 2.0, 3.0)] == holds


@given(
    st.sampled_from([metric for metric in METRICS.values() if metric.units]).flatmap(
        lambda metric: st.tuples(st.just(metric), st.sampled_from(list(metric.units)))
    ),
    st.sampled_from(ORDERS),
    st.integers(0, 10**9),
)
def test_every_metric_takes_every_unit_of_its_own(metric_unit: tuple, operator: str, number: int) -> None:
    metric, unit = metric_unit
    assert parse_gate(f"{metric.name}{operator}{number}{unit}").limit == number * metric.units[unit]


@given(st.text(max_size=30))
def test_any_other_text_is_a_named_error_and_nothing_else(text: str) -> None:
    try:
        said = parse_gate(text).text
    except ValueError as error:
        said = str(error)
    assert said == text.strip() or said.startswith(f"{text!r}: ")


def test_the_words_are_those_of_a_report() -> None:
    assert set(VERDICT_WORDS) == {judgement.name for judgement in Judgement}
