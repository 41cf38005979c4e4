"""docs/bench.md: its workflow is YAML, and every command line in it is one that the command line understands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

from condmix.deploy.commands import root
from condmix.deploy.measure.gate_expression import METRICS, parse_gates

PAGE = (Path(__file__).parents[3] / "docs" / "bench.md").read_text()


def _workflow_commands() -> list[list[str]]:
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    workflow = yaml.safe_load(block)
    lines = [
        line
        for job in workflow["jobs"].values()
        for step in job["steps"]
        for line in step.get("run", "").splitlines()
        if line.startswith("condmix")
    ]
    return [shlex.split(line) for line in lines]


def _page_commands() -> list[list[str]]:
    lines = re.findall(r"^    (condmix .*)$", PAGE, re.MULTILINE)
    spans = [" ".join(span.split()) for span in re.findall(r"`(condmix [^`]*)`", PAGE)]
    return [shlex.split(line) for line in (*lines, *spans)]


def _parsed(words: list[str]) -> click.Context:
    """Parsed and not run."""
    group = root.condmix
    name, command, arguments = group.resolve_command(click.Context(group), words[1:])
    assert command is not None
    return command.make_context(name, list(arguments), parent=click.Context(group))


def test_the_workflow_exports_and_gates() -> None:
    names = [words[1] for words in _workflow_commands()]
    assert names == ["export", "export", "bench"]


@pytest.mark.parametrize("words", [*_workflow_commands(), *_page_commands()], ids=" ".join)
def test_every_command_line_is_understood(words: list[str]) -> None:
    context = _parsed(words)
    assert context.params


def test_the_gates_of_the_workflow_are_gates_of_files_it_measures() -> None:
    (words,) = [words for words in _workflow_commands() if words[1] == "bench"]
    parameters = _parsed(words).params
    gates = parse_gates(parameters["fail_if"])
    stems = {path.stem for path in parameters["files"]}
    assert {gate.subject for gate in gates} - {None} <= stems
    assert parameters["max_regression"] == 0.05


def test_a_command_line_that_is_none_would_be_found() -> None:
    with pytest.raises(click.UsageError):
        _parsed(["condmix", "bench", "a.onnx", "--thread", "1"])


def test_every_metric_is_on_the_page() -> None:
    table = PAGE.partition("| metric |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`([a-z_0-9]+)`", table)) == set(METRICS)
