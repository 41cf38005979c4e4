"""ONNX files for one kind of machine: laid out by ONNX Runtime's own optimiser, CondConv's kernels mixed in its layout.

The optimiser only knows constant weights. So it is given some, index numbers, and what it stores of them says where
every element of a kernel has to be. `graft.graft` is the whole of it as one function.
"""
