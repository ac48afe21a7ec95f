/* linalg.c: shape and derivative rules of matrix products. It runs no kernels and reads no data. */
#include "ops/matrices.h"
#include "ops/prototypes.h"
#include <stdio.h>

/* "(10 x 40)" */
static const char *matrix_text(int64_t rows, int64_t cols, char buf[64]) {
  snprintf(buf, 64, "(%lld x %lld)", (long long)rows, (long long)cols);
  return buf;
}

int mn_matrix_shape(const mn_infer *x, const mn_array *a, const mn_array *b, int64_t rows, int64_t cols,
                    mn_array *out) {
  char left[128], right[128];
  int na = a->ndim - 2, nb = b->ndim - 2, n = na > nb ? na : nb;
  for (int d = 0; d < n; d++) {
    int64_t p = d < n - na ? 1 : a->size[d - n + na], q = d < n - nb ? 1 : b->size[d - n + nb];
    if (p != q && p != 1 && q != 1)
      return mn_fail(x, "the batch dims (all but the last two) don't broadcast, %s and %s",
                     mn_shape_text(a, left), mn_shape_text(b, right));
    out->size[d] = p == 1 ? q : p;
  }
  out->ndim = n + 2;
  out->dtype = a->dtype;
  out->size[n] = rows, out->size[n + 1] = cols;
  return 0;
}

int mn_infer_matmul(mn_infer *x) {
  const mn_matmul_attrs *t = mn_matmul_given(x);
  const mn_array *a = x->in[0], *b = x->in[1];
  char left[64], right[64];
  if (a->ndim < 2 || b->ndim < 2)
    return mn_fail(x, "expected tensors of at least 2 dims, got %d and %d", a->ndim, b->ndim);
  if (a->dtype == MN_BOOL || a->dtype == MN_FLOAT16 || a->dtype == MN_BFLOAT16)
    return mn_fail(x, "%s", mn_undefined_for(a->dtype, (char[MN_UNDEFINED_TEXT]){0}));
  int ta = t->transpose_input != 0, tb = t->transpose_other != 0;
  int64_t m = a->size[a->ndim - 2 + ta], k = a->size[a->ndim - 1 - ta];
  int64_t n = b->size[b->ndim - 1 - tb], depth = b->size[b->ndim - 2 + tb];
  if (k != depth)
    return mn_fail(x, "size mismatch, %s and %s", matrix_text(m, k, left), matrix_text(depth, n, right));
  return mn_matrix_shape(x, a, b, m, n, x->out[0]);
}

static mn_tensor *product(mn_rule *r, mn_tensor *a, mn_tensor *b, int ta, int tb) {
  return mn_matmul(mn_rule_ctx(r), a, b, &(mn_matmul_attrs){ta, tb});
}

/* t as a matrix with its last dim as columns. */
static mn_tensor *flat(mn_rule *r, mn_tensor *t, int64_t cols) {
  if (!t || mn_arr(t)->ndim == 2) return t;
  int64_t rows = 1;
  for (int d = 0; d < mn_arr(t)->ndim - 1; d++) rows *= mn_arr(t)->size[d];
  return mn_reshape(mn_rule_ctx(r), t, (mn_list){2, {rows, cols}});
}

/* With y = op(a) op(b): the gradient of op(a) is g op(b)^T and that of op(b) is op(a)^T g; transposed ones
 * are formed as the transposed product. A matrix b that stands beside a batch gets its sum over the batch in
 * one product. */
void mn_vjp_matmul(mn_rule *r) {
  const mn_matmul_attrs *t = mn_matmul_kept(r);
  mn_tensor *a = mn_saved_in(r, 0), *b = mn_saved_in(r, 1), *g = mn_grad(r, 0);
  int ta = t->transpose_input != 0, tb = t->transpose_other != 0;
  if (mn_need(r, 0)) mn_give(r, 0, ta ? product(r, b, g, tb, 1) : product(r, g, b, 0, !tb));
  if (!mn_need(r, 1)) return;
  mn_list shape = mn_in_shape(r, 0), other = mn_in_shape(r, 1);
  if (!ta && shape.n > 2 && other.n == 2)
    a = flat(r, a, shape.v[shape.n - 1]), g = flat(r, g, other.v[tb ? 0 : 1]);
  mn_give(r, 1, tb ? product(r, g, a, 1, ta) : product(r, a, g, !ta, 0));
}

int mn_infer_linear(mn_infer *x) {
  const mn_array *in = x->in[0], *w = x->in[1], *out = x->out[0];
  char left[128], right[128];
  if (w->ndim != 2) return mn_fail(x, "weight must have 2 dims, got %s", mn_shape_text(w, left));
  if (in->ndim < 1 || in->size[in->ndim - 1] != w->size[1])
    return mn_fail(x, "size mismatch, input %s and weight %s, whose columns go with the input's last dim",
                   mn_shape_text(in, left), mn_shape_text(w, right));
  if (in->dtype != w->dtype)
    return mn_fail(x, "input is %s but weight is %s", mn_dtype_name(in->dtype), mn_dtype_name(w->dtype));
  if (in->dtype != MN_FLOAT32 && in->dtype != MN_FLOAT64)
    return mn_fail(x, "expected float32 or float64, got %s", mn_dtype_name(in->dtype));
  if (x->in[2]) {
    const mn_array *b = x->in[2];
    if (b->ndim != 1 || b->size[0] != w->size[0])
      return mn_fail(x, "bias %s doesn't fit weight %s", mn_shape_text(b, left), mn_shape_text(w, right));
    if (b->dtype != w->dtype)
      return mn_fail(x, "bias is %s but weight is %s", mn_dtype_name(b->dtype), mn_dtype_name(w->dtype));
  }
  mn_same_shape(x->out[0], in);
  x->out[0]->size[out->ndim - 1] = w->size[0];
  x->out[0]->dtype = w->dtype;
  return 0;
}

void mn_vjp_linear(mn_rule *r) {
  mn_tensor *g = mn_grad(r, 0);
  mn_list in = mn_in_shape(r, 0), w = mn_in_shape(r, 1);
  if (mn_need(r, 0)) {
    mn_tensor *gx = product(r, in.n == 1 ? flat(r, g, w.v[0]) : g, mn_saved_in(r, 1), 0, 0);
    mn_give(r, 0, in.n == 1 ? mn_reshape(mn_rule_ctx(r), gx, in) : gx);
  }
  if (mn_need(r, 1)) mn_give(r, 1, product(r, flat(r, g, w.v[0]), flat(r, mn_saved_in(r, 0), w.v[1]), 1, 0));
  if (mn_need(r, 2)) mn_give(r, 2, mn_sum_to(mn_rule_ctx(r), g, &(mn_sum_to_attrs){{1, {w.v[0]}}}));
}
