"""Texts of a program that torch evaluates as Python when it loads them: arithmetic only, found by reading.

Sizes left open are stored as expressions, and sympy reads expressions with eval.
"""

from __future__ import annotations

import ast

LONGEST = 500
"""Characters; torch writes a few dozen."""
LARGEST_NUMBER = 2**53
_FUNCTIONS = frozenset(
    {
        "Symbol", "Integer", "Rational", "Float", "Max", "Min", "Mod", "PythonMod", "FloorDiv", "CeilDiv", "CleanDiv",
        "ModularIndexing", "Where", "CeilToInt", "FloorToInt", "FloatTrueDiv", "IntTrueDiv", "TruncToInt",
        "TruncToFloat", "RoundToInt", "ToFloat", "Identity", "Abs", "Add", "Mul", "Eq", "Equality", "Ne",
        "Unequality", "Le", "LessThan", "Lt", "StrictLessThan", "Ge", "GreaterThan", "Gt", "StrictGreaterThan", "And",
        "Or", "Not",
    }
)  # fmt: skip
_CONSTANTS = frozenset({"true", "false", "True", "False"})
_HARMLESS = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Load, ast.keyword, ast.Add, ast.Sub, ast.Mult,
    ast.Div, ast.FloorDiv, ast.Mod, ast.USub, ast.UAdd, ast.Not, ast.And, ast.Or, ast.Eq, ast.NotEq, ast.Lt, ast.LtE,
    ast.Gt, ast.GtE, ast.BitAnd, ast.BitOr, ast.Invert,
)  # fmt: skip


def is_arithmetic(text: str) -> bool:
    """Whether a text only computes with numbers, names of sizes and known functions of them."""
    if len(text) > LONGEST:
        return False
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(_is_harmless(node) for node in ast.walk(tree))


def _is_harmless(node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        return node.id in _FUNCTIONS or node.id in _CONSTANTS or _is_size(node.id)
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS and not node_has_stars(node)
    if isinstance(node, ast.Constant):
        return _is_size(node.value) if isinstance(node.value, str) else _is_small(node.value)
    return isinstance(node, _HARMLESS)


def node_has_stars(call: ast.Call) -> bool:
    """Whether a call unpacks arguments."""
    return any(isinstance(item, ast.Starred) for item in call.args) or any(item.arg is None for item in call.keywords)


def _is_size(name: str) -> bool:
    """s77, u0 and the like: what torch calls a size."""
    return name[:1] in ("s", "u") and name[1:].isascii() and name[1:].isdigit()


def _is_small(value: object) -> bool:
    return isinstance(value, bool | int | float) and abs(value) <= LARGEST_NUMBER
