"""What the records and the trial of a bundle say, in the words of its card."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from condmix.deploy.bundle.collect import Collected, SourceArtifact
from condmix.deploy.bundle.source_record import Plain, SourceRecord, items, mapping, text
from condmix.runtime.bundle.artifact_check import ArtifactCheck
from condmix.runtime.output_kind import CLASSES, EMBEDDING, LABELS

NOT_SAID = "not said"
_MOST_CLASSES = 20
KIND_WORDS = {
    CLASSES: "scores of classes, the largest names the class",
    LABELS: "a probability for each label on its own, a label holds above 0.5",
    EMBEDDING: "an embedding, whose direction counts",
}


def network_facts(collected: Collected) -> list[tuple[str, str]]:
    """(label, value) of everything that the records say of the network."""
    if not collected.records:
        return [("source", "the files were not exported by condmix, which knows nothing of the network")]
    record = collected.records[0]
    facts = [
        ("architecture", record.architecture or NOT_SAID),
        ("settings", _pairs(mapping(record.data.get("settings"))) or "those of the architecture"),
        ("image", "x".join(str(length) for length in items(record.data.get("input_size"))) or NOT_SAID),
        ("weights", _weights(record)),
        ("exported with", _pairs(_chosen(mapping(record.data.get("versions"))))),
    ]
    notes = dict.fromkeys(str(note) for one in collected.records for note in items(one.data.get("notes")))
    return [*facts, *(("note", note) for note in notes)]


def preprocessing_lines(collected: Collected) -> list[str]:
    """How a picture becomes an input, step by step; nothing where no record says."""
    record = next((one for one in collected.records if mapping(one.data.get("preprocessing"))), None)
    if record is None:
        return []
    values = mapping(record.data["preprocessing"])
    return [
        f"Scaled by {values.get('interpolation', NOT_SAID)} interpolation and cropped to the size of the image: "
        f"{values.get('crop_mode', NOT_SAID)}, fraction {_number(values.get('crop_fraction'))}.",
        f"Times {_number(values.get('scale'))}.",
        f"Minus {_numbers(values.get('mean'))}, divided by {_numbers(values.get('std'))}, channel by channel.",
    ]


def input_rows(collected: Collected, checks: Mapping[str, ArtifactCheck]) -> list[dict[str, str]]:
    """One row for each input of each file, in the words of its record, else as its engine told them."""
    rows = []
    for one in collected.artifacts:
        specs = _specs(one, "inputs")
        for spec in specs:
            rows.append(
                {
                    "file": one.path.name,
                    "name": str(spec.get("name")),
                    "shape": _shape(items(spec.get("shape"))),
                    "dtype": str(spec.get("dtype")),
                    "layout": text(spec.get("layout")) or text(mapping(one.entry).get("input_layout")) or NOT_SAID,
                }
            )
        if not specs:
            rows += [
                {"file": one.path.name, "name": name, "shape": _shape(shape), "dtype": NOT_SAID, "layout": NOT_SAID}
                for name, shape in checks[one.path.name].inputs.items()
            ]
    return rows


def output_lines(collected: Collected) -> list[str]:
    """Outputs, and what their places mean."""
    names = {
        f"{spec.get('name')} {_shape(items(spec.get('shape')))}": None
        for one in collected.artifacts
        for spec in _specs(one, "outputs")
    }
    names = names or {
        f"{name} {_shape(['N', *array.shape[1:]])}": None
        for one in collected.artifacts
        for name, array in one.reference.outputs.items()
    }
    lines = [f"Outputs: {', '.join(names)}."]
    classes = next((found for one in collected.records if (found := items(one.data.get("class_names")))), [])
    if classes:
        shown = ", ".join(str(name) for name in classes[:_MOST_CLASSES])
        more = f", and {len(classes) - _MOST_CLASSES} more in the record" if len(classes) > _MOST_CLASSES else ""
        lines += [f"The task is to name one of {len(classes)} classes, in this order: {shown}{more}."]
    else:
        lines += ["What the places of an output mean is not said."]
    kinds = next((one.reference.kinds for one in collected.artifacts if one.reference.kinds), {})
    lines += [f"{name}: {KIND_WORDS[kind]}." for name, kind in kinds.items() if kind in KIND_WORDS]
    return lines


def routing_sentence(collected: Collected) -> str:
    """The layers whose kernels are mixed for each image; empty for a network without."""
    layers = {
        str(layer.get("path")): mapping(layer.get("details"))
        for one in collected.artifacts
        for layer in map(mapping, items(mapping(one.entry).get("layers")))
        if layer.get("kind") == "CondConv" and mapping(layer.get("details"))
    }
    if not layers:
        return ""
    experts = sorted({str(details["experts"]) for details in layers.values() if "experts" in details})
    kinds = f" of {' or '.join(experts)} experts" if experts else ""
    return (
        f"{len(layers)} CondConv layers{kinds}: their kernels are mixed anew for every image, by gates that the image "
        "itself sets. The bundle's inputs were chosen to drive these gates apart."
    )


def gate_rows(collected: Collected) -> list[tuple[str, str]]:
    """(block, strongest weight of each expert) as calibration saw them; nothing without int8."""
    return [
        (str(block.get("block")), ", ".join(map(_number, items(block.get("strongest")))))
        for record in collected.records
        for block in map(mapping, items(mapping(record.data.get("calibration")).get("routing")))
    ]


def int8_lines(collected: Collected) -> list[str]:
    """What rounding cost, by the records."""
    lines: list[str] = []
    for record in collected.records:
        calibration = mapping(record.data.get("calibration"))
        if calibration:
            lines.append(
                f"calibrated on {calibration.get('images')} images of {calibration.get('source')}, "
                f"method {calibration.get('method')}"
            )
        lines += [str(warning) for warning in items(record.data.get("warnings"))]
    for one in collected.artifacts:
        entry = mapping(one.entry)
        if isinstance(ratio := entry.get("size_ratio"), float):
            lines.append(f"{one.path.name}: {ratio:.2f} of the size of float32 weights")
            if not mapping(entry.get("accuracy")):
                lines.append(f"{one.path.name}: its accuracy on labelled images was not measured by the export")
        figures = {name: value for name, value in mapping(entry.get("accuracy")).items() if isinstance(value, float)}
        if figures:
            lines.append(f"{one.path.name}: on labelled images, {_pairs(figures)}")
    return lines


def example_lines(collected: Collected) -> list[str]:
    """A few lines of Python that run the first file."""
    first = collected.artifacts[0]
    name, reference = first.path.name, first.reference_path.name
    given = json.dumps(f"input/{next(iter(first.reference.inputs))}")
    lines = ["import numpy"]
    if first.path.suffix.lower() == ".onnx":
        if len(first.reference.inputs) > 1:
            return [
                *lines,
                "import onnxruntime",
                f'given = numpy.load("model/{reference}")',
                f'session = onnxruntime.InferenceSession("model/{name}")',
                "names = [one.name for one in session.get_inputs()]",
                'print(session.run(None, {name: given[f"input/{name}"][:1] for name in names}))',
            ]
        return [
            *lines,
            "import onnxruntime",
            f'images = numpy.load("model/{reference}")[{given}]',
            f'session = onnxruntime.InferenceSession("model/{name}")',
            "print(session.run(None, {session.get_inputs()[0].name: images[:1]}))",
        ]
    return [
        *lines,
        "from ai_edge_litert.interpreter import Interpreter",
        f'interpreter = Interpreter("model/{name}")',
        "interpreter.allocate_tensors()",
        *(
            ["wanted = interpreter.get_input_details()[0]"]
            if len(first.reference.inputs) == 1
            else ["for wanted in interpreter.get_input_details():"]
        ),
        "    " * (len(first.reference.inputs) > 1)
        + 'interpreter.set_tensor(wanted["index"], numpy.zeros(wanted["shape"], wanted["dtype"]))',
        "interpreter.invoke()",
        'print(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))',
    ]


def _specs(artifact: SourceArtifact, side: str) -> list[Plain]:
    signature = mapping(mapping(mapping(artifact.entry).get("artifact")).get("signature"))
    return [mapping(one) for one in items(signature.get(side))]


def _weights(record: SourceRecord) -> str:
    name = record.source_name or "from memory"
    return name if record.source_sha256 is None else f"{name}, SHA-256 {record.source_sha256}"


def _chosen(versions: Plain) -> dict[str, object]:
    return {name: versions[name] for name in ("condmix", "torch", "onnxruntime", "ai-edge-litert") if name in versions}


def _pairs(values: Plain) -> str:
    return ", ".join(f"{name} {_number(value)}" for name, value in values.items())


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else NOT_SAID if value is None else str(value)


def _numbers(values: object) -> str:
    return ", ".join(map(_number, items(values))) or NOT_SAID


def _shape(lengths: Sequence[object]) -> str:
    return "x".join(str(length) for length in lengths)
