/* variance.c: var, std and the p-norm, which see all of a line before they make its number. */
#include <math.h>
#include "lines.h"
#define MN_SECTION "ops/reduce.def"
#include "section.h"

#define BODY "variance.inc"
#define KIND MN_FLOATS
#include "each_dtype.inc"

static const line_function variance_functions[MN_DTYPE_COUNT] = MN_BY_FLOAT(variance);
static const line_function deviation_functions[MN_DTYPE_COUNT] = MN_BY_FLOAT(deviation);
static const line_function norm_functions[MN_DTYPE_COUNT] = MN_BY_FLOAT(norm);

int MN_KERNEL(var)(mn_call *call) {
  const mn_var_attrs *a = mn_var_of(call);
  lines x = {.number = a->correction};
  return MN_KERNEL(each_line)(call, &x, variance_functions, mn_mask_of(&a->dim), 0);
}

int MN_KERNEL(std)(mn_call *call) {
  const mn_std_attrs *a = mn_std_of(call);
  lines x = {.number = a->correction};
  return MN_KERNEL(each_line)(call, &x, deviation_functions, mn_mask_of(&a->dim), 0);
}

int MN_KERNEL(norm)(mn_call *call) {
  const mn_norm_attrs *a = mn_norm_of(call);
  lines x = {.number = a->p};
  return MN_KERNEL(each_line)(call, &x, norm_functions, mn_mask_of(&a->dim), 0);
}
