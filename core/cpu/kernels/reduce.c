/* reduce.c: folds over dims: sum, mean, sum_to, prod, amax, amin, any, all. The walking is in
 * reduce_fold.inc, which is included once for each fold and dtype: NAME(dtype), element T, running value A,
 * wide total W, result OUT. */
#include <math.h>
#include <stdio.h>
#include "reduce.h"

typedef struct reduction {
  mn_plan plan;
  const void *in;
  void *out, *scratch;
  double scale;
  int64_t numel, items, per_block, pieces;
  bool split_rows;
} reduction;

typedef int (*fold)(mn_call *call, reduction *x);

/* Sums and products: short blocks in the element's own precision, totals in double; integers wrap in int64.
 */
#define ADD(a, x) ((a) + (x))
#define TIMES(a, x) ((a) * (x))
#define WRAP_ADD(a, x) ((int64_t)((uint64_t)(a) + (uint64_t)(int64_t)(x)))
#define WRAP_TIMES(a, x) ((int64_t)((uint64_t)(a) * (uint64_t)(int64_t)(x)))
#define SCALED(w, scale) ((w) * (scale))
#define PLAIN(w, scale) ((void)(scale), (w))
#define EITHER(a, x) ((a) | ((x) != 0))
#define BOTH(a, x) ((a) & ((x) != 0))
#define LARGER(a, x) ((x) > (a) ? (x) : (a))
#define SMALLER(a, x) ((x) < (a) ? (x) : (a))
/* NaN wins: it differs from itself. */
#define LARGER_NAN(a, x) ((x) > (a) || (x) != (x) ? (x) : (a))
#define SMALLER_NAN(a, x) ((x) < (a) || (x) != (x) ? (x) : (a))

#define NAME sum_f32
#define T float
#define A float
#define W double
#define OUT float
#define INIT 0
#define STEP ADD
#define FINISH SCALED
#include "reduce_fold.inc"
#define NAME prod_f32
#define T float
#define A float
#define W double
#define OUT float
#define INIT 1
#define STEP TIMES
#define FINISH PLAIN
#include "reduce_fold.inc"
#define NAME sum_f64
#define T double
#define A double
#define W double
#define OUT double
#define INIT 0
#define STEP ADD
#define FINISH SCALED
#include "reduce_fold.inc"
#define NAME prod_f64
#define T double
#define A double
#define W double
#define OUT double
#define INIT 1
#define STEP TIMES
#define FINISH PLAIN
#include "reduce_fold.inc"
#define NAME sum_i64
#define T int64_t
#define A int64_t
#define W int64_t
#define OUT int64_t
#define INIT 0
#define STEP WRAP_ADD
#define FINISH PLAIN
#include "reduce_fold.inc"
#define NAME prod_i64
#define T int64_t
#define A int64_t
#define W int64_t
#define OUT int64_t
#define INIT 1
#define STEP WRAP_TIMES
#define FINISH PLAIN
#include "reduce_fold.inc"
#define NAME sum_i32
#define T int32_t
#define A int64_t
#define W int64_t
#define OUT int64_t
#define INIT 0
#define STEP WRAP_ADD
#define FINISH PLAIN
#include "reduce_fold.inc"
#define NAME prod_i32
#define T int32_t
#define A int64_t
#define W int64_t
#define OUT int64_t
#define INIT 1
#define STEP WRAP_TIMES
#define FINISH PLAIN
#include "reduce_fold.inc"
#define NAME sum_u8
#define T uint8_t
#define A int64_t
#define W int64_t
#define OUT int64_t
#define INIT 0
#define STEP WRAP_ADD
#define FINISH PLAIN
#include "reduce_fold.inc"
#define NAME prod_u8
#define T uint8_t
#define A int64_t
#define W int64_t
#define OUT int64_t
#define INIT 1
#define STEP WRAP_TIMES
#define FINISH PLAIN
#include "reduce_fold.inc"
#define NAME amax_f32
#define T float
#define A float
#define W float
#define OUT float
#define INIT -INFINITY
#define STEP LARGER_NAN
#define FINISH PLAIN
#include "reduce_fold.inc"
#define NAME amin_f32
#define T float
#define A float
#define W float
#define OUT float
#define INIT INFINITY
#define STEP SMALLER_NAN
#define FINISH PLAIN
#include "reduce_fold.inc"
#define NAME any_f32
#define T float
#define A uint8_t
#define W uint8_t
#define OUT uint8_t
#define INIT 0
#define STEP EITHER
#define FINISH PLAIN
#include "reduce_fold.inc"
#define NAME all_f32
#define T float
#define A uint8_t
#define W uint8_t
#define OUT uint8_t
#define INIT 1
#define STEP BOTH
#define FINISH PLAIN
#include "reduce_fold.inc"
#define NAME amax_f64
#define T double
#define A double
#define W double
#define OUT double
#define INIT -(double)INFINITY
#define STEP LARGER_NAN
#define FINISH PLAIN
#include "reduce_fold.inc"
#define NAME amin_f64
#define T double
#define A double
#define W double
#define OUT double
#define INIT (double)INFINITY
#define STEP SMALLER_NAN
#define FINISH PLAIN
#include "reduce_fold.inc"
#define NAME any_f64
#define T double
#define A uint8_t
#define W uint8_t
#define OUT uint8_t
#define INIT 0
#define STEP EITHER
#define FINISH PLAIN
#include "reduce_fold.inc"
#define NAME all_f64
#define T double
#define A uint8_t
#define W uint8_t
#define OUT uint8_t
#define INIT 1
#define STEP BOTH
#define FINISH PLAIN
#include "reduce_fold.inc"
#define NAME amax_i64
#define T int64_t
#define A int64_t
#define W int64_t
#define OUT int64_t
#define INIT INT64_MIN
#define STEP LARGER
#define FINISH PLAIN
#include "reduce_fold.inc"
#define NAME amin_i64
#define T int64_t
#define A int64_t
#define W int64_t
#define OUT int64_t
#define INIT INT64_MAX
#define STEP SMALLER
#define FINISH PLAIN
#include "reduce_fold.inc"
#define NAME any_i64
#define T int64_t
#define A uint8_t
#define W uint8_t
#define OUT uint8_t
#define INIT 0
#define STEP EITHER
#define FINISH PLAIN
#include "reduce_fold.inc"
#define NAME all_i64
#define T int64_t
#define A uint8_t
#define W uint8_t
#define OUT uint8_t
#define INIT 1
#define STEP BOTH
#define FINISH PLAIN
#include "reduce_fold.inc"
#define NAME amax_i32
#define T int32_t
#define A int32_t
#define W int32_t
#define OUT int32_t
#define INIT INT32_MIN
#define STEP LARGER
#define FINISH PLAIN
#include "reduce_fold.inc"
#define NAME amin_i32
#define T int32_t
#define A int32_t
#define W int32_t
#define OUT int32_t
#define INIT INT32_MAX
#define STEP SMALLER
#define FINISH PLAIN
#include "reduce_fold.inc"
#define NAME any_i32
#define T int32_t
#define A uint8_t
#define W uint8_t
#define OUT uint8_t
#define INIT 0
#define STEP EITHER
#define FINISH PLAIN
#include "reduce_fold.inc"
#define NAME all_i32
#define T int32_t
#define A uint8_t
#define W uint8_t
#define OUT uint8_t
#define INIT 1
#define STEP BOTH
#define FINISH PLAIN
#include "reduce_fold.inc"
#define NAME amax_u8
#define T uint8_t
#define A uint8_t
#define W uint8_t
#define OUT uint8_t
#define INIT 0
#define STEP LARGER
#define FINISH PLAIN
#include "reduce_fold.inc"
#define NAME amin_u8
#define T uint8_t
#define A uint8_t
#define W uint8_t
#define OUT uint8_t
#define INIT UINT8_MAX
#define STEP SMALLER
#define FINISH PLAIN
#include "reduce_fold.inc"
#define NAME any_u8
#define T uint8_t
#define A uint8_t
#define W uint8_t
#define OUT uint8_t
#define INIT 0
#define STEP EITHER
#define FINISH PLAIN
#include "reduce_fold.inc"
#define NAME all_u8
#define T uint8_t
#define A uint8_t
#define W uint8_t
#define OUT uint8_t
#define INIT 1
#define STEP BOTH
#define FINISH PLAIN
#include "reduce_fold.inc"

/* By dtype. bool is stored as uint8. */
#define FOLDS(name)                                                                                          \
  static const fold name##_folds[MN_DTYPE_COUNT] = {                                                         \
      [MN_FLOAT32] = name##_f32_fold, [MN_FLOAT64] = name##_f64_fold, [MN_INT64] = name##_i64_fold,          \
      [MN_INT32] = name##_i32_fold,   [MN_UINT8] = name##_u8_fold,    [MN_BOOL] = name##_u8_fold};
FOLDS(sum)
FOLDS(prod)
FOLDS(amax)
FOLDS(amin)
FOLDS(any)
FOLDS(all)

static int run(mn_call *call, const fold *folds, unsigned mask, bool mean) {
  const mn_array *in = call->in[0];
  fold f = folds[in->dtype];
  if (!f) {
    snprintf(call->error, sizeof call->error, "float16 and bfloat16 are for storage; convert with :float()");
    return -1;
  }
  reduction x = {
      .plan = MN_KERNEL(plan)(in, mask, true), .in = in->data, .out = call->out[0]->data, .scale = 1};
  x.numel = in->numel;
  if (mean) x.scale = 1.0 / (double)(x.plan.rows * x.plan.length);
  return f(call, &x);
}

int MN_KERNEL(sum)(mn_call *call) {
  return run(call, sum_folds, mn_mask_of(&((const mn_sum_attrs *)call->attrs)->dim), false);
}

int MN_KERNEL(mean)(mn_call *call) {
  return run(call, sum_folds, mn_mask_of(&((const mn_mean_attrs *)call->attrs)->dim), true);
}

int MN_KERNEL(sum_to)(mn_call *call) {
  const mn_array *in = call->in[0], *out = call->out[0];
  int lead = in->ndim - out->ndim;
  unsigned mask = 0;
  for (int d = 0; d < in->ndim; d++)
    if (d < lead || (out->size[d - lead] == 1 && in->size[d] != 1)) mask |= 1u << d;
  return run(call, sum_folds, mask, false);
}

int MN_KERNEL(prod)(mn_call *call) {
  const mn_prod_attrs *a = (const mn_prod_attrs *)call->attrs;
  return run(call, prod_folds, a->dim == MN_UNSET ? ~0u : 1u << a->dim, false);
}

int MN_KERNEL(amax)(mn_call *call) {
  return run(call, amax_folds, mn_mask_of(&((const mn_amax_attrs *)call->attrs)->dim), false);
}

int MN_KERNEL(amin)(mn_call *call) {
  return run(call, amin_folds, mn_mask_of(&((const mn_amin_attrs *)call->attrs)->dim), false);
}

int MN_KERNEL(any)(mn_call *call) {
  return run(call, any_folds, mn_mask_of(&((const mn_any_attrs *)call->attrs)->dim), false);
}

int MN_KERNEL(all)(mn_call *call) {
  return run(call, all_folds, mn_mask_of(&((const mn_all_attrs *)call->attrs)->dim), false);
}
