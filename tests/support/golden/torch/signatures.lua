--- PyTorch's functions that have parameters or results counted from 0, several results, or options: their signatures.
-- Functions of one signature stand before it together. Annotations say what a parameter's name doesn't.
local registry = require 'tests.support.golden.torch.registry'

local signatures = {}

--- torch.NAME, and methods of tensors, whose first argument is the tensor.
signatures.torch = registry.signatures [[
abs neg sign exp expm1 log log1p log2 log10 sqrt rsqrt square reciprocal sin cos tan asin acos atan sinh cosh tanh(input)
sigmoid relu erf floor ceil trunc frac isnan isinf isfinite logical_not detach clone contiguous silu logsigmoid(input)
t ravel fliplr flipud trace matrix_exp logdet det inverse nelement numel dim item is_contiguous(input)
float double long int bool half byte bfloat16 cpu is_floating_point zero_ retain_grad(input)
round(input, *, decimals=0)
add sub rsub(input: number, other: number, *, alpha=1)
mul(input: number, other: number)
div(input: number, other: number, *, rounding_mode=None)
fmod remainder floor_divide atan2 hypot logaddexp logical_and logical_or logical_xor(input: number, other: number)
eq ne lt le gt ge(input: number, other: number)
pow(input: number, exponent: number)
maximum minimum equal(input, other)
isclose allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False)
lerp(input, end, weight)
addcmul addcdiv(input, tensor1, tensor2, *, value=1)
clamp(input, min=None, max=None)
clamp_min(input, min)
clamp_max(input, max)
where(condition, input=None, other=None)
fill fill_(input, value)
copy_(input, src, non_blocking=False)
softmax log_softmax(input, dim, dtype=None)
sum mean(input, dim=None, keepdim=False, *, dtype=None)
amax amin logsumexp any all(input, dim=None, keepdim=False)
prod(input, dim=None, keepdim=False, *, dtype=None)
cumsum cumprod(input, dim, *, dtype=None)
count_nonzero(input, dim=None)
max min(input, dim: dim_or_tensor=None, keepdim=False, *, other=None) -> values, indices
median mode(input, dim=None, keepdim=False) -> values, indices
kthvalue(input, k, dim=-1, keepdim=False) -> values, indices
sort(input, dim=-1, descending=False, stable=False) -> values, indices
topk(input, k, dim=-1, largest=True, sorted=True) -> values, indices
argmax argmin(input, dim=None, keepdim=False) -> indices
argsort(input, dim=-1, descending=False, stable=False) -> indices
var std(input, dim=None, unbiased=True, keepdim=False, *, correction=None)
norm(input, p='fro', dim=None, keepdim=False, dtype=None)
reshape(input, *shape)
view expand(input, *size)
tile(input, *dims: plain)
repeat(input, *repeats)
permute flip(input, *dims)
view_as reshape_as expand_as type_as(input, other)
broadcast_to(input, size)
flatten(input, start_dim=0, end_dim=-1)
unflatten(input, dim, sizes)
transpose(input, dim0, dim1)
movedim(input, source, destination)
squeeze(input, dim=None)
unsqueeze(input, dim)
narrow(input, dim, start: position, length)
select(input, dim, index)
chunk(input, chunks, dim=0)
split(tensor, split_size_or_sections, dim=0)
unbind(input, dim=0)
roll(input, shifts, dims=None)
unfold(input, dimension, size, step)
diagonal(input, offset=0, dim1=0, dim2=1)
diag tril triu(input, diagonal=0)
cat stack(tensors, dim=0)
meshgrid(*tensors, indexing='ij')
index_select(input, dim, index)
gather(input, dim, index)
acosh atanh sinc sgn signbit deg2rad rad2deg positive bitwise_not isposinf isneginf absolute negative fix(input)
arcsin arccos arctan arcsinh arccosh arctanh(input)
logit(input, eps=None)
xlogy xlog1py copysign logaddexp2 arctan2 heaviside ldexp gcd lcm(input: number, other: number)
greater greater_equal less less_equal not_equal multiply true_divide(input: number, other: number)
bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift(input: number, other: number)
subtract(input: number, other: number, *, alpha=1)
divide(input: number, other: number, *, rounding_mode=None)
nextafter fmax fmin(input, other)
isreal msort(input)
sum_to_size(input, *size)
vander(x, N=None, increasing=False)
frexp(input) -> mantissa, exponent
gradient(input, *, spacing=1, dim=None, edge_order=1)
unravel_index(indices, shape) -> indices
float_power(input: number, exponent: number)
clip(input, min=None, max=None)
nan_to_num(input, nan=0.0, posinf=None, neginf=None)
cummax cummin(input, dim) -> values, indices
logcumsumexp(input, dim)
hstack vstack dstack column_stack row_stack concat(tensors, dim=0)
atleast_1d atleast_2d atleast_3d block_diag broadcast_tensors cartesian_prod(*tensors: plain)
combinations(input, r=2, with_replacement=False)
tensor_split(input, indices_or_sections: split_points, dim=0)
hsplit vsplit dsplit(input, indices_or_sections: split_points)
rot90(input, k=1, dims=(0, 1))
repeat_interleave(input, repeats=None, dim=None, *, output_size=None)
diag_embed(input, offset=0, dim1=-2, dim2=-1)
diagflat(input, offset=0)
select_scatter(input, src, dim, index)
slice_scatter(input, src, dim=0, start: position=0, end: plain=None, step=1)
diagonal_scatter(input, src, offset=0, dim1=0, dim2=1)
argwhere(input) -> indices
take(input, index)
put(input, index, source: plain, accumulate=False)
masked_scatter(input, mask, source: plain)
index_copy(input, dim, index, source: plain)
scatter_reduce(input, dim, index, src, reduce: plain, *, include_self=True)
index_reduce(input, dim, index, source: plain, reduce: plain, *, include_self=True)
isin(elements, test_elements, *, assume_unique=False, invert=False)
searchsorted(sorted_sequence, values, *, out_int32=False, right=False, side=None, sorter=None) -> indices
bucketize(input, boundaries, *, out_int32=False, right=False) -> indices
aminmax(input, *, dim=None, keepdim=False)
std_mean var_mean(input, dim=None, unbiased=True, keepdim=False, *, correction=None)
nansum nanmean(input, dim=None, keepdim=False, *, dtype=None)
nanmedian(input, dim=None, keepdim=False) -> values, indices
quantile nanquantile(input, q, dim=None, keepdim=False, *, interpolation='linear')
cov(input, *, correction=1, fweights=None, aweights=None)
corrcoef(input)
dist(input, other, p=2)
renorm(input, p, dim, maxnorm)
histc(input, bins=100, min=0, max=0)
histogram(input, bins, *, range=None, weight=None, density=False)
diff(input, n=1, dim=-1, prepend=None, append=None)
trapezoid cumulative_trapezoid(y, x=None, *, dx=None, dim=-1)
unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None)
unique_consecutive(input, return_inverse=False, return_counts=False, dim=None)
moveaxis(input, source, destination)
swapaxes swapdims(input, axis0: position, axis1: position)
vdot(input, other)
take_along_dim(input, indices, dim=None)
scatter scatter_(input, dim, index, src=None, value=None, *, reduce=None)
scatter_add scatter_add_(input, dim, index, src)
index_add index_add_(input, dim, index, source: plain, *, alpha=1)
index_fill index_fill_(input, dim, index, value)
index_put index_put_(input, indices, values, accumulate=False)
masked_fill masked_fill_(input, mask, value)
masked_select(input, mask)
nonzero(input, *, as_tuple=False) -> indices
bincount(input: position, weights=None, minlength=0)
one_hot(input: position, num_classes=-1)
matmul mm bmm mv dot outer inner kron(input, other)
addmm addmv baddbmm addbmm addr(input, tensor1, tensor2, *, beta=1, alpha=1)
einsum(equation, *operands)
tensordot(input, other, dims: dims_or_count=2)
multi_dot(tensors)
cross(input, other, dim=None)
cdist(x1, x2, p=2.0, compute_mode=None)
matrix_power(input, n)
cholesky(input, upper=False)
slogdet(input) -> sign, logabsdet
svd(input, some=True, compute_uv=True) -> U, S, V
qr(input, some=True) -> Q, R
triangular_solve(input, A, upper=True, transpose=False, unitriangular=False) -> solution, cloned_coefficient
cholesky_solve(input, L, upper=False)
cholesky_inverse(input, upper=False)
lu_solve(b, LU, pivots)
lu_unpack(LU, pivots, unpack_data=True, unpack_pivots=True) -> P, L, U
pinverse(input, rcond=1e-15)
size stride(input, dim=None)
multinomial(input, num_samples, replacement=False) -> indices
requires_grad_(input, requires_grad=True)
backward(input, gradient=None, retain_graph=None, create_graph=False)
]]

--- torch.linalg.NAME.
signatures.linalg = registry.signatures [[
inv det svdvals matrix_exp(input)
cholesky(input, *, upper=False)
slogdet(input) -> sign, logabsdet
solve(input, other, *, left=True)
solve_triangular(input, other, *, upper, left=True, unitriangular=False)
svd(input, full_matrices=True) -> U, S, Vh
eigh(input, UPLO='L') -> eigenvalues, eigenvectors
eigvalsh(input, UPLO='L')
eig(input) -> eigenvalues, eigenvectors
eigvals(input)
lu(input, *, pivot=True) -> P, L, U
lu_factor(input, *, pivot=True) -> LU, pivots
lu_factor_ex(input, *, pivot=True, check_errors=False) -> LU, pivots, info
lu_solve(LU, pivots, B, *, left=True, adjoint=False)
cholesky_ex(input, *, upper=False, check_errors=False) -> L, info
inv_ex(input, *, check_errors=False) -> inverse, info
solve_ex(input, other, *, left=True, check_errors=False) -> result, info
qr(input, mode='reduced') -> Q, R
multi_dot(tensors)
pinv(input, rcond=None, hermitian=False, *, atol=None, rtol=None)
lstsq(input, B, rcond=None, *, driver=None) -> solution, residuals, rank, singular_values
matrix_rank(input, tol=None, hermitian=False, *, atol=None, rtol=None)
cond(input, p=None)
cross vecdot(input, other, *, dim=-1)
diagonal(input, *, offset=0, dim1=-2, dim2=-1)
vector_norm(input, ord=2, dim=None, keepdim=False, *, dtype=None)
matrix_norm(input, ord='fro', dim=None, keepdim=False, *, dtype=None)
norm(input, ord=None, dim=None, keepdim=False, *, dtype=None)
matmul(input, other)
matrix_power(input, n)
]]

--- torch.nn.functional.NAME.
signatures.functional = registry.signatures [[
sigmoid tanh logsigmoid tanhshrink(input)
relu silu relu6 mish hardswish hardsigmoid selu(input, inplace=False)
celu(input, alpha=1.0, inplace=False)
softshrink hardshrink(input, lambd=0.5)
glu(input, dim=-1)
threshold(input, threshold, value, inplace=False)
rrelu(input, lower=0.125, upper=0.3333333333333333, training=False, inplace=False)
gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1)
leaky_relu(input, negative_slope=0.01, inplace=False)
elu(input, alpha=1.0, inplace=False)
gelu(input, *, approximate='none')
softplus(input, beta=1, threshold=20)
hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False)
prelu(input, weight)
softmax softmin log_softmax(input, dim=None, _stacklevel=3, dtype=None)
dropout dropout1d dropout2d dropout3d(input, p=0.5, training=True, inplace=False)
alpha_dropout feature_alpha_dropout(input, p=0.5, training=False, inplace=False)
linear(input, weight, bias=None)
bilinear(input1, input2, weight, bias=None)
conv1d conv2d conv3d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1)
conv_transpose1d conv_transpose2d conv_transpose3d(input, weight, bias=None, stride=1, padding=0, output_padding=0,
 groups=1, dilation=1)
unfold(input, kernel_size, dilation=1, padding=0, stride=1)
fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1)
pad(input, pad, mode='constant', value=None)
interpolate(input, size=None, scale_factor=None, mode='nearest', align_corners=None, recompute_scale_factor=None,
 antialias=False)
max_pool1d max_pool2d max_pool3d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False)
 -> values, indices
avg_pool1d avg_pool2d avg_pool3d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
 divisor_override=None)
adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d(input, output_size)
adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d(input, output_size, return_indices=False) -> values, indices
lp_pool1d lp_pool2d lp_pool3d(input, norm_type, kernel_size, stride=None, ceil_mode=False)
max_unpool1d max_unpool2d max_unpool3d(input, indices, kernel_size, stride=None, padding=0, output_size=None)
fractional_max_pool2d fractional_max_pool3d(input, kernel_size, output_size=None, output_ratio=None,
 return_indices=False, _random_samples=None) -> values, indices
local_response_norm(input, size, alpha=0.0001, beta=0.75, k=1.0)
pixel_shuffle(input, upscale_factor)
pixel_unshuffle(input, downscale_factor)
channel_shuffle(input, groups)
upsample_nearest upsample_bilinear(input, size=None, scale_factor=None)
batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-05)
rms_norm(input, normalized_shape, weight=None, eps=None)
layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-05)
group_norm(input, num_groups, weight=None, bias=None, eps=1e-05)
instance_norm(input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, momentum=0.1,
 eps=1e-05)
normalize(input, p=2.0, dim=1, eps=1e-12)
cosine_similarity(x1, x2, dim=1, eps=1e-08)
pairwise_distance(x1, x2, p=2.0, eps=1e-06, keepdim=False)
embedding(input: position, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False)
embedding_bag(input: position, weight, offsets: position=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False,
 mode='mean', sparse=False, per_sample_weights=None, include_last_offset=False, padding_idx=None)
one_hot(input: position, num_classes=-1)
scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None,
 enable_gqa=False)
mse_loss l1_loss(input, target, size_average=None, reduce=None, reduction='mean', weight=None)
smooth_l1_loss(input, target, size_average=None, reduce=None, reduction='mean', beta=1.0)
huber_loss(input, target, reduction='mean', delta=1.0, weight=None)
soft_margin_loss(input, target, size_average=None, reduce=None, reduction='mean')
binary_cross_entropy(input, target, weight=None, size_average=None, reduce=None, reduction='mean')
binary_cross_entropy_with_logits(input, target, weight=None, size_average=None, reduce=None, reduction='mean',
 pos_weight=None)
kl_div(input, target, size_average=None, reduce=None, reduction='mean', log_target=False)
nll_loss(input, target: position, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction='mean')
cross_entropy(input, target: position, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction='mean',
 label_smoothing=0.0)
cosine_embedding_loss margin_ranking_loss(input1, input2, target, margin=0, size_average=None, reduce=None,
 reduction='mean')
gaussian_nll_loss(input, target, var, full=False, eps=1e-06, reduction='mean')
poisson_nll_loss(input, target, log_input=True, full=False, size_average=None, eps=1e-08, reduce=None, reduction='mean')
hinge_embedding_loss(input, target, margin=1.0, size_average=None, reduce=None, reduction='mean')
multi_margin_loss(input, target: position, p=1, margin=1.0, weight=None, size_average=None, reduce=None, reduction='mean')
multilabel_margin_loss(input, target: position, size_average=None, reduce=None, reduction='mean')
multilabel_soft_margin_loss(input, target, weight=None, size_average=None, reduce=None, reduction='mean')
ctc_loss(log_probs, targets: position, input_lengths, target_lengths, blank: position=0, reduction='mean',
 zero_infinity=False)
triplet_margin_with_distance_loss(anchor, positive, negative, *, distance_function=None, margin=1.0, swap=False,
 reduction='mean')
affine_grid(theta, size, align_corners=None)
grid_sample(input, grid, mode='bilinear', padding_mode='zeros', align_corners=None)
triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2, eps=1e-06, swap=False, size_average=None, reduce=None,
 reduction='mean')
]]

--- torch.nn.init.NAME and torch.nn.utils.NAME.
signatures.init = registry.signatures [[
uniform_(tensor, a=0.0, b=1.0)
normal_(tensor, mean=0.0, std=1.0)
trunc_normal_(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0)
xavier_uniform_ xavier_normal_(tensor, gain=1.0)
kaiming_uniform_ kaiming_normal_(tensor, a=0, mode='fan_in', nonlinearity='leaky_relu')
orthogonal_(tensor, gain=1)
sparse_(tensor, sparsity, std=0.01)
dirac_(tensor, groups=1)
]]
signatures.utils = registry.signatures [[
clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False)
clip_grad_value_(parameters, clip_value)
]]

--- The forward of modules that take or give positions.
signatures.forward = registry.signatures [[
Embedding(input: position)
EmbeddingBag(input: position, offsets: position=None, per_sample_weights=None)
CrossEntropyLoss NLLLoss MultiMarginLoss MultiLabelMarginLoss(input, target: position)
CTCLoss(log_probs, targets: position, input_lengths, target_lengths)
MultiheadAttention(query, key, value, key_padding_mask=None, need_weights=True, attn_mask=None,
 average_attn_weights=True, is_causal=False) => output, weights
MaxPool1d MaxPool2d MaxPool3d AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d FractionalMaxPool2d
 FractionalMaxPool3d(input) -> values, indices
MaxUnpool1d MaxUnpool2d MaxUnpool3d(input, indices, output_size=None)
]]

return signatures
