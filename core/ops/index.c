/* index.c: shape and derivative rules of the rows that read or write by index tensors. What the indices hold
 * is checked by the kernels; only rows whose output size depends on data ask about it here.
 */
#include "ops/prototypes.h"

static const mn_array *like_input(mn_infer *x) {
  const mn_array *in = x->in[0];
  mn_same_shape(x->out[0], in);
  x->out[0]->dtype = in->dtype;
  return in;
}

static int check_index(mn_infer *x, const mn_array *index) {
  if (index->dtype == MN_BOOL)
    return mn_fail(x, "indices must be numbers, got bool; give a mask as the positions that nonzero finds");
  if (index->dtype != MN_FLOAT16 && index->dtype != MN_BFLOAT16) return 0;
  return mn_fail(x, "indices must be int64, int32, uint8, float32 or float64, got %s",
                 mn_dtype_name(index->dtype));
}

/* A 0-dim tensor is indexed along its only, imagined dim of size 1. */
static int dims_or_1(const mn_array *a) { return a->ndim ? a->ndim : 1; }
static int64_t size_or_1(const mn_array *a, int d) { return a->ndim ? a->size[d] : 1; }

static int check_dtype(mn_infer *x, const mn_array *source, const mn_array *in) {
  if (source->dtype == in->dtype) return 0;
  return mn_fail(x, "expected a source of input's dtype %s, got %s", mn_dtype_name(in->dtype),
                 mn_dtype_name(source->dtype));
}

/* ---- index_select and index_add ---- */

static int check_vector(mn_infer *x, const mn_array *index) {
  char text[128];
  if (index->ndim > 1)
    return mn_fail(x, "expected an index with 1 dim, got size %s", mn_shape_text(index, text));
  return check_index(x, index);
}

int mn_infer_index_select(mn_infer *x) {
  mn_index_select_attrs *a = mn_index_select_given(x);
  const mn_array *in = like_input(x), *index = x->in[1];
  if (mn_check_dim(x, &a->dim, in->ndim) || check_vector(x, index)) return -1;
  if (in->ndim > 0) x->out[0]->size[a->dim] = index->numel;
  else if (index->numel != 1)
    return mn_fail(x, "expected an index of 1 element for a 0-dim tensor, got %lld", (long long)index->numel);
  return 0;
}

void mn_vjp_index_select(mn_rule *r) {
  if (!mn_need(r, 0)) return;
  const mn_index_select_attrs *a = mn_index_select_kept(r);
  mn_context *ctx = mn_rule_ctx(r);
  mn_index_add_attrs to = {.dim = a->dim, .alpha = 1, .index_base = a->index_base};
  mn_tensor *zeros = mn_zeros(ctx, mn_in_shape(r, 0), mn_in_dtype(r, 0));
  mn_give(r, 0, mn_index_add(ctx, zeros, mn_saved_in(r, 1), mn_grad(r, 0), &to));
}

int mn_infer_index_add(mn_infer *x) {
  mn_index_add_attrs *a = mn_index_add_given(x);
  const mn_array *in = like_input(x), *index = x->in[1], *source = x->in[2];
  if (mn_check_dim(x, &a->dim, in->ndim) || check_vector(x, index) || check_dtype(x, source, in) ||
      mn_check_number(x, in->dtype, "factor alpha", a->alpha))
    return -1;
  mn_list want = {.n = dims_or_1(in)};
  char got[128], text[128];
  for (int d = 0; d < want.n; d++) want.v[d] = d == a->dim ? index->numel : in->size[d];
  bool fits = dims_or_1(source) == want.n;
  for (int d = 0; d < want.n && fits; d++) fits = size_or_1(source, d) == want.v[d];
  if (fits) return 0;
  return mn_fail(x, "expected a source of size %s, got %s", mn_list_text(&want, text),
                 mn_shape_text(source, got));
}

void mn_vjp_index_add(mn_rule *r) {
  const mn_index_add_attrs *a = mn_index_add_kept(r);
  mn_context *ctx = mn_rule_ctx(r);
  if (mn_need(r, 0)) mn_give(r, 0, mn_grad(r, 0));
  if (!mn_need(r, 2)) return;
  mn_index_select_attrs from = {.dim = a->dim, .index_base = a->index_base};
  mn_tensor *grad = mn_index_select(ctx, mn_grad(r, 0), mn_saved_in(r, 1), &from);
  if (mn_in_shape(r, 0).n != mn_in_shape(r, 2).n) grad = mn_reshape(ctx, grad, mn_in_shape(r, 2));
  mn_give(r, 2, a->alpha == 1 ? grad : mn_mul_number(ctx, grad, a->alpha));
}

/* ---- gather and scatter ---- */

/* Does index fit beside a tensor: as many dims, and nowhere larger (but along dim, if that is not -1)? One
 * without elements names no place, so any does. */
static int check_beside(mn_infer *x, const mn_array *index, const mn_array *t, int64_t dim,
                        const char *name) {
  char size[128], text[128];
  if (index->numel == 0) return 0;
  bool fits = dims_or_1(index) == dims_or_1(t);
  for (int d = 0; d < dims_or_1(t) && fits; d++) fits = d == dim || size_or_1(index, d) <= size_or_1(t, d);
  if (fits) return 0;
  return mn_fail(x, "an index of size %s doesn't fit %s of size %s", mn_shape_text(index, size), name,
                 mn_shape_text(t, text));
}

int mn_infer_gather(mn_infer *x) {
  mn_gather_attrs *a = mn_gather_given(x);
  const mn_array *in = x->in[0], *index = x->in[1];
  if (mn_check_dim(x, &a->dim, in->ndim) || check_index(x, index)) return -1;
  if (check_beside(x, index, in, a->dim, "input")) return -1;
  mn_same_shape(x->out[0], index);
  x->out[0]->dtype = in->dtype;
  return 0;
}

void mn_vjp_gather(mn_rule *r) {
  if (!mn_need(r, 0)) return;
  const mn_gather_attrs *a = mn_gather_kept(r);
  mn_context *ctx = mn_rule_ctx(r);
  mn_scatter_add_attrs to = {.dim = a->dim, .index_base = a->index_base};
  mn_tensor *zeros = mn_zeros(ctx, mn_in_shape(r, 0), mn_in_dtype(r, 0));
  mn_give(r, 0, mn_scatter_add(ctx, zeros, mn_saved_in(r, 1), mn_grad(r, 0), &to));
}

MN_ALIKE(scatter, scatter_add, dim);

int mn_infer_scatter(mn_infer *x) {
  mn_scatter_attrs *a = mn_scatter_given(x);
  const mn_array *in = like_input(x), *index = x->in[1], *source = x->in[2];
  if (mn_check_dim(x, &a->dim, in->ndim) || check_index(x, index) || check_dtype(x, source, in)) return -1;
  if (check_beside(x, index, in, a->dim, "input")) return -1;
  return source->ndim == 0 ? 0 : check_beside(x, index, source, -1, "a source");
}

/* 1 for the elements of grad (the gradients of values that were written where index says) that are still
 * there, having been written last; 0 for those that a later one replaced. order: numbers that rise in the
 * order of writing, broadcast to index; written: those that stand where index says after all was written. */
static mn_tensor *only_last(mn_context *ctx, mn_tensor *grad, mn_tensor *order, mn_tensor *written) {
  if (!grad || !order || !written) return NULL;
  mn_tensor *zero = mn_zeros(ctx, (mn_list){.n = 0}, mn_arr(grad)->dtype);
  return mn_where(ctx, mn_eq(ctx, written, order, NULL), grad, zero, NULL);
}

/* 0, 1, ... as a tensor of that size. */
static mn_tensor *counted(mn_context *ctx, mn_list size) {
  mn_arange_attrs a = {.start = 0, .step = 1, .count = 1, .dtype = MN_INT64, .device = -1};
  for (int d = 0; d < size.n; d++) a.count *= size.v[d];
  return mn_reshape(ctx, mn_arange(ctx, &a), size);
}

/* scatter writes along dim in order: of the elements with the same place, the last one stays. */
static mn_tensor *last_along(mn_context *ctx, mn_tensor *grad, mn_tensor *index, int64_t dim, int64_t size,
                             int64_t index_base) {
  mn_list all = mn_shape_list(index), line = {.n = all.n}, room = all;
  for (int d = 0; d < all.n; d++) line.v[d] = d == dim ? all.v[d] : 1;
  if (all.n > 0) room.v[dim] = size;
  mn_scatter_attrs to = {.dim = dim, .index_base = index_base};
  mn_gather_attrs from = {.dim = dim, .index_base = index_base};
  mn_tensor *order = mn_expand(ctx, counted(ctx, line), &(mn_expand_attrs){all});
  mn_tensor *written = mn_scatter(ctx, mn_zeros(ctx, room, MN_INT64), index, order, &to);
  return only_last(ctx, grad, order, mn_gather(ctx, written, index, &from));
}

/* The gradient of scatter's source: what stands where its elements went; zero for those that index doesn't
 * reach and, where scatter writes rather than adds, those that were written over. */
static void give_source(mn_rule *r, int64_t dim, int64_t index_base, bool adds) {
  mn_context *ctx = mn_rule_ctx(r);
  mn_tensor *index = mn_saved_in(r, 1);
  if (!index) return;
  mn_list have = mn_shape_list(index), want = mn_in_shape(r, 2), in = mn_in_shape(r, 0);
  if (mn_arr(index)->numel == 0) {
    mn_give(r, 2, mn_zeros(ctx, want, mn_in_dtype(r, 2)));
    return;
  }
  mn_gather_attrs from = {.dim = dim, .index_base = index_base};
  mn_tensor *grad = mn_gather(ctx, mn_grad(r, 0), index, &from);
  if (!adds) grad = last_along(ctx, grad, index, dim, in.n ? in.v[dim] : 1, index_base);
  if (have.n == 0 && want.n == 1) grad = mn_reshape(ctx, grad, (mn_list){1, {1}}), have = (mn_list){1, {1}};
  mn_pad_attrs pad = {.before = {.n = have.n}, .after = {.n = have.n}, .value = 0};
  bool larger = false;
  for (int d = 0; d < want.n; d++) {
    pad.after.v[d] = want.v[d] - have.v[d];
    larger |= pad.after.v[d] > 0;
  }
  mn_give(r, 2, larger ? mn_pad(ctx, grad, &pad) : grad);
}

void mn_vjp_scatter(mn_rule *r) {
  const mn_scatter_attrs *a = mn_scatter_kept(r);
  mn_context *ctx = mn_rule_ctx(r);
  if (mn_need(r, 0)) {
    mn_tensor *zero = mn_zeros(ctx, (mn_list){.n = 0}, mn_in_dtype(r, 0));
    mn_give(r, 0, mn_scatter(ctx, mn_grad(r, 0), mn_saved_in(r, 1), zero, a));
  }
  if (mn_need(r, 2)) give_source(r, a->dim, a->index_base, false);
}

void mn_vjp_scatter_add(mn_rule *r) {
  const mn_scatter_add_attrs *a = mn_scatter_add_kept(r);
  if (mn_need(r, 0)) mn_give(r, 0, mn_grad(r, 0));
  if (mn_need(r, 2)) give_source(r, a->dim, a->index_base, true);
}

int mn_infer_scatter_reduce(mn_infer *x) {
  mn_scatter_reduce_attrs *a = mn_scatter_reduce_given(x);
  const mn_array *in = like_input(x), *index = x->in[1], *source = x->in[2];
  if (mn_check_dim(x, &a->dim, in->ndim) || check_index(x, index) || check_dtype(x, source, in)) return -1;
  if (check_beside(x, index, in, a->dim, "input")) return -1;
  if (mn_same_size(index, source)) return 0;
  char size[128], text[128];
  return mn_fail(x, "expected a source of the index's size %s, got %s", mn_shape_text(index, size),
                 mn_shape_text(source, text));
}

/* The parts of a derivative of scatter_reduce: its index, and where it reads and adds. */
typedef struct reducing {
  mn_context *ctx;
  mn_tensor *index, *input, *source;
  mn_gather_attrs from;
  mn_scatter_add_attrs to;
} reducing;

static mn_tensor *gathered(const reducing *x, mn_tensor *t) {
  return mn_gather(x->ctx, t, x->index, &x->from);
}

/* How many of all that goes to a place, what stood there too, the masks hold of. */
static mn_tensor *counted_at(const reducing *x, mn_tensor *of_input, mn_tensor *of_source) {
  if (!of_input) return NULL;
  mn_cast_attrs as = {.dtype = mn_arr(x->input)->dtype};
  return mn_scatter_add(x->ctx, mn_cast(x->ctx, of_input, &as), x->index, mn_cast(x->ctx, of_source, &as),
                        &x->to);
}

/* t where the mask holds, else a number. */
static mn_tensor *or_number(mn_context *ctx, mn_tensor *mask, mn_tensor *t, double value) {
  if (!t) return NULL;
  mn_full_attrs as = {.size = {.n = 0}, .value = value, .dtype = mn_arr(t)->dtype, .device = -1};
  return mn_where(ctx, mask, t, mn_full(ctx, &as), NULL);
}

/* Those that are as large as the result share the gradient. */
static void give_extreme(mn_rule *r, const reducing *x) {
  mn_context *ctx = x->ctx;
  mn_tensor *y = mn_saved_out(r, 0);
  mn_tensor *of_input = mn_eq(ctx, x->input, y, NULL),
            *of_source = mn_eq(ctx, x->source, gathered(x, y), NULL);
  mn_tensor *share = mn_div(ctx, mn_grad(r, 0), counted_at(x, of_input, of_source), NULL);
  if (mn_need(r, 0)) mn_give(r, 0, or_number(ctx, of_input, share, 0));
  if (mn_need(r, 2)) mn_give(r, 2, or_number(ctx, of_source, gathered(x, share), 0));
}

/* g times the product over t; where t is 0 the product of the others, which is 0 if one more of them is. */
static mn_tensor *others(mn_context *ctx, mn_tensor *t, mn_tensor *whole, mn_tensor *rest) {
  mn_tensor *nonzero = mn_ne(ctx, t, MN_NONE, NULL);
  return mn_where(ctx, nonzero, mn_div(ctx, whole, or_number(ctx, nonzero, t, 1), NULL), rest, NULL);
}

static void give_product(mn_rule *r, const reducing *x) {
  mn_context *ctx = x->ctx;
  mn_tensor *g = mn_grad(r, 0), *zero = mn_eq(ctx, x->input, MN_NONE, NULL);
  mn_tensor *zero_source = mn_eq(ctx, x->source, MN_NONE, NULL);
  mn_tensor *zeros = counted_at(x, zero, zero_source);
  mn_tensor *safe = or_number(ctx, mn_logical_not(ctx, zero, NULL), x->input, 1);
  mn_tensor *safe_source = or_number(ctx, mn_logical_not(ctx, zero_source, NULL), x->source, 1);
  mn_tensor *rest = mn_scatter_reduce(ctx, safe, x->index, safe_source, mn_scatter_reduce_kept(r));
  mn_tensor *alone = mn_eq(ctx, zeros, MN_NONE, &(mn_eq_attrs){.value = 1});
  rest = mn_mul(ctx, g, or_number(ctx, alone, rest, 0), NULL);
  mn_tensor *whole = mn_mul(ctx, g, mn_saved_out(r, 0), NULL);
  if (mn_need(r, 0)) mn_give(r, 0, others(ctx, x->input, whole, rest));
  if (mn_need(r, 2)) mn_give(r, 2, others(ctx, x->source, gathered(x, whole), gathered(x, rest)));
}

void mn_vjp_scatter_reduce(mn_rule *r) {
  enum { PROD };
  const mn_scatter_reduce_attrs *a = mn_scatter_reduce_kept(r);
  reducing x = {.ctx = mn_rule_ctx(r),
                .input = mn_saved_in(r, 0),
                .index = mn_saved_in(r, 1),
                .source = mn_saved_in(r, 2),
                .from = {.dim = a->dim, .index_base = a->index_base},
                .to = {.dim = a->dim, .index_base = a->index_base}};
  if (!x.input || !x.index || !x.source) return;
  if (a->reduce == PROD) give_product(r, &x);
  else give_extreme(r, &x);
}

int mn_infer_searchsorted(mn_infer *x) {
  const mn_array *sorted = x->in[0], *in = x->in[1];
  char a[128], b[128];
  if (sorted->dtype != in->dtype)
    return mn_fail(x, "expected numbers of the sorted ones' dtype %s, got %s", mn_dtype_name(sorted->dtype),
                   mn_dtype_name(in->dtype));
  bool fits = sorted->ndim == 1 || (sorted->ndim > 1 && sorted->ndim == in->ndim);
  for (int d = 0; d < sorted->ndim - 1 && fits; d++) fits = sorted->size[d] == in->size[d];
  if (!fits)
    return mn_fail(x, "sorted numbers of size %s don't fit numbers of size %s", mn_shape_text(sorted, a),
                   mn_shape_text(in, b));
  mn_same_shape(x->out[0], in);
  x->out[0]->dtype = MN_INT64;
  return 0;
}

/* ---- index and index_put ---- */

/* The shape of input[indices]: the indices, broadcast, take the place of the dims that they index if those
 * are adjacent, and come first otherwise. */
static int indexed_shape(mn_infer *x, int first, mn_array *out) {
  const mn_array *in = x->in[0], *arrays[MN_MAX_DIMS];
  int n = x->n_in - first, low = -1, high = -1, count = 0;
  if (n < 1) return mn_fail(x, "expected at least one index tensor");
  if (n > in->ndim) return mn_fail(x, "%d indices are too many for a tensor with %d dims", n, in->ndim);
  for (int i = 0; i < n; i++) {
    arrays[i] = x->in[first + i];
    if (!arrays[i]) continue;
    if (check_index(x, arrays[i])) return -1;
    low = low < 0 ? i : low, high = i, count++;
  }
  if (count == 0) return mn_fail(x, "expected at least one index tensor");
  mn_array picked = {0};
  if (mn_broadcast(x, arrays + low, high - low + 1, &picked)) return -1;
  if (in->ndim - count + picked.ndim > MN_MAX_DIMS)
    return mn_fail(x, "a tensor has at most %d dims", MN_MAX_DIMS);
  int at = high - low + 1 == count ? low : 0, to = 0;
  for (int d = 0, left = at; d <= in->ndim; d++) {
    if (left == 0) {
      for (int k = 0; k < picked.ndim; k++) out->size[to++] = picked.size[k];
      left = -1;
    }
    if (d == in->ndim || (d < n && arrays[d])) continue;
    out->size[to++] = in->size[d];
    if (left > 0) left--;
  }
  out->ndim = to;
  return 0;
}

int mn_infer_index(mn_infer *x) {
  x->out[0]->dtype = x->in[0]->dtype;
  return indexed_shape(x, 1, x->out[0]);
}

void mn_vjp_index(mn_rule *r) {
  if (!mn_need(r, 0)) return;
  mn_context *ctx = mn_rule_ctx(r);
  int n = mn_rule_inputs(r);
  mn_tensor *all[MN_MAX_DIMS + 2] = {mn_zeros(ctx, mn_in_shape(r, 0), mn_in_dtype(r, 0)), mn_grad(r, 0)};
  for (int i = 1; i < n; i++) all[i + 1] = mn_saved_in(r, i);
  mn_index_put_attrs to = {.accumulate = 1, .index_base = mn_index_kept(r)->index_base};
  mn_give(r, 0, mn_index_put(ctx, n + 1, all, &to));
}

int mn_infer_index_put(mn_infer *x) {
  const mn_array *in = like_input(x);
  if (x->n_in < 3 || !x->in[1]) return mn_fail(x, "expected a tensor, values and at least one index tensor");
  const mn_array *values = x->in[1];
  mn_array place = {0};
  if (check_dtype(x, values, in) || indexed_shape(x, 2, &place)) return -1;
  char want[128], got[128];
  int lead = place.ndim - values->ndim;
  bool fits = lead >= 0;
  for (int d = 0; d < values->ndim && fits; d++)
    fits = values->size[d] == 1 || values->size[d] == place.size[d + lead];
  if (fits) return 0;
  return mn_fail(x, "values of size %s don't broadcast to the indexed size %s", mn_shape_text(values, got),
                 mn_shape_text(&place, want));
}

/* The part of grad, the gradient of the values of index_put, that belongs to values that stayed: index_put
 * writes in the order of the indices, broadcast, and of those with one place the last one stays. Which that is
 * doesn't depend on the dims that have no index, so these are left at 1; then the gap between the order's
 * dims and grad's is only of dims of 1, too. all: index_put's tensors, of which the first two may be changed. */
static mn_tensor *last_put(mn_rule *r, mn_tensor *grad, mn_tensor **all) {
  mn_context *ctx = mn_rule_ctx(r);
  int n = mn_rule_inputs(r);
  const mn_index_put_attrs *a = mn_index_put_kept(r);
  mn_list room = mn_in_shape(r, 0);
  for (int d = 0; d < room.n; d++)
    if (d + 2 >= n || all[d + 2] == MN_NONE) room.v[d] = 1;
  mn_index_attrs from = {.index_base = a->index_base};
  all[1] = mn_zeros(ctx, room, MN_INT64);
  mn_tensor *shaped = mn_index(ctx, n - 1, all + 1, &from);
  if (!shaped) return NULL;
  mn_tensor *order = counted(ctx, mn_shape_list(shaped));
  all[0] = all[1], all[1] = order;
  all[1] = mn_index_put(ctx, n, all, &(mn_index_put_attrs){.index_base = a->index_base});
  return only_last(ctx, grad, order, mn_index(ctx, n - 1, all + 1, &from));
}

void mn_vjp_index_put(mn_rule *r) {
  const mn_index_put_attrs *a = mn_index_put_kept(r);
  mn_context *ctx = mn_rule_ctx(r);
  int n = mn_rule_inputs(r);
  mn_tensor *all[MN_MAX_DIMS + 2];
  for (int i = 2; i < n; i++) all[i] = mn_saved_in(r, i);
  if (mn_need(r, 0) && a->accumulate) {
    mn_give(r, 0, mn_grad(r, 0));
  } else if (mn_need(r, 0)) {
    all[0] = mn_grad(r, 0);
    all[1] = mn_zeros(ctx, (mn_list){.n = 0}, mn_in_dtype(r, 0));
    mn_give(r, 0, mn_index_put(ctx, n, all, a));
  }
  if (!mn_need(r, 1)) return;
  mn_index_attrs from = {.index_base = a->index_base};
  all[1] = mn_grad(r, 0);
  mn_tensor *grad = mn_index(ctx, n - 1, all + 1, &from);
  mn_give(r, 1, a->accumulate ? grad : last_put(r, grad, all));
}

/* ---- positions, classes, counts ---- */

int mn_infer_nonzero(mn_infer *x) {
  const mn_array *in = x->in[0];
  mn_array *out = x->out[0];
  out->dtype = MN_INT64;
  out->ndim = 2;
  out->size[0] = mn_nonzero_count(x, in);
  out->size[1] = in->ndim;
  return 0;
}

int mn_infer_one_hot(mn_infer *x) {
  mn_one_hot_attrs *a = mn_one_hot_given(x);
  const mn_array *in = like_input(x);
  mn_array *out = x->out[0];
  if (check_index(x, in)) return -1;
  if (in->ndim == MN_MAX_DIMS) return mn_fail(x, "a tensor has at most %d dims", MN_MAX_DIMS);
  if (a->num_classes < 1)
    return mn_fail(x, "num_classes must be at least 1, got %lld", (long long)a->num_classes);
  if (a->dtype < 0) a->dtype = mn_default_float(x->ctx);
  out->dtype = (int32_t)a->dtype;
  out->size[out->ndim++] = a->num_classes;
  return 0;
}

int mn_infer_bincount(mn_infer *x) {
  mn_bincount_attrs *a = mn_bincount_given(x);
  const mn_array *in = x->in[0], *weights = x->in[1];
  mn_array *out = x->out[0];
  char text[128];
  if (in->ndim != 1) return mn_fail(x, "expected a tensor with 1 dim, got size %s", mn_shape_text(in, text));
  if (check_index(x, in)) return -1;
  if (a->minlength < 0)
    return mn_fail(x, "minlength must not be negative, got %lld", (long long)a->minlength);
  if (weights && (weights->ndim != 1 || weights->numel != in->numel))
    return mn_fail(x, "expected as many weights as elements, %lld, got size %s", (long long)in->numel,
                   mn_shape_text(weights, text));
  int64_t last = mn_largest_index(x, in);
  out->dtype = !weights ? MN_INT64 : weights->dtype == MN_FLOAT32 ? MN_FLOAT32 : MN_FLOAT64;
  out->ndim = 1;
  out->size[0] = last - a->index_base + 1 > a->minlength ? last - a->index_base + 1 : a->minlength;
  return 0;
}
