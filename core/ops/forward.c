/* forward.c: tangent rules by class, for the rows whose tangents need no formula of their own. */
#include "ops/algebra.h"

/* t as an output is: broadcast to its size and of its dtype. */
static mn_tensor *as_output(mn_rule *r, mn_tensor *t) {
  mn_context *ctx = mn_rule_ctx(r);
  if (t) t = mn_expand(ctx, t, &(mn_expand_attrs){.size = mn_out_shape(r, 0)});
  return t ? mn_cast(ctx, t, &(mn_cast_attrs){.dtype = mn_out_dtype(r, 0)}) : NULL;
}

/* Each output depends on its own element of each input (or the derivative is its own transpose): what the derivative
 * rule multiplies a cotangent by is what a tangent has to be multiplied by. */
void mn_jvp_vjp(mn_rule *r) {
  mn_tensor *sum = NULL;
  for (int i = 0; i < mn_rule_inputs(r); i++) {
    if (!mn_has_tangent(r, i)) continue;
    mn_tensor *part = mn_pull(r, i, 0, as_output(r, mn_tangent(r, i)));
    if (!part) return;
    if (part != MN_NONE) sum = sum_with(mn_rule_ctx(r), sum, part);
  }
  mn_push(r, 0, sum);
}

/* The row is linear in the inputs that it doesn't save (those that it saves are indices, masks and the like): it does
 * with tangents what it does with values. */
void mn_jvp_self(mn_rule *r) {
  mn_tensor **in = mn_row_inputs(r), *out[MN_MAX_OUT];
  for (int i = 0; i < mn_rule_inputs(r); i++) {
    in[i] = mn_saves_in(r, i) ? mn_saved_in(r, i) : mn_tangent(r, i);
    if (!in[i]) return;
  }
  if (mn_row_again(r, out) == 0) mn_push(r, 0, out[0]);
}

/* The row with the tangent of input `at` in its place; what isn't saved (a bias, which is added) has its own tangent
 * where `rest`, and is absent otherwise. */
static mn_tensor *with_tangent(mn_rule *r, int at, bool rest) {
  mn_tensor **in = mn_row_inputs(r), *out[MN_MAX_OUT];
  for (int i = 0; i < mn_rule_inputs(r); i++) {
    if (i == at) in[i] = mn_tangent(r, i);
    else if (mn_saves_in(r, i)) in[i] = mn_saved_in(r, i);
    else in[i] = rest && mn_has_tangent(r, i) ? mn_tangent(r, i) : MN_NONE;
    if (!in[i]) return NULL;
  }
  return mn_row_again(r, out) ? NULL : out[0];
}

/* The row is linear in each of the inputs that it saves, alone: a sum over them. */
void mn_jvp_sum(mn_rule *r) {
  mn_tensor *sum = NULL;
  for (int i = 0; i < mn_rule_inputs(r); i++) {
    if (!mn_saves_in(r, i) || !mn_has_tangent(r, i)) continue;
    mn_tensor *term = with_tangent(r, i, !sum);
    if (!term) return;
    sum = sum_with(mn_rule_ctx(r), sum, term);
  }
  mn_push(r, 0, sum ? sum : with_tangent(r, 0, true));
}

void mn_jvp_twice(mn_rule *r) { mn_push_twice(r); }
