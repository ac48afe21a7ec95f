/* algebra.h: what derivative rules write formulas with. NULL passes through, as for all rows; MN_NONE isn't for these. */
#ifndef MN_OPS_ALGEBRA_H
#define MN_OPS_ALGEBRA_H

#include "ops/prototypes.h"

static inline mn_tensor *times(mn_context *c, mn_tensor *a, mn_tensor *b) { return mn_mul(c, a, b, NULL); }
static inline mn_tensor *over(mn_context *c, mn_tensor *a, mn_tensor *b) { return mn_div(c, a, b, NULL); }
static inline mn_tensor *plus(mn_context *c, mn_tensor *a, mn_tensor *b) { return mn_add(c, a, b, NULL); }
static inline mn_tensor *minus(mn_context *c, mn_tensor *a, mn_tensor *b) { return mn_sub(c, a, b, NULL); }
static inline mn_tensor *negative(mn_context *c, mn_tensor *a) { return mn_neg(c, a, NULL); }

/* A sum that has had no term yet, so that it is NULL, or not, and one term more. */
static inline mn_tensor *sum_with(mn_context *c, mn_tensor *sum, mn_tensor *term) {
  return sum ? plus(c, sum, term) : term;
}

/* op(a) op(b) for every matrix of a batch, op transposing where its flag is set; and a^T. */
static inline mn_tensor *product(mn_context *c, mn_tensor *a, mn_tensor *b, int ta, int tb) {
  return mn_matmul(c, a, b, &(mn_matmul_attrs){ta, tb});
}
static inline mn_tensor *transposed(mn_context *c, mn_tensor *a) {
  return mn_transpose(c, a, &(mn_transpose_attrs){-2, -1});
}

#endif
