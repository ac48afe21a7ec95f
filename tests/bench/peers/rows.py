"""The rows of ../rows.lua by PyTorch, on one thread. usage: rows.py FOLDER ANSWERS TOPK
FOLDER has the operands as npy files. Each line on standard input asks for one thing, and is answered by a line in the
pipe ANSWERS: 'result ROW DIM DIRECTION' writes FOLDER/result.npy, 'time ROW DIM DIRECTION CALLS' gives ms a call."""
import sys
import time

import numpy
import torch
import torch.nn.functional as F

folder, answers, k = sys.argv[1], open(sys.argv[2], "w"), int(sys.argv[3])
torch.set_num_threads(1)


def load(name):
    return torch.from_numpy(numpy.load("%s/%s.npy" % (folder, name)))


x, places, labels = load("x"), load("places").long(), load("labels").long()
weight, bias = torch.ones(len(x)), torch.zeros(len(x))
ROWS = {
    "sum": lambda t, dim: t.sum(dim),
    "mean": lambda t, dim: t.mean(dim),
    "amax": lambda t, dim: t.amax(dim),
    "argmax": lambda t, dim: t.argmax(dim),
    "cumsum": lambda t, dim: t.cumsum(dim),
    "sort": lambda t, dim: t.sort(dim=dim, stable=True)[0],
    "topk": lambda t, dim: t.topk(k, dim)[0],
    "softmax": lambda t, dim: t.softmax(dim),
    "log_softmax": lambda t, dim: t.log_softmax(dim),
    "layer_norm": lambda t, dim: F.layer_norm(t, t.shape[1:], weight, bias),
    "batch_norm": lambda t, dim: F.batch_norm(t, None, None, weight, bias, True),
    "cross_entropy": lambda t, dim: F.cross_entropy(t if dim == 1 else t.t(), labels),
    "index_select": lambda t, dim: t.index_select(dim, labels),
    "gather": lambda t, dim: t.gather(dim, places),
    "embedding": lambda t, dim: F.embedding(labels, t),
}


def job(name, dim, direction):
    if direction == "forward":
        return lambda: ROWS[name](x, dim)
    leaf = x.clone().requires_grad_()
    y = ROWS[name](leaf, dim)
    cotangent = load("cotangent").reshape(y.shape)
    return lambda: torch.autograd.grad(y, leaf, cotangent, retain_graph=True)[0]


asked, call = None, None
for line in sys.stdin:
    what, name, dim, direction, *calls = line.split()
    if asked != (name, dim, direction):
        asked, call = (name, dim, direction), job(name, int(dim), direction)
    if what == "result":
        numpy.save(folder + "/result.npy", call().numpy())
        answer = "saved"
    else:
        start = time.perf_counter()
        for _ in range(int(calls[0])):
            call()
        answer = "%.6f" % ((time.perf_counter() - start) * 1e3 / int(calls[0]))
    print(answer, file=answers, flush=True)
