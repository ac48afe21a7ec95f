/* scan.c: cumsum, cumprod, logcumsumexp, and recurrence, the running sums whose sum so far is multiplied at each step. */
#include <math.h>
#include "index.h"
#include "lines.h"
#define MN_SECTION "ops/reduce.def"
#include "section.h"

typedef struct recurrence {
  const mn_array *out;
  const void *in, *factor;
  int64_t n, inner, lines, per_block; /* n elements a line, `inner` apart */
} recurrence;

#define BODY "scan.inc"
#define KIND MN_NUMBERS
#include "each_dtype.inc"

static const line_function cumulate_functions[MN_DTYPE_COUNT] = MN_BY_STORED(cumulate);

int MN_KERNEL(cumsum)(mn_call *call) {
  lines x = {0};
  return MN_KERNEL(each_line_along)(call, &x, cumulate_functions, mn_cumsum_of(call)->dim, 0);
}

int MN_KERNEL(cumprod)(mn_call *call) {
  lines x = {.flag = true};
  return MN_KERNEL(each_line_along)(call, &x, cumulate_functions, mn_cumprod_of(call)->dim, 0);
}

int MN_KERNEL(logcumsumexp)(mn_call *call) {
  static const line_function functions[MN_DTYPE_COUNT] = MN_BY_FLOAT(logsums);
  lines x = {0};
  return MN_KERNEL(each_line_along)(call, &x, functions, mn_logcumsumexp_of(call)->dim, 0);
}

int MN_KERNEL(recurrence)(mn_call *call) {
  int64_t dim = mn_recurrence_of(call)->dim;
  const mn_array *out = call->out[0];
  mn_array room[2];
  const mn_array *in = MN_KERNEL(dense)(call, call->in[0], &room[0]);
  const mn_array *factor = MN_KERNEL(dense)(call, call->in[1], &room[1]);
  if (!in || !factor) return -1;
  if (out->numel == 0) return 0;
  recurrence r = {.out = out, .in = in->data, .factor = factor->data, .n = 1, .inner = 1};
  if (out->ndim > 0) r.n = out->size[dim];
  for (int d = (int)dim + 1; d < out->ndim; d++) r.inner *= out->size[d];
  r.lines = out->numel / r.n;
  r.per_block = 1 + REDUCE_BLOCK / r.n;
  mn_parallel((r.lines + r.per_block - 1) / r.per_block, MN_OF_FLOAT(out->dtype, recurrences), &r);
  return 0;
}
