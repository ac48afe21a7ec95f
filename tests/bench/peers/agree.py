"""The jobs of agree.lua by the original MetaNN on PyTorch 1.x. usage: agree.py FILE, a JSON list of jobs.
Prints 'versions TEXT' and 'results JSON', a list of objects with lists of numbers by name."""
import json
import sys

try:
    import torch
except ImportError:
    sys.exit("agree.py: this Python has no torch; the original needs PyTorch 1.x")
if torch.__version__.split(".")[0] != "1":
    sys.exit("agree.py: this Python has torch %s, but the original imports on PyTorch 1.x only" % torch.__version__)
try:
    import metann.meta as meta
except ImportError as error:
    sys.exit("agree.py: this Python can't import the original MetaNN (pip install --no-deps metann): %s" % error)
import torch.nn.functional as F
from torch import nn

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def tensor(given, integer=False):
    values = torch.tensor(given["data"], dtype=torch.float64).reshape(given["size"])
    return values.long() if integer else values


def build(job):
    layers = []
    for layer in job["layers"]:
        options = {key: layer[key] for key in ("bias", "padding") if key in layer}
        layers.append(getattr(nn, layer["name"])(*[int(size) for size in layer["sizes"]], **options))
    net = nn.Sequential(*layers)
    weights = list(net.parameters())
    assert len(weights) == len(job["weights"])
    with torch.no_grad():
        for weight, given in zip(weights, job["weights"]):
            weight.copy_(tensor(given))
    return net


def make_learner(job, net, lr, evaluator):
    options = job["learner"]
    name, steps, graph = options["name"], int(options["steps"]), options["create_graph"]
    if name == "GDLearner":
        learner = meta.GDLearner(steps, lr, graph, evaluator)
    elif name == "SequentialGDLearner":
        learner = meta.SequentialGDLearner(lr, options["momentum"], graph, evaluator)
    elif name == "RMSPropLearner":
        learner = meta.RMSPropLearner(lr, options["alpha"], options["eps"], options["centered"], graph, evaluator, steps)
    else:
        return getattr(meta, name)(net, steps, steps, lr, evaluator, not graph)
    return lambda data: learner(net, data)


def numbers(values):
    return values.detach().flatten().tolist()


def run(job):
    net, losses = build(job), []

    def evaluator(model, data):
        output = model(data[0])
        loss = ((output - data[1]) ** 2).mean() if job["loss"] == "mse" else F.cross_entropy(output, data[1])
        losses.append(loss.item())
        return loss

    def pair(given):
        return tensor(given["x"]), tensor(given["y"], job["loss"] == "cross_entropy")

    options = job["learner"]
    lr = nn.Parameter(torch.tensor(options["lr"])) if options["lr_is_parameter"] else options["lr"]
    support = [pair(given) for given in job["support"]]
    for x, _ in support:
        x.requires_grad_(True)
    learner = make_learner(job, net, lr, evaluator)
    adapted = learner(support if options["name"] == "SequentialGDLearner" else support[0])
    query = pair(job["query"])
    if options["name"] == "MAMLpp":
        steps = int(options["steps"])
        loss, _ = meta.mamlpp_evaluator(adapted, query, steps, evaluator, options["gamma"])
        adapted = adapted[steps]
    else:
        loss = evaluator(adapted, query)
    results = {"losses": losses, "query_loss": [loss.item()]}
    for i, weight in enumerate(adapted.dependents()):
        results["adapted %d" % (i + 1)] = numbers(weight)
    inputs = [("gradient %d" % (i + 1), p) for i, p in enumerate(net.parameters())]
    if options["lr_is_parameter"]:
        inputs.append(("gradient lr", lr))
    inputs += [("gradient support %d" % (i + 1), x) for i, (x, _) in enumerate(support)]
    grads = torch.autograd.grad(loss, [t for _, t in inputs], allow_unused=True)
    for (name, t), g in zip(inputs, grads):
        results[name] = numbers(torch.zeros_like(t) if g is None else g)
    return results


with open(sys.argv[1]) as file:
    jobs = json.load(file)
print("versions PyTorch %s" % torch.__version__)
print("results " + json.dumps([run(job) for job in jobs]))
