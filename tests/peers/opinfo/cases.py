"""Cases: what PyTorch gives for a call, its first and second derivatives, as a safetensors file with the texts in its
metadata. A file holds the cases of one operator, module or optimizer; tensor 'N/name' is of case N."""
import json
import os
import re
import struct
import zlib

import torch

from lua_text import DTYPES, Inexpressible

LARGEST = 1 << 18  # bytes of a case


def generator(text):
    return torch.Generator().manual_seed(zlib.crc32(text.encode()))


def flatten(y):
    if isinstance(y, torch.Tensor):
        return [y]
    if isinstance(y, (tuple, list)):
        return [t for v in y for t in flatten(v)]
    if isinstance(y, (bool, int, float)):
        return [torch.tensor(y, dtype=None if not isinstance(y, float) else torch.float64)]
    if y is None:
        return []
    raise Inexpressible("a result of type %s" % type(y).__name__)


def derivatives(leaves, outputs, second, g):
    """Tensors by name: cotangents c.N of the outputs, gradients g.NAME of the leaves, and, of the sum of those times
    random u.NAME, the gradients h.NAME of the leaves and h.c.N of the cotangents. What PyTorch has no second derivative
    of, whatever its database says, is compared by the first alone."""
    if second:
        try:
            return both_derivatives(leaves, outputs, True, g)
        except RuntimeError as e:
            if "derivative" not in str(e) and "backward" not in str(e):
                raise
    return both_derivatives(leaves, outputs, False, g)


def both_derivatives(leaves, outputs, second, g):
    live = [(i, y) for i, y in enumerate(outputs) if y.is_floating_point() and y.requires_grad]
    if not leaves or not live:
        return {}
    draw = lambda t: torch.randn(t.shape, generator=g, dtype=torch.float64).to(t.dtype)
    filled = lambda got, like: [torch.zeros_like(x) if v is None else v for v, x in zip(got, like)]
    cotangents = [draw(y).requires_grad_() for _, y in live]
    names, xs = list(leaves), list(leaves.values())
    first = filled(torch.autograd.grad([y for _, y in live], xs, cotangents, create_graph=second, allow_unused=True), xs)
    result = {"c.%d" % (i + 1): c.detach() for (i, _), c in zip(live, cotangents)}
    result.update({"g." + n: v.detach() for n, v in zip(names, first)})
    if not second:
        return result
    us = [draw(x) for x in xs]
    total = sum((v * u).sum() for v, u in zip(first, us))
    every = xs + cotangents
    got = torch.autograd.grad(total, every, allow_unused=True) if total.requires_grad else [None] * len(every)
    result.update({"u." + n: u for n, u in zip(names, us)})
    labels = ["h." + n for n in names] + ["h.c.%d" % (i + 1) for i, _ in live]
    result.update({n: v.detach() for n, v in zip(labels, filled(got, every))})
    return result


class File:
    """The cases of one name."""

    def __init__(self, folder, kind, name):
        self.path = os.path.join(folder, "%s.%s.safetensors" % (kind, re.sub(r"[^A-Za-z0-9_]", "-", name)))
        self.kind, self.name, self.cases, self.tensors, self.skipped = kind, name, [], {}, []

    def skip(self, label, why):
        self.skipped.append({"label": label, "why": str(why).split("\n")[0][:120]})

    def add(self, label, code, tensors, **fields):
        size = sum(t.numel() * t.element_size() for t in tensors.values())
        if size > LARGEST:
            return self.skip(label, "larger than %d bytes" % LARGEST)
        number = len(self.cases) + 1
        self.cases.append(dict(label=label, code=code, **fields))
        for name, t in tensors.items():
            self.tensors["%d/%s" % (number, name)] = t.detach().clone(memory_format=torch.contiguous_format)

    def write(self):
        header, at, blocks = {}, 0, []
        for name, t in self.tensors.items():
            block = t.flatten().clone().view(torch.uint8).numpy().tobytes() if t.numel() else b""
            header[name] = {"dtype": DTYPES[t.dtype], "shape": list(t.shape), "data_offsets": [at, at + len(block)]}
            at += len(block)
            blocks.append(block)
        texts = {"kind": self.kind, "name": self.name, "cases": self.cases, "skipped": self.skipped}
        header["__metadata__"] = {"opinfo": json.dumps(texts)}
        text = json.dumps(header).encode()
        with open(self.path, "wb") as out:
            out.write(struct.pack("<Q", len(text)) + text)
            out.writelines(blocks)
