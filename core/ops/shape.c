/* shape.c: shape and derivative rules of views and of rows that move elements about, and of creation. A
 * view's rule also gives strides and data. Runs no kernels and reads no data. */
#include "ops/prototypes.h"
#include "ops/shape.h"

/* ---- helpers ---- */

static const mn_array *as_view(mn_infer *x) {
  const mn_array *in = x->in[0];
  mn_array *out = x->out[0];
  out->dtype = in->dtype;
  out->data = in->data;
  out->ndim = in->ndim;
  for (int d = 0; d < in->ndim; d++) out->size[d] = in->size[d], out->stride[d] = in->stride[d];
  return in;
}

static const mn_array *like_input(mn_infer *x) {
  const mn_array *in = x->in[0];
  mn_same_shape(x->out[0], in);
  x->out[0]->dtype = in->dtype;
  return in;
}

/* Moves a view's first element; an empty one has none to move to. */
static void move_data(mn_array *out, int64_t elements) {
  for (int d = 0; d < out->ndim; d++)
    if (out->size[d] == 0) return;
  out->data = (char *)out->data + elements * (int64_t)mn_dtype_size(out->dtype);
}

static int check_has_dims(mn_infer *x, const mn_array *in, int least) {
  if (in->ndim >= least) return 0;
  return mn_fail(x, "expected a tensor with at least %d dim%s, got one with %d", least, least == 1 ? "" : "s",
                 in->ndim);
}

static int check_length(mn_infer *x, const char *name, const mn_list *list, int64_t n) {
  if (list->n == n) return 0;
  return mn_fail(x, "%s must have %lld entries, one per dim, got %lld", name, (long long)n,
                 (long long)list->n);
}

static int check_sizes(mn_infer *x, const mn_list *size) {
  char text[128];
  for (int64_t d = 0; d < size->n; d++)
    if (size->v[d] < 0) return mn_fail(x, "size %s has a negative entry", mn_list_text(size, text));
  return 0;
}

static void set_size(mn_array *out, const mn_list *size) {
  out->ndim = (int32_t)size->n;
  for (int d = 0; d < out->ndim; d++) out->size[d] = size->v[d];
}

/* ---- views ---- */

int mn_infer_detach(mn_infer *x) { return as_view(x), 0; }

static int resolve_size(mn_infer *x, mn_list *size, int64_t numel) {
  char text[128];
  int unknown = -1, overflow = 0;
  int64_t product = 1;
  for (int d = 0; d < size->n; d++) {
    if (size->v[d] == -1 && unknown < 0) unknown = d;
    else if (size->v[d] < 0) return mn_fail(x, "size %s: only one entry may be -1", mn_list_text(size, text));
    else overflow |= __builtin_mul_overflow(product, size->v[d], &product);
  }
  if (unknown >= 0 && !overflow && product > 0 && numel % product == 0) {
    size->v[unknown] = numel / product;
    return 0;
  }
  if (unknown < 0 && !overflow && product == numel) return 0;
  return mn_fail(x, "size %s doesn't fit a tensor of %lld elements", mn_list_text(size, text),
                 (long long)numel);
}

/* Of a tensor without elements the sizes have no bound, and strides no meaning: they may wrap round. */
static void dense_strides(mn_array *out) {
  uint64_t step = 1;
  for (int d = out->ndim - 1; d >= 0; d--) {
    out->stride[d] = (int64_t)step;
    step *= out->size[d] > 0 ? (uint64_t)out->size[d] : 1;
  }
}

/* Strides of out, of the same number of elements, over in's data; false where its layout doesn't allow it.
 * Runs of in's dims whose elements lie evenly are matched, from the last one, with the dims of out that fill
 * them. */
bool mn_view_strides(mn_array *out, const mn_array *in) {
  int to = out->ndim - 1;
  int64_t run = 1, filled = 1;
  if (in->ndim == 0) return dense_strides(out), true;
  int64_t step = in->stride[in->ndim - 1];
  for (int d = in->ndim - 1; d >= 0; d--) {
    run *= in->size[d];
    bool ends = d == 0 || (in->size[d - 1] != 1 && in->stride[d - 1] != run * step);
    if (!ends) continue;
    while (to >= 0 && (filled < run || out->size[to] == 1)) {
      out->stride[to] = filled * step;
      filled *= out->size[to--];
    }
    if (filled != run) return false;
    if (d > 0) step = in->stride[d - 1], run = filled = 1;
  }
  return to < 0;
}

int mn_infer_view(mn_infer *x) {
  mn_view_attrs *a = mn_view_given(x);
  const mn_array *in = x->in[0];
  mn_array *out = x->out[0];
  if (resolve_size(x, &a->size, in->numel)) return -1;
  out->dtype = in->dtype;
  out->data = in->data;
  set_size(out, &a->size);
  if (in->numel == 0 || in->contiguous) return dense_strides(out), 0;
  if (mn_view_strides(out, in)) return 0;
  char text[128], shape[128];
  return mn_fail(x, "the layout of this tensor of size %s doesn't allow a view of size %s, use reshape",
                 mn_shape_text(in, shape), mn_list_text(&a->size, text));
}

void mn_vjp_view(mn_rule *r) { mn_give(r, 0, mn_reshape(mn_rule_ctx(r), mn_grad(r, 0), mn_in_shape(r, 0))); }
/* A tangent may have another layout than the input had. */
void mn_jvp_view(mn_rule *r) {
  mn_push(r, 0, mn_reshape(mn_rule_ctx(r), mn_tangent(r, 0), mn_out_shape(r, 0)));
}

int mn_infer_transpose(mn_infer *x) {
  mn_transpose_attrs *a = mn_transpose_given(x);
  const mn_array *in = as_view(x);
  if (mn_check_dim(x, &a->dim0, in->ndim) || mn_check_dim(x, &a->dim1, in->ndim)) return -1;
  if (in->ndim == 0) return 0;
  mn_array *out = x->out[0];
  out->size[a->dim0] = in->size[a->dim1], out->stride[a->dim0] = in->stride[a->dim1];
  out->size[a->dim1] = in->size[a->dim0], out->stride[a->dim1] = in->stride[a->dim0];
  return 0;
}

void mn_vjp_transpose(mn_rule *r) {
  mn_give(r, 0, mn_transpose(mn_rule_ctx(r), mn_grad(r, 0), mn_transpose_kept(r)));
}

int mn_infer_permute(mn_infer *x) {
  mn_permute_attrs *a = mn_permute_given(x);
  const mn_array *in = as_view(x);
  if (check_length(x, "dims", &a->dims, in->ndim)) return -1;
  if (mn_check_dims(x, &a->dims, in->ndim)) return -1;
  for (int d = 0; d < in->ndim; d++) {
    x->out[0]->size[d] = in->size[a->dims.v[d]];
    x->out[0]->stride[d] = in->stride[a->dims.v[d]];
  }
  return 0;
}

void mn_vjp_permute(mn_rule *r) {
  const mn_permute_attrs *a = mn_permute_kept(r);
  mn_permute_attrs inverse = {.dims = {.n = a->dims.n}};
  for (int d = 0; d < a->dims.n; d++) inverse.dims.v[a->dims.v[d]] = d;
  mn_give(r, 0, mn_permute(mn_rule_ctx(r), mn_grad(r, 0), &inverse));
}

int mn_infer_expand(mn_infer *x) {
  mn_expand_attrs *a = mn_expand_given(x);
  const mn_array *in = as_view(x);
  mn_array *out = x->out[0];
  char text[128], shape[128];
  int64_t lead = a->size.n - in->ndim;
  if (lead < 0)
    return mn_fail(x, "size %s has fewer dims than the tensor, of size %s", mn_list_text(&a->size, text),
                   mn_shape_text(in, shape));
  for (int64_t d = 0; d < a->size.n; d++) {
    int64_t *size = &a->size.v[d], have = d < lead ? 1 : in->size[d - lead];
    if (*size == -1 && d >= lead) *size = have;
    if (*size < 0 || (have != 1 && *size != have))
      return mn_fail(x, "a tensor of size %s can't be expanded to %s", mn_shape_text(in, shape),
                     mn_list_text(&a->size, text));
    out->stride[d] = have == *size && d >= lead ? in->stride[d - lead] : 0;
  }
  set_size(out, &a->size);
  return 0;
}

void mn_vjp_expand(mn_rule *r) {
  mn_sum_to_attrs a = {.size = mn_in_shape(r, 0)};
  mn_give(r, 0, mn_sum_to(mn_rule_ctx(r), mn_grad(r, 0), &a));
}

int mn_infer_squeeze(mn_infer *x) {
  mn_squeeze_attrs *a = mn_squeeze_given(x);
  const mn_array *in = as_view(x);
  mn_array *out = x->out[0];
  if (mn_check_dims(x, &a->dim, in->ndim)) return -1;
  unsigned drop = 0;
  for (int64_t i = 0; i < a->dim.n; i++) drop |= 1u << a->dim.v[i];
  out->ndim = 0;
  for (int d = 0; d < in->ndim; d++) {
    if (drop >> d & 1 && in->size[d] == 1) continue;
    out->size[out->ndim] = in->size[d];
    out->stride[out->ndim++] = in->stride[d];
  }
  return 0;
}

/* Inserts a dim of that size and stride; 0, or -1 when there are too many. */
static int insert_dim(mn_infer *x, int64_t dim, int64_t size, int64_t stride) {
  mn_array *out = x->out[0];
  if (out->ndim == MN_MAX_DIMS) return mn_fail(x, "a tensor has at most %d dims", MN_MAX_DIMS);
  for (int d = out->ndim++; d > dim; d--)
    out->size[d] = out->size[d - 1], out->stride[d] = out->stride[d - 1];
  out->size[dim] = size, out->stride[dim] = stride;
  return 0;
}

static void remove_dim(mn_array *out, int64_t dim) {
  out->ndim--;
  for (int64_t d = dim; d < out->ndim; d++)
    out->size[d] = out->size[d + 1], out->stride[d] = out->stride[d + 1];
}

int mn_infer_unsqueeze(mn_infer *x) {
  mn_unsqueeze_attrs *a = mn_unsqueeze_given(x);
  const mn_array *in = as_view(x);
  if (mn_check_dim(x, &a->dim, in->ndim + 1)) return -1;
  return insert_dim(x, a->dim, 1, a->dim < in->ndim ? in->size[a->dim] * in->stride[a->dim] : 1);
}

int mn_infer_select(mn_infer *x) {
  mn_select_attrs *a = mn_select_given(x);
  const mn_array *in = as_view(x);
  mn_array *out = x->out[0];
  if (check_has_dims(x, in, 1) || mn_check_dim(x, &a->dim, in->ndim)) return -1;
  int64_t size = in->size[a->dim], base = mn_index_base_of_user(x->ctx);
  int64_t index = a->index < 0 ? a->index + size : a->index;
  if (index < 0 || index >= size)
    return mn_fail(x, "index %lld is out of range %lld..%lld (dim %lld has size %lld)",
                   (long long)(a->index < 0 ? a->index : a->index + base), (long long)base,
                   (long long)(size - 1 + base), (long long)(a->dim + base), (long long)size);
  a->index = index;
  int64_t stride = out->stride[a->dim];
  remove_dim(out, a->dim);
  move_data(out, index * stride);
  return 0;
}

void mn_vjp_select(mn_rule *r) {
  const mn_select_attrs *a = mn_select_kept(r);
  mn_context *ctx = mn_rule_ctx(r);
  mn_tensor *grad = mn_unsqueeze(ctx, mn_grad(r, 0), &(mn_unsqueeze_attrs){.dim = a->dim});
  mn_unslice_attrs to = {.dim = a->dim, .start = a->index, .size = mn_in_shape(r, 0).v[a->dim], .step = 1};
  mn_give(r, 0, mn_unslice(ctx, grad, &to));
}

/* Do start, start + step, ... (length of them) lie in a dim of that size? Makes start nonnegative. */
static int check_range(mn_infer *x, int64_t dim, int64_t *start, int64_t length, int64_t step, int64_t size) {
  int64_t base = mn_index_base_of_user(x->ctx), first = *start < 0 ? *start + size : *start;
  if (step < 1) return mn_fail(x, "step must be at least 1, got %lld", (long long)step);
  if (length < 0) return mn_fail(x, "length must not be negative, got %lld", (long long)length);
  bool fits = first >= 0 && first <= size &&
              (length == 0 || (first < size && length - 1 <= (size - 1 - first) / step));
  if (!fits)
    return mn_fail(x, "%lld elements from %lld by %lld don't fit in dim %lld of size %lld", (long long)length,
                   (long long)(*start < 0 ? *start : *start + base), (long long)step, (long long)(dim + base),
                   (long long)size);
  *start = first;
  return 0;
}

int mn_infer_slice(mn_infer *x) {
  mn_slice_attrs *a = mn_slice_given(x);
  const mn_array *in = as_view(x);
  mn_array *out = x->out[0];
  if (check_has_dims(x, in, 1) || mn_check_dim(x, &a->dim, in->ndim)) return -1;
  if (check_range(x, a->dim, &a->start, a->length, a->step, in->size[a->dim])) return -1;
  out->size[a->dim] = a->length;
  /* With one element or none any step fits, also one whose product with the stride overflows. */
  if (a->length > 1) out->stride[a->dim] *= a->step;
  move_data(out, a->start * in->stride[a->dim]);
  return 0;
}

void mn_vjp_slice(mn_rule *r) {
  const mn_slice_attrs *a = mn_slice_kept(r);
  mn_unslice_attrs to = {
      .dim = a->dim, .start = a->start, .size = mn_in_shape(r, 0).v[a->dim], .step = a->step};
  mn_give(r, 0, mn_unslice(mn_rule_ctx(r), mn_grad(r, 0), &to));
}

int mn_infer_unslice(mn_infer *x) {
  mn_unslice_attrs *a = mn_unslice_given(x);
  const mn_array *in = like_input(x);
  if (check_has_dims(x, in, 1) || mn_check_dim(x, &a->dim, in->ndim)) return -1;
  if (a->size < 0) return mn_fail(x, "size must not be negative, got %lld", (long long)a->size);
  if (check_range(x, a->dim, &a->start, in->size[a->dim], a->step, a->size)) return -1;
  x->out[0]->size[a->dim] = a->size;
  return 0;
}

void mn_vjp_unslice(mn_rule *r) {
  const mn_unslice_attrs *a = mn_unslice_kept(r);
  mn_slice_attrs to = {
      .dim = a->dim, .start = a->start, .length = mn_in_shape(r, 0).v[a->dim], .step = a->step};
  mn_give(r, 0, mn_slice(mn_rule_ctx(r), mn_grad(r, 0), &to));
}

static int check_two_dims(mn_infer *x, int64_t *dim1, int64_t *dim2, int ndim) {
  if (mn_check_dim(x, dim1, ndim) || mn_check_dim(x, dim2, ndim)) return -1;
  if (*dim1 != *dim2) return 0;
  return mn_fail(x, "dim1 and dim2 must differ, both are %lld",
                 (long long)(*dim1 + mn_index_base_of_user(x->ctx)));
}

/* How many elements the diagonal of a rows by cols matrix has. */
static int64_t diagonal_length(int64_t rows, int64_t cols, int64_t offset) {
  int64_t down = offset < 0 ? rows + offset : rows, across = offset > 0 ? cols - offset : cols;
  int64_t length = down < across ? down : across;
  return length > 0 ? length : 0;
}

int mn_infer_diagonal(mn_infer *x) {
  mn_diagonal_attrs *a = mn_diagonal_given(x);
  const mn_array *in = as_view(x);
  mn_array *out = x->out[0];
  if (check_has_dims(x, in, 2) || check_two_dims(x, &a->dim1, &a->dim2, in->ndim)) return -1;
  int64_t step1 = in->stride[a->dim1], step2 = in->stride[a->dim2];
  int64_t length = diagonal_length(in->size[a->dim1], in->size[a->dim2], a->offset);
  remove_dim(out, a->dim1 > a->dim2 ? a->dim1 : a->dim2);
  remove_dim(out, a->dim1 > a->dim2 ? a->dim2 : a->dim1);
  insert_dim(x, out->ndim, length, step1 + step2);
  if (length > 0) move_data(out, a->offset < 0 ? -a->offset * step1 : a->offset * step2);
  return 0;
}

void mn_vjp_diagonal(mn_rule *r) {
  const mn_diagonal_attrs *a = mn_diagonal_kept(r);
  mn_undiagonal_attrs to = {.size = mn_in_shape(r, 0), .offset = a->offset, .dim1 = a->dim1, .dim2 = a->dim2};
  mn_give(r, 0, mn_undiagonal(mn_rule_ctx(r), mn_grad(r, 0), &to));
}

int mn_infer_undiagonal(mn_infer *x) {
  mn_undiagonal_attrs *a = mn_undiagonal_given(x);
  const mn_array *in = x->in[0];
  mn_array *out = x->out[0];
  char text[128], shape[128];
  if (a->size.n < 2)
    return mn_fail(x, "size must have at least 2 entries, got %s", mn_list_text(&a->size, text));
  if (check_sizes(x, &a->size) || check_two_dims(x, &a->dim1, &a->dim2, (int)a->size.n)) return -1;
  int at = 0;
  bool fits = in->ndim == a->size.n - 1;
  for (int64_t d = 0; d < a->size.n && fits; d++)
    if (d != a->dim1 && d != a->dim2) fits = in->size[at++] == a->size.v[d];
  fits = fits && in->size[at] == diagonal_length(a->size.v[a->dim1], a->size.v[a->dim2], a->offset);
  if (!fits)
    return mn_fail(x, "input of size %s is not a diagonal of size %s", mn_shape_text(in, shape),
                   mn_list_text(&a->size, text));
  out->dtype = in->dtype;
  set_size(out, &a->size);
  return 0;
}

void mn_vjp_undiagonal(mn_rule *r) {
  const mn_undiagonal_attrs *a = mn_undiagonal_kept(r);
  mn_diagonal_attrs to = {.offset = a->offset, .dim1 = a->dim1, .dim2 = a->dim2};
  mn_give(r, 0, mn_diagonal(mn_rule_ctx(r), mn_grad(r, 0), &to));
}

int mn_infer_unfold(mn_infer *x) {
  mn_unfold_attrs *a = mn_unfold_given(x);
  const mn_array *in = as_view(x);
  if (mn_check_dim(x, &a->dim, in->ndim)) return -1;
  int64_t have = in->ndim ? in->size[a->dim] : 1, base = mn_index_base_of_user(x->ctx);
  if (a->step < 1) return mn_fail(x, "step must be at least 1, got %lld", (long long)a->step);
  if (a->size < 0 || a->size > have)
    return mn_fail(x, "size must be in 0..%lld, the size of dim %lld, got %lld", (long long)have,
                   (long long)(a->dim + base), (long long)a->size);
  if (in->ndim == 0) return insert_dim(x, 0, a->size, 1); /* the only window */
  x->out[0]->size[a->dim] = (have - a->size) / a->step + 1;
  if (x->out[0]->size[a->dim] > 1) x->out[0]->stride[a->dim] *= a->step;
  return insert_dim(x, in->ndim, a->size, in->stride[a->dim]);
}

void mn_vjp_unfold(mn_rule *r) {
  const mn_unfold_attrs *a = mn_unfold_kept(r);
  if (mn_in_shape(r, 0).n == 0) {
    mn_give(r, 0, mn_sum_to(mn_rule_ctx(r), mn_grad(r, 0), &(mn_sum_to_attrs){.size = {.n = 0}}));
    return;
  }
  mn_fold_attrs to = {.dim = a->dim, .length = mn_in_shape(r, 0).v[a->dim], .step = a->step};
  mn_give(r, 0, mn_fold(mn_rule_ctx(r), mn_grad(r, 0), &to));
}

int mn_infer_fold(mn_infer *x) {
  mn_fold_attrs *a = mn_fold_given(x);
  const mn_array *in = like_input(x);
  if (check_has_dims(x, in, 2) || mn_check_dim(x, &a->dim, in->ndim - 1)) return -1;
  if (a->step < 1) return mn_fail(x, "step must be at least 1, got %lld", (long long)a->step);
  int64_t count = in->size[a->dim], size = in->size[in->ndim - 1];
  if (a->length < size || (a->length - size) / a->step + 1 != count)
    return mn_fail(x, "%lld windows of %lld by steps of %lld don't make length %lld", (long long)count,
                   (long long)size, (long long)a->step, (long long)a->length);
  x->out[0]->ndim--;
  x->out[0]->size[a->dim] = a->length;
  return 0;
}

void mn_vjp_fold(mn_rule *r) {
  const mn_fold_attrs *a = mn_fold_kept(r);
  mn_list shape = mn_in_shape(r, 0);
  mn_unfold_attrs to = {.dim = a->dim, .size = shape.v[shape.n - 1], .step = a->step};
  mn_give(r, 0, mn_unfold(mn_rule_ctx(r), mn_grad(r, 0), &to));
}

/* ---- rows that move elements ---- */

/* A 1-dim tensor without elements joins with any: what a loop that collects tensors begins with. */
static bool joins_any(int n, int64_t first_size) { return n == 1 && first_size == 0; }

/* The input whose dims all others must have: the first one that doesn't join with any, if there is one. */
static int cat_model(mn_infer *x) {
  for (int i = 0; i < x->n_in; i++)
    if (!joins_any(x->in[i]->ndim, x->in[i]->size[0])) return i;
  return 0;
}

int mn_infer_cat(mn_infer *x) {
  mn_cat_attrs *a = mn_cat_given(x);
  for (int i = 0; i < x->n_in; i++)
    if (!x->in[i]) return mn_fail(x, "input %d is absent", i + 1);
  int at = cat_model(x);
  const mn_array *model = x->in[at];
  mn_array *out = x->out[0];
  char want[128], got[128];
  mn_same_shape(out, model);
  out->dtype = model->dtype;
  if (model->ndim == 0) return mn_fail(x, "0-dim tensors can't be concatenated, use stack");
  if (mn_check_dim(x, &a->dim, model->ndim)) return -1;
  for (int i = 0; i < x->n_in; i++) {
    const mn_array *in = x->in[i];
    if (i == at || joins_any(in->ndim, in->size[0])) continue;
    bool fits = in->ndim == model->ndim;
    for (int d = 0; d < model->ndim && fits; d++) fits = d == a->dim || in->size[d] == model->size[d];
    if (!fits)
      return mn_fail(x, "tensor %d of size %s doesn't fit the first one's %s outside of dim %lld", i + 1,
                     mn_shape_text(in, got), mn_shape_text(model, want),
                     (long long)(a->dim + mn_index_base_of_user(x->ctx)));
    out->size[a->dim] += in->size[a->dim];
  }
  return 0;
}

void mn_vjp_cat(mn_rule *r) {
  const mn_cat_attrs *a = mn_cat_kept(r);
  int64_t at = 0;
  for (int i = 0; i < mn_rule_inputs(r); i++) {
    mn_list size = mn_in_shape(r, i);
    bool empty = joins_any((int)size.n, size.v[0]);
    mn_slice_attrs part = {.dim = a->dim, .start = at, .length = empty ? 0 : size.v[a->dim], .step = 1};
    at += part.length;
    if (!mn_need(r, i)) continue;
    if (empty) mn_give(r, i, mn_zeros(mn_rule_ctx(r), size, mn_in_dtype(r, i)));
    else mn_give(r, i, mn_slice(mn_rule_ctx(r), mn_grad(r, 0), &part));
  }
}

int mn_infer_flip(mn_infer *x) { return mn_check_dims(x, &mn_flip_given(x)->dims, like_input(x)->ndim); }

void mn_vjp_flip(mn_rule *r) { mn_give(r, 0, mn_flip(mn_rule_ctx(r), mn_grad(r, 0), mn_flip_kept(r))); }

int mn_infer_roll(mn_infer *x) {
  mn_roll_attrs *a = mn_roll_given(x);
  const mn_array *in = like_input(x);
  if (a->shifts.n != a->dims.n)
    return mn_fail(x, "expected a shift for each dim, got %lld shifts and %lld dims", (long long)a->shifts.n,
                   (long long)a->dims.n);
  if (mn_check_dims(x, &a->dims, in->ndim)) return -1;
  a->shifts.n = a->dims.n;
  for (int i = 0; i < a->dims.n; i++) {
    int64_t size = in->size[a->dims.v[i]];
    int64_t shift = size > 0 ? a->shifts.v[i] % size : 0;
    a->shifts.v[i] = shift < 0 ? shift + size : shift;
  }
  return 0;
}

void mn_vjp_roll(mn_rule *r) {
  mn_roll_attrs back = *mn_roll_kept(r);
  for (int i = 0; i < back.shifts.n; i++) back.shifts.v[i] = -back.shifts.v[i];
  mn_give(r, 0, mn_roll(mn_rule_ctx(r), mn_grad(r, 0), &back));
}

int mn_infer_pad(mn_infer *x) {
  mn_pad_attrs *a = mn_pad_given(x);
  const mn_array *in = like_input(x);
  mn_array *out = x->out[0];
  if (check_length(x, "before", &a->before, in->ndim) || check_length(x, "after", &a->after, in->ndim) ||
      mn_check_number(x, in->dtype, "value", a->value))
    return -1;
  for (int d = 0; d < in->ndim; d++) {
    int64_t before = a->before.v[d], after = a->after.v[d];
    bool huge = before > INT64_MAX / 4 || after > INT64_MAX / 4;
    if (huge || before < -INT64_MAX / 4 || after < -INT64_MAX / 4 || in->size[d] + before + after < 0)
      return mn_fail(x, "padding dim %lld of size %lld by %lld and %lld is impossible",
                     (long long)(d + mn_index_base_of_user(x->ctx)), (long long)in->size[d],
                     (long long)before, (long long)after);
    out->size[d] = in->size[d] + before + after;
  }
  return 0;
}

void mn_vjp_pad(mn_rule *r) {
  mn_pad_attrs crop = *mn_pad_kept(r);
  for (int d = 0; d < crop.before.n; d++) {
    crop.before.v[d] = -crop.before.v[d];
    crop.after.v[d] = -crop.after.v[d];
  }
  crop.value = 0;
  mn_give(r, 0, mn_pad(mn_rule_ctx(r), mn_grad(r, 0), &crop));
}

/* What is added around is a constant. */
void mn_jvp_pad(mn_rule *r) {
  mn_pad_attrs with_zeros = *mn_pad_kept(r);
  with_zeros.value = 0;
  mn_push(r, 0, mn_pad(mn_rule_ctx(r), mn_tangent(r, 0), &with_zeros));
}

int mn_infer_tril(mn_infer *x) { return check_has_dims(x, like_input(x), 2); }

void mn_vjp_tril(mn_rule *r) { mn_give(r, 0, mn_tril(mn_rule_ctx(r), mn_grad(r, 0), mn_tril_kept(r))); }

void mn_vjp_triu(mn_rule *r) { mn_give(r, 0, mn_triu(mn_rule_ctx(r), mn_grad(r, 0), mn_triu_kept(r))); }

int mn_infer_transfer(mn_infer *x) {
  int64_t device = mn_transfer_given(x)->device;
  like_input(x);
  x->out[0]->device = (int32_t)device;
  return mn_check_device(x, device);
}

void mn_vjp_transfer(mn_rule *r) {
  mn_give(r, 0, mn_transfer(mn_rule_ctx(r), mn_grad(r, 0), &(mn_transfer_attrs){mn_in_device(r, 0)}));
}

/* Does source broadcast to n sizes? */
static int check_source(mn_infer *x, const mn_array *source, int n, const int64_t *size) {
  int lead = n - source->ndim;
  bool fits = lead >= 0;
  for (int d = 0; d < source->ndim && fits; d++)
    fits = source->size[d] == 1 || source->size[d] == size[d + lead];
  if (fits) return 0;
  mn_list want = {.n = n};
  char got[128], text[128];
  for (int d = 0; d < n; d++) want.v[d] = size[d];
  return mn_fail(x, "source of size %s doesn't broadcast to size %s", mn_shape_text(source, got),
                 mn_list_text(&want, text));
}

int mn_infer_assign(mn_infer *x) {
  const mn_array *in = like_input(x);
  return check_source(x, x->in[1], in->ndim, in->size);
}

void mn_vjp_assign(mn_rule *r) {
  if (mn_need(r, 1)) mn_give(r, 1, mn_grad(r, 0));
}

int mn_infer_region_put(mn_infer *x) {
  mn_region_put_attrs *a = mn_region_put_given(x);
  const mn_array *in = like_input(x);
  if (check_length(x, "start", &a->start, in->ndim) || check_length(x, "size", &a->size, in->ndim) ||
      check_length(x, "step", &a->step, in->ndim))
    return -1;
  for (int d = 0; d < in->ndim; d++)
    if (check_range(x, d, &a->start.v[d], a->size.v[d], a->step.v[d], in->size[d])) return -1;
  return check_source(x, x->in[1], in->ndim, a->size.v);
}

void mn_vjp_region_put(mn_rule *r) {
  const mn_region_put_attrs *a = mn_region_put_kept(r);
  mn_context *ctx = mn_rule_ctx(r);
  mn_tensor *grad = mn_grad(r, 0);
  if (mn_need(r, 0)) {
    mn_tensor *zero = mn_zeros(ctx, (mn_list){.n = 0}, mn_in_dtype(r, 0));
    mn_give(r, 0, mn_region_put(ctx, grad, zero, a));
  }
  if (!mn_need(r, 1)) return;
  for (int d = 0; d < a->start.n; d++) {
    mn_slice_attrs part = {.dim = d, .start = a->start.v[d], .length = a->size.v[d], .step = a->step.v[d]};
    if (part.length != mn_in_shape(r, 0).v[d]) grad = mn_slice(ctx, grad, &part);
  }
  mn_give(r, 1, grad);
}
