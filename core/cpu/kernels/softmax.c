/* softmax.c: softmax, its logarithm, and the logarithm of a sum of exponentials. */
#include <math.h>
#include "lines.h"
#include "scalar_math.h"
#define MN_SECTION "ops/reduce.def"
#include "section.h"

#define BODY "softmax.inc"
#define KIND MN_FLOATS
#include "each_dtype.inc"

static const line_function softmax_functions[MN_DTYPE_COUNT] = MN_BY_FLOAT(softmax);
static const line_function logsumexp_functions[MN_DTYPE_COUNT] = MN_BY_FLOAT(logsumexp);

int MN_KERNEL(softmax)(mn_call *call) {
  lines x = {0};
  return MN_KERNEL(each_line_along)(call, &x, softmax_functions, mn_softmax_of(call)->dim, 1);
}

int MN_KERNEL(log_softmax)(mn_call *call) {
  lines x = {.flag = true};
  return MN_KERNEL(each_line_along)(call, &x, softmax_functions, mn_log_softmax_of(call)->dim, 1);
}

int MN_KERNEL(logsumexp)(mn_call *call) {
  lines x = {0};
  return MN_KERNEL(each_line)(call, &x, logsumexp_functions, mn_mask_of(&mn_logsumexp_of(call)->dim), 1);
}
