/* reduce.c: shape and derivative rules of reductions, scans, sorting, softmax and negative log-likelihood. */
#include "ops/prototypes.h"

/* ---- shapes ---- */

static const mn_array *input(const mn_infer *x) { return x->in[0]; }

/* out: the input without dims, or with 1 in their place. */
static int reduced(mn_infer *x, mn_array *out, mn_list *dims, bool keepdim) {
  const mn_array *in = input(x);
  if (mn_check_dims(x, dims, in->ndim)) return -1;
  unsigned mask = 0;
  for (int i = 0; i < dims->n; i++) mask |= 1u << dims->v[i];
  for (int d = 0; d < in->ndim; d++) {
    if (!(mask >> d & 1)) out->size[out->ndim++] = in->size[d];
    else if (keepdim) out->size[out->ndim++] = 1;
  }
  return 0;
}

/* What rows that share a rule have in common. */
MN_ALIKE(mean, logsumexp, dim);
MN_ALIKE(mean, logsumexp, keepdim);
MN_ALIKE(mean, amax, dim);
MN_ALIKE(mean, amax, keepdim);
MN_ALIKE(amax, amin, dim);
MN_ALIKE(amax, amin, keepdim);
MN_ALIKE(any, all, dim);
MN_ALIKE(any, all, keepdim);
MN_ALIKE(var, std, dim);
MN_ALIKE(var, std, keepdim);
MN_ALIKE(max, min, dim);
MN_ALIKE(max, min, keepdim);
MN_ALIKE(max, min, index_base);
MN_ALIKE(max, mode, dim);
MN_ALIKE(max, mode, keepdim);
MN_ALIKE(max, mode, index_base);
MN_ALIKE(argmax, argmin, dim);
MN_ALIKE(argmax, argmin, keepdim);
MN_ALIKE(cumsum, cumprod, dim);
MN_ALIKE(softmax, log_softmax, dim);
MN_ALIKE(softmax, logcumsumexp, dim);
MN_ALIKE(cummax, cummin, dim);
MN_ALIKE(cummax, cummin, index_base);

static int integer_widened(int dtype) { return mn_dtype_is_float(dtype) ? dtype : MN_INT64; }

int mn_infer_reduce(mn_infer *x) {
  mn_mean_attrs *a = mn_mean_given(x);
  x->out[0]->dtype = input(x)->dtype;
  return reduced(x, x->out[0], &a->dim, a->keepdim);
}

int mn_infer_amax(mn_infer *x) {
  const mn_amax_attrs *a = mn_amax_given(x);
  if (mn_infer_reduce(x)) return -1;
  for (int i = 0; i < a->dim.n; i++)
    if (input(x)->size[a->dim.v[i]] == 0)
      return mn_fail(x, "an empty dim has no largest or smallest element");
  return 0;
}

int mn_infer_sum(mn_infer *x) {
  mn_sum_attrs *a = mn_sum_given(x);
  x->out[0]->dtype = integer_widened(input(x)->dtype);
  return reduced(x, x->out[0], &a->dim, a->keepdim);
}

int mn_infer_reduce_bool(mn_infer *x) {
  mn_any_attrs *a = mn_any_given(x);
  x->out[0]->dtype = MN_BOOL;
  return reduced(x, x->out[0], &a->dim, a->keepdim);
}

int mn_infer_var(mn_infer *x) {
  mn_var_attrs *a = mn_var_given(x);
  x->out[0]->dtype = input(x)->dtype;
  return reduced(x, x->out[0], &a->dim, a->keepdim);
}

int mn_infer_norm(mn_infer *x) {
  mn_norm_attrs *a = mn_norm_given(x);
  x->out[0]->dtype = input(x)->dtype;
  if (!(fabs(a->p) > 0 && isfinite(a->p))) return mn_fail(x, "p must be a finite number but 0, got %g", a->p);
  return reduced(x, x->out[0], &a->dim, a->keepdim);
}

int mn_infer_sum_to(mn_infer *x) {
  const mn_list *size = &mn_sum_to_given(x)->size;
  const mn_array *in = input(x);
  int lead = in->ndim - (int)size->n;
  bool fits = lead >= 0 && size->n >= 0;
  for (int d = 0; fits && d < size->n; d++) fits = size->v[d] == 1 || size->v[d] == in->size[d + lead];
  char have[128], want[128];
  if (!fits)
    return mn_fail(x, "size %s doesn't broadcast to %s", mn_list_text(size, want), mn_shape_text(in, have));
  x->out[0]->dtype = integer_widened(in->dtype);
  x->out[0]->ndim = (int)size->n;
  for (int d = 0; d < size->n; d++) x->out[0]->size[d] = size->v[d];
  return 0;
}

/* One dim, or all of them where *dim is left out. */
static int one_or_all(mn_infer *x, mn_array *out, int64_t *dim, bool keepdim) {
  mn_list dims = {-1, {0}};
  if (*dim != MN_UNSET) {
    if (mn_check_dim(x, dim, input(x)->ndim)) return -1;
    dims.n = 1, dims.v[0] = *dim;
  }
  return reduced(x, out, &dims, keepdim);
}

int mn_infer_prod(mn_infer *x) {
  mn_prod_attrs *a = mn_prod_given(x);
  x->out[0]->dtype = integer_widened(input(x)->dtype);
  return one_or_all(x, x->out[0], &a->dim, a->keepdim);
}

static int refuse_empty(mn_infer *x, int64_t dim, const char *what) {
  const mn_array *in = input(x);
  bool empty = dim == MN_UNSET ? in->numel == 0 : in->ndim > 0 && in->size[dim] == 0;
  return empty ? mn_fail(x, "an empty dim has no %s", what) : 0;
}

/* Shapes two outputs: values and their places. */
static int chosen(mn_infer *x, int64_t *dim, bool keepdim) {
  x->out[0]->dtype = input(x)->dtype, x->out[1]->dtype = MN_INT64;
  if (one_or_all(x, x->out[0], dim, keepdim)) return -1;
  mn_same_shape(x->out[1], x->out[0]);
  return 0;
}

int mn_infer_max(mn_infer *x) {
  mn_max_attrs *a = mn_max_given(x);
  return chosen(x, &a->dim, a->keepdim) || refuse_empty(x, a->dim, "largest or smallest element") ? -1 : 0;
}

int mn_infer_median(mn_infer *x) {
  mn_median_attrs *a = mn_median_given(x);
  return chosen(x, &a->dim, a->keepdim) || refuse_empty(x, a->dim, "median") ? -1 : 0;
}

int mn_infer_mode(mn_infer *x) {
  mn_mode_attrs *a = mn_mode_given(x);
  return chosen(x, &a->dim, a->keepdim) || refuse_empty(x, a->dim, "mode") ? -1 : 0;
}

int mn_infer_kthvalue(mn_infer *x) {
  mn_kthvalue_attrs *a = mn_kthvalue_given(x);
  if (chosen(x, &a->dim, a->keepdim)) return -1;
  int64_t size = input(x)->ndim ? input(x)->size[a->dim] : 1;
  if (a->k >= 1 && a->k <= size) return 0;
  return mn_fail(x, "k must be 1 to %lld, the size of the dim; got %lld", (long long)size, (long long)a->k);
}

int mn_infer_argmax(mn_infer *x) {
  mn_argmax_attrs *a = mn_argmax_given(x);
  x->out[0]->dtype = MN_INT64;
  if (one_or_all(x, x->out[0], &a->dim, a->keepdim)) return -1;
  return refuse_empty(x, a->dim, "largest or smallest element");
}

static int along(mn_infer *x, int64_t *dim, int dtype) {
  x->out[0]->dtype = dtype;
  mn_same_shape(x->out[0], input(x));
  return mn_check_dim(x, dim, input(x)->ndim);
}

int mn_infer_cumsum(mn_infer *x) {
  return along(x, &mn_cumsum_given(x)->dim, integer_widened(input(x)->dtype));
}

int mn_infer_recurrence(mn_infer *x) {
  const mn_array *in = input(x), *factor = x->in[1];
  bool same = in->dtype == factor->dtype && mn_same_size(in, factor);
  if (!same) return mn_fail(x, "expected two tensors of one size and dtype");
  if (in->dtype != MN_FLOAT32 && in->dtype != MN_FLOAT64)
    return mn_fail(x, "expected float32 or float64, got %s", mn_dtype_name(in->dtype));
  return along(x, &mn_recurrence_given(x)->dim, in->dtype);
}

int mn_infer_dft(mn_infer *x) {
  const mn_array *in = input(x);
  char text[128];
  if (in->dtype != MN_FLOAT32 && in->dtype != MN_FLOAT64)
    return mn_fail(x, "expected float32 or float64, got %s", mn_dtype_name(in->dtype));
  if (in->ndim < 2 || in->size[in->ndim - 1] != 2)
    return mn_fail(x, "expected complex numbers as pairs, (..., n, 2), got %s", mn_shape_text(in, text));
  x->out[0]->dtype = in->dtype;
  mn_same_shape(x->out[0], in);
  return 0;
}

int mn_infer_softmax(mn_infer *x) { return along(x, &mn_softmax_given(x)->dim, input(x)->dtype); }

int mn_infer_cummax(mn_infer *x) {
  x->out[1]->dtype = MN_INT64;
  mn_same_shape(x->out[1], input(x));
  return along(x, &mn_cummax_given(x)->dim, input(x)->dtype);
}

int mn_infer_sort(mn_infer *x) {
  x->out[1]->dtype = MN_INT64;
  mn_same_shape(x->out[1], input(x));
  return along(x, &mn_sort_given(x)->dim, input(x)->dtype);
}

int mn_infer_topk(mn_infer *x) {
  mn_topk_attrs *a = mn_topk_given(x);
  if (along(x, &a->dim, input(x)->dtype)) return -1;
  int64_t size = input(x)->ndim ? input(x)->size[a->dim] : 1;
  if (a->k < 0 || a->k > size)
    return mn_fail(x, "k must be 0 to %lld, the size of the dim; got %lld", (long long)size, (long long)a->k);
  if (x->out[0]->ndim) x->out[0]->size[a->dim] = a->k;
  x->out[1]->dtype = MN_INT64;
  mn_same_shape(x->out[1], x->out[0]);
  return 0;
}

/* Is target (N, ...) for an input of (N, classes, ...)? */
static bool is_target(const mn_array *in, const mn_array *target) {
  if (in->ndim == 1) return target->ndim == 0;
  if (in->ndim < 2 || target->ndim != in->ndim - 1 || target->size[0] != in->size[0]) return false;
  for (int d = 1; d < target->ndim; d++)
    if (target->size[d] != in->size[d + 1]) return false;
  return true;
}

static int check_weight(mn_infer *x, const mn_array *w, int64_t classes, int dtype) {
  if (!w) return 0;
  char text[128];
  if (w->ndim != 1 || w->size[0] != classes)
    return mn_fail(x, "weight must have size (%lld), got %s", (long long)classes, mn_shape_text(w, text));
  if (w->dtype != dtype)
    return mn_fail(x, "weight must be %s, got %s", mn_dtype_name(dtype), mn_dtype_name(w->dtype));
  return 0;
}

int mn_infer_nll_loss(mn_infer *x) {
  const mn_nll_loss_attrs *a = mn_nll_loss_given(x);
  const mn_array *in = input(x), *target = x->in[1];
  char text[128], other[128];
  if (in->dtype != MN_FLOAT32 && in->dtype != MN_FLOAT64)
    return mn_fail(x, "input must be float32 or float64, got %s", mn_dtype_name(in->dtype));
  if (!is_target(in, target))
    return mn_fail(x, "input (N, classes, ...) and target (N, ...) don't fit, %s and %s",
                   mn_shape_text(in, text), mn_shape_text(target, other));
  if (check_weight(x, x->in[2], in->size[in->ndim > 1], in->dtype)) return -1;
  x->out[0]->dtype = x->out[1]->dtype = in->dtype;
  if (a->reduction == 0) mn_same_shape(x->out[0], target);
  return 0;
}

int mn_infer_nll_loss_grad(mn_infer *x) {
  const mn_nll_loss_grad_attrs *a = mn_nll_loss_grad_given(x);
  const mn_array *grad = input(x), *target = x->in[1], *total = x->in[3];
  mn_array *out = x->out[0];
  if (grad->dtype != MN_FLOAT32 && grad->dtype != MN_FLOAT64)
    return mn_fail(x, "grad must be float32 or float64, got %s", mn_dtype_name(grad->dtype));
  if (grad->numel != (a->reduction == 0 ? target->numel : 1))
    return mn_fail(x, "grad doesn't fit the target");
  if (total->numel != 1 || total->dtype != grad->dtype)
    return mn_fail(x, "total_weight must have one element");
  if (check_weight(x, x->in[2], a->classes, grad->dtype)) return -1;
  if (target->ndim + 1 > MN_MAX_DIMS) return mn_fail(x, "expected at most %d dims", MN_MAX_DIMS);
  out->dtype = grad->dtype;
  if (target->ndim > 0) out->size[out->ndim++] = target->size[0];
  out->size[out->ndim++] = a->classes;
  for (int d = 1; d < target->ndim; d++) out->size[out->ndim++] = target->size[d];
  return 0;
}

/* ---- derivatives ---- */

/* g, of a reduction over dims, with 1 where they were. */
static mn_tensor *with_dims(mn_rule *r, mn_tensor *g, const mn_list *dims, bool keepdim) {
  if (!g || keepdim || dims->n == 0 || mn_arr(g)->ndim == 0) return g;
  mn_list size = mn_in_shape(r, 0);
  for (int i = 0; i < dims->n; i++) size.v[dims->v[i]] = 1;
  return mn_reshape(mn_rule_ctx(r), g, size);
}

/* The same, broadcast to the input's size. */
static mn_tensor *spread(mn_rule *r, mn_tensor *g, const mn_list *dims, bool keepdim) {
  mn_expand_attrs a = {.size = mn_in_shape(r, 0)};
  g = with_dims(r, g, dims, keepdim);
  return g ? mn_expand(mn_rule_ctx(r), g, &a) : NULL;
}

static double count(mn_rule *r, const mn_list *dims) {
  mn_list size = mn_in_shape(r, 0);
  double n = 1;
  for (int i = 0; i < dims->n; i++) n *= (double)size.v[dims->v[i]];
  return n;
}

void mn_vjp_sum(mn_rule *r) {
  const mn_sum_attrs *a = mn_sum_kept(r);
  mn_give(r, 0, spread(r, mn_grad(r, 0), &a->dim, a->keepdim));
}

/* The matrix is symmetric; its adjoint's is the conjugate. */
void mn_vjp_dft(mn_rule *r) {
  const mn_dft_attrs *a = mn_dft_kept(r);
  mn_give(r, 0,
          mn_dft(mn_rule_ctx(r), mn_grad(r, 0), &(mn_dft_attrs){.inverse = !a->inverse, .scale = a->scale}));
}

void mn_vjp_nansum(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  const mn_nansum_attrs *a = mn_nansum_kept(r);
  mn_tensor *x = mn_saved_in(r, 0), *g = with_dims(r, mn_grad(r, 0), &a->dim, a->keepdim);
  mn_cast_attrs to = {.dtype = mn_in_dtype(r, 0)};
  mn_give(r, 0, mn_mul(ctx, mn_cast(ctx, mn_eq(ctx, x, x, NULL), &to), g, NULL));
}

void mn_vjp_sum_to(mn_rule *r) {
  mn_expand_attrs a = {.size = mn_in_shape(r, 0)};
  mn_give(r, 0, mn_expand(mn_rule_ctx(r), mn_grad(r, 0), &a));
}

void mn_vjp_mean(mn_rule *r) {
  const mn_mean_attrs *a = mn_mean_kept(r);
  mn_tensor *g = mn_mul_number(mn_rule_ctx(r), mn_grad(r, 0), 1 / count(r, &a->dim));
  mn_give(r, 0, spread(r, g, &a->dim, a->keepdim));
}

void mn_vjp_var(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  const mn_var_attrs *a = mn_var_kept(r);
  mn_mean_attrs keep = {.dim = a->dim, .keepdim = 1};
  mn_tensor *x = mn_saved_in(r, 0), *centered = mn_sub(ctx, x, mn_mean(ctx, x, &keep), NULL);
  mn_tensor *g = mn_mul_number(ctx, mn_grad(r, 0), 2 / (count(r, &a->dim) - a->correction));
  mn_give(r, 0, mn_mul(ctx, centered, with_dims(r, g, &a->dim, a->keepdim), NULL));
}

/* The centered numbers over (n - correction) times the result, or 0 where that is 0. */
void mn_vjp_std(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  const mn_std_attrs *a = mn_std_kept(r);
  mn_mean_attrs keep = {.dim = a->dim, .keepdim = 1};
  mn_tensor *x = mn_saved_in(r, 0), *centered = mn_sub(ctx, x, mn_mean(ctx, x, &keep), NULL);
  mn_tensor *y = with_dims(r, mn_saved_out(r, 0), &a->dim, a->keepdim);
  mn_tensor *relative = mn_mul(ctx, centered, mn_reciprocal_no_nan(ctx, y, NULL), NULL);
  mn_tensor *g = mn_mul_number(ctx, mn_grad(r, 0), 1 / (count(r, &a->dim) - a->correction));
  mn_give(r, 0, mn_mul(ctx, relative, with_dims(r, g, &a->dim, a->keepdim), NULL));
}

/* (|x| / y)^(p - 1) with x's sign; 0 where y is 0 or the slope is unbounded. */
void mn_vjp_norm(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  const mn_norm_attrs *a = mn_norm_kept(r);
  mn_tensor *x = mn_saved_in(r, 0), *y = with_dims(r, mn_saved_out(r, 0), &a->dim, a->keepdim);
  mn_tensor *slope = mn_mul(ctx, x, mn_reciprocal_no_nan(ctx, y, NULL), NULL);
  if (a->p != 2) {
    mn_tensor *part = mn_abs(ctx, slope, NULL), *zero = mn_eq(ctx, part, MN_NONE, NULL);
    mn_full_attrs one = {.size = {0, {0}}, .value = 1, .dtype = mn_in_dtype(r, 0), .device = -1};
    mn_tensor *power = mn_pow_number(ctx, mn_where(ctx, zero, mn_full(ctx, &one), part, NULL), a->p - 1);
    slope = mn_mul(ctx, mn_sign(ctx, slope, NULL), power, NULL);
  }
  mn_give(r, 0, mn_mul(ctx, slope, with_dims(r, mn_grad(r, 0), &a->dim, a->keepdim), NULL));
}

void mn_vjp_logsumexp(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  const mn_logsumexp_attrs *a = mn_logsumexp_kept(r);
  mn_tensor *y = with_dims(r, mn_saved_out(r, 0), &a->dim, a->keepdim);
  mn_tensor *p = mn_exp(ctx, mn_sub(ctx, mn_saved_in(r, 0), y, NULL), NULL);
  mn_give(r, 0, mn_mul(ctx, p, with_dims(r, mn_grad(r, 0), &a->dim, a->keepdim), NULL));
}

/* Ties share the gradient evenly. The choice itself has no derivative. */
void mn_vjp_amax(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  const mn_amax_attrs *a = mn_amax_kept(r);
  mn_tensor *y = with_dims(r, mn_saved_out(r, 0), &a->dim, a->keepdim);
  mn_tensor *g = with_dims(r, mn_grad(r, 0), &a->dim, a->keepdim);
  mn_cast_attrs to = {.dtype = mn_in_dtype(r, 0)};
  mn_sum_attrs keep = {.dim = a->dim, .keepdim = 1};
  mn_tensor *mask = mn_cast(ctx, mn_eq(ctx, mn_saved_in(r, 0), y, NULL), &to);
  mn_tensor *share = mn_div(ctx, mask, mn_sum(ctx, mask, &keep), NULL);
  mn_give(r, 0, mn_mul(ctx, share, g, NULL));
}

/* Puts g where the elements came from. */
static void scatter_back(mn_rule *r, int64_t dim, int64_t base, bool keepdim) {
  mn_context *ctx = mn_rule_ctx(r);
  mn_list size = mn_in_shape(r, 0);
  mn_tensor *g = mn_grad(r, 0), *index = mn_saved_out(r, 1);
  if (size.n == 0) {
    mn_give(r, 0, g);
    return;
  }
  if (!keepdim) {
    mn_unsqueeze_attrs at = {.dim = dim};
    g = mn_unsqueeze(ctx, g, &at), index = mn_unsqueeze(ctx, index, &at);
  }
  mn_scatter_add_attrs a = {.dim = dim, .index_base = base};
  mn_give(r, 0, mn_scatter_add(ctx, mn_zeros(ctx, size, mn_in_dtype(r, 0)), index, g, &a));
}

void mn_vjp_kthvalue(mn_rule *r) {
  const mn_kthvalue_attrs *a = mn_kthvalue_kept(r);
  scatter_back(r, a->dim, a->index_base, a->keepdim);
}

/* The median of all numbers: those that equal it share the gradient, NaN being equal to NaN. */
static void share_median(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  mn_tensor *x = mn_saved_in(r, 0), *y = mn_reshape(ctx, mn_saved_out(r, 0), (mn_list){0, {0}});
  mn_tensor *both = mn_logical_and(ctx, mn_isnan(ctx, x, NULL), mn_isnan(ctx, y, NULL), NULL);
  mn_cast_attrs to = {.dtype = mn_in_dtype(r, 0)};
  mn_tensor *mask = mn_cast(ctx, mn_logical_or(ctx, mn_eq(ctx, x, y, NULL), both, NULL), &to);
  mn_tensor *share = mn_div(ctx, mask, mn_sum(ctx, mask, &(mn_sum_attrs){.dim = {-1, {0}}}), NULL);
  mn_give(r, 0, mn_mul(ctx, share, mn_reshape(ctx, mn_grad(r, 0), (mn_list){0, {0}}), NULL));
}

void mn_vjp_median(mn_rule *r) {
  const mn_median_attrs *a = mn_median_kept(r);
  if (a->dim == MN_UNSET) share_median(r);
  else scatter_back(r, a->dim, a->index_base, a->keepdim);
}

void mn_vjp_max(mn_rule *r) {
  const mn_max_attrs *a = mn_max_kept(r);
  scatter_back(r, a->dim, a->index_base, a->keepdim);
}

void mn_vjp_cummax(mn_rule *r) {
  const mn_cummax_attrs *a = mn_cummax_kept(r);
  scatter_back(r, a->dim, a->index_base, true);
}

void mn_vjp_sort(mn_rule *r) {
  const mn_sort_attrs *a = mn_sort_kept(r);
  scatter_back(r, a->dim, a->index_base, true);
}

void mn_vjp_topk(mn_rule *r) {
  const mn_topk_attrs *a = mn_topk_kept(r);
  scatter_back(r, a->dim, a->index_base, true);
}

static mn_tensor *flip(mn_context *ctx, mn_tensor *t, int64_t dim) {
  mn_flip_attrs a = {.dims = {1, {dim}}};
  return mn_flip(ctx, t, &a);
}

void mn_vjp_cumsum(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  const mn_cumsum_attrs *a = mn_cumsum_kept(r);
  if (mn_in_shape(r, 0).n == 0) {
    mn_give(r, 0, mn_grad(r, 0));
    return;
  }
  mn_give(r, 0, flip(ctx, mn_cumsum(ctx, flip(ctx, mn_grad(r, 0), a->dim), a), a->dim));
}

/* Along dim each element is the one before it, the first `value`; or, backward, the one after it. */
static mn_tensor *shifted(mn_context *ctx, mn_tensor *x, int64_t dim, bool backward, double value) {
  if (!x) return NULL;
  mn_list shape = mn_shape_list(x);
  mn_pad_attrs shift = {.before = {shape.n, {0}}, .after = {shape.n, {0}}, .value = value};
  shift.before.v[dim] = backward ? -1 : 1, shift.after.v[dim] = backward ? 1 : -1;
  return mn_pad(ctx, x, &shift);
}

/* Products of all elements before each one along dim, exact where elements are 0. */
static mn_tensor *products_before(mn_context *ctx, mn_tensor *x, int64_t dim) {
  mn_cumprod_attrs a = {.dim = dim};
  return shifted(ctx, mn_cumprod(ctx, x, &a), dim, false, 1);
}

/* s_i = g_i + x_(i+1) s_(i+1) along dim. */
static mn_tensor *backward_recurrence(mn_context *ctx, mn_tensor *g, mn_tensor *x, int64_t dim) {
  mn_recurrence_attrs a = {.dim = dim};
  mn_tensor *factor = flip(ctx, shifted(ctx, x, dim, true, 0), dim);
  return flip(ctx, mn_recurrence(ctx, flip(ctx, g, dim), factor, &a), dim);
}

/* e^(a - b), and 0, with derivatives of 0, where a is -inf: b may be, too. */
static mn_tensor *ratio(mn_context *ctx, mn_tensor *a, mn_tensor *b) {
  if (!a) return NULL;
  mn_full_attrs least = {.size = {0, {0}}, .value = -INFINITY, .dtype = mn_arr(a)->dtype, .device = -1};
  mn_tensor *none = mn_eq(ctx, a, MN_NONE, &(mn_eq_attrs){.value = -INFINITY});
  return mn_exp(ctx, mn_where(ctx, none, mn_full(ctx, &least), mn_sub(ctx, a, b, NULL), NULL), NULL);
}

/* y_i = log(e^x_1 + ... + e^x_i): of output i, e^(y_j - y_i) comes to output j before it, and e^(x_j - y_j) of that to
 * input j. None of them is above 1. */
static mn_tensor *carried(mn_context *ctx, mn_tensor *y, int64_t dim) {
  return ratio(ctx, shifted(ctx, y, dim, false, -INFINITY), y);
}

void mn_vjp_logcumsumexp(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  int64_t dim = mn_logcumsumexp_kept(r)->dim;
  mn_tensor *g = mn_grad(r, 0), *y = mn_saved_out(r, 0);
  if (mn_in_shape(r, 0).n > 0) {
    mn_tensor *s = backward_recurrence(ctx, g, carried(ctx, y, dim), dim);
    g = mn_mul(ctx, ratio(ctx, mn_saved_in(r, 0), y), s, NULL);
  }
  mn_give(r, 0, g);
}

void mn_vjp_recurrence(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  int64_t dim = mn_recurrence_kept(r)->dim;
  mn_tensor *g = mn_grad(r, 0), *factor = mn_saved_in(r, 1), *y = mn_saved_out(r, 0);
  bool line = mn_in_shape(r, 0).n > 0;
  mn_tensor *s = line ? backward_recurrence(ctx, g, factor, dim) : g;
  if (mn_need(r, 0)) mn_give(r, 0, s);
  if (mn_need(r, 1) && line) mn_give(r, 1, mn_mul(ctx, s, shifted(ctx, y, dim, false, 0), NULL));
}

void mn_vjp_prod(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  const mn_prod_attrs *a = mn_prod_kept(r);
  mn_list shape = mn_in_shape(r, 0);
  mn_tensor *x = mn_saved_in(r, 0), *g = mn_grad(r, 0);
  if (shape.n == 0) {
    mn_give(r, 0, g);
    return;
  }
  int64_t dim = a->dim;
  if (dim == MN_UNSET) {
    mn_list flat = {1, {-1}};
    if (!x || mn_arr(x)->numel == 0) return;
    x = mn_reshape(ctx, x, flat), dim = 0;
    mn_list none = {0, {0}};
    g = mn_reshape(ctx, g, none);
  } else {
    mn_list dims = {1, {dim}};
    if (shape.v[dim] == 0) return;
    g = with_dims(r, g, &dims, a->keepdim);
  }
  mn_tensor *before = products_before(ctx, x, dim);
  mn_tensor *after = flip(ctx, products_before(ctx, flip(ctx, x, dim), dim), dim);
  mn_tensor *others = mn_mul(ctx, mn_mul(ctx, before, after, NULL), g, NULL);
  mn_give(r, 0, mn_reshape(ctx, others, shape));
}

/* d/dx_i of the products x_1 ... x_k for k >= i is what comes before x_i times what comes after it up to k: no division,
 * so that it is exact where elements are 0. */
void mn_vjp_cumprod(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  const mn_cumprod_attrs *a = mn_cumprod_kept(r);
  mn_list shape = mn_in_shape(r, 0);
  mn_tensor *x = mn_saved_in(r, 0), *g = mn_grad(r, 0);
  if (shape.n == 0) mn_give(r, 0, g);
  else if (shape.v[a->dim] > 0)
    mn_give(r, 0, mn_mul(ctx, products_before(ctx, x, a->dim), backward_recurrence(ctx, g, x, a->dim), NULL));
}

void mn_vjp_softmax(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  int64_t dim = mn_softmax_kept(r)->dim;
  mn_sum_attrs over = {.dim = {mn_in_shape(r, 0).n ? 1 : 0, {dim}}, .keepdim = 1};
  mn_tensor *y = mn_saved_out(r, 0), *gy = mn_mul(ctx, mn_grad(r, 0), y, NULL);
  mn_give(r, 0, mn_sub(ctx, gy, mn_mul(ctx, y, mn_sum(ctx, gy, &over), NULL), NULL));
}

void mn_vjp_log_softmax(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  int64_t dim = mn_log_softmax_kept(r)->dim;
  mn_sum_attrs over = {.dim = {mn_in_shape(r, 0).n ? 1 : 0, {dim}}, .keepdim = 1};
  mn_tensor *g = mn_grad(r, 0), *p = mn_exp(ctx, mn_saved_out(r, 0), NULL);
  mn_give(r, 0, mn_sub(ctx, g, mn_mul(ctx, p, mn_sum(ctx, g, &over), NULL), NULL));
}

void mn_vjp_nll_loss(mn_rule *r) {
  const mn_nll_loss_attrs *a = mn_nll_loss_kept(r);
  mn_list shape = mn_in_shape(r, 0);
  mn_nll_loss_grad_attrs b = {.classes = shape.v[shape.n > 1],
                              .reduction = a->reduction,
                              .ignore_index = a->ignore_index,
                              .index_base = a->index_base};
  if (mn_need(r, 0))
    mn_give(r, 0,
            mn_nll_loss_grad(mn_rule_ctx(r), mn_grad(r, 0), mn_saved_in(r, 1), mn_saved_in(r, 2),
                             mn_saved_out(r, 1), &b));
}

void mn_vjp_nll_loss_grad(mn_rule *r) {
  const mn_nll_loss_grad_attrs *a = mn_nll_loss_grad_kept(r);
  mn_nll_loss_attrs b = {
      .reduction = a->reduction, .ignore_index = a->ignore_index, .index_base = a->index_base};
  mn_tensor *out[2];
  if (!mn_need(r, 0)) return;
  if (mn_nll_loss(mn_rule_ctx(r), mn_grad(r, 0), mn_saved_in(r, 1), mn_saved_in(r, 2), &b, out) == 0)
    mn_give(r, 0, out[0]);
}

/* ---- tangents ---- */

/* Pushes through a reduction whose elements have a weight each: what its derivative rule gives for a cotangent of
 * ones. */
static void push_weighted(mn_rule *r, const mn_list *dims, bool keepdim) {
  mn_context *ctx = mn_rule_ctx(r);
  mn_full_attrs ones = {.size = mn_out_shape(r, 0), .value = 1, .dtype = mn_out_dtype(r, 0), .device = -1};
  mn_tensor *weight = mn_pull(r, 0, 0, mn_full(ctx, &ones));
  if (!weight || weight == MN_NONE) return;
  mn_tensor *weighted = mn_mul(ctx, mn_tangent(r, 0), weight, NULL);
  mn_push(r, 0, mn_sum(ctx, weighted, &(mn_sum_attrs){.dim = *dims, .keepdim = keepdim}));
}

void mn_jvp_nansum(mn_rule *r) {
  const mn_nansum_attrs *a = mn_nansum_kept(r);
  push_weighted(r, &a->dim, a->keepdim);
}

void mn_jvp_amax(mn_rule *r) {
  const mn_amax_attrs *a = mn_amax_kept(r);
  push_weighted(r, &a->dim, a->keepdim);
}

void mn_jvp_var(mn_rule *r) {
  const mn_var_attrs *a = mn_var_kept(r);
  push_weighted(r, &a->dim, a->keepdim);
}

void mn_jvp_std(mn_rule *r) {
  const mn_std_attrs *a = mn_std_kept(r);
  push_weighted(r, &a->dim, a->keepdim);
}

void mn_jvp_norm(mn_rule *r) {
  const mn_norm_attrs *a = mn_norm_kept(r);
  push_weighted(r, &a->dim, a->keepdim);
}

void mn_jvp_logsumexp(mn_rule *r) {
  const mn_logsumexp_attrs *a = mn_logsumexp_kept(r);
  push_weighted(r, &a->dim, a->keepdim);
}

void mn_jvp_prod(mn_rule *r) {
  const mn_prod_attrs *a = mn_prod_kept(r);
  mn_list all = {-1, {0}}, one = {1, {a->dim}};
  push_weighted(r, a->dim == MN_UNSET ? &all : &one, a->keepdim);
}

/* Those of the elements that were picked. */
static void push_picked(mn_rule *r, int64_t dim, int64_t base, bool keepdim) {
  mn_context *ctx = mn_rule_ctx(r);
  mn_tensor *t = mn_tangent(r, 0), *index = mn_saved_out(r, 1);
  if (mn_in_shape(r, 0).n > 0) {
    if (!keepdim) index = mn_unsqueeze(ctx, index, &(mn_unsqueeze_attrs){.dim = dim});
    t = mn_gather(ctx, t, index, &(mn_gather_attrs){.dim = dim, .index_base = base});
  }
  mn_push(r, 0, mn_reshape(ctx, t, mn_out_shape(r, 0)));
}

void mn_jvp_max(mn_rule *r) {
  const mn_max_attrs *a = mn_max_kept(r);
  push_picked(r, a->dim, a->index_base, a->keepdim);
}

void mn_jvp_kthvalue(mn_rule *r) {
  const mn_kthvalue_attrs *a = mn_kthvalue_kept(r);
  push_picked(r, a->dim, a->index_base, a->keepdim);
}

void mn_jvp_median(mn_rule *r) {
  const mn_median_attrs *a = mn_median_kept(r);
  if (a->dim == MN_UNSET) push_weighted(r, &(mn_list){-1, {0}}, a->keepdim);
  else push_picked(r, a->dim, a->index_base, a->keepdim);
}

void mn_jvp_cummax(mn_rule *r) {
  const mn_cummax_attrs *a = mn_cummax_kept(r);
  push_picked(r, a->dim, a->index_base, true);
}

void mn_jvp_sort(mn_rule *r) {
  const mn_sort_attrs *a = mn_sort_kept(r);
  push_picked(r, a->dim, a->index_base, true);
}

void mn_jvp_topk(mn_rule *r) {
  const mn_topk_attrs *a = mn_topk_kept(r);
  push_picked(r, a->dim, a->index_base, true);
}

/* y_i = x_i y_(i-1): dy_i = dx_i y_(i-1) + x_i dy_(i-1). */
void mn_jvp_cumprod(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  mn_recurrence_attrs along = {.dim = mn_cumprod_kept(r)->dim};
  mn_tensor *x = mn_saved_in(r, 0), *t = mn_tangent(r, 0);
  if (mn_in_shape(r, 0).n > 0)
    t = mn_recurrence(ctx, mn_mul(ctx, t, products_before(ctx, x, along.dim), NULL), x, &along);
  mn_push(r, 0, t);
}

void mn_jvp_logcumsumexp(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  mn_recurrence_attrs along = {.dim = mn_logcumsumexp_kept(r)->dim};
  mn_tensor *t = mn_tangent(r, 0), *y = mn_saved_out(r, 0);
  if (mn_in_shape(r, 0).n > 0) {
    mn_tensor *own = mn_mul(ctx, t, ratio(ctx, mn_saved_in(r, 0), y), NULL);
    t = mn_recurrence(ctx, own, carried(ctx, y, along.dim), &along);
  }
  mn_push(r, 0, t);
}

/* y_i = x_i + f_i y_(i-1): dy_i = dx_i + df_i y_(i-1) + f_i dy_(i-1). */
void mn_jvp_recurrence(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  const mn_recurrence_attrs *a = mn_recurrence_kept(r);
  mn_tensor *t = mn_tangent(r, 0);
  if (mn_in_shape(r, 0).n > 0) {
    mn_tensor *before = shifted(ctx, mn_saved_out(r, 0), a->dim, false, 0);
    if (mn_has_tangent(r, 1)) t = mn_add(ctx, t, mn_mul(ctx, mn_tangent(r, 1), before, NULL), NULL);
    t = mn_recurrence(ctx, t, mn_saved_in(r, 1), a);
  }
  mn_push(r, 0, t);
}

void mn_jvp_log_softmax(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  int64_t dim = mn_log_softmax_kept(r)->dim;
  mn_sum_attrs over = {.dim = {mn_in_shape(r, 0).n ? 1 : 0, {dim}}, .keepdim = 1};
  mn_tensor *t = mn_tangent(r, 0), *p = mn_exp(ctx, mn_saved_out(r, 0), NULL);
  mn_push(r, 0, mn_sub(ctx, t, mn_sum(ctx, mn_mul(ctx, p, t, NULL), &over), NULL));
}
