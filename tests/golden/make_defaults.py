"""Makes the case NAME-defaults of every optimizer, schedule, layer and loss: by PyTorch, with no argument but those that must
be given. What the cases check is the defaults, so numbers are chosen that each default touches.

    python3 make_defaults.py DIR [NAME...]

With names, those only.
"""
import inspect
import os
import sys

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim import lr_scheduler

from make import derivatives, write

TOLERANCE = {"rtol": 1e-11, "atol": 1e-12}
torch.set_default_dtype(torch.float64)
torch.manual_seed(0)


def random(*size, scale=1.0):
    return torch.randn(size) * scale


def labels(*values):
    return torch.tensor(values)


# Arguments without a default: of PyTorch, or of metann (a dim is never guessed, nor is SGD's lr).
OPTIMIZERS = {"SGD": {"lr": 0.1}, "Adam": {}, "AdamW": {}, "RMSprop": {}, "Adagrad": {}, "Adadelta": {}, "Adamax": {}, "NAdam": {}, "RAdam": {}}

# Arguments and steps.
SCHEDULES = {
    "StepLR": ({"step_size": 2}, 7),
    "MultiStepLR": ({"milestones": [2, 3, 5]}, 7),
    "ExponentialLR": ({"gamma": 0.7}, 5),
    "CosineAnnealingLR": ({"T_max": 4}, 7),
    "LinearLR": ({}, 8),
    "LambdaLR": ({"lr_lambda": "lambda epoch: 1 / (1 + epoch)"}, 5),
    "OneCycleLR": ({"max_lr": 0.5, "total_steps": 20}, 19),
    "ReduceLROnPlateau": ({}, 60),
}

PLANE = random(1, 2, 7, 7)
WIDE = torch.cat([torch.linspace(-7.7, 8.1, 17), torch.tensor([-30.0, 19.5, 20.5, 30.0])])
ROWS = lambda: random(4, 3)  # noqa: E731
INSIDE = lambda: torch.rand(4, 3) * 0.8 + 0.1  # noqa: E731

# Arguments, then inputs; those of floats are differentiated unless they are in a list.
LAYERS = {
    "Linear": ({"in_features": 3, "out_features": 2}, [ROWS()]),
    "Bilinear": ({"in1_features": 2, "in2_features": 3, "out_features": 2}, [random(4, 2), ROWS()]),
    "Identity": ({}, [ROWS()]),
    "Flatten": ({}, [random(2, 3, 2)]),
    "Unflatten": ({"dim": 1, "unflattened_size": [2, 3]}, [random(2, 6)]),
    "Conv1d": ({"in_channels": 2, "out_channels": 2, "kernel_size": 2}, [random(1, 2, 5)]),
    "Conv2d": ({"in_channels": 2, "out_channels": 2, "kernel_size": 2}, [random(1, 2, 4, 4)]),
    "Conv3d": ({"in_channels": 2, "out_channels": 2, "kernel_size": 2}, [random(1, 2, 3, 3, 3)]),
    "ConvTranspose2d": ({"in_channels": 2, "out_channels": 2, "kernel_size": 2}, [random(1, 2, 3, 3)]),
    "BatchNorm1d": ({"num_features": 3}, [ROWS()]),
    "BatchNorm2d": ({"num_features": 2}, [random(2, 2, 2, 3)]),
    "LayerNorm": ({"normalized_shape": [3]}, [ROWS()]),
    "GroupNorm": ({"num_groups": 2, "num_channels": 4}, [random(2, 4, 3)]),
    "InstanceNorm2d": ({"num_features": 2}, [random(2, 2, 2, 3)]),
    "Embedding": ({"num_embeddings": 4, "embedding_dim": 3}, [labels(0, 2, 2, 3)]),
    "RNN": ({"input_size": 3, "hidden_size": 2}, [random(3, 2, 3)]),
    "LSTM": ({"input_size": 3, "hidden_size": 2}, [random(3, 2, 3)]),
    "GRU": ({"input_size": 3, "hidden_size": 2}, [random(3, 2, 3)]),
    "RNNCell": ({"input_size": 3, "hidden_size": 2}, [random(2, 3)]),
    "LSTMCell": ({"input_size": 3, "hidden_size": 2}, [random(2, 3)]),
    "GRUCell": ({"input_size": 3, "hidden_size": 2}, [random(2, 3)]),
    "MultiheadAttention": ({"embed_dim": 4, "num_heads": 2}, [random(3, 2, 4), random(5, 2, 4), random(5, 2, 4)]),
    "TransformerEncoderLayer": ({"d_model": 2, "nhead": 1}, [random(3, 2, 2)]),
    "MaxPool1d": ({"kernel_size": 2}, [random(1, 2, 7)]),
    "MaxPool2d": ({"kernel_size": 2}, [PLANE]),
    "AvgPool2d": ({"kernel_size": 2}, [PLANE]),
    "AdaptiveAvgPool2d": ({"output_size": 3}, [PLANE]),
    "AdaptiveMaxPool2d": ({"output_size": 3}, [PLANE]),
    "Upsample": ({"scale_factor": 2}, [random(1, 2, 3, 3)]),
    "Softmax": ({"dim": 1}, [ROWS()]),
    "LogSoftmax": ({"dim": 1}, [ROWS()]),
    "PReLU": ({}, [WIDE]),
    "CrossEntropyLoss": ({}, [ROWS(), labels(0, 2, -100, 1)]),
    "NLLLoss": ({}, [ROWS(), labels(0, 2, -100, 1)]),
    "MSELoss": ({}, [ROWS(), ROWS()]),
    "L1Loss": ({}, [ROWS(), ROWS()]),
    "SmoothL1Loss": ({}, [ROWS() * 2, ROWS()]),
    "HuberLoss": ({}, [ROWS() * 2, ROWS()]),
    "BCELoss": ({}, [INSIDE(), [INSIDE()]]),
    "BCEWithLogitsLoss": ({}, [ROWS(), [INSIDE()]]),
    "KLDivLoss": ({}, [ROWS(), [INSIDE()]]),
    "CosineEmbeddingLoss": ({}, [ROWS(), ROWS(), labels(1, -1, -1, 1)]),
    "MarginRankingLoss": ({}, [random(6), random(6), [torch.tensor([1.0, -1, 1, -1, 1, -1])]]),
    "TripletMarginLoss": ({}, [ROWS(), ROWS(), ROWS()]),
    "SoftMarginLoss": ({}, [random(6), [torch.tensor([1.0, -1, 1, -1, 1, -1])]]),
}
for name in ["ReLU", "LeakyReLU", "ELU", "GELU", "SiLU", "Sigmoid", "Tanh", "Softplus", "Hardtanh"]:
    LAYERS[name] = ({}, [WIDE])
for name in ["LogSigmoid", "ReLU6", "Mish", "Hardswish", "SELU", "CELU", "Softshrink", "Hardshrink", "Tanhshrink"]:
    LAYERS[name] = ({}, [WIDE])
LINE, VOLUME = random(1, 2, 7), random(1, 2, 5, 5, 4)
LAYERS.update({
    "GaussianNLLLoss": ({}, [ROWS(), ROWS(), torch.cat([INSIDE(), torch.zeros(1, 3)])[1:]]),
    "PoissonNLLLoss": ({}, [ROWS(), ROWS().abs()]),
    "HingeEmbeddingLoss": ({}, [random(6), [torch.tensor([1.0, -1, 1, -1, 1, -1])]]),
    # of the next two PyTorch has no second derivative
    "MultiMarginLoss": ({}, [[ROWS()], labels(0, 2, 2, 1)]),
    "MultiLabelMarginLoss": ({}, [[ROWS()], torch.tensor([[2, 0, -1], [1, -1, 2], [-1, 0, 1], [0, 1, 2]])]),
    "MultiLabelSoftMarginLoss": ({}, [ROWS(), [INSIDE()]]),
    "TripletMarginWithDistanceLoss": ({}, [ROWS(), ROWS(), ROWS()]),
    # PyTorch's derivative is that of log_softmax and the loss together; the last sample is impossible
    "CTCLoss": ({}, [[random(5, 3, 4).log_softmax(2)], torch.tensor([[1, 2, 3], [3, 3, 0], [2, 2, 2]]), labels(5, 4, 5), labels(3, 2, 1)]),
    "TransformerDecoderLayer": ({"d_model": 2, "nhead": 1}, [random(3, 2, 2), random(4, 2, 2)]),
    "TransformerEncoder": ({"encoder_layer": {"module": "TransformerEncoderLayer", "args": {"d_model": 2, "nhead": 1, "dim_feedforward": 3}}, "num_layers": 2}, [random(3, 2, 2)]),
    "TransformerDecoder": ({"decoder_layer": {"module": "TransformerDecoderLayer", "args": {"d_model": 2, "nhead": 1, "dim_feedforward": 3}}, "num_layers": 2}, [random(3, 2, 2), random(4, 2, 2)]),
    "EmbeddingBag": ({"num_embeddings": 4, "embedding_dim": 3}, [torch.tensor([[0, 2], [2, 3]])]),
    "ConvTranspose1d": ({"in_channels": 2, "out_channels": 2, "kernel_size": 2}, [random(1, 2, 3)]),
    "ConvTranspose3d": ({"in_channels": 2, "out_channels": 2, "kernel_size": 2}, [random(1, 2, 3, 2, 2)]),
    "BatchNorm3d": ({"num_features": 2}, [random(2, 2, 2, 1, 3)]),
    "InstanceNorm1d": ({"num_features": 2}, [random(2, 2, 3)]),
    "InstanceNorm3d": ({"num_features": 2}, [random(2, 2, 2, 1, 3)]),
    "RMSNorm": ({"normalized_shape": [3]}, [ROWS() * 1e-7]),
    "RReLU": ({}, [WIDE]),
    # PyTorch has no second derivative of the first, and another one than ours below eps of the second
    "Hardsigmoid": ({}, [[WIDE]]),
    "CosineSimilarity": ({}, [[torch.cat([ROWS(), ROWS() * 1e-9])], [random(8, 3)]]),
    "Softmin": ({"dim": 1}, [ROWS()]),
    "Softmax2d": ({}, [PLANE]),
    "GLU": ({}, [random(2, 4)]),
    "Threshold": ({"threshold": 0.1, "value": 20.0}, [ROWS()]),
    "PairwiseDistance": ({}, [ROWS(), ROWS()]),
    "MaxPool3d": ({"kernel_size": 2}, [VOLUME]),
    "AvgPool1d": ({"kernel_size": 2}, [LINE]),
    "AvgPool3d": ({"kernel_size": 2}, [VOLUME]),
    "AdaptiveAvgPool1d": ({"output_size": 3}, [LINE]),
    "AdaptiveAvgPool3d": ({"output_size": 3}, [VOLUME]),
    "AdaptiveMaxPool1d": ({"output_size": 3}, [LINE]),
    "AdaptiveMaxPool3d": ({"output_size": 3}, [VOLUME]),
    "LPPool1d": ({"norm_type": 2, "kernel_size": 2}, [LINE]),
    "LPPool2d": ({"norm_type": 2, "kernel_size": 2}, [PLANE]),
    "LPPool3d": ({"norm_type": 2, "kernel_size": 2}, [VOLUME]),
    "MaxUnpool1d": ({"kernel_size": 2}, [random(1, 1, 3), torch.tensor([[[1, 2, 5]]])]),
    "MaxUnpool2d": ({"kernel_size": 2}, [random(1, 1, 2, 2), torch.tensor([[[[1, 3], [8, 14]]]])]),
    "MaxUnpool3d": ({"kernel_size": 2}, [random(1, 1, 1, 2, 2), torch.tensor([[[[[1, 3], [8, 30]]]]])]),
    "LocalResponseNorm": ({"size": 3}, [random(2, 5, 3)]),
    "PixelShuffle": ({"upscale_factor": 2}, [random(1, 8, 2, 3)]),
    "PixelUnshuffle": ({"downscale_factor": 2}, [random(1, 2, 4, 6)]),
    "ChannelShuffle": ({"groups": 2}, [random(1, 6, 2)]),
    "Unfold": ({"kernel_size": 2}, [PLANE]),
    "Fold": ({"output_size": [3, 4], "kernel_size": 2}, [random(1, 8, 6)]),
    "UpsamplingNearest2d": ({"scale_factor": 2}, [random(1, 2, 3, 3)]),
    "UpsamplingBilinear2d": ({"scale_factor": 2}, [random(1, 2, 3, 3)]),
})
for sides, given in [(1, LINE), (2, PLANE), (3, VOLUME)]:
    for name in ["Zero", "Reflection", "Replication", "Circular"]:
        LAYERS[f"{name}Pad{sides}d"] = ({"padding": 2}, [given[:, :1]])
    LAYERS[f"ConstantPad{sides}d"] = ({"padding": 2, "value": 3.5}, [given[:, :1]])
# In training mode they draw numbers: elsewhere their probability is checked.
DRAWS = {"TransformerEncoderLayer", "TransformerDecoderLayer", "TransformerEncoder", "TransformerDecoder", "Transformer", "RReLU"}

# Of whose weights PyTorch has no second derivative: values only.
FIRST_ONLY = {"EmbeddingBag"}


def optimizer_case(name, args):
    torch.manual_seed(1)
    start, tensors = [random(3, 2), random(4)], {}
    parameters = [t.clone().requires_grad_() for t in start]
    tensors.update((f"init.{i}", t) for i, t in enumerate(start))
    optimizer = getattr(torch.optim, name)(parameters, **args)
    for step in range(1, 9):
        for i, p in enumerate(parameters):
            # some are small enough for a term such as eps to count
            p.grad = random(*p.shape) * 10.0 ** torch.randint(-6, 1, p.shape)
            tensors[f"grad.{step}.{i}"] = p.grad.clone()
        optimizer.step()
        tensors.update((f"param.{step}.{i}", p.detach().clone()) for i, p in enumerate(parameters))
    return {"optimizer": name, "args": args, "steps": 8, "params": 2, "tolerance": {"rtol": 1e-13, "atol": 1e-14}}, tensors


def schedule_case(name, args, steps):
    rate = 0.3
    options = {"momentum": 0.9} if name == "OneCycleLR" else {}
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate, **options)
    given = {k: eval(v) if k == "lr_lambda" else v for k, v in args.items()}
    schedule, tensors = getattr(lr_scheduler, name)(optimizer, **given), {}
    group = optimizer.param_groups[0]
    rates, momenta, metric = [group["lr"]], [group["momentum"]], []
    for step in range(steps):
        optimizer.step()
        # Better until the 5th, then not by enough (the threshold), then worse; the last part says 'min' from 'max'.
        value = 5.0 - step if step < 5 else 1.0 - 5e-5 if step < 20 else 2.0 if step < 45 else 0.5
        metric.append(value)
        schedule.step(value) if name == "ReduceLROnPlateau" else schedule.step()
        rates.append(group["lr"]), momenta.append(group["momentum"])
    tensors["lr"] = torch.tensor(rates)
    if options:
        tensors["momentum"] = torch.tensor(momenta)
    if name == "ReduceLROnPlateau":
        tensors["metric"] = torch.tensor(metric)
    case = {"scheduler": name, "args": args, "optimizer": "SGD", "base_lr": rate, "steps": steps, "tolerance": {"rtol": 1e-13, "atol": 0}}
    if options:
        case["optimizer_momentum"] = 0.9
    return case, tensors


def flat(value):
    return [t for part in value for t in flat(part)] if isinstance(value, (tuple, list)) else [value]


def randomise(module):
    """Weights of their own in place of ones and zeros; what a class starts with is checked elsewhere."""
    for p in module.parameters():
        if not isinstance(module, nn.PReLU):
            p.data = random(*p.shape, scale=0.5)


def build(name, args):
    """A module; one among the arguments is {"module": its class, "args": its own}."""
    made = {k: build(v["module"], v["args"]) if isinstance(v, dict) else v for k, v in args.items()}
    return getattr(nn, name)(**made)


def layer_case(name, args, given):
    torch.manual_seed(2)
    module = build(name, args).train(name not in DRAWS)
    randomise(module)
    names = [chr(ord("a") + i) for i in range(len(given))]
    inputs, consts = {}, {}
    for key, value in zip(names, given):
        constant = isinstance(value, list) or not value.is_floating_point()
        value = value[0] if isinstance(value, list) else value
        (consts if constant else inputs)[key] = value.clone().requires_grad_(not constant)
    # what is given as a tensor is no buffer whose state a case has
    own = {k: v for k, v in module.named_buffers() if k not in args}
    for key, value in args.items():
        if isinstance(value, torch.Tensor):
            consts[key], args = value, {**args, key: {"tensor": "const." + key}}
    parameters, buffers = dict(module.named_parameters()), own
    tensors = {"input." + k: t for k, t in inputs.items()}
    tensors.update(("const." + k, t) for k, t in consts.items())
    tensors.update(("param." + k, t.detach().clone()) for k, t in parameters.items())
    tensors.update(("buffer." + k, t.clone()) for k, t in buffers.items())
    everything = {**inputs, **consts}
    outputs = flat(module(*[everything[key] for key in names]))
    tensors.update(("buffer_after." + k, t.clone()) for k, t in module.named_buffers() if k in buffers)
    keys = ["output"] if len(outputs) == 1 else [str(i) for i in range(len(outputs))]
    suffixed = {"" if len(outputs) == 1 else "." + k: y for k, y in zip(keys, outputs)}
    tensors.update(("output" + suffix, y) for suffix, y in suffixed.items())
    wide = sum(p.numel() for p in parameters.values()) > 500
    leaves = {**inputs, **({} if wide else parameters)}
    if name in FIRST_ONLY:
        leaves = {}
    elif any(y.requires_grad for y in outputs):
        derivatives(tensors, suffixed, list(leaves), list(leaves.values()))
    return {
        "layer": name, "args": args, "call": f"module({', '.join(names)})", "inputs": list(inputs), "consts": list(consts),
        "params": list(parameters), "buffers": list(buffers), "outputs": keys, "differentiable": list(leaves),
        "training": module.training, "forward_passes": 1, "tolerance": TOLERANCE,
    }, tensors


def check_required(make, args):
    """Every argument that PyTorch demands is given."""
    for p in inspect.signature(make).parameters.values():
        wanted = p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        assert not wanted or p.name in args or p.name in ("self", "params", "optimizer"), (make, p.name)


def main():
    folder, wanted = sys.argv[1], set(sys.argv[2:])
    made = []
    made += [("optim", name, getattr(torch.optim, name), args, optimizer_case(name, args)) for name, args in OPTIMIZERS.items()]
    made += [("optim", name, getattr(lr_scheduler, name), args, schedule_case(name, args, steps)) for name, (args, steps) in SCHEDULES.items()]
    made += [("layer", name, getattr(nn, name), args, layer_case(name, args, given)) for name, (args, given) in LAYERS.items()]
    for kind, name, make, args, (case, tensors) in made:
        check_required(make, args)
        if wanted and name not in wanted:
            continue
        case = {"kind": kind, "name": name + "-defaults", "set": "defaults", "dtype": "float64", **case}
        write(os.path.join(folder, kind, name + "-defaults.safetensors"), case, tensors)


if __name__ == "__main__":
    # the one way to attention that has second derivatives
    with sdpa_kernel(SDPBackend.MATH):
        main()
