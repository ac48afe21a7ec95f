"""Makes the case NAME-defaults of every optimizer, schedule, layer and loss: by PyTorch, with no argument but those that must
be given. What these cases check is the defaults, so numbers are chosen that each default touches.

    python3 make_defaults.py DIR [NAME...]

and of the optimizers and schedules that OPTIONS and OTHER_OPTIONS name the case NAME-all, with every option given. With names,
those only.
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
OPTIMIZERS = {"SGD": {"lr": 0.1}, "Adam": {}, "AdamW": {}, "RMSprop": {}, "Adagrad": {}, "Adadelta": {}, "Adamax": {}, "NAdam": {}, "RAdam": {}, "Rprop": {}, "ASGD": {}, "Adafactor": {}, "Lion": {}}
OPTIONS = {
    "Rprop": {"lr": 0.02, "etas": [0.3, 1.5], "step_sizes": [4e-3, 0.03], "maximize": True},
    "ASGD": {"lr": 0.05, "lambd": 0.03, "alpha": 0.6, "t0": 3, "weight_decay": 0.1, "maximize": True},
    "Adafactor": {"lr": 0.3, "beta2_decay": -0.5, "eps": [1e-4, 0.2], "d": 1.5, "weight_decay": 0.1, "maximize": True},
    "Lion": {"lr": 0.05, "betas": [0.8, 0.95], "weight_decay": 0.1, "maximize": True},
}


class Lion(torch.optim.Optimizer):
    """The program of the paper's second page (Chen et al. 2023), which PyTorch doesn't have."""

    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0, maximize=False):
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                g = -p.grad if group["maximize"] else p.grad
                beta1, beta2 = group["betas"]
                update = torch.sign(beta1 * m + (1 - beta1) * g)
                p -= group["lr"] * (update + group["weight_decay"] * p)
                m.copy_(beta2 * m + (1 - beta2) * g)


def optimizer_class(name):
    return Lion if name == "Lion" else getattr(torch.optim, name)


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
    "ConstantLR": ({}, 7),
    "PolynomialLR": ({}, 7),
    "MultiplicativeLR": ({"lr_lambda": "lambda epoch: 1 / (1 + epoch)"}, 5),
    "CyclicLR": ({"base_lr": 0.1, "max_lr": 0.5}, 2050),
    "CosineAnnealingWarmRestarts": ({"T_0": 4}, 11),
    "SequentialLR": ({"schedulers": [["ConstantLR", {"total_iters": 2}], ["ExponentialLR", {"gamma": 0.9}]], "milestones": [4]}, 8),
    "ChainedScheduler": ({"schedulers": [["LinearLR", {}], ["ExponentialLR", {"gamma": 0.9}]]}, 8),
}
OTHER_OPTIONS = {
    "ConstantLR-all": ({"factor": 0.7, "total_iters": 3}, 6),
    "PolynomialLR-all": ({"total_iters": 6, "power": 2.5}, 9),
    "CyclicLR-triangular2": ({"base_lr": 0.1, "max_lr": 0.7, "step_size_up": 3, "step_size_down": 5, "mode": "triangular2", "base_momentum": 0.5, "max_momentum": 0.75}, 26),
    "CyclicLR-exp_range": ({"base_lr": 0.1, "max_lr": 0.7, "step_size_up": 4, "mode": "exp_range", "gamma": 0.93, "cycle_momentum": False}, 20),
    "CosineAnnealingWarmRestarts-all": ({"T_0": 3, "T_mult": 2, "eta_min": 0.05}, 24),
    # each kind begins when others have run; MultiplicativeLR goes on from where they are
    "SequentialLR-all": (
        {
            "schedulers": [
                ["LinearLR", {"total_iters": 3}], ["CosineAnnealingLR", {"T_max": 3}], ["StepLR", {"step_size": 2}], ["PolynomialLR", {}],
                ["MultiplicativeLR", {"lr_lambda": "lambda epoch: 0.9"}], ["LambdaLR", {"lr_lambda": "lambda epoch: 1 / (2 + epoch)"}],
                ["MultiStepLR", {"milestones": [1, 2]}], ["CosineAnnealingWarmRestarts", {"T_0": 2}], ["ConstantLR", {"total_iters": 2}],
                ["CyclicLR", {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 3}],
            ],
            "milestones": [3, 6, 10, 13, 16, 19, 23, 28, 32],
        },
        43,
    ),
    "SequentialLR-at-once": ({"schedulers": [["ConstantLR", {}], ["ExponentialLR", {"gamma": 0.5}]], "milestones": [0]}, 4),
    "ChainedScheduler-all": (
        {
            "schedulers": [
                ["StepLR", {"step_size": 3, "gamma": 0.5}], ["PolynomialLR", {"total_iters": 9}], ["MultiplicativeLR", {"lr_lambda": "lambda epoch: 0.95"}],
                ["SequentialLR", {"schedulers": [["ConstantLR", {"total_iters": 2}], ["ExponentialLR", {"gamma": 0.8}]], "milestones": [3]}],
            ]
        },
        10,
    ),
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
for name in ["ReLU", "LeakyReLU", "ELU", "GELU", "SiLU", "Sigmoid", "Tanh", "Softplus", "Hardtanh", "Softsign"]:
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
    optimizer = optimizer_class(name)(parameters, **args)
    for step in range(1, 9):
        for i, p in enumerate(parameters):
            # some are small enough for a term such as eps to count
            p.grad = random(*p.shape) * 10.0 ** torch.randint(-6, 1, p.shape)
            tensors[f"grad.{step}.{i}"] = p.grad.clone()
        optimizer.step()
        tensors.update((f"param.{step}.{i}", p.detach().clone()) for i, p in enumerate(parameters))
    return {"optimizer": name, "args": args, "steps": 8, "params": 2, "tolerance": {"rtol": 1e-13, "atol": 1e-14}}, tensors


def make_schedule(name, optimizer, args):
    given = {k: eval(v) if k == "lr_lambda" else v for k, v in args.items()}
    if "schedulers" in given:
        given["schedulers"] = [make_schedule(kind, optimizer, options) for kind, options in given["schedulers"]]
    make = getattr(lr_scheduler, name)
    return make(**given) if name == "ChainedScheduler" else make(optimizer, **given)


def schedule_case(name, args, steps):
    rate = 0.3
    options = {"momentum": 0.9} if "Cycl" in name + str(args) else {}
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate, **options)
    schedule, tensors = make_schedule(name, optimizer, args), {}
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
    made += [("optim", name, optimizer_class(name), args, optimizer_case(name, args)) for name, args in OPTIMIZERS.items()]
    made += [("optim", name, getattr(lr_scheduler, name), args, schedule_case(name, args, steps)) for name, (args, steps) in SCHEDULES.items()]
    made += [("layer", name, getattr(nn, name), args, layer_case(name, args, given)) for name, (args, given) in LAYERS.items()]
    for kind, name, make, args, (case, tensors) in made:
        check_required(make, args)
        if wanted and name not in wanted:
            continue
        case = {"kind": kind, "name": name + "-defaults", "set": "defaults", "dtype": "float64", **case}
        write(os.path.join(folder, kind, name + "-defaults.safetensors"), case, tensors)
    others = {name + "-all": optimizer_case(name, args) for name, args in OPTIONS.items()}
    others.update((name, schedule_case(name.split("-")[0], args, steps)) for name, (args, steps) in OTHER_OPTIONS.items())
    for name, (case, tensors) in others.items():
        if wanted and name.split("-")[0] not in wanted:
            continue
        case = {"kind": "optim", "name": name, "set": "options", "dtype": "float64", **case}
        write(os.path.join(folder, "optim", name + ".safetensors"), case, tensors)


if __name__ == "__main__":
    # the one way to attention that has second derivatives
    with sdpa_kernel(SDPBackend.MATH):
        main()
