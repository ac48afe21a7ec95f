"""Makes cases of layers and losses with options, by PyTorch: NAME-what, beside make_defaults.py's.

    python3 make_layers.py DIR [NAME...]

With names, those only. A tensor among the arguments is one of the case's constants.
"""
import os
import sys

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from make import write
from make_defaults import INSIDE, LINE, PLANE, ROWS, VOLUME, WIDE, labels, layer_case, random

# Name, what, arguments, inputs: as in make_defaults.py.
CASES = [
    ("GLU", "dim", {"dim": 0}, [random(4, 3)]),
    ("CELU", "alpha", {"alpha": 0.5}, [WIDE]),
    ("Softshrink", "lambd", {"lambd": 1.2}, [WIDE]),
    ("Hardshrink", "lambd", {"lambd": 1.2}, [WIDE]),
    ("CosineSimilarity", "dim", {"dim": 0, "eps": 0.01}, [ROWS(), ROWS()]),
    ("PairwiseDistance", "p", {"p": 3, "eps": 0.1, "keepdim": True}, [ROWS(), ROWS()]),
    ("MaxPool3d", "windows", {"kernel_size": [2, 3, 2], "stride": [1, 2, 2], "padding": [1, 1, 0], "dilation": [1, 1, 2],
                              "return_indices": True, "ceil_mode": True}, [VOLUME]),
    ("AvgPool1d", "windows", {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True, "count_include_pad": False}, [LINE]),
    ("AvgPool3d", "ceil", {"kernel_size": [2, 3, 2], "stride": [2, 2, 3], "padding": 1, "ceil_mode": True}, [VOLUME]),
    ("AvgPool3d", "count", {"kernel_size": [2, 3, 3], "stride": 2, "padding": 1, "count_include_pad": False}, [VOLUME]),
    ("AvgPool3d", "divisor", {"kernel_size": 2, "padding": 1, "ceil_mode": True, "divisor_override": 3}, [VOLUME]),
    ("AdaptiveAvgPool3d", "sides", {"output_size": [2, 7, 3]}, [VOLUME]),
    ("AdaptiveMaxPool1d", "indices", {"output_size": 4, "return_indices": True}, [LINE]),
    ("AdaptiveMaxPool3d", "indices", {"output_size": [2, 4, 3], "return_indices": True}, [VOLUME]),
    ("LPPool1d", "windows", {"norm_type": 3, "kernel_size": 3, "stride": 2, "ceil_mode": True}, [LINE[:, :, :6].abs()]),
    ("LPPool2d", "windows", {"norm_type": 1.5, "kernel_size": [2, 3], "stride": 2, "ceil_mode": True}, [PLANE.abs()]),
    ("MaxUnpool2d", "windows", {"kernel_size": 3, "stride": 2, "padding": 1}, [random(1, 1, 2, 2), torch.tensor([[[[0, 2], [6, 8]]]])]),
    ("FractionalMaxPool2d", "size", {"kernel_size": [2, 3], "output_size": [3, 4], "return_indices": True,
                                     "_random_samples": torch.rand(1, 2, 2)}, [PLANE]),
    ("FractionalMaxPool3d", "ratio", {"kernel_size": [1, 2, 2], "output_ratio": [0.5, 0.7, 0.6], "return_indices": True,
                                      "_random_samples": torch.rand(1, 2, 3)}, [VOLUME]),
    ("LocalResponseNorm", "even", {"size": 2, "alpha": 0.5, "beta": 1.5, "k": 2.0}, [PLANE]),
    ("Unfold", "windows", {"kernel_size": [2, 3], "dilation": 2, "padding": [1, 0], "stride": [1, 2]}, [PLANE]),
    ("ReflectionPad2d", "crop", {"padding": [2, -1, 0, 1]}, [PLANE]),
    ("CircularPad3d", "sides", {"padding": [1, 2, 0, 3, 1, 0]}, [VOLUME]),
    ("GaussianNLLLoss", "full", {"full": True, "eps": 0.3, "reduction": "none"}, [ROWS(), ROWS(), torch.rand(4, 1)]),
    ("GaussianNLLLoss", "rows", {"reduction": "sum"}, [ROWS(), ROWS(), torch.rand(4)]),
    ("PoissonNLLLoss", "full", {"log_input": False, "full": True, "eps": 0.1, "reduction": "sum"},
     [torch.rand(4, 3), [torch.tensor([[0.0, 1, 2], [3, 0.5, 1.5], [7, 1, 1], [0, 0, 2]])]]),
    ("HingeEmbeddingLoss", "margin", {"margin": 0.4, "reduction": "none"}, [random(6), [torch.tensor([1.0, -1, 0, -1, 1, 2])]]),
    ("MultiMarginLoss", "options", {"p": 2, "margin": 0.7, "weight": torch.rand(3), "reduction": "sum"}, [[ROWS()], labels(0, 2, 2, 1)]),
    ("MultiLabelMarginLoss", "row", {"reduction": "none"}, [[random(4)], torch.tensor([3, 3, -1, 0])]),
    ("MultiLabelSoftMarginLoss", "weight", {"weight": torch.rand(3), "reduction": "none"}, [ROWS(), [INSIDE()]]),
    ("TripletMarginWithDistanceLoss", "swap", {"margin": 3.0, "swap": True, "reduction": "none"}, [ROWS(), ROWS(), ROWS()]),
    ("CTCLoss", "none", {"blank": 2, "reduction": "none"},
     [[random(5, 3, 4).log_softmax(2)], labels(1, 1, 3, 0, 1, 1, 1), labels(5, 4, 4), labels(2, 2, 3)]),
    ("CTCLoss", "zero", {"reduction": "sum", "zero_infinity": True},
     [[random(5, 4, 4).log_softmax(2)], labels(1, 1, 3, 2, 1, 1, 1), labels(5, 3, 4, 2), labels(2, 2, 3, 0)]),
    ("CTCLoss", "alone", {}, [[random(5, 4).log_softmax(1)], labels(1, 3), torch.tensor(4), torch.tensor(2)]),
    ("TransformerDecoderLayer", "first", {"d_model": 4, "nhead": 2, "dim_feedforward": 3, "activation": "gelu", "layer_norm_eps": 0.1,
                                          "batch_first": True, "norm_first": True, "bias": False}, [random(2, 3, 4), random(2, 5, 4)]),
    ("TransformerEncoder", "norm", {"encoder_layer": {"module": "TransformerEncoderLayer", "args": {
        "d_model": 2, "nhead": 1, "dim_feedforward": 3}}, "num_layers": 2, "norm": {"module": "LayerNorm", "args": {"normalized_shape": 2}}},
     [random(3, 2, 2)]),
    ("Transformer", "small", {"d_model": 4, "nhead": 2, "num_encoder_layers": 2, "num_decoder_layers": 1, "dim_feedforward": 3, "dropout": 0.2,
                              "activation": "gelu"}, [random(3, 2, 4), random(2, 2, 4)]),
    ("EmbeddingBag", "sum", {"num_embeddings": 5, "embedding_dim": 3, "mode": "sum", "include_last_offset": True, "padding_idx": 1},
     [labels(0, 1, 2, 2, 4, 1), labels(0, 2, 2, 3, 6)]),
    ("EmbeddingBag", "mean", {"num_embeddings": 5, "embedding_dim": 3, "padding_idx": 1}, [labels(0, 1, 2, 2, 4, 1), labels(0, 2, 2, 3, 5)]),
    ("EmbeddingBag", "max", {"num_embeddings": 5, "embedding_dim": 3, "mode": "max", "padding_idx": -1},
     [[labels(0, 1, 2, 2, 4, 1)], labels(0, 2, 2, 3, 6)]),
    ("ConvTranspose1d", "options", {"in_channels": 2, "out_channels": 4, "kernel_size": 3, "stride": 2, "padding": 1,
                                    "output_padding": 1, "groups": 2, "bias": False, "dilation": 2}, [random(2, 2, 4)]),
    ("ConvTranspose3d", "options", {"in_channels": 2, "out_channels": 4, "kernel_size": [3, 2, 1], "stride": [2, 1, 3], "padding": [1, 0, 0],
                                    "output_padding": [1, 0, 2], "groups": 2, "dilation": [2, 1, 1]}, [random(2, 2, 3, 2, 2)]),
    ("ConvTranspose3d", "wide", {"in_channels": 1, "out_channels": 1, "kernel_size": 2, "dilation": [2, 3, 2], "padding": 1,
                                 "output_padding": 1}, [random(1, 1, 3, 3, 2)]),
    ("InstanceNorm3d", "running", {"num_features": 2, "affine": True, "track_running_stats": True, "momentum": 0.3}, [random(2, 2, 2, 1, 3)]),
    ("RMSNorm", "dims", {"normalized_shape": [3, 2], "eps": 0.1, "elementwise_affine": False}, [random(2, 3, 2)]),
    ("UpsamplingBilinear2d", "size", {"size": [5, 4]}, [random(1, 2, 3, 3)]),
]


def main():
    folder, wanted = sys.argv[1], set(sys.argv[2:])
    for name, what, args, given in CASES:
        if wanted and name not in wanted:
            continue
        case, tensors = layer_case(name, args, given)
        case = {"kind": "layer", "name": f"{name}-{what}", "set": "options", "dtype": "float64", **case}
        write(os.path.join(folder, "layer", f"{name}-{what}.safetensors"), case, tensors)


if __name__ == "__main__":
    with sdpa_kernel(SDPBackend.MATH):
        main()
