/* create.c: kernels of full, fill, arange and linspace, and the driver by which random.c makes elements too.
 */
#include "create.h"
#define MN_SECTION "ops/create.def"
#include "section.h"
#define MN_SECTION "ops/shape.def"
#include "section.h"
#include <math.h>
#include <stdio.h>

typedef struct generator {
  const mn_array *out;
  mn_make_fn make;
  const void *arg;
  mn_row_fn row;
} generator;

static void generate_range(const generator *g, int64_t from, int64_t to) {
  union {
    double f[CREATE_CHUNK];
    int64_t i[CREATE_CHUNK];
  } buffer;
  int64_t item = (int64_t)mn_dtype_size(g->out->dtype);
  for (int64_t first = from; first < to; first += CREATE_CHUNK) {
    int64_t n = to - first < CREATE_CHUNK ? to - first : CREATE_CHUNK;
    g->make(g->arg, first, n, &buffer);
    g->row((char *)g->out->data + first * item, item, (const char *)&buffer, 8, n);
  }
}

static void generate_block(void *arg, int64_t block) {
  const generator *g = arg;
  int64_t from = block * CREATE_BLOCK, to = from + CREATE_BLOCK;
  generate_range(g, from, to < g->out->numel ? to : g->out->numel);
}

void MN_KERNEL(generate)(const mn_array *out, mn_make_fn make, const void *arg, int made) {
  generator g = {out, make, arg, MN_KERNEL(row_copier)(out->dtype, made)};
  if (out->numel <= CREATE_BLOCK) generate_range(&g, 0, out->numel);
  else mn_parallel((out->numel + CREATE_BLOCK - 1) / CREATE_BLOCK, generate_block, &g);
}

/* Can an integer dtype hold that value? (Any value is a float, and true or false.) */
static int check_value(mn_call *call, int dtype, double value) {
  static const double low[MN_DTYPE_COUNT] = {[MN_INT64] = -0x1p63, [MN_INT32] = -0x1p31, [MN_UINT8] = 0};
  static const double high[MN_DTYPE_COUNT] = {[MN_INT64] = 0x1p63, [MN_INT32] = 0x1p31, [MN_UINT8] = 256};
  if (mn_dtype_is_float(dtype) || dtype == MN_BOOL) return 0;
  if (value == floor(value) && value >= low[dtype] && value < high[dtype]) return 0;
  snprintf(call->error, sizeof call->error, "an integer tensor can't hold the value %g", value);
  return -1;
}

int MN_KERNEL(full)(mn_call *call) {
  double value = mn_full_of(call)->value;
  if (check_value(call, call->out[0]->dtype, value)) return -1;
  MN_KERNEL(fill_array)(call->out[0], value);
  return 0;
}

int MN_KERNEL(fill)(mn_call *call) {
  double value = mn_fill_of(call)->value;
  if (check_value(call, call->out[0]->dtype, value)) return -1;
  MN_KERNEL(fill_array)(call->out[0], value);
  return 0;
}

static void make_arange(const void *arg, int64_t first, int64_t n, void *buffer) {
  const mn_arange_attrs *a = arg;
  double *to = buffer;
  for (int64_t i = 0; i < n; i++) to[i] = a->start + (double)(first + i) * a->step;
}

/* The first and the last of some numbers that lie between them. */
static int check_ends(mn_call *call, double first, double last) {
  const mn_array *out = call->out[0];
  return out->numel > 0 && (check_value(call, out->dtype, first) || check_value(call, out->dtype, last));
}

int MN_KERNEL(arange)(mn_call *call) {
  const mn_arange_attrs *a = mn_arange_of(call);
  if (check_ends(call, a->start, a->start + (double)(a->count - 1) * a->step)) return -1;
  MN_KERNEL(generate)(call->out[0], make_arange, call->attrs, MN_FLOAT64);
  return 0;
}

/* From both ends, so that both are exact and the numbers symmetric. */
static void make_linspace(const void *arg, int64_t first, int64_t n, void *buffer) {
  const mn_linspace_attrs *a = arg;
  double *to = buffer, step = a->count > 1 ? (a->stop - a->start) / (double)(a->count - 1) : 0;
  for (int64_t i = 0; i < n; i++) {
    int64_t left = first + i, right = a->count - 1 - left;
    to[i] = left <= right ? a->start + (double)left * step : a->stop - (double)right * step;
  }
}

int MN_KERNEL(linspace)(mn_call *call) {
  const mn_linspace_attrs *a = mn_linspace_of(call);
  if (check_ends(call, a->start, a->count > 1 ? a->stop : a->start)) return -1;
  MN_KERNEL(generate)(call->out[0], make_linspace, call->attrs, MN_FLOAT64);
  return 0;
}
