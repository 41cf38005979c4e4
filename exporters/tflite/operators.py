"""Ordinary operators of mobile networks: the ONNX operator and the function that writes it in TFLite."""

from __future__ import annotations

from collections.abc import Mapping

from condmix.exporters.tflite.arithmetic import binary, cast, clip, equal, hard_sigmoid, leaky_relu, reciprocal, unary
from condmix.exporters.tflite.layers import batch_normalization, conv, gemm, matmul
from condmix.exporters.tflite.lowering import Lowering
from condmix.exporters.tflite.pooling import pool
from condmix.exporters.tflite.reductions import arg_max, reduce, reduce_l2, softmax
from condmix.exporters.tflite.schema import Operator, OptionsUnion

OPERATORS: Mapping[str, Lowering] = {
    "Add": binary(Operator.ADD),
    "Sub": binary(Operator.SUB),
    "Mul": binary(Operator.MUL),
    "Div": binary(Operator.DIV),
    "Max": binary(Operator.MAXIMUM),
    "Min": binary(Operator.MINIMUM),
    "Pow": binary(Operator.POW),
    "Sum": binary(Operator.ADD),
    "Relu": unary(Operator.RELU),
    "Sigmoid": unary(Operator.LOGISTIC),
    "Tanh": unary(Operator.TANH),
    "Exp": unary(Operator.EXP, OptionsUnion.EXP),
    "Sqrt": unary(Operator.SQRT),
    "Neg": unary(Operator.NEG, OptionsUnion.NEG),
    "Abs": unary(Operator.ABS, OptionsUnion.ABS),
    "Elu": unary(Operator.ELU),
    "HardSwish": unary(Operator.HARD_SWISH, OptionsUnion.HARD_SWISH),
    "LeakyRelu": leaky_relu,
    "HardSigmoid": hard_sigmoid,
    "Clip": clip,
    "Conv": conv,
    "BatchNormalization": batch_normalization,
    "GlobalAveragePool": reduce(Operator.MEAN),
    "GlobalMaxPool": reduce(Operator.REDUCE_MAX),
    "ReduceMean": reduce(Operator.MEAN),
    "ReduceSum": reduce(Operator.SUM),
    "ReduceMax": reduce(Operator.REDUCE_MAX),
    "MaxPool": pool(Operator.MAX_POOL_2D),
    "AveragePool": pool(Operator.AVERAGE_POOL_2D),
    "Gemm": gemm,
    "MatMul": matmul,
    "Softmax": softmax,
    "Reciprocal": reciprocal,
    "ReduceL2": reduce_l2,
    "Equal": equal,
    "Cast": cast,
    "ArgMax": arg_max,
}
