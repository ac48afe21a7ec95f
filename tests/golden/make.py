"""Makes one reference case of kind `op` or `high` by PyTorch, for ./dev test --golden DIR and for this folder.

    python3 make.py DIR/op/tanh.safetensors 'torch.tanh(x) * a' x=3,4 --args '{"a": 2.0}'
    python3 make.py DIR/op/pick.safetensors 'x.index_select(0, i)' x=3,4 --const '{"i": [2, 0]}'
    python3 make.py DIR/high/cube.safetensors 'f = (x ** 3).sum()
    (g,) = grad(f, [x])' x=3 --outputs f g

An input is a name and its size, filled with standard normal numbers. The formats are described in README.md.
"""
import argparse
import json
import os
import struct

import torch
import torch.nn.functional as F

DTYPES = {torch.float64: "F64", torch.int64: "I64", torch.bool: "BOOL"}


def write(path, case, tensors):
    header, data = {"__metadata__": {"case": json.dumps(case)}}, b""
    for name, t in tensors.items():
        part = t.detach().clone().contiguous().numpy().tobytes()
        header[name] = {"dtype": DTYPES[t.dtype], "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(part)]}
        data += part
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def grad(outputs, inputs, grad_outputs=None):
    """Gradients that can be differentiated again; zeros where there is none."""
    grads = torch.autograd.grad(outputs, inputs, grad_outputs, create_graph=True, allow_unused=True)
    return tuple(torch.zeros_like(x) if g is None else g for g, x in zip(grads, inputs))


def derivatives(tensors, outputs, names, leaves):
    """First order under random cotangents, and second order of the gradients' product with random tensors."""
    live = {suffix: y for suffix, y in outputs.items() if y.requires_grad}
    cotangents = [torch.randn_like(y).requires_grad_() for y in live.values()]
    grads = grad(list(live.values()), leaves, cotangents)
    random = [torch.randn_like(g) for g in grads]
    total = sum((g * u).sum() for g, u in zip(grads, random))
    second = [torch.zeros_like(t) for t in leaves + cotangents]
    if total.requires_grad:
        second = grad(total, leaves + cotangents)
    named = names + ["grad_output" + suffix for suffix in live]
    tensors.update(("grad_output" + suffix, c) for suffix, c in zip(live, cotangents))
    tensors.update(("u." + name, u) for name, u in zip(names, random))
    tensors.update(("grad." + name, g) for name, g in zip(names, grads))
    tensors.update(("grad2." + name, g) for name, g in zip(named, second))


def op(case, tensors, names, leaves):
    value = eval(case["expr"], names)
    values = list(value) if isinstance(value, (tuple, list)) else [value]
    case["outputs"] = ["output"] if len(values) == 1 else [str(i) for i in range(len(values))]
    outputs = {"" if len(values) == 1 else "." + name: y for name, y in zip(case["outputs"], values)}
    tensors.update(("output" + suffix, y) for suffix, y in outputs.items())
    if any(y.requires_grad for y in values):
        case["differentiable"] = list(leaves)
        derivatives(tensors, outputs, list(leaves), list(leaves.values()))


def high(case, tensors, names, leaves):
    exec(case["program"], names)
    tensors.update(("output." + name, names[name]) for name in case["outputs"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path")
    parser.add_argument("text", help="an expression, or with --outputs a program")
    parser.add_argument("inputs", nargs="*")
    parser.add_argument("--args", type=json.loads, default={})
    parser.add_argument("--const", type=json.loads, default={})
    parser.add_argument("--outputs", nargs="+")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(given.seed)
    sizes = {name: [int(n) for n in size.split(",") if n] for name, size in (text.split("=") for text in given.inputs)}
    leaves = {name: torch.randn(size).requires_grad_() for name, size in sizes.items()}
    consts = {name: torch.tensor(value) for name, value in given.const.items()}
    kind, text = ("high", "program") if given.outputs else ("op", "expr")
    case = {
        "kind": kind, "name": os.path.basename(given.path).split(".")[0], "dtype": "float64", text: given.text,
        "args": given.args, "inputs": list(leaves), "consts": list(consts), "outputs": given.outputs,
        "differentiable": [], "tolerance": {"rtol": 1e-9, "atol": 1e-10},
    }
    tensors = {"input." + name: t for name, t in leaves.items()}
    tensors.update(("const." + name, t) for name, t in consts.items())
    names = {"torch": torch, "F": F, "grad": grad, "inf": float("inf"), **given.args, **leaves, **consts}
    {"op": op, "high": high}[kind](case, tensors, names, leaves)
    write(given.path, case, tensors)


if __name__ == "__main__":
    main()
