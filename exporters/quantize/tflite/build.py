"""From a prepared graph and calibration's ranges to an int8 .tflite file and the record of what became integer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from condmix.exporters.build import Build, Prepared, ReportProgress
from condmix.exporters.errors import OptionsError
from condmix.exporters.graph.facts import module_path
from condmix.exporters.quantize.parameters import Affine
from condmix.exporters.quantize.ranges import Ranges
from condmix.exporters.quantize.tflite.layer_records import TfliteInt8Layer, layer_records, with_bytes
from condmix.exporters.quantize.tflite.names import with_short_names
from condmix.exporters.quantize.tflite.observation import float_twin
from condmix.exporters.quantize.tflite.options import TfliteInt8Options
from condmix.exporters.quantize.tflite.plan import plan_model
from condmix.exporters.quantize.tflite.rewrite import rewrite
from condmix.exporters.quantize.tflite.scales import INTEGERS, affines, held_tensors
from condmix.exporters.records import with_forms
from condmix.exporters.tflite.build import form_records
from condmix.exporters.tflite.options import TfliteOptions
from condmix.exporters.tflite.schema import TensorType
from condmix.exporters.tflite.write import write_model


@dataclass(frozen=True, kw_only=True)
class TfliteInt8Build:
    """What an int8 export to TFLite made, before anything is verified or written."""

    content: bytes
    shared: Build
    """The stages before, with the layers in the forms that the file has."""
    tensor_of_value: Mapping[str, str]
    """Graph value -> tensor in the file that holds it, as float or as integers."""
    layers: tuple[TfliteInt8Layer, ...]
    options: TfliteInt8Options

    @property
    def layout(self) -> str:
        """Of the input images."""
        return self.options.layout


def build_int8(
    prepared: Prepared,
    ranges: Ranges | None,
    options: TfliteInt8Options,
    metadata: Mapping[str, str],
    report_progress: ReportProgress,
) -> TfliteInt8Build:
    """Return the file's content and what each layer became. The graph is left as it was.

    ranges: with `inner["tflite"]` as `observation` asks for; None for modes that store no activations.
    Raises CalibrationError where the ranges do not fit, OptionsError for float layers that there are not,
    NotExportableError for operators without a TFLite form.
    """
    report_progress("write int8 TFLite")
    _refuse_unknown_layers(prepared, options)
    lowered = float_twin(prepared, batch=options.batch, layout=options.layout, metadata=metadata)
    integer_ends = options.io_dtype == "int8"
    plan = plan_model(lowered.model, options.mode, options.float_layers, integer_input=integer_ends)
    scales: Mapping[int, Affine] = {}
    integer_type = TensorType.INT8
    if options.needs_ranges:
        if ranges is None:
            message = f"mode {options.mode} stores activations as integers: calibrate first"
            raise OptionsError(message)
        integers = INTEGERS[options.mode]
        integer_type = integers.type
        held = held_tensors(lowered.model, plan, integers, ends=integer_ends)
        value_of_tensor: dict[str, tuple[str, ...]] = {}
        for value, tensor in lowered.tensor_of_value.items():
            value_of_tensor[tensor] = (*value_of_tensor.get(tensor, ()), value)
        scales = affines(lowered.model, plan, held, integers, ranges, value_of_tensor)
    written = rewrite(lowered.model, plan, scales, integer_type, integer_ends=integer_ends)
    layers = layer_records(prepared.model.graph, lowered.model, plan, written, options.batch)
    forms = with_bytes(form_records(prepared.model, TfliteOptions(experts="int8")), layers)
    built = prepared.built
    return TfliteInt8Build(
        content=write_model(with_short_names(written)),
        shared=replace(built, layers=with_forms(built.layers, forms, built.steps)),
        tensor_of_value=lowered.tensor_of_value,
        layers=layers,
        options=options,
    )


def _refuse_unknown_layers(prepared: Prepared, options: TfliteInt8Options) -> None:
    unknown = sorted(options.float_layers - {module_path(node) for node in prepared.model.graph})
    if unknown:
        message = f"float_layers names {', '.join(unknown)}: the network has no such module"
        raise OptionsError(message)
