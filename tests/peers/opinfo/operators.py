"""Cases of op_db: for each operator that the library has, samples in float64 with derivatives, and some in other dtypes."""
import re

import torch
from torch.testing._internal.common_methods_invocations import op_db

from cases import File, derivatives, flatten, generator
from lua_text import DTYPES, Inexpressible, Writer, call

# how many samples of a variant, quick and all
COUNTS = {torch.float64: (4, 60), torch.float32: (1, 4), torch.int64: (1, 8), torch.bool: (1, 4)}
# without one right answer: sizes and dtypes are compared
RANDOM = {"normal", "randn", "randn_like", "rand_like", "randint", "randint_like", "multinomial", "bernoulli", "empty",
          "empty_like", "new_empty", "empty_strided", "new_empty_strided", "empty_permuted", "nn.functional.dropout",
          "nn.functional.dropout2d", "nn.functional.dropout3d", "nn.functional.alpha_dropout", "uniform", "exponential",
          "cauchy", "geometric", "log_normal", "nn.functional.feature_alpha_dropout", "rand",
          "nn.functional.fractional_max_pool2d", "nn.functional.fractional_max_pool3d", "nn.functional.rrelu"}
# signs of vectors are arbitrary: absolute values of these outputs are compared, and no derivative
UP_TO_SIGN = {"svd": {1, 3}, "linalg.svd": {1, 3}, "linalg.eigh": {2}, "linalg.eig": {2}}
# which outputs hold places
PLACES = {"argmax": {1}, "argmin": {1}, "argsort": {1}, "nonzero": set(range(1, 9)), "argwhere": {1}, "sort": {2}, "topk": {2},
          "mode": {2}, "kthvalue": {2}, "max": {2}, "min": {2}, "median": {2}, "nanmedian": {2}, "cummax": {2},
          "cummin": {2}, "msort": {2}, "aminmax": set(), "searchsorted": {1}, "bucketize": {1}, "unravel_index": {1, 2, 3, 4},
          "tril_indices": {1}, "triu_indices": {1},
          "nn.functional.max_pool1d": {2}, "nn.functional.max_pool2d": {2}, "nn.functional.max_pool3d": {2},
          "nn.functional.adaptive_max_pool1d": {2}, "nn.functional.adaptive_max_pool2d": {2},
          "nn.functional.adaptive_max_pool3d": {2}, "linalg.lu_factor": set(), "unique": {2}, "unique_consecutive": {2}}
# those of which the only output may be of places
ALONE = {"argmax", "argmin", "argsort", "nonzero", "argwhere", "searchsorted", "bucketize", "unravel_index",
         "tril_indices", "triu_indices"}
# the library gives the first result alone: residuals and ranks have functions of their own
FIRST = {"linalg.lstsq"}
# complex there, real here where all of them are
REAL = {"linalg.eig", "linalg.eigvals"}
# equal numbers may be found at any of their places
TIED = {"mode", "median", "nanmedian", "kthvalue", "topk", "sort", "argsort", "max", "min", "msort"}


def name_list():
    """Lines 'name aliases...'."""
    aliases = {}
    for o in op_db:
        aliases.setdefault(o.name, set()).update(a.name for a in o.aliases)
    return ["\t".join([name] + sorted(aliases[name])) for name in aliases]


def choose(samples, most):
    """Some of a list, evenly spread."""
    if len(samples) <= most:
        return list(enumerate(samples))
    return [(i * len(samples) // most, samples[i * len(samples) // most]) for i in range(most)]


def tied(o, sample):
    t = sample.input
    return o.name in TIED and isinstance(t, torch.Tensor) and t.numel() > t.unique().numel()


def fresh(value, known):
    """The value with tensors of their own, float ones as leaves where they were."""
    if isinstance(value, torch.Tensor):
        if id(value) not in known:
            known[id(value)] = value.detach().clone().requires_grad_(value.requires_grad)
        return known[id(value)]
    if isinstance(value, (tuple, list)) and not isinstance(value, torch.Size):
        return [fresh(v, known) for v in value]
    return value


def pairs(y):
    """Complex numbers as the library has them."""
    if isinstance(y, (tuple, list)):
        return [pairs(v) for v in y]
    return torch.view_as_real(y) if isinstance(y, torch.Tensor) and y.is_complex() else y


def real(y):
    """The real parts of what has no others."""
    if any(t.is_complex() and t.imag.count_nonzero() for t in y):
        raise Inexpressible("complex results")
    return [t.real if t.is_complex() else t for t in y]


def of_complex(o):
    """Of fft's functions, the operator of real numbers x that takes x + i x / 2."""
    return lambda x, *args, **options: o.op(torch.complex(x * 1.0, x / 2), *args, **options)


def add_sample(file, o, sample, dtype, label, head):
    args, kwargs = [sample.input] + list(sample.args), dict(sample.kwargs)
    if kwargs.get("dropout_p", 0):
        raise Inexpressible("random numbers")
    writer = Writer()
    code = call(writer, o.name, o.variant_test_name, args, kwargs, head)
    known, wrapper = {}, o.gradcheck_wrapper
    wrapped = wrapper.__name__ in ("<lambda>", "gradcheck_wrapper_hermitian_input")
    if o.name == "triangular_solve":  # its wrapper takes the other triangle
        wrapper = lambda op, *a, **k: op(*a, **k)
    if wrapper.__name__ == "gradcheck_wrapper_hermitian_input":  # of matrices made symmetric
        code = code.replace("a.x1", "a.x1 + a.x1.mT", 1)
    function = o.op
    if re.match(r"fft\.i?r?fft[2n]?$", o.name) and not o.name.startswith("fft.r"):
        code, function = code.replace("a.x1", "metann.stack({a.x1, a.x1 / 2}, -1)", 1), of_complex(o)
    given, options = fresh(args, known), {k: fresh(v, known) for k, v in kwargs.items()}
    y = wrapper(function, *given, **options) if wrapped else function(*given, **options)
    y = real(flatten(y)) if o.name in REAL else flatten(pairs(y))
    if o.name in FIRST:
        del y[1:]
    if not y or any(t.dtype not in DTYPES for t in y):
        raise Inexpressible("a result of %s" % ", ".join(str(t.dtype)[6:] for t in y) if y else "no result")
    tensors = {name: known[id(t)] for name, t in writer.tensors.items()}
    loose = o.name in RANDOM
    signs = UP_TO_SIGN.get(o.name, set())
    leaves = {}
    if dtype == torch.float64 and o.supports_autograd and wrapped and not loose and not signs:
        leaves = {n: t for n, t in tensors.items() if t.is_floating_point() and t.requires_grad}
    more = derivatives(leaves, y, o.supports_gradgrad, generator(file.name + label))
    has_derivative = bool(more)
    for i, t in enumerate(y):
        more["y.%d" % (i + 1)] = t.detach().abs() if i + 1 in signs else t.detach()
    places = PLACES.get(o.name, set())
    if len(y) == 1 and o.name not in ALONE or o.name.startswith("unique") and not kwargs.get("return_inverse"):
        places = set()  # the second are counts
    tensors.update(more)
    file.add(label, code, tensors, outputs=len(y), leaves=list(leaves) if has_derivative else [], loose=loose,
             places=sorted(places), signs=sorted(signs), ignored=sorted(places) if tied(o, sample) else [],
             dtype="float32" if dtype == torch.float32 else "float64")


def generate(folder, heads, every):
    """heads: of each name that the library has, how it spells it."""
    files = {}
    for o in op_db:
        if o.name not in heads:
            continue
        file = files.setdefault(o.name, File(folder, "op", o.name))
        for dtype, counts in COUNTS.items():
            if dtype not in o.dtypes:
                continue
            label = " ".join(filter(None, [o.variant_test_name, str(dtype)[6:]]))
            torch.manual_seed(0)
            torch.set_default_dtype(dtype if dtype.is_floating_point else torch.float64)
            try:
                samples = list(o.sample_inputs("cpu", dtype, requires_grad=dtype == torch.float64 and o.supports_autograd))
                for i, sample in choose(samples, counts[1 if every else 0]):
                    try:
                        add_sample(file, o, sample, dtype, "%s %d" % (label, i), heads[o.name])
                    except Exception as e:
                        file.skip("%s %d" % (label, i), e)
            except Exception as e:
                file.skip(label, e)
            finally:
                torch.set_default_dtype(torch.float32)
    for file in files.values():
        file.write()
