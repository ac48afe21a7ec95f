/* index.c: shape and derivative rules of the rows that read or write by index tensors. What the indices hold
 * is checked by the kernels; only rows whose output size depends on data have it read here, by cpu/count.c.
 */
#include "ops/prototypes.h"

static const mn_array *like_input(mn_infer *x) {
  const mn_array *in = mn_arr(x->in[0]);
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

/* Checks the dim of a tensor to be indexed along it. */
static int check_indexed(mn_infer *x, const mn_array *in, int64_t *dim) {
  if (in->ndim == 0) return mn_fail(x, "expected a tensor with at least 1 dim, got one with 0");
  return mn_check_dim(x, dim, in->ndim);
}

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
  mn_index_select_attrs *a = (mn_index_select_attrs *)x->attrs;
  const mn_array *in = like_input(x), *index = mn_arr(x->in[1]);
  if (check_indexed(x, in, &a->dim) || check_vector(x, index)) return -1;
  x->out[0]->size[a->dim] = index->numel;
  return 0;
}

void mn_vjp_index_select(mn_rule *r) {
  if (!mn_need(r, 0)) return;
  const mn_index_select_attrs *a = (const mn_index_select_attrs *)mn_rule_attrs(r);
  mn_context *ctx = mn_rule_ctx(r);
  mn_index_add_attrs to = {.dim = a->dim, .alpha = 1, .index_base = a->index_base};
  mn_tensor *zeros = mn_zeros(ctx, mn_in_shape(r, 0), mn_in_dtype(r, 0));
  mn_give(r, 0, mn_index_add(ctx, zeros, mn_saved_in(r, 1), mn_grad(r, 0), &to));
}

int mn_infer_index_add(mn_infer *x) {
  mn_index_add_attrs *a = (mn_index_add_attrs *)x->attrs;
  const mn_array *in = like_input(x), *index = mn_arr(x->in[1]), *source = mn_arr(x->in[2]);
  if (check_indexed(x, in, &a->dim) || check_vector(x, index) || check_dtype(x, source, in) ||
      mn_check_number(x, in->dtype, "factor alpha", a->alpha))
    return -1;
  mn_list want = mn_shape_list(x->in[0]);
  char got[128], text[128];
  want.v[a->dim] = index->numel;
  bool fits = source->ndim == in->ndim;
  for (int d = 0; d < in->ndim && fits; d++) fits = source->size[d] == want.v[d];
  if (fits) return 0;
  return mn_fail(x, "expected a source of size %s, got %s", mn_list_text(&want, text),
                 mn_shape_text(source, got));
}

void mn_vjp_index_add(mn_rule *r) {
  const mn_index_add_attrs *a = (const mn_index_add_attrs *)mn_rule_attrs(r);
  mn_context *ctx = mn_rule_ctx(r);
  if (mn_need(r, 0)) mn_give(r, 0, mn_grad(r, 0));
  if (!mn_need(r, 2)) return;
  mn_index_select_attrs from = {.dim = a->dim, .index_base = a->index_base};
  mn_tensor *grad = mn_index_select(ctx, mn_grad(r, 0), mn_saved_in(r, 1), &from);
  mn_give(r, 2, a->alpha == 1 ? grad : mn_mul_number(ctx, grad, a->alpha));
}

/* ---- gather and scatter ---- */

/* Does index fit beside a tensor: as many dims, and nowhere larger (but along dim, if that is not -1)? */
static int check_beside(mn_infer *x, const mn_array *index, const mn_array *t, int64_t dim,
                        const char *name) {
  char size[128], text[128];
  bool fits = index->ndim == t->ndim;
  for (int d = 0; d < t->ndim && fits; d++) fits = d == dim || index->size[d] <= t->size[d];
  if (fits) return 0;
  return mn_fail(x, "an index of size %s does not fit %s of size %s", mn_shape_text(index, size), name,
                 mn_shape_text(t, text));
}

int mn_infer_gather(mn_infer *x) {
  mn_gather_attrs *a = (mn_gather_attrs *)x->attrs;
  const mn_array *in = mn_arr(x->in[0]), *index = mn_arr(x->in[1]);
  if (check_indexed(x, in, &a->dim) || check_index(x, index)) return -1;
  if (check_beside(x, index, in, a->dim, "input")) return -1;
  mn_same_shape(x->out[0], index);
  x->out[0]->dtype = in->dtype;
  return 0;
}

void mn_vjp_gather(mn_rule *r) {
  if (!mn_need(r, 0)) return;
  const mn_gather_attrs *a = (const mn_gather_attrs *)mn_rule_attrs(r);
  mn_context *ctx = mn_rule_ctx(r);
  mn_scatter_add_attrs to = {.dim = a->dim, .index_base = a->index_base};
  mn_tensor *zeros = mn_zeros(ctx, mn_in_shape(r, 0), mn_in_dtype(r, 0));
  mn_give(r, 0, mn_scatter_add(ctx, zeros, mn_saved_in(r, 1), mn_grad(r, 0), &to));
}

int mn_infer_scatter(mn_infer *x) {
  mn_scatter_attrs *a = (mn_scatter_attrs *)x->attrs;
  const mn_array *in = like_input(x), *index = mn_arr(x->in[1]), *source = mn_arr(x->in[2]);
  if (check_indexed(x, in, &a->dim) || check_index(x, index) || check_dtype(x, source, in)) return -1;
  if (check_beside(x, index, in, a->dim, "input")) return -1;
  return source->ndim == 0 ? 0 : check_beside(x, index, source, -1, "a source");
}

/* The gradient of scatter's source: what stands where its elements went; zero for those that index doesn't
 * reach. */
static void give_source(mn_rule *r, int64_t dim, int64_t index_base) {
  mn_context *ctx = mn_rule_ctx(r);
  mn_tensor *index = mn_saved_in(r, 1);
  if (!index) return;
  mn_gather_attrs from = {.dim = dim, .index_base = index_base};
  mn_tensor *grad = mn_gather(ctx, mn_grad(r, 0), index, &from);
  mn_list have = mn_shape_list(index), want = mn_in_shape(r, 2);
  mn_pad_attrs pad = {.before = {.n = have.n}, .after = {.n = have.n}, .value = 0};
  bool larger = false;
  for (int d = 0; d < want.n; d++) {
    pad.after.v[d] = want.v[d] - have.v[d];
    larger |= pad.after.v[d] > 0;
  }
  mn_give(r, 2, larger ? mn_pad(ctx, grad, &pad) : grad);
}

void mn_vjp_scatter(mn_rule *r) {
  const mn_scatter_attrs *a = (const mn_scatter_attrs *)mn_rule_attrs(r);
  mn_context *ctx = mn_rule_ctx(r);
  if (mn_need(r, 0)) {
    mn_tensor *zero = mn_zeros(ctx, (mn_list){.n = 0}, mn_in_dtype(r, 0));
    mn_give(r, 0, mn_scatter(ctx, mn_grad(r, 0), mn_saved_in(r, 1), zero, a));
  }
  if (mn_need(r, 2)) give_source(r, a->dim, a->index_base);
}

void mn_vjp_scatter_add(mn_rule *r) {
  const mn_scatter_add_attrs *a = (const mn_scatter_add_attrs *)mn_rule_attrs(r);
  if (mn_need(r, 0)) mn_give(r, 0, mn_grad(r, 0));
  if (mn_need(r, 2)) give_source(r, a->dim, a->index_base);
}

/* ---- index and index_put ---- */

/* The shape of input[indices]: the indices, broadcast, take the place of the dims that they index if those
 * are adjacent, and come first otherwise. */
static int indexed_shape(mn_infer *x, int first, mn_array *out) {
  const mn_array *in = mn_arr(x->in[0]), *arrays[MN_MAX_DIMS];
  int n = x->n_in - first, low = -1, high = -1, count = 0;
  if (n < 1) return mn_fail(x, "expected at least one index tensor");
  if (n > in->ndim) return mn_fail(x, "%d indices are too many for a tensor with %d dims", n, in->ndim);
  for (int i = 0; i < n; i++) {
    arrays[i] = x->in[first + i] == MN_NONE ? NULL : mn_arr(x->in[first + i]);
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
  x->out[0]->dtype = mn_arr(x->in[0])->dtype;
  return indexed_shape(x, 1, x->out[0]);
}

void mn_vjp_index(mn_rule *r) {
  if (!mn_need(r, 0)) return;
  mn_context *ctx = mn_rule_ctx(r);
  int n = mn_rule_inputs(r);
  mn_tensor *all[MN_MAX_DIMS + 2] = {mn_zeros(ctx, mn_in_shape(r, 0), mn_in_dtype(r, 0)), mn_grad(r, 0)};
  for (int i = 1; i < n; i++) all[i + 1] = mn_saved_in(r, i);
  mn_index_put_attrs to = {.accumulate = 1,
                           .index_base = ((const mn_index_attrs *)mn_rule_attrs(r))->index_base};
  mn_give(r, 0, mn_index_put(ctx, n + 1, all, &to));
}

int mn_infer_index_put(mn_infer *x) {
  const mn_array *in = like_input(x);
  if (x->n_in < 3 || x->in[1] == MN_NONE)
    return mn_fail(x, "expected a tensor, values and at least one index tensor");
  const mn_array *values = mn_arr(x->in[1]);
  mn_array place = {0};
  if (check_dtype(x, values, in) || indexed_shape(x, 2, &place)) return -1;
  char want[128], got[128];
  int lead = place.ndim - values->ndim;
  bool fits = lead >= 0;
  for (int d = 0; d < values->ndim && fits; d++)
    fits = values->size[d] == 1 || values->size[d] == place.size[d + lead];
  if (fits) return 0;
  return mn_fail(x, "values of size %s do not broadcast to the indexed size %s", mn_shape_text(values, got),
                 mn_shape_text(&place, want));
}

void mn_vjp_index_put(mn_rule *r) {
  const mn_index_put_attrs *a = (const mn_index_put_attrs *)mn_rule_attrs(r);
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
  all[1] = mn_grad(r, 0);
  mn_give(r, 1, mn_index(ctx, n - 1, all + 1, &(mn_index_attrs){.index_base = a->index_base}));
}

/* ---- positions, classes, counts ---- */

int mn_infer_nonzero(mn_infer *x) {
  const mn_array *in = mn_arr(x->in[0]);
  mn_array *out = x->out[0];
  out->dtype = MN_INT64;
  out->ndim = 2;
  out->size[0] = mn_count_nonzero(in);
  out->size[1] = in->ndim;
  return 0;
}

int mn_infer_one_hot(mn_infer *x) {
  mn_one_hot_attrs *a = (mn_one_hot_attrs *)x->attrs;
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
  mn_bincount_attrs *a = (mn_bincount_attrs *)x->attrs;
  const mn_array *in = mn_arr(x->in[0]), *weights = x->in[1] == MN_NONE ? NULL : mn_arr(x->in[1]);
  mn_array *out = x->out[0];
  char text[128];
  if (in->ndim != 1) return mn_fail(x, "expected a tensor with 1 dim, got size %s", mn_shape_text(in, text));
  if (check_index(x, in)) return -1;
  if (a->minlength < 0)
    return mn_fail(x, "minlength must not be negative, got %lld", (long long)a->minlength);
  if (weights && (weights->ndim != 1 || weights->numel != in->numel))
    return mn_fail(x, "expected as many weights as elements, %lld, got size %s", (long long)in->numel,
                   mn_shape_text(weights, text));
  int64_t last = mn_largest_index(in);
  out->dtype = !weights ? MN_INT64 : weights->dtype == MN_FLOAT32 ? MN_FLOAT32 : MN_FLOAT64;
  out->ndim = 1;
  out->size[0] = last - a->index_base + 1 > a->minlength ? last - a->index_base + 1 : a->minlength;
  return 0;
}
