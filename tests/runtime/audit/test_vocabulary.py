"""The words of an audit."""

from __future__ import annotations

from condmix.runtime.audit.vocabulary import ADVICE, IN_INT8, IN_INTEGERS, Arithmetic, Reason


def test_every_reason_has_its_advice():
    assert set(ADVICE) == set(Reason)
    assert len(set(ADVICE.values())) == len(ADVICE)


def test_int16_is_integers_but_not_int8():
    assert set(IN_INTEGERS) - set(IN_INT8) == {Arithmetic.INT16}
    assert Arithmetic.FLOAT not in IN_INTEGERS
