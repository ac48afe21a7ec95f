/* random.c: shape and derivative rules of creation, with and without random numbers. */
#include "ops/prototypes.h"

/* ---- creation ---- */

static int check_sizes(mn_infer *x, const mn_list *size) {
  char text[128];
  for (int64_t d = 0; d < size->n; d++)
    if (size->v[d] < 0) return mn_fail(x, "size %s has a negative entry", mn_list_text(size, text));
  return 0;
}

/* Sets out's size and dtype, which is written back if it was left to the context. */
static int create(mn_infer *x, const mn_list *size, int64_t *dtype) {
  mn_array *out = x->out[0];
  if (*dtype < 0) *dtype = mn_default_float(x->ctx);
  out->dtype = (int32_t)*dtype;
  out->ndim = (int32_t)size->n;
  for (int d = 0; d < out->ndim; d++) out->size[d] = size->v[d];
  return check_sizes(x, size);
}

static int vector(mn_infer *x, const char *name, int64_t count, int64_t *dtype) {
  if (count < 0) return mn_fail(x, "%s must not be negative, got %lld", name, (long long)count);
  return create(x, &(mn_list){.n = 1, .v = {count}}, dtype);
}

int mn_infer_create(mn_infer *x) {
  mn_full_attrs *a = mn_full_given(x);
  return create(x, &a->size, &a->dtype);
}

/* Of integers the ends and the step are cut to whole numbers before anything is computed, as in PyTorch. */
static bool whole(int dtype) { return !mn_dtype_is_float(dtype) && dtype != MN_BOOL; }

int mn_infer_arange(mn_infer *x) {
  mn_arange_attrs *a = mn_arange_given(x);
  if (vector(x, "count", a->count, &a->dtype)) return -1;
  if (whole((int)a->dtype)) a->start = trunc(a->start), a->step = trunc(a->step);
  return 0;
}

int mn_infer_linspace(mn_infer *x) {
  mn_linspace_attrs *a = mn_linspace_given(x);
  if (vector(x, "count", a->count, &a->dtype)) return -1;
  if (whole((int)a->dtype)) a->start = trunc(a->start), a->stop = trunc(a->stop);
  return 0;
}

int mn_infer_eye(mn_infer *x) {
  mn_eye_attrs *a = mn_eye_given(x);
  if (a->m == MN_UNSET) a->m = a->n;
  return create(x, &(mn_list){.n = 2, .v = {a->n, a->m}}, &a->dtype);
}

/* ---- random numbers ---- */

static int check_float(mn_infer *x, int64_t dtype) {
  if (mn_dtype_is_float((int)dtype)) return 0;
  return mn_fail(x, "expected a float dtype, got %s", mn_dtype_name((int)dtype));
}

int mn_infer_rand(mn_infer *x) {
  mn_rand_attrs *a = mn_rand_given(x);
  if (create(x, &a->size, &a->dtype) || check_float(x, a->dtype)) return -1;
  if (a->low <= a->high) return 0;
  return mn_fail(x, "low must not exceed high, got %g and %g", a->low, a->high);
}

int mn_infer_randn(mn_infer *x) {
  mn_randn_attrs *a = mn_randn_given(x);
  if (create(x, &a->size, &a->dtype) || check_float(x, a->dtype)) return -1;
  return a->std >= 0 ? 0 : mn_fail(x, "std must not be negative, got %g", a->std);
}

/* Does a dtype hold low .. high-1, at least rounded? (bool takes any number.) */
static bool holds(int dtype, int64_t low, int64_t high) {
  if (dtype == MN_INT32) return low >= INT32_MIN && high - 1 <= INT32_MAX;
  if (dtype == MN_UINT8) return low >= 0 && high - 1 <= UINT8_MAX;
  if (dtype == MN_FLOAT16) return low >= -65504 && high - 1 <= 65504;
  return true;
}

int mn_infer_randint(mn_infer *x) {
  mn_randint_attrs *a = mn_randint_given(x);
  if (create(x, &a->size, &a->dtype)) return -1;
  if (a->low >= a->high)
    return mn_fail(x, "low must be less than high, got %lld and %lld", (long long)a->low, (long long)a->high);
  if (holds((int)a->dtype, a->low, a->high)) return 0;
  return mn_fail(x, "%s doesn't hold all of %lld..%lld", mn_dtype_name((int)a->dtype), (long long)a->low,
                 (long long)(a->high - 1));
}

int mn_infer_randperm(mn_infer *x) {
  mn_randperm_attrs *a = mn_randperm_given(x);
  if (vector(x, "n", a->n, &a->dtype)) return -1;
  if (holds((int)a->dtype, a->index_base, a->index_base + a->n)) return 0;
  return mn_fail(x, "%s doesn't hold all of 1..%lld", mn_dtype_name((int)a->dtype), (long long)a->n);
}

int mn_infer_bernoulli(mn_infer *x) {
  const mn_array *in = x->in[0];
  mn_same_shape(x->out[0], in);
  x->out[0]->dtype = in->dtype;
  return check_float(x, in->dtype);
}

int mn_infer_multinomial(mn_infer *x) {
  const mn_multinomial_attrs *a = mn_multinomial_given(x);
  const mn_array *in = x->in[0];
  mn_array *out = x->out[0];
  if (check_float(x, in->dtype)) return -1;
  if (in->ndim != 1 && in->ndim != 2) return mn_fail(x, "expected 1 or 2 dims, got %d", in->ndim);
  if (a->num_samples < 1)
    return mn_fail(x, "num_samples must be at least 1, got %lld", (long long)a->num_samples);
  int64_t classes = in->size[in->ndim - 1];
  if (classes == 0) return mn_fail(x, "there are no weights to draw with");
  if (!a->replacement && a->num_samples > classes)
    return mn_fail(x, "%lld draws without replacement out of %lld", (long long)a->num_samples,
                   (long long)classes);
  mn_same_shape(out, in);
  out->size[in->ndim - 1] = a->num_samples;
  out->dtype = MN_INT64;
  return 0;
}

int mn_infer_dropout(mn_infer *x) {
  const mn_array *in = x->in[0];
  double p = mn_dropout_given(x)->p;
  for (int k = 0; k < 2; k++) {
    mn_same_shape(x->out[k], in);
    x->out[k]->dtype = in->dtype;
  }
  if (!(p >= 0 && p <= 1)) return mn_fail(x, "p must be between 0 and 1, got %g", p);
  return check_float(x, in->dtype);
}

void mn_vjp_dropout(mn_rule *r) {
  mn_give(r, 0, mn_mul(mn_rule_ctx(r), mn_grad(r, 0), mn_saved_out(r, 1), NULL));
}
