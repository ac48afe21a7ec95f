"""A PyTorch call as Lua text by the plain rule: the same name, arguments by position, options in a table at the end;
dims, indices and labels count from 1. Tensors are fields of a table `a`."""
import collections
import inspect
import math

import torch

DTYPES = {torch.float64: "F64", torch.float32: "F32", torch.int64: "I64", torch.int32: "I32", torch.uint8: "U8",
          torch.bool: "BOOL", torch.float16: "F16", torch.bfloat16: "BF16"}
# arguments that say where: dims, and tensors or lists of indices
DIMS = set("dim dims dim0 dim1 dim2 dim3 start_dim end_dim dimension axis axes axis0 axis1 "
           "batch_dim".split())
INDICES = {"index", "indices", "ignore_index", "padding_idx"}
# the same for single functions, by their short name
PLACES = {"movedim": {"source", "destination"}, "narrow": {"start"}, "nll_loss": {"target"}, "cross_entropy": {"target"}, "multi_margin_loss": {"target"},
          "one_hot": {"input"}, "bincount": {"input"}, "embedding": {"input"}, "embedding_bag": {"input", "offsets"},
          "NLLLoss": {"target"}, "CrossEntropyLoss": {"target"}, "MultiMarginLoss": {"target"},
          "Embedding": {"input"}, "EmbeddingBag": {"input", "offsets"}, "slice_scatter": {"start"},
          "ctc_loss": {"targets", "blank"}, "CTCLoss": {"targets", "blank"}, "multilabel_margin_loss": {"target"},
          "MultiLabelMarginLoss": {"target"}, "tensor_split": {"tensor_indices_or_sections"},
          "searchsorted": {"sorter"}}
# the library's names of arguments
RENAMED = {"arange": {"end": "stop"}}
# without effect on numbers
NEUTRAL = {"generator", "memory_format", "layout", "pin_memory", "out", "non_blocking", "requires_grad", "compute_mode"}
OPERATORS = {"__radd__": "+", "__rmul__": "*", "__rsub__": "-", "__rdiv__": "/", "__rpow__": "^", "__rmod__": "%"}

SCHEMAS = collections.defaultdict(list)
for _schema in torch._C._jit_get_all_schemas():
    if _schema.name.startswith("aten::"):
        SCHEMAS[_schema.name[6:]].append(_schema)


class Inexpressible(Exception):
    pass


def fits(value, kind):
    """May the value stand for an argument of that type in a schema?"""
    if value is None:
        return kind.startswith("Optional") or kind == "NoneType"
    if kind.startswith("Optional["):
        kind = kind[9:-1]
    if isinstance(value, torch.Tensor):
        return kind == "Tensor"
    if isinstance(value, bool):
        return kind in ("bool", "number")
    if isinstance(value, int):
        return kind in ("int", "number", "float", "List[int]")
    if isinstance(value, float):
        return kind in ("float", "number")
    if isinstance(value, str):
        return kind in ("str", "Device")
    if isinstance(value, torch.dtype):
        return kind == "int"
    if isinstance(value, (list, tuple)):
        return kind.startswith("List[") and all(fits(v, kind[5:-1]) for v in value)
    return True


def parameter_names(name, args, kwargs):
    """What PyTorch calls the arguments by position: from the Python function, or else from the schema that fits."""
    short = name.split(".")[-1]
    if name.startswith("nn.functional."):
        try:
            return list(inspect.signature(getattr(torch.nn.functional, short)).parameters)
        except (TypeError, ValueError, AttributeError):
            pass
    for key in (name.replace(".", "_"), short):
        for schema in SCHEMAS[key]:
            given = schema.arguments
            by_name = {a.name: str(a.type) for a in given}
            positional = [a for a in given if not a.kwarg_only]
            if len(args) > len(positional) or not all(k in by_name or k in NEUTRAL for k in kwargs):
                continue
            if all(fits(v, str(a.type)) for v, a in zip(args, positional)):
                return ["input" if a.name == "self" else a.name for a in positional]
    function = getattr(torch, short, None)
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []


def encoder_layer(m):
    """The arguments of a TransformerEncoderLayer that made m."""
    activation = "gelu" if m.activation is torch.nn.functional.gelu else "relu"
    return [m.linear1.in_features, m.self_attn.num_heads, m.linear1.out_features, m.dropout.p, activation, m.norm1.eps,
            m.self_attn.batch_first, m.norm_first, m.linear1.bias is not None]


# Of modules that are arguments, what made them.
MODULES = {
    "PairwiseDistance": lambda m: [m.norm, m.eps, m.keepdim],
    "TransformerEncoderLayer": encoder_layer,
}


class Writer:
    """Makes the text and collects the tensors."""

    def __init__(self):
        self.tensors = collections.OrderedDict()
        self.names = {}

    def tensor(self, t):
        if t.dtype not in DTYPES or t.layout != torch.strided:
            raise Inexpressible("a tensor of %s" % str(t.dtype)[6:])
        if id(t) not in self.names:
            name = "x%d" % (len(self.tensors) + 1)
            self.names[id(t)], self.tensors[name] = name, t
        return "a." + self.names[id(t)]

    def value(self, v):
        if isinstance(v, torch.Tensor):
            return self.tensor(v)
        if v is None:
            return "nil"
        if isinstance(v, bool):
            return "true" if v else "false"
        if isinstance(v, int):
            if abs(v) > 2 ** 53:
                raise Inexpressible("an integer beyond 2^53")
            return repr(v)
        if isinstance(v, float):
            return "0 / 0" if math.isnan(v) else repr(v).replace("inf", "math.huge")
        if isinstance(v, str):
            return "'%s'" % v
        if isinstance(v, torch.dtype):
            if v not in DTYPES:
                raise Inexpressible(str(v)[6:])
            return "'%s'" % str(v)[6:]
        if isinstance(v, torch.device):
            return "'%s'" % v
        if isinstance(v, (tuple, list)):
            return "{%s}" % ", ".join("false" if x is None else self.value(x) for x in v)
        if isinstance(v, torch.nn.Module) and type(v).__name__ in MODULES:
            name = type(v).__name__
            return "metann.nn.%s(%s)" % (name, ", ".join(self.value(x) for x in MODULES[name](v)))
        raise Inexpressible("an argument of type %s" % type(v).__name__)

    def place(self, v):
        """A dim, an index, or several, counted from 1; what is negative counts from the end, or is a mark."""
        if isinstance(v, torch.Tensor):
            text = self.tensor(v)
            if v.dtype == torch.bool or v.is_floating_point():
                return text
            if v.numel() and v.min() < 0:
                return "metann.where(%s:ge(0), %s + 1, %s)" % (text, text, text)
            return "(%s + 1)" % text
        if isinstance(v, int) and not isinstance(v, bool):
            return str(v + 1 if v >= 0 else v)
        if isinstance(v, (tuple, list)):
            return "{%s}" % ", ".join("false" if x is None else self.place(x) for x in v)
        return self.value(v)

    def argument(self, function, name, v):
        short = function.split(".")[-1]
        if short == "tile" or (short == "tensordot" and isinstance(v, int)):  # repeats, and a number of dims
            return self.value(v)
        if short == "tensor_split" and isinstance(v, torch.Tensor) and v.dim() == 0:  # a number of parts
            return self.value(v)
        if name in DIMS or name in INDICES or name in PLACES.get(short, ()):
            return self.place(v)
        return self.value(v)

    def arguments(self, function, names, args, kwargs):
        """The texts by position, with the options as the last. After one without effect, all go by name."""
        named = next((i for i, n in enumerate(names[:len(args)]) if n in NEUTRAL), len(args))
        kwargs = {**dict(zip(names[named:], args[named:])), **kwargs}
        args = args[:named]
        texts = [self.argument(function, names[i] if i < len(names) else None, v) for i, v in enumerate(args)]
        while texts and texts[-1] == "nil":
            texts.pop()
        own = lambda k: RENAMED.get(function, {}).get(k, "['end']" if k == "end" else k)
        options = ["%s = %s" % (own(k), self.argument(function, k, v))
                   for k, v in kwargs.items() if v is not None and k not in NEUTRAL]
        return texts + (["{%s}" % ", ".join(options)] if options else [])


def call(writer, name, variant, args, kwargs, head):
    """The text of an operator's call; head: how the library spells the function, such as 'metann.add' or 't:item'."""
    if name in OPERATORS:
        return "%s %s %s" % (writer.value(args[1]), OPERATORS[name], writer.value(args[0]))
    if name in ("__getitem__", "slice"):
        raise Inexpressible("indexing")
    if name in ("T", "mT"):
        return writer.value(args[0]) + "." + name
    if name == "einsum":
        args = [args[1]] + list(args[0])
    if name in ("where", "nn.functional.embedding", "nn.functional.embedding_bag") or (name == "normal" and variant == "number_mean"):
        args = [args[1], args[0]] + list(args[2:])
    if name == "linalg.pinv" and variant == "singular":
        raise Inexpressible("a product that the database makes")
    if name == "normal" and variant == "in_place":
        head = "t:normal_"
    names = parameter_names(name, args, kwargs)
    texts = writer.arguments(name, names, args, kwargs)
    if name.endswith("_") and not name.endswith("__"):
        texts[0] += ":clone()"
    if head.startswith("t:"):
        return "%s%s(%s)" % (texts[0], head[1:], ", ".join(texts[1:]))
    return "%s(%s)" % (head, ", ".join(texts))
