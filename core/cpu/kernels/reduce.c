/* reduce.c: folds over dims: sum, nansum, mean, sum_to, prod, amax, amin, any, all. What is folded is in
 * reduce_folds.inc, the walking in reduce_fold.inc. */
#include <math.h>
#include "reduce.h"
#define MN_SECTION "ops/reduce.def"
#include "section.h"

typedef struct reduction {
  const mn_plan *plan;
  const void *in;
  void *out, *scratch;
  double divisor;
  int64_t numel, items, per_block, pieces;
  bool split_rows;
} reduction;

typedef int (*fold)(mn_call *call, reduction *x);

#define BODY "reduce_folds.inc"
#define KIND MN_NUMBERS
#include "each_dtype.inc"

static const fold sum_folds[MN_DTYPE_COUNT] = MN_BY_STORED(fold_sum);
static const fold nansum_folds[MN_DTYPE_COUNT] = MN_BY_FLOAT(fold_nansum);
static const fold prod_folds[MN_DTYPE_COUNT] = MN_BY_STORED(fold_prod);
static const fold amax_folds[MN_DTYPE_COUNT] = MN_BY_STORED(fold_amax);
static const fold amin_folds[MN_DTYPE_COUNT] = MN_BY_STORED(fold_amin);
static const fold any_folds[MN_DTYPE_COUNT] = MN_BY_STORED(fold_any);
static const fold all_folds[MN_DTYPE_COUNT] = MN_BY_STORED(fold_all);

static int reduce(mn_call *call, const fold *folds, unsigned mask, bool mean) {
  const mn_array *in = call->in[0];
  fold f = folds[in->dtype];
  if (!f) return mn_undefined_for(in->dtype, call->error), -1;
  mn_plan plan;
  MN_KERNEL(plan)(&plan, in, mask, true);
  reduction x = {.plan = &plan, .in = in->data, .out = call->out[0]->data, .numel = in->numel};
  x.divisor = mean ? (double)(plan.rows * plan.length) : 1;
  return f(call, &x);
}

int MN_KERNEL(sum)(mn_call *call) {
  return reduce(call, sum_folds, mn_mask_of(&mn_sum_of(call)->dim), false);
}

int MN_KERNEL(nansum)(mn_call *call) {
  return reduce(call, nansum_folds, mn_mask_of(&mn_nansum_of(call)->dim), false);
}

int MN_KERNEL(mean)(mn_call *call) {
  return reduce(call, sum_folds, mn_mask_of(&mn_mean_of(call)->dim), true);
}

int MN_KERNEL(sum_to)(mn_call *call) {
  const mn_array *in = call->in[0], *out = call->out[0];
  int lead = in->ndim - out->ndim;
  unsigned mask = 0;
  for (int d = 0; d < in->ndim; d++)
    if (d < lead || (out->size[d - lead] == 1 && in->size[d] != 1)) mask |= 1u << d;
  return reduce(call, sum_folds, mask, false);
}

int MN_KERNEL(prod)(mn_call *call) {
  const mn_prod_attrs *a = mn_prod_of(call);
  return reduce(call, prod_folds, a->dim == MN_UNSET ? ~0u : 1u << a->dim, false);
}

int MN_KERNEL(amax)(mn_call *call) {
  return reduce(call, amax_folds, mn_mask_of(&mn_amax_of(call)->dim), false);
}

int MN_KERNEL(amin)(mn_call *call) {
  return reduce(call, amin_folds, mn_mask_of(&mn_amin_of(call)->dim), false);
}

int MN_KERNEL(any)(mn_call *call) {
  return reduce(call, any_folds, mn_mask_of(&mn_any_of(call)->dim), false);
}

int MN_KERNEL(all)(mn_call *call) {
  return reduce(call, all_folds, mn_mask_of(&mn_all_of(call)->dim), false);
}
