"""Run the whole suite and write its page: `python -m tests.conformance.write_table docs/conformance.md`."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
from pathlib import Path

import click
import torch

from condmix.runtime.cpu import read_cpu_facts
from tests.conformance.cases import CASES
from tests.conformance.detectors import DETECTOR_CASES
from tests.conformance.faults import faults
from tests.conformance.proof import prove
from tests.conformance.table import page, row

PACKAGES = ("torch", "onnx", "onnxruntime", "onnx-ir", "onnxscript", "onnxsim", "timm", "numpy")


def versions() -> list[str]:
    """The interpreter and every package that has a hand in the figures, with its version."""
    return [f"Python {platform.python_version()}"] + [
        f"{package} {importlib.metadata.version(package)}" for package in PACKAGES
    ]


@click.command()
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
def main(output: Path) -> None:
    """Prove every case and write the table to OUTPUT; nothing is written if a case has a fault."""
    torch.set_num_threads(1)
    rows, wrong = [], []
    everything = (*CASES, *DETECTOR_CASES)
    with click.progressbar(everything, label="cases", item_show_func=lambda case: case.name if case else "") as cases:
        for case in cases:
            proof = prove(case)
            wrong += [f"{case.name}: {fault}" for fault in faults(proof)]
            if not wrong:
                rows.append(row(proof))
    if wrong:
        raise click.ClickException("\n".join(["nothing was written, the suite does not hold:", *wrong]))
    facts = read_cpu_facts()
    text = page(
        rows,
        command=f"python -m tests.conformance.write_table {output}",
        date=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        versions=versions(),
        machine=f"{facts.architecture}, {', '.join(facts.model_names)}, one PyTorch thread",
    )
    output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
