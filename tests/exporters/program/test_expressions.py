"""Only arithmetic on sizes passes; anything that could run code or fill the memory does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.program.expressions import LONGEST, is_arithmetic


@pytest.mark.parametrize(
    "text",
    [
        "Symbol('s77', positive=True, integer=True)",
        "Mul(Integer(8), Symbol('s0', integer=True))",
        "8*s77",
        "Max(1, s0 // 2) + Mod(s1, 4)",
        "s0 >= 2",
        "-s3 + 1",
    ],
)
def test_what_torch_writes_passes(text: str) -> None:
    assert is_arithmetic(text)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "().__class__",
        "Symbol.__init__",
        "Symbol('__import__')",
        "eval('1')",
        "lambda: 1",
        "[1 for _ in range(9)]",
        "9**9**9",
        "Integer(1 << 100)",
        "99999999999999999999",
        "Max(*s0)",
        "s0[0]",
        "open",
        "f'{s0}'",
        "s0 s1",
        "",
        "1+" * LONGEST + "1",
    ],
)
def test_anything_else_does_not(text: str) -> None:
    assert not is_arithmetic(text)


@given(st.text(max_size=60))
def test_any_text_has_an_answer(text: str) -> None:
    assert is_arithmetic(text) in (True, False)
