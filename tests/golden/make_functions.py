"""Makes the cases of the functions on tensors that came with PyTorch 2.15, one for each line below, by make.py.

    python3 make_functions.py DIR
"""
import json
import os
import sys

import make

# name, expression, inputs by size, constants
CASES = [
    ("acosh", "torch.acosh(x.exp() + 1)", "x=3,4"),
    ("atanh", "torch.atanh(x.sin())", "x=3,4"),
    ("xlogy", "torch.xlogy(x, y.exp())", "x=3,4 y=4"),
    ("xlogy-zeros", "torch.xlogy(x * m, y)", "x=4", {"m": [0.0, 1.0, 0.0, 1.0], "y": [2.0, 3.0, 0.5, 0.25]}),
    ("xlog1py", "torch.special.xlog1py(x, y.exp())", "x=3,1 y=4"),
    ("logit", "torch.logit(x.sigmoid())", "x=3,4"),
    ("logit-eps", "torch.logit(x.sigmoid(), eps=0.2)", "x=3,4"),
    ("sinc", "torch.sinc(x)", "x=3,4"),
    ("sinc-small", "torch.sinc(x * 0.01)", "x=3,4"),
    ("copysign", "torch.copysign(x, y)", "x=3,4 y=4"),
    ("signbit", "torch.signbit(x)", "x=3,4"),
    ("heaviside", "torch.heaviside(a, b)", "", {"a": [-1.5, 0.0, 2.0], "b": [0.5, 0.25, 0.75]}),
    ("deg2rad", "torch.deg2rad(x)", "x=5"),
    ("rad2deg", "torch.rad2deg(x)", "x=5"),
    ("nextafter", "torch.nextafter(x, y)", "", {"x": [1.0, -2.0, 0.0], "y": [2.0, 0.0, 0.0]}),
    ("ldexp", "torch.ldexp(x, y)", "x=3 y=3"),
    ("logaddexp2", "torch.logaddexp2(x, y)", "x=3,4 y=4"),
    ("float_power", "torch.float_power(x.exp(), y)", "x=3,4 y=4"),
    ("nan_to_num", "torch.nan_to_num(x, 2.5, posinf=7.0, neginf=-3.0)", "", {"x": [1.0, float("nan"), float("inf"), -float("inf")]}),
    ("nan_to_num-defaults", "torch.nan_to_num(x)", "", {"x": [1.0, float("nan"), float("inf"), -float("inf")]}),
    ("sgn", "torch.sgn(x)", "x=4"),
    ("clip", "torch.clip(x, -0.5, 0.7)", "x=3,4"),
    ("bitwise", "torch.bitwise_and(a, b), torch.bitwise_or(a, b), torch.bitwise_xor(a, b), torch.bitwise_not(a)", "", {"a": [12, -7, 0, 255], "b": [10, 3, -1, 128]}),
    ("bitwise-bool", "torch.bitwise_and(a, b), torch.bitwise_or(a, b), torch.bitwise_xor(a, b), torch.bitwise_not(a)", "", {"a": [True, True, False, False], "b": [True, False, True, False]}),
    ("bitwise-shift", "torch.bitwise_left_shift(a, b), torch.bitwise_right_shift(a, b)", "", {"a": [12, -7, 1, 255], "b": [2, 3, 62, 0]}),
    ("gcd-lcm", "torch.gcd(a, b), torch.lcm(a, b)", "", {"a": [12, -18, 0, 7], "b": [8, 12, 5, -21]}),
    ("cummax", "torch.cummax(x, 1)", "x=3,5"),
    ("cummin", "torch.cummin(x, 0)", "x=5,3"),
    ("logcumsumexp", "torch.logcumsumexp(x * 3, 1)", "x=3,5"),
    ("repeat_interleave", "torch.repeat_interleave(x, 3, dim=1)", "x=2,3"),
    ("repeat_interleave-flat", "x.repeat_interleave(2)", "x=2,3"),
    ("repeat_interleave-tensor", "torch.repeat_interleave(x, r, 0)", "x=3,2", {"r": [2, 0, 3]}),
    ("stacks", "torch.hstack([x, y]), torch.vstack([x, y]), torch.dstack([x, y]), torch.column_stack([x, y])", "x=2,3 y=2,3"),
    ("stacks-vectors", "torch.hstack([x, y]), torch.vstack([x, y]), torch.dstack([x, y]), torch.column_stack([x, y]), torch.row_stack([x, y])", "x=3 y=3"),
    ("block_diag", "torch.block_diag(x, y, z)", "x=2,3 y=2 z="),
    ("atleast", "torch.atleast_1d(x), torch.atleast_2d(y), torch.atleast_3d(y), torch.atleast_3d(z)", "x= y=3 z=2,3"),
    ("broadcast_tensors", "torch.broadcast_tensors(x, y, z)", "x=3,1 y=4 z="),
    ("cartesian_prod", "torch.cartesian_prod(x, y)", "x=2 y=3"),
    ("combinations", "torch.combinations(x, 3)", "x=5"),
    ("combinations-repeated", "torch.combinations(x, r=2, with_replacement=True)", "x=3"),
    ("tensor_split", "torch.tensor_split(x, 3)", "x=7,2"),
    ("tensor_split-at", "torch.tensor_split(x, (1, 4), dim=1)", "x=2,6"),
    ("hsplit", "torch.hsplit(x, 2)", "x=2,6"),
    ("vsplit", "torch.vsplit(x, (1, 2))", "x=4,2"),
    ("dsplit", "torch.dsplit(x, 2)", "x=2,2,4"),
    ("rot90", "torch.rot90(x), torch.rot90(x, 2), torch.rot90(x, -1, (0, 1))", "x=2,3"),
    ("diag_embed", "torch.diag_embed(x)", "x=2,3"),
    ("diag_embed-dims", "torch.diag_embed(x, offset=-1, dim1=0, dim2=2)", "x=2,3"),
    ("diagflat", "torch.diagflat(x, 1)", "x=2,2"),
    ("tril_indices", "torch.tril_indices(3, 4, -1), torch.triu_indices(3, 4, 1)", ""),
    ("select_scatter", "torch.select_scatter(x, y, 1, 2)", "x=2,4 y=2"),
    ("slice_scatter", "torch.slice_scatter(x, y, 1, 1, 4, 2)", "x=2,5 y=2,2"),
    ("diagonal_scatter", "torch.diagonal_scatter(x, y, 1)", "x=3,4 y=3"),
    ("argwhere", "torch.argwhere(a)", "", {"a": [[0.0, 1.0], [2.0, 0.0]]}),
    ("take", "torch.take(x, i)", "x=2,3", {"i": [[0, 5], [-1, 2]]}),
    ("put", "x.put(i, y)", "x=2,3 y=3", {"i": [0, 5, 2]}),
    ("put-accumulate", "x.put(i, y, True)", "x=2,3 y=3", {"i": [1, 1, 2]}),
    ("masked_scatter", "torch.masked_scatter(x, m, y)", "x=2,3 y=4", {"m": [[True, False, True], [False, True, False]]}),
    ("index_copy", "torch.index_copy(x, 1, i, y)", "x=2,4 y=2,2", {"i": [3, 0]}),
    ("isin", "torch.isin(a, b), torch.isin(a, b, invert=True)", "", {"a": [[1.0, 2.0], [3.0, 4.0]], "b": [4.0, 1.0, 9.0]}),
    ("searchsorted", "torch.searchsorted(s, v), torch.searchsorted(s, v, right=True)", "", {"s": [1.0, 2.0, 2.0, 5.0], "v": [[0.0, 2.0], [5.0, 7.0]]}),
    ("bucketize", "torch.bucketize(v, s), torch.bucketize(v, s, right=True)", "", {"s": [1.0, 2.0, 4.0], "v": [[0.0, 2.0], [3.0, 7.0]]}),
    ("index_reduce-mean", "x.index_reduce(0, i, y, 'mean')", "x=3,2 y=4,2", {"i": [0, 2, 0, 0]}),
    ("index_reduce-amax", "x.index_reduce(1, i, y, 'amax', include_self=False)", "x=2,3 y=2,4", {"i": [0, 2, 0, 0]}),
    ("aminmax", "torch.aminmax(x, dim=1)", "x=3,4"),
    ("std_mean", "torch.std_mean(x, 1)", "x=3,4"),
    ("var_mean", "torch.var_mean(x, dim=0, correction=0, keepdim=True)", "x=3,4"),
    ("nansum", "torch.nansum(x.masked_fill(m, torch.nan)), torch.nansum(x.masked_fill(m, torch.nan), 1)", "x=2,3", {"m": [False, True, False]}),
    ("nanmean", "torch.nanmean(x.masked_fill(m, torch.nan)), torch.nanmean(x.masked_fill(m, torch.nan), 1, keepdim=True)", "x=2,3", {"m": [False, True, False]}),
    ("nanmedian", "torch.nanmedian(x * m, 1)", "x=2,4", {"m": [1.0, float("nan"), 2.0, 1.5]}),
    ("quantile", "torch.quantile(x, 0.3), torch.quantile(x, 0.6, 1), torch.quantile(x, 0.25, dim=0, keepdim=True)", "x=3,5"),
    ("quantile-several", "torch.quantile(x, q, 1, keepdim=True)", "x=3,5", {"q": [0.0, 0.4, 1.0]}),
    ("nanquantile", "torch.nanquantile(x * m, q, 1)", "x=2,4", {"m": [1.0, float("nan"), 2.0, 1.5], "q": [0.2, 0.7]}),
    ("cov", "torch.cov(x)", "x=3,5"),
    ("cov-weights", "torch.cov(x, correction=0, fweights=f, aweights=a)", "x=3,4", {"f": [1, 2, 3, 1], "a": [0.5, 1.0, 2.0, 1.5]}),
    ("cov-aweights", "torch.cov(x, aweights=a)", "x=3,4", {"a": [0.5, 1.0, 2.0, 1.5]}),
    ("corrcoef", "torch.corrcoef(x)", "x=3,6"),
    ("dist", "torch.dist(x, y), torch.dist(x, y, 3)", "x=3,4 y=4"),
    ("renorm", "torch.renorm(x, 2, 0, 1.5)", "x=3,4"),
    ("histc", "torch.histc(a, 4), torch.histc(a, bins=3, min=-1, max=2)", "", {"a": [-1.0, 0.5, 2.0, 2.0, 3.0, 0.25]}),
    ("histogram", "torch.histogram(a, 4)", "", {"a": [-1.0, 0.5, 2.0, 2.0, 3.0, 0.25]}),
    ("histogram-edges", "torch.histogram(a, e, weight=w, density=True)", "", {"a": [-1.0, 0.5, 2.0, 2.0, 3.0, 0.25], "e": [-1.0, 0.0, 2.0, 3.0], "w": [1.0, 2.0, 0.5, 1.5, 3.0, 1.0]}),
    ("diff", "torch.diff(x), torch.diff(x, n=2, dim=0), torch.diff(x, 1, 1, y, y)", "x=3,4 y=3,1"),
    ("trapezoid", "torch.trapezoid(x), torch.trapezoid(x, dx=0.5, dim=0), torch.trapezoid(x, y)", "x=3,4 y=4"),
    ("cumulative_trapezoid", "torch.cumulative_trapezoid(x, dim=0), torch.cumulative_trapezoid(x, y)", "x=3,4 y=4"),
    ("unique", "torch.unique(a)", "", {"a": [[3, 1, 2], [1, 3, 3]]}),
    ("unique-counts", "torch.unique(a, return_counts=True)", "", {"a": [3.0, 1.0, 2.0, 1.0]}),
    ("unique-rows", "torch.unique(a, dim=0)", "", {"a": [[3, 1], [1, 3], [3, 1], [1, 2]]}),
    ("unique_consecutive", "torch.unique_consecutive(a, return_counts=True)", "", {"a": [1, 1, 2, 2, 2, 1]}),
    ("logspace", "torch.logspace(-1, 2, 5), torch.logspace(0, 3, 4, base=2.0)", ""),
    ("fmax-fmin", "torch.fmax(x, y), torch.fmin(x, y)", "x=3,4 y=4"),
    ("fmax-nan", "torch.fmax(a, b), torch.fmin(a, b)", "", {"a": [1.0, float("nan"), 3.0, float("nan")], "b": [2.0, 2.0, float("nan"), float("nan")]}),
    ("isreal", "torch.isreal(x)", "x=3"),
    ("msort", "torch.msort(x)", "x=4,2"),
    ("sum_to_size", "x.sum_to_size(3, 1)", "x=2,3,4"),
    ("vander", "torch.vander(a), torch.vander(a, 3, increasing=True)", "", {"a": [0.5, -2.0, 3.0, 1.5]}),
    ("unravel_index", "torch.unravel_index(i, (2, 3))", "", {"i": [[0, 5], [3, 2]]}),
    ("aliases", "torch.absolute(x), torch.multiply(x, y), torch.subtract(x, y, alpha=2), torch.divide(x, y), torch.negative(x), torch.arctan2(x, y), torch.arcsinh(x), torch.concat([x, y], 1), torch.moveaxis(x, 0, 1), torch.swapaxes(x, 0, 1)", "x=2,3 y=2,3"),
    ("aliases-compare", "torch.greater(x, y), torch.less_equal(x, y), torch.not_equal(x, y), torch.fix(x)", "x=4 y=4"),
]
for kind in ("sum", "prod", "mean", "amax", "amin"):
    CASES.append((f"scatter_reduce-{kind}", f"torch.scatter_reduce(x, 1, i, y, '{kind}')", "x=2,4 y=2,3", {"i": [[0, 2, 0], [1, 1, 3]]}))
    CASES.append((f"scatter_reduce-{kind}-alone", f"x.scatter_reduce(0, i, y, '{kind}', include_self=False)", "x=3,2 y=2,2", {"i": [[0, 2], [0, 0]]}))


def main():
    folder = sys.argv[1]
    for name, expression, inputs, *const in CASES:
        path = os.path.join(folder, name + ".safetensors")
        sys.argv = ["make.py", path, expression, *inputs.split(), "--const", json.dumps(const[0] if const else {})]
        make.main()


if __name__ == "__main__":
    main()
