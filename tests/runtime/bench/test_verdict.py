import pytest

from condmix.runtime.bench.verdict import Finding, Judgement, Verdict
from condmix.runtime.errors import InvalidRecordError, InvalidSettingError

NOISY = Finding(verdict=Judgement.NOISY, reason="noise")
SHORT = Finding(verdict=Judgement.TOO_SHORT, reason="19 rounds")
VALID = Finding(verdict=Judgement.VALID, reason="all is well")


def test_the_gravest_is_first_and_the_others_are_named():
    verdict = Verdict.of([NOISY, SHORT, NOISY], valid="all is well", machine="measured on a virtual machine")
    assert verdict.findings == (SHORT, NOISY, NOISY)
    assert verdict.judgement is Judgement.TOO_SHORT
    assert verdict.first_line() == "TOO SHORT: 19 rounds (also NOISY); measured on a virtual machine"
    assert not verdict.is_valid


def test_without_findings_it_is_valid():
    verdict = Verdict.of([], valid="all is well", machine=None)
    assert verdict.is_valid
    assert verdict.first_line() == "VALID: all is well"


@pytest.mark.parametrize(
    ("findings", "expected"),
    [((), "findings is empty"), ((NOISY, SHORT), "begin with the gravest"), ((NOISY, VALID), "VALID beside a fault")],
)
def test_impossible_verdicts(findings: tuple[Finding, ...], expected: str):
    with pytest.raises(InvalidSettingError, match=expected):
        Verdict(findings=findings)


def test_it_is_read_back():
    verdict = Verdict.of([NOISY, SHORT], valid="", machine="m")
    assert Verdict.from_dict(verdict.to_dict()) == verdict
    with pytest.raises(
        InvalidRecordError, match=r"'verdict' must be one of 'UNVERIFIED', 'EMULATED', 'TOO SHORT', .* found 'FINE'"
    ):
        Finding.from_dict({"verdict": "FINE", "reason": ""})
