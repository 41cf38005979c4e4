"""What to export: the choices of one export, checked when they are made."""

from __future__ import annotations

from dataclasses import dataclass

from condmix.exporters.errors import OptionsError
from condmix.exporters.records import LayerForm

CONDCONV_CHOICES = ("auto", "kernel", "grouped", "matmul", "experts", "blocked")
MIXCONV_CHOICES = ("auto", "parallel", "hoisted", "merged")
EXPERT_CHOICES = ("float32", "int8")
STAGES = ("captured", "named", "rewritten", "final")
OLDEST_OPSET, NEWEST_OPSET = 17, 24
DEFAULT_OPSET = 18


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """The choices of one export to ONNX. Raises OptionsError, naming every fault at once."""

    batch: int | None = 1
    """Images a call; None for any number ("dynamic")."""
    opset: int = DEFAULT_OPSET
    condconv: str = "auto"
    mixconv: str = "auto"
    experts: str = "float32"
    """How expert banks are stored; arithmetic is float32 either way."""
    stage: str = "final"
    """Where to stop: `named` writes the graph with condmix.CondConv and condmix.MixConv as functions."""
    forms: tuple[LayerForm, ...] = ()
    """The form of each layer named here, from --tune or a forms file; the others follow the written rule."""
    in_turn: bool = False
    """Whether several images of a call are computed one after another (condmix.exporters.batch.in_turn)."""
    dynamic_size: bool = False
    """Whether height and width are left open in the file (condmix.exporters.sizes)."""

    def __post_init__(self) -> None:
        problems = [
            problem
            for problem in (
                _range("batch", self.batch, 1, 1024) if self.batch is not None else None,
                _opset(self.opset),
                _choice("condconv", self.condconv, CONDCONV_CHOICES),
                _choice("mixconv", self.mixconv, MIXCONV_CHOICES),
                _choice("experts", self.experts, EXPERT_CHOICES),
                _choice("stage", self.stage, STAGES),
                *self._contradictions(),
            )
            if problem is not None
        ]
        if problems:
            raise OptionsError("; ".join(problems))

    @property
    def rounds_weights(self) -> bool:
        """Whether any weight is stored with fewer bits than float32."""
        return self.experts != "float32"

    @property
    def tolerance_name(self) -> str:
        """The named tolerance (condmix.runtime.tolerance) that a file with these weights is held to."""
        return "int8_experts" if self.rounds_weights else "float32"

    @property
    def is_for_one_machine(self) -> bool:
        """Whether the file is laid out for the machine and the runtime that write it."""
        return self.condconv == "blocked"

    @property
    def images_at_once(self) -> int | None:
        """How many images a layer sees; None for any number."""
        return 1 if self.in_turn else self.batch

    def reaches(self, stage: str) -> bool:
        """Whether the export goes as far as `stage`."""
        return STAGES.index(stage) <= STAGES.index(self.stage)

    def _contradictions(self) -> list[str]:
        problems: list[str] = []
        if self.in_turn and self.batch == 1:
            problems.append("--in-turn is about several images a call: it needs --batch dynamic or --batch N")
        if self.images_at_once is None and self.condconv in ("kernel", "grouped"):
            problems.append(f"--condconv {self.condconv} contradicts --batch dynamic: use matmul, experts or auto")
        elif self.images_at_once not in (None, 1) and self.condconv == "kernel":
            problems.append(f"--condconv kernel contradicts --batch {self.batch}: use grouped, matmul, experts or auto")
        if self.experts == "int8":
            problems += [
                f"--experts int8 has a form of its own for one image: it contradicts --{name} {value}"
                for name, value, only in (
                    ("batch", "dynamic" if self.batch is None else self.batch, 1),
                    ("condconv", self.condconv, "auto"),
                    ("mixconv", self.mixconv, "auto"),
                    ("stage", self.stage, "final"),
                )
                if value != only and (not self.is_for_one_machine or (name == "batch" and not self.in_turn))
            ]
        if self.is_for_one_machine and self.images_at_once != 1:
            given = "dynamic" if self.batch is None else self.batch
            problems.append(f"--condconv blocked lays out a file for one image: it contradicts --batch {given}")
        if self.is_for_one_machine and self.stage != "final":
            problems.append(f"--condconv blocked is about the finished file: it contradicts --stage {self.stage}")
        if self.dynamic_size:
            problems += [
                f"--dynamic-size frees the finished portable file: it contradicts {f'--{name} {value}'.strip()}"
                for name, value, wrong in (
                    ("condconv", self.condconv, self.is_for_one_machine),
                    ("experts", self.experts, self.experts != "float32"),
                    ("stage", self.stage, self.stage != "final"),
                    ("in-turn", "", self.in_turn),
                )
                if wrong
            ]
        if self.forms:
            problems += [
                f"forms for single layers contradict --{name} {value}: leave one of them out"
                for name, value, allowed in (
                    ("condconv", self.condconv, ("auto", "blocked")),
                    ("mixconv", self.mixconv, ("auto",)),
                    ("experts", self.experts, ("float32",)),
                    ("stage", self.stage, ("final",)),
                )
                if value not in allowed
            ]
        if self.stage in ("captured", "named", "rewritten") and self.batch != 1:
            problems.append(f"--stage {self.stage} is a graph for one image: it contradicts a batch other than 1")
        if self.stage in ("named", "rewritten") and self.opset != DEFAULT_OPSET:
            problems.append(
                f"--stage {self.stage} keeps opset {DEFAULT_OPSET}, in which its functions are written: "
                f"it contradicts --opset {self.opset}"
            )
        return problems


def _range(name: str, value: int, low: int, high: int) -> str | None:
    return None if low <= value <= high else f"{name} is {value}: expected {low} to {high}"


def _opset(opset: int) -> str | None:
    if opset < OLDEST_OPSET:
        return f"opset {opset} is too old: expected {OLDEST_OPSET} to {NEWEST_OPSET}"
    return _range("opset", opset, OLDEST_OPSET, NEWEST_OPSET)


def _choice(name: str, value: str, choices: tuple[str, ...]) -> str | None:
    return None if value in choices else f"{name} is '{value}': expected one of {', '.join(choices)}"
