"""The operators that an exported model may use: computations on tensors that touch no file, no name and no state."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

# fmt: off
ATEN = frozenset([
    "conv1d.default", "conv2d.default", "conv2d.padding", "convolution.default", "unflatten.int", "linear.default",
    "addmm.default", "mm.default", "bmm.default", "matmul.default", "relu.default", "tanh.default",
    "sigmoid.default", "gelu.default", "silu.default", "elu.default", "leaky_relu.default", "hardtanh.default",
    "hardswish.default", "hardsigmoid.default", "softplus.default", "relu6.default", "prelu.default",
    "mish.default", "softmax.int", "_softmax.default", "log_softmax.int", "_log_softmax.default",
    "max_pool2d.default", "avg_pool2d.default", "adaptive_avg_pool2d.default", "adaptive_max_pool2d.default",
    "avg_pool1d.default", "batch_norm.default", "_native_batch_norm_legit_no_training.default",
    "group_norm.default", "layer_norm.default", "native_layer_norm.default", "native_group_norm.default",
    "dropout.default", "feature_dropout.default", "flatten.using_ints", "reshape.default", "view.default",
    "_unsafe_view.default", "permute.default", "transpose.int", "t.default", "movedim.int", "swapaxes.default",
    "unbind.int", "view_as.default", "expand_as.default", "squeeze.dim", "squeeze.dims", "squeeze.default",
    "unsqueeze.default", "cat.default", "stack.default", "expand.default", "repeat.default", "slice.Tensor",
    "select.int", "chunk.default", "split.Tensor", "split_with_sizes.default", "pad.default",
    "constant_pad_nd.default", "add.Tensor", "add.Scalar", "sub.Tensor", "sub.Scalar", "rsub.Scalar", "mul.Tensor",
    "mul.Scalar", "div.Tensor", "div.Scalar", "neg.default", "exp.default", "log.default", "sqrt.default",
    "rsqrt.default", "abs.default", "square.default", "pow.Tensor_Scalar", "pow.Tensor_Tensor", "clamp.default",
    "clamp_min.default", "minimum.default", "maximum.default", "erf.default", "where.self", "mean.dim",
    "mean.default", "sum.dim_IntList", "sum.default", "amax.default", "var.correction",
    "scaled_dot_product_attention.default", "embedding.default", "clone.default", "contiguous.default",
    "detach.default", "alias.default", "to.dtype", "_to_copy.default", "round.default", "floor.default",
    "sign.default",
])
# fmt: on
"""Of `torch.ops.aten`. None writes into its inputs, draws random numbers unless told to train, or reads a file."""

IN_PLACE = frozenset(
    ["relu_.default", "hardtanh_.default", "silu_.default", "add_.Tensor", "mul_.Tensor", "sub_.Tensor"]
)
"""These may write into what the model itself computed, never into its input or weights."""

TRAINS = {
    "dropout.default": "train",
    "feature_dropout.default": "train",
    "batch_norm.default": "training",
}
"""Operators that behave otherwise in training, and the argument that says so."""

SIZES: dict[str, Callable[..., Any]] = {
    "_operator.add": operator.add,
    "_operator.sub": operator.sub,
    "_operator.mul": operator.mul,
    "_operator.floordiv": operator.floordiv,
}
"""Arithmetic on sizes."""

IGNORED = frozenset(
    ["_assert_scalar.default", "_assert_tensor_metadata.default", "sym_constrain_range_for_size.default"]
)
