"""Cases of module_db: layers and losses with their parameters, values and derivatives of inputs and parameters."""
import inspect

import torch
from torch.testing._internal.common_modules import module_db

from cases import File, derivatives, flatten, generator
from lua_text import Writer
from operators import choose, fresh

COUNTS = (3, 40)
RANDOM = {"AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout", "RReLU",
          "FractionalMaxPool2d", "FractionalMaxPool3d"}


def short(info):
    return info.module_cls.__name__


def name_list():
    """Classes for real numbers, lazy ones left out: those only learn a size at their first call."""
    names = [short(m) for m in module_db]
    return [n for n in dict.fromkeys(names) if not n.startswith("Lazy")]


def parameters_of(function):
    return [n for n in inspect.signature(function).parameters if n != "self"]


def add_sample(file, info, sample, training, label):
    cls = info.module_cls
    made = sample.constructor_input
    options = {k: v for k, v in made.kwargs.items() if k not in ("device", "dtype")}
    module = cls(*made.args, **options, device="cpu", dtype=torch.float64) if "device" in parameters_of(
        cls.__init__) else cls(*made.args, **options).double()
    module.train(training)
    writer, known = Writer(), {}
    constructor = "metann.nn.%s(%s)" % (short(info), ", ".join(
        writer.arguments(short(info), parameters_of(cls.__init__), made.args, options)))
    given, inputs = sample.forward_input, parameters_of(cls.forward)
    args, kwargs = list(given.args), dict(given.kwargs)
    while len(args) < len(inputs) and inputs[len(args)] in kwargs:
        args.append(kwargs.pop(inputs[len(args)]))
    forward = ", ".join(writer.arguments(short(info), inputs, args, kwargs))
    state = {k: v.detach().clone() for k, v in module.state_dict().items()}
    args = fresh(args, known)
    if short(info) == "CTCLoss":  # only behind a log_softmax is PyTorch's derivative the one by what it is given
        args[0], forward = args[0].log_softmax(-1), forward.replace("a.x1", "a.x1:log_softmax(-1)", 1)
    y = flatten(module(*args, **{k: fresh(v, known) for k, v in kwargs.items()}))
    tensors = {name: known.get(id(t), t) for name, t in writer.tensors.items()}
    loose = short(info) in RANDOM and training
    leaves = {} if loose else {n: t for n, t in tensors.items() if t.is_floating_point() and t.requires_grad}
    if not loose:
        leaves.update({"p." + n: p for n, p in module.named_parameters()})
    more = derivatives(leaves, y, info.supports_gradgrad, generator(file.name + label))
    tensors.update({"p." + n: v for n, v in state.items()})
    has_derivative = bool(more)
    more.update({"y.%d" % (i + 1): t.detach() for i, t in enumerate(y)})
    tensors.update(more)
    file.add(label, forward, tensors, constructor=constructor, training=training, state=list(state), outputs=len(y),
             leaves=list(leaves) if has_derivative else [],
             places=[2] if "MaxPool" in short(info) and len(y) == 2 else [], signs=[], ignored=[], loose=loose, dtype="float64")


def generate(folder, names, every):
    for info in module_db:
        if short(info) not in names:
            continue
        file = File(folder, "module", short(info))
        for training in (True, False):
            torch.manual_seed(0)
            torch.set_default_dtype(torch.float64)
            try:
                samples = info.module_inputs_func(info, "cpu", torch.float64, True, training)
                for i, sample in choose(list(samples), COUNTS[1 if every else 0]):
                    label = "%s %d" % ("train" if training else "eval", i)
                    try:
                        add_sample(file, info, sample, training, label)
                    except Exception as e:
                        file.skip(label, e)
            except Exception as e:
                file.skip("train" if training else "eval", e)
            finally:
                torch.set_default_dtype(torch.float32)
        file.write()
