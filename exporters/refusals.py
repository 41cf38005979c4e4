"""Every reason for which exporters/ refuses: a stable code, the words that tell it, an example and a remedy.

docs/refusals.md is this table. Texts may be reworded for their readers; a code keeps its meaning.
"""

from __future__ import annotations

from dataclasses import dataclass

from condmix.exporters.errors import ExportError, GivenGraphError


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One reason. words: part of its text, by which the code is found; of ONNX_ codes the error itself carries them."""

    code: str
    words: str
    example: str
    remedy: str


def _reason(code: str, words: str, example: str, remedy: str) -> Reason:
    return Reason(code=code, words=words, example=example, remedy=remedy)


FILES: tuple[Reason, ...] = (
    _reason("ONNX_UNREADABLE", "", "the path is a folder", "give the .onnx file itself"),
    _reason("ONNX_DAMAGED", "", "a download that was cut off", "copy or export it again"),
    _reason("ONNX_TOO_LARGE", "", "an input of 60000x60000", "export at the size that is used"),
    _reason("ONNX_EXTERNAL_DATA", "", "weights in ../weights.bin", "put both files into one folder"),
    _reason("ONNX_INVALID", "", "a node reads a value that nobody computes", "export it again"),
    _reason("ONNX_OPSET", "", "operator set 25", "export with operator set 7 to 24, best 18"),
    _reason("ONNX_QUANTISED", "", "a file with QLinearConv", "give the float network; `--int8` makes the int8 file"),
    _reason("ONNX_UNKNOWN_OPERATOR", "", "com.microsoft.FusedConv", "give the file from before an engine optimised it"),
    _reason("ONNX_TRAINING", "", "BatchNormalization with training_mode", "export after `network.eval()`"),
    _reason("ONNX_RANDOM", "", "RandomNormalLike", "export in inference mode"),
    _reason("ONNX_SPARSE", "", "sparse initializers", "export dense weights"),
    _reason("ONNX_CONTROL_FLOW", "", "a Loop that the image ends", "trace the network with the loop unrolled"),
    _reason("ONNX_INPUTS", "", "a second input without an axis of images", "give every input that axis first"),
    _reason("ONNX_INPUT_TYPE", "", "uint8 pixels as input", "export without the preprocessing in front"),
    _reason("ONNX_INPUT_RANK", "", "a vector as input", "networks of images are exported"),
    _reason("ONNX_INPUT_SIZE", "", "height and width left open", "give `--input-size CxHxW`"),
    _reason("ONNX_BATCH", "", "batch 4 baked in, and image 1 read for image 0", "export at batch 1"),
    _reason("ONNX_SHAPES", "", "a Reshape that its value does not fill", "export it again"),
    _reason("ONNX_DYNAMIC", "", "NonZero of the image", "export with fixed shapes"),
    _reason("ONNX_ENGINE", "", "ONNX Runtime cannot run the file", "check it with ONNX Runtime, export it again"),
    _reason("ONNX_NOT_FINITE", "", "NaN in a weight", "export a network whose training converged"),
)
"""Of a given ONNX file: exit code 3."""

PROGRAMS: tuple[Reason, ...] = (
    _reason("PROGRAM_DAMAGED", "", "saved by a newer torch", "save it again with the torch that is installed"),
    _reason("PROGRAM_VERSION", "", "a .pt2 of torch 2.7", "save it again with torch 2.9 or newer"),
    _reason("PROGRAM_PICKLE", "", "a .pt2 that calls torch.os.system", "torch's operators only, or `--allow-pickle`"),
    _reason("PROGRAM_TRAINING", "", "BatchNorm in training", "`network.eval()` before exporting"),
    _reason("PROGRAM_INPUT_SIZE", "", "TorchScript, which does not say its size", "give `--input-size CxHxW`"),
    _reason(
        "PROGRAM_SIZE", "", "a .pt2 of one size with `--dynamic-size`", "export it with dynamic_shapes, or give weights"
    ),
    _reason("PROGRAM_INPUTS", "", "an image and a vector at batch 4", "export at batch 1, or with an open batch"),
    _reason("PROGRAM_CONVERSION", "", "an operator that ONNX does not have", "change it, or give the weights"),
)
"""Of a given .pt2 or TorchScript file: exit code 3. What it becomes is an ONNX file, whose reasons hold as well."""

NETWORKS: tuple[Reason, ...] = (
    _reason(
        "CAPTURE", "torch could not capture", "`if x.sum() > 0:` in forward", "make control flow independent of values"
    ),
    _reason("CAPTURE", "torch.onnx.export returned no program", "an old torch", "install torch 2.9 or newer"),
    _reason(
        "BATCH_AXIS",
        "cannot be given a batch axis",
        "a kernel that is no mixture, `--batch 8`",
        "export with `--batch 1`",
    ),
    _reason(
        "SIZE_NETWORK",
        "the network runs at no other height and width",
        "`nn.Linear` on a flattened map, `--dynamic-size`",
        "pool globally in front of it",
    ),
    _reason(
        "SIZE_STRUCTURE",
        "computes different things at different heights and widths",
        "`nn.AdaptiveAvgPool2d(7)`, `if x.shape[-1] > 64:`",
        "export one file for each size",
    ),
    _reason(
        "SIZE_AXES",
        "height and width cannot be left open",
        "anchors or position embeddings of one size",
        "export without them, or one file for each size",
    ),
    _reason("SIZE_TFLITE", "no form for any height and width", "`--format tflite --dynamic-size`", "export ONNX"),
    _reason("FORM", "cannot take the form asked for", "`--condconv matmul` on a depthwise layer", "use auto"),
    _reason("OPSET", "is too old for", "`--opset 17` with an operator of 18", "use `--opset 18` or newer"),
    _reason("TFLITE_OPERATOR", "have no TFLite form here", "a recurrent layer", "change the place, or export ONNX"),
    _reason("TFLITE_SIZE", "a TFLite file holds at most 2 GB", "32 experts at width 4", "fewer experts, or ONNX"),
    _reason(
        "INT8_BATCH",
        "int8 banks with float arithmetic are for one image a call",
        "`--experts int8 --batch 8`",
        "use `--batch 1`, or `--int8`",
    ),
    _reason("NO_EXPERTS", "there are no experts to store in int8", "`--experts int8` on MixNet", "leave the flag out"),
    _reason("MACHINE", "a file for this machine cannot be written", "`--condconv blocked` here", "the portable file"),
    _reason(
        "NOT_A_DETECTOR",
        "is no detector whose anchors are known",
        "`--detections boxes` on a classifier",
        "`--detections raw`, or a method `anchors(height, width)`",
    ),
    _reason(
        "ANCHORS",
        "do not fit its outputs",
        "`anchors(height, width)` with 5 rows for 32 boxes, `--detections boxes`",
        "one row a box, or `--detections raw`",
    ),
    _reason("ROUTING_RANGE", "whose ends have to be known", "`--experts int8` with unbounded routing", "use `--int8`"),
)
"""Of a network for what was asked: exit code 4, CAPTURE 3."""

LAYERS: tuple[Reason, ...] = (
    _reason("NOT_LINEAR", "is not linear in", "a kernel divided by its norm", "none: it is not a mixture; it stays"),
    _reason("NO_BOTTLENECK", "no small vector separates", "a kernel made of a feature map", "none: it stays as it is"),
    _reason("MODULATED", "a modulated kernel, not a mixture", "w * style", "scale the features instead of the kernel"),
    _reason(
        "GROUPED_ATTENTION", "is not moved out of the kernel", "ODConv's input attention in groups", "scale the image"
    ),
    _reason(
        "TRANSPOSED_STRIDES",
        "not written in phases",
        "a conditional transposed convolution, strides 2 and 1",
        "one stride",
    ),
    _reason("KERNEL_AXES", "spatial axes: only two are supported", "a computed 1-D or 3-D kernel", "none yet"),
    _reason("SEVERAL_MATRICES", "only one matrix an image", "attention times values", "none: it is no convolution"),
    _reason(
        "EXPERTS_DIFFER", "their kernels cannot be mixed", "r_1 conv3x3 + r_2 conv5x5", "one kernel size and stride"
    ),
    _reason("NOT_SLICES", "not a MixConv: every branch reads all", "parallel branches of one input", "none: it stays"),
    _reason("SLICE_ORDER", "in another order than they return", "channels shuffled by the Concat", "join in order"),
    _reason("SLICES_OVERLAP", "channel slices overlap", "0:8 and 4:12", "cut consecutive slices"),
    _reason("SLICES_LEAVE_OUT", "leave out some of the", "a channel that no branch reads", "cut all channels"),
    _reason("BRANCH_STRIDES", "branches have different strides", "strides 1 and 2 side by side", "one stride a layer"),
)
"""Why a layer that looks like CondConv or MixConv is left as it is: the export goes on."""

STEPS: tuple[Reason, ...] = (
    _reason("CALIBRATION", "", "NaN in a calibration image", "the text names image, value and remedy"),
    _reason("NO_YARDSTICK", "", "the network does not run in float64", "make its forward follow the input's dtype"),
    _reason("GRAPH", "", "a step met a graph that it does not expect", "a defect of ours: report it"),
    _reason("OPTIONS", "", "`--condconv kernel --batch 4`", "the text names both flags"),
)
"""By kind of error: CalibrationError (3), VerificationError (5), GraphError (1), OptionsError (2)."""

REASONS: tuple[Reason, ...] = (*FILES, *PROGRAMS, *NETWORKS, *LAYERS, *STEPS)
_BY_KIND = {
    "CalibrationError": "CALIBRATION",
    "VerificationError": "NO_YARDSTICK",
    "GraphError": "GRAPH",
    "OptionsError": "OPTIONS",
    "CaptureError": "CAPTURE",
}


def codes_of(error: ExportError) -> tuple[str, ...]:
    """The reason codes of an error of exporters/; none for one that the table does not know."""
    if isinstance(error, GivenGraphError):
        return error.codes
    found = code_in(str(error))
    general = _BY_KIND.get(type(error).__name__)
    return tuple(code for code in (found or general,) if code is not None)


def code_in(text: str) -> str | None:
    """The code of a reason by its words, such as of a layer that was left alone."""
    return next((reason.code for reason in REASONS if reason.words and reason.words in text), None)
