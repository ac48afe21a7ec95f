/* pointwise.c: shape and derivative rules of the pointwise rows. No kernels, no loops over data.
 * Where a derivative is unbounded at exactly 0 (sqrt, rsqrt, hypot, pow, atan2) the rule gives 0 there, at
 * every order, because what it divides by goes through reciprocal_no_nan, whose derivatives are 0 at 0 too.
 */
#include "ops/algebra.h"

/* ---- shape rules ---- */

static int same_as(mn_infer *x, int dtype) {
  const mn_array *in = x->in[0];
  mn_same_shape(x->out[0], in);
  x->out[0]->dtype = dtype;
  return 0;
}

int mn_infer_same(mn_infer *x) { return same_as(x, x->in[0]->dtype); }
/* Checks the limits of clamp and clamp_gate. A whole limit beyond an integer dtype's numbers is as good as none. */
static int check_limits(mn_infer *x, double min, double max) {
  int dtype = x->in[0]->dtype;
  return (min != floor(min) && mn_check_number(x, dtype, "limit", min)) ||
         (max != floor(max) && mn_check_number(x, dtype, "limit", max));
}

int mn_infer_clamp(mn_infer *x) {
  const mn_clamp_attrs *t = mn_clamp_given(x);
  return check_limits(x, t->min, t->max) ? -1 : mn_infer_same(x);
}
/* The square of a bool is an integer, as a sum of bools is. */
int mn_infer_no_bool(mn_infer *x) {
  int dtype = x->in[0]->dtype;
  return same_as(x, dtype == MN_BOOL ? MN_INT64 : dtype);
}
int mn_infer_same_bool(mn_infer *x) { return same_as(x, MN_BOOL); }

int mn_infer_cast(mn_infer *x) {
  int64_t *dtype = &mn_cast_given(x)->dtype;
  if (*dtype == -1) *dtype = mn_default_float(x->ctx);
  if (*dtype < 0 || *dtype >= MN_DTYPE_COUNT)
    return mn_fail(x, "expected a dtype, got %lld", (long long)*dtype);
  return same_as(x, (int)*dtype);
}

int mn_infer_polygamma(mn_infer *x) {
  double n = mn_polygamma_given(x)->n;
  if (n >= 0 && n <= 100 && n == floor(n)) return mn_infer_same(x);
  return mn_fail(x, "n must be a whole number from 0 to 100, got %.14g", n);
}

static int broadcast(mn_infer *x, const mn_array **given) {
  const mn_array *arrays[2] = {NULL, NULL};
  for (int i = 0; i < 2; i++)
    if (x->in[i]) *given = arrays[i] = x->in[i];
  if (arrays[0] && arrays[1]) return mn_broadcast(x, arrays, 2, x->out[0]);
  if (mn_check_number(x, (*given)->dtype, "number", mn_value_given(x))) return -1;
  mn_same_shape(x->out[0], *given);
  return 0;
}

int mn_infer_broadcast(mn_infer *x) {
  const mn_array *given = NULL;
  if (broadcast(x, &given)) return -1;
  x->out[0]->dtype = given->dtype;
  return 0;
}

/* The shape of add and sub, whose factor must be a number that the dtype holds. */
static int broadcast_scaled(mn_infer *x, double alpha) {
  return mn_infer_broadcast(x) || mn_check_number(x, x->out[0]->dtype, "factor alpha", alpha) ? -1 : 0;
}

int mn_infer_add(mn_infer *x) { return broadcast_scaled(x, mn_add_given(x)->alpha); }
int mn_infer_sub(mn_infer *x) { return broadcast_scaled(x, mn_sub_given(x)->alpha); }

int mn_infer_pow(mn_infer *x) {
  double power = mn_pow_given(x)->value;
  if (mn_infer_broadcast(x)) return -1;
  if (x->in[1] || mn_dtype_is_float(x->out[0]->dtype) || !(power < 0)) return 0;
  return mn_fail(
      x,
      "a %s tensor can't be raised to the negative power %.14g; make it a float tensor first, with :float()",
      mn_dtype_name(x->out[0]->dtype), power);
}

int mn_infer_broadcast_bool(mn_infer *x) {
  const mn_array *given = NULL;
  if (broadcast(x, &given)) return -1;
  x->out[0]->dtype = MN_BOOL;
  return 0;
}

int mn_infer_where(mn_infer *x) {
  const mn_array *arrays[3] = {x->in[0], x->in[1], x->in[2]};
  if (arrays[0]->dtype != MN_BOOL && arrays[0]->dtype != MN_UINT8)
    return mn_fail(x, "expected a bool or uint8 condition, got %s", mn_dtype_name(arrays[0]->dtype));
  if (arrays[1]->dtype != arrays[2]->dtype)
    return mn_fail(x, "expected two tensors of one dtype to choose from, got %s and %s",
                   mn_dtype_name(arrays[1]->dtype), mn_dtype_name(arrays[2]->dtype));
  x->out[0]->dtype = arrays[1]->dtype;
  return mn_broadcast(x, arrays, 3, x->out[0]);
}

/* The shape of gate, clamp_gate and decayed_average, which don't broadcast. */
static int same_as_both(mn_infer *x) {
  const mn_array *input = x->in[0], *by = x->in[1];
  if (input->dtype == by->dtype && mn_same_size(input, by)) return mn_infer_same(x);
  char a[128], b[128];
  return mn_fail(x, "expected two tensors of one size and dtype, got %s %s and %s %s",
                 mn_shape_text(input, a), mn_dtype_name(input->dtype), mn_shape_text(by, b),
                 mn_dtype_name(by->dtype));
}

int mn_infer_gate(mn_infer *x) {
  double slope = mn_gate_given(x)->slope;
  return same_as_both(x) || mn_check_number(x, x->out[0]->dtype, "slope", slope) ? -1 : 0;
}

int mn_infer_clamp_gate(mn_infer *x) {
  const mn_clamp_gate_attrs *a = mn_clamp_gate_given(x);
  return same_as_both(x) || check_limits(x, a->min, a->max) ? -1 : 0;
}

int mn_infer_decayed_average(mn_infer *x) { return same_as_both(x); }

/* ---- derivatives of rows with one input ---- */

/* A 0-dim tensor of t's dtype. */
static mn_tensor *number_like(mn_context *ctx, mn_tensor *t, double value) {
  if (!t) return NULL;
  return mn_full(ctx,
                 &(mn_full_attrs){.size = {.n = 0}, .value = value, .dtype = mn_arr(t)->dtype, .device = -1});
}

/* t where mask, else 0; or the other way round. */
static mn_tensor *keep_where(mn_context *ctx, mn_tensor *mask, mn_tensor *t) {
  return mn_where(ctx, mask, t, number_like(ctx, t, 0), NULL);
}
static mn_tensor *keep_unless(mn_context *ctx, mn_tensor *mask, mn_tensor *t) {
  return mn_where(ctx, mask, number_like(ctx, t, 0), t, NULL);
}

/* A rule of a row with one input: returns its gradient, given the context, the cotangent g and, depending on
 * what the row saves, the input x or the output y. */
#define RULE(name, expression)                                                                               \
  void mn_vjp_##name(mn_rule *r) {                                                                           \
    mn_context *c = mn_rule_ctx(r);                                                                          \
    mn_tensor *g = mn_grad(r, 0);                                                                            \
    mn_give(r, 0, expression);                                                                               \
  }
#define X mn_saved_in(r, 0)
#define Y mn_saved_out(r, 0)

void mn_vjp_identity(mn_rule *r) { mn_give(r, 0, mn_grad(r, 0)); }
void mn_vjp_cast(mn_rule *r) { mn_give(r, 0, mn_grad(r, 0)); }

static mn_tensor *one_minus(mn_context *c, mn_tensor *x) {
  return mn_sub(c, MN_NONE, x, &(mn_sub_attrs){.value = 1, .alpha = 1});
}
/* 1 - x^2, 1 + x^2 */
static mn_tensor *one_minus_square(mn_context *c, mn_tensor *x) {
  return one_minus(c, mn_square(c, x, NULL));
}
static mn_tensor *one_plus_square(mn_context *c, mn_tensor *x) {
  return mn_add_number(c, mn_square(c, x, NULL), 1);
}

/* x where a function is a constant or linear beyond +-limit: its derivatives are there as at the limit, and nowhere do
 * a huge x or its powers meet a 0 or overflow. */
static mn_tensor *within(mn_context *c, mn_tensor *x, double limit) {
  return mn_clamp(c, x, &(mn_clamp_attrs){.min = -limit, .max = limit});
}

/* 1 / sqrt(1 - x^2), of a product: a rounded square near 1 would leave few digits. */
static mn_tensor *over_circle(mn_context *c, mn_tensor *x) {
  return mn_rsqrt(c, times(c, one_minus(c, x), mn_add_number(c, x, 1)), NULL);
}

/* g / (1 + x^2), of which the square may be out of range where the result is not. */
static mn_tensor *over_circles(mn_context *c, mn_tensor *g, mn_tensor *x) {
  mn_tensor *h = mn_hypot(c, x, MN_NONE, &(mn_hypot_attrs){.value = 1});
  return over(c, over(c, g, h), h);
}

RULE(abs, times(c, g, mn_sign(c, X, NULL)))
RULE(neg, mn_neg(c, g, NULL))
RULE(square, mn_mul_number(c, times(c, g, X), 2))
RULE(exp, times(c, g, Y))
RULE(exp2, mn_mul_number(c, times(c, g, Y), 0.69314718055994530942))
RULE(expm1, plus(c, times(c, g, Y), g))
RULE(log, over(c, g, X))
RULE(log1p, over(c, g, mn_add_number(c, X, 1)))
RULE(log2, mn_mul_number(c, over(c, g, X), 1.44269504088896340736))
RULE(log10, mn_mul_number(c, over(c, g, X), 0.43429448190325182765))
RULE(sqrt, mn_mul_number(c, times(c, g, mn_reciprocal_no_nan(c, Y, NULL)), 0.5))
RULE(sin, times(c, g, mn_cos(c, X, NULL)))
RULE(cos, mn_neg(c, times(c, g, mn_sin(c, X, NULL)), NULL))
RULE(tan, times(c, g, one_plus_square(c, Y)))
RULE(asin, times(c, g, over_circle(c, X)))
RULE(acos, mn_neg(c, times(c, g, over_circle(c, X)), NULL))
RULE(atan, over_circles(c, g, X))
RULE(sinh, times(c, g, mn_cosh(c, X, NULL)))
RULE(cosh, times(c, g, mn_sinh(c, X, NULL)))
RULE(lgamma, times(c, g, mn_digamma(c, X, NULL)))
RULE(digamma, times(c, g, mn_polygamma(c, X, &(mn_polygamma_attrs){.n = 1})))
RULE(polygamma, times(c, g, mn_polygamma(c, X, &(mn_polygamma_attrs){.n = mn_polygamma_kept(r)->n + 1})))
/* sqrt(pi)/2 e^(y^2) */
RULE(erfinv, mn_mul_number(c, times(c, g, mn_exp(c, mn_square(c, Y, NULL), NULL)), 0.88622692545275801365))
RULE(tanh, times(c, g, one_minus_square(c, Y)))
RULE(asinh, over(c, g, mn_hypot(c, X, MN_NONE, &(mn_hypot_attrs){.value = 1})))
RULE(acosh, times(c, g, mn_rsqrt(c, times(c, mn_add_number(c, X, -1), mn_add_number(c, X, 1)), NULL)))
RULE(atanh, over(c, g, times(c, one_minus(c, X), mn_add_number(c, X, 1))))
RULE(replace_nan,
     keep_where(c,
                mn_le(c, mn_abs(c, X, NULL), MN_NONE, &(mn_le_attrs){.value = mn_replace_nan_kept(r)->limit}),
                g))
RULE(relu, mn_gate(c, g, Y, NULL))
RULE(leaky_relu, mn_gate(c, g, X, &(mn_gate_attrs){.slope = mn_leaky_relu_kept(r)->negative_slope}))

void mn_vjp_clamp(mn_rule *r) {
  const mn_clamp_attrs *a = mn_clamp_kept(r);
  mn_clamp_gate_attrs within = {.min = a->min, .max = a->max};
  mn_give(r, 0, mn_clamp_gate(mn_rule_ctx(r), mn_grad(r, 0), X, &within));
}

/* y = 1/x: -g y^2. That of reciprocal_no_nan too, whose y is 0 at 0. */
void mn_vjp_reciprocal(mn_rule *r) {
  mn_context *c = mn_rule_ctx(r);
  mn_tensor *y = Y;
  mn_give(r, 0, mn_neg(c, times(c, times(c, mn_grad(r, 0), y), y), NULL));
}

/* -1/2 x^(-3/2), by way of 1/x, which is 0 at 0. */
void mn_vjp_rsqrt(mn_rule *r) {
  mn_context *c = mn_rule_ctx(r);
  mn_tensor *inverse = mn_reciprocal_no_nan(c, X, NULL);
  mn_tensor *power = times(c, inverse, mn_sqrt(c, inverse, NULL));
  mn_give(r, 0, mn_mul_number(c, times(c, mn_grad(r, 0), power), -0.5));
}

void mn_vjp_sigmoid(mn_rule *r) {
  mn_context *c = mn_rule_ctx(r);
  mn_tensor *y = Y, *t = times(c, mn_grad(r, 0), y);
  mn_give(r, 0, minus(c, t, times(c, t, y)));
}

/* 2/sqrt(pi) e^(-x^2), the slope of erf; a factor of -1 makes that of erfc */
static mn_tensor *bell(mn_context *c, mn_tensor *x, mn_tensor *g, double factor) {
  mn_tensor *y = mn_exp(c, mn_neg(c, mn_square(c, within(c, x, 30), NULL), NULL), NULL);
  return mn_mul_number(c, times(c, g, y), factor * 1.12837916709551257390);
}
RULE(erf, bell(c, X, g, 1))
RULE(erfc, bell(c, X, g, -1))

/* The exponential sees no positive x: it could overflow there, and 0 times infinity is NaN in later
 * derivatives. */
void mn_vjp_elu(mn_rule *r) {
  mn_context *c = mn_rule_ctx(r);
  mn_tensor *x = X, *g = mn_grad(r, 0);
  mn_tensor *low = mn_exp(c, mn_clamp(c, x, &(mn_clamp_attrs){.min = -INFINITY, .max = 0}), NULL);
  mn_tensor *slope = mn_mul_number(c, low, mn_elu_kept(r)->alpha);
  mn_tensor *positive = mn_gt(c, x, MN_NONE, NULL);
  mn_give(r, 0, mn_where(c, positive, g, times(c, g, slope), NULL));
}

/* s + x s (1 - s) with s = sigmoid(x), of which 1 - s is sigmoid(-x) */
void mn_vjp_silu(mn_rule *r) {
  mn_context *c = mn_rule_ctx(r);
  mn_tensor *x = within(c, X, 800), *s = mn_sigmoid(c, x, NULL);
  mn_tensor *rest = mn_sigmoid(c, mn_neg(c, x, NULL), NULL);
  mn_tensor *slope = plus(c, s, times(c, x, times(c, s, rest)));
  mn_give(r, 0, times(c, mn_grad(r, 0), slope));
}

void mn_vjp_softplus(mn_rule *r) {
  mn_context *c = mn_rule_ctx(r);
  const mn_softplus_attrs *a = mn_softplus_kept(r);
  mn_tensor *g = mn_grad(r, 0), *scaled = mn_mul_number(c, X, a->beta);
  mn_tensor *linear = mn_gt(c, scaled, MN_NONE, &(mn_gt_attrs){.value = a->threshold});
  mn_give(r, 0, mn_where(c, linear, g, times(c, g, mn_sigmoid(c, scaled, NULL)), NULL));
}

/* x's normal distribution function plus x times its density */
static mn_tensor *gelu_slope(mn_context *c, mn_tensor *x) {
  mn_tensor *e = mn_erf(c, mn_mul_number(c, x, 0.70710678118654752440), NULL);
  mn_tensor *below = mn_mul_number(c, mn_add_number(c, e, 1), 0.5);
  mn_tensor *bell = mn_exp(c, mn_mul_number(c, mn_square(c, x, NULL), -0.5), NULL);
  return plus(c, below, mn_mul_number(c, times(c, x, bell), 0.39894228040143267794));
}

/* x s with s = (1 + tanh u) / 2 = sigmoid(2u), u = k (x + a x^3): s + x s (1 - s) 2k (1 + 3 a x^2), of which 1 - s is
 * sigmoid(-2u), which keeps its digits where s is almost 1. */
static mn_tensor *gelu_tanh_slope(mn_context *c, mn_tensor *x) {
  const double k = 0.79788456080286535588, a = 0.044715;
  mn_tensor *square = mn_square(c, x, NULL);
  mn_tensor *v = times(c, mn_mul_number(c, x, 2 * k), mn_add_number(c, mn_mul_number(c, square, a), 1));
  mn_tensor *s = mn_sigmoid(c, v, NULL), *rest = mn_sigmoid(c, mn_neg(c, v, NULL), NULL);
  mn_tensor *steep = mn_mul_number(c, mn_add_number(c, mn_mul_number(c, square, 3 * a), 1), 2 * k);
  return plus(c, s, times(c, times(c, x, times(c, s, rest)), steep));
}

void mn_vjp_gelu(mn_rule *r) {
  mn_context *c = mn_rule_ctx(r);
  bool by_tanh = mn_gelu_kept(r)->approximate != 0;
  mn_tensor *x = within(c, X, 40);
  mn_give(r, 0, times(c, mn_grad(r, 0), by_tanh ? gelu_tanh_slope(c, x) : gelu_slope(c, x)));
}

/* ---- derivatives of rows with more inputs. The walk sums a gradient that was broadcast. ---- */

void mn_vjp_add(mn_rule *r) {
  double alpha = mn_add_kept(r)->alpha;
  mn_tensor *g = mn_grad(r, 0);
  if (mn_need(r, 0)) mn_give(r, 0, g);
  if (mn_need(r, 1)) mn_give(r, 1, alpha == 1 ? g : mn_mul_number(mn_rule_ctx(r), g, alpha));
}

void mn_vjp_sub(mn_rule *r) {
  double alpha = mn_sub_kept(r)->alpha;
  mn_context *c = mn_rule_ctx(r);
  mn_tensor *g = mn_grad(r, 0);
  if (mn_need(r, 0)) mn_give(r, 0, g);
  if (mn_need(r, 1)) mn_give(r, 1, alpha == 1 ? mn_neg(c, g, NULL) : mn_mul_number(c, g, -alpha));
}

/* An absent input stays absent in the product, and `value` stands for it there too. */
void mn_vjp_mul(mn_rule *r) {
  const mn_mul_attrs *attrs = mn_mul_kept(r);
  mn_context *c = mn_rule_ctx(r);
  mn_tensor *g = mn_grad(r, 0);
  if (mn_need(r, 0)) mn_give(r, 0, mn_mul(c, g, mn_saved_in(r, 1), attrs));
  if (mn_need(r, 1)) mn_give(r, 1, mn_mul(c, g, mn_saved_in(r, 0), attrs));
}

void mn_vjp_div(mn_rule *r) {
  const mn_div_attrs *attrs = mn_div_kept(r);
  mn_context *c = mn_rule_ctx(r);
  mn_tensor *quotient = mn_div(c, mn_grad(r, 0), mn_saved_in(r, 1), attrs);
  if (mn_need(r, 0)) mn_give(r, 0, quotient);
  if (mn_need(r, 1)) mn_give(r, 1, mn_neg(c, times(c, quotient, Y), NULL));
}

/* b a^(b-1) for a number b. Below 1 by way of 1/a, which is 0 at 0. */
static mn_tensor *power_slope(mn_context *c, mn_tensor *a, double b) {
  if (b == 2) return mn_mul_number(c, a, 2);
  mn_tensor *power =
      b < 1 ? mn_pow_number(c, mn_reciprocal_no_nan(c, a, NULL), 1 - b) : mn_pow_number(c, a, b - 1);
  return mn_mul_number(c, power, b);
}

static void give_power_of_number(mn_rule *r, double base) {
  mn_context *c = mn_rule_ctx(r);
  if (base == 0 || base == 1) return;
  mn_tensor *y = mn_pow(c, MN_NONE, mn_saved_in(r, 1), &(mn_pow_attrs){.value = base});
  mn_give(r, 1, mn_mul_number(c, times(c, mn_grad(r, 0), y), log(base)));
}

void mn_vjp_pow(mn_rule *r) {
  mn_context *c = mn_rule_ctx(r);
  mn_tensor *g = mn_grad(r, 0), *a = mn_saved_in(r, 0), *b = mn_saved_in(r, 1);
  double value = mn_pow_kept(r)->value;
  if (b == MN_NONE) {
    if (value == 1) mn_give(r, 0, g);
    else if (value != 0) mn_give(r, 0, times(c, g, power_slope(c, a, value)));
    return;
  }
  if (a == MN_NONE) {
    give_power_of_number(r, value);
    return;
  }
  mn_tensor *zero = mn_eq(c, a, MN_NONE, NULL), *one = number_like(c, a, 1);
  if (mn_need(r, 0)) {
    mn_tensor *unbounded = mn_logical_and(c, zero, mn_lt(c, b, MN_NONE, &(mn_lt_attrs){.value = 1}), NULL);
    mn_tensor *power = mn_pow(c, mn_where(c, unbounded, one, a, NULL), mn_add_number(c, b, -1), NULL);
    mn_give(r, 0, keep_unless(c, unbounded, times(c, g, times(c, b, power))));
  }
  if (mn_need(r, 1)) {
    mn_tensor *safe = mn_where(c, zero, one, a, NULL);
    mn_give(r, 1, times(c, g, times(c, mn_pow(c, safe, b, NULL), mn_log(c, safe, NULL))));
  }
}

/* Input i, or a 0-dim tensor for the number in its place. */
static mn_tensor *operand(mn_rule *r, int i) {
  mn_tensor *t = mn_saved_in(r, i);
  return t == MN_NONE ? number_like(mn_rule_ctx(r), mn_saved_in(r, 1 - i), mn_value_kept(r)) : t;
}

/* Both get half where they are equal. `loses` says where the first is not the result. */
static void give_extreme(mn_rule *r,
                         mn_tensor *(*loses)(mn_context *, mn_tensor *, mn_tensor *, const mn_lt_attrs *),
                         mn_tensor *(*wins)(mn_context *, mn_tensor *, mn_tensor *, const mn_gt_attrs *)) {
  mn_context *c = mn_rule_ctx(r);
  mn_tensor *g = mn_grad(r, 0), *a = mn_saved_in(r, 0), *b = mn_saved_in(r, 1);
  double value = mn_value_kept(r);
  mn_tensor *equal = mn_eq(c, a, b, &(mn_eq_attrs){.value = value});
  mn_tensor *share = mn_where(c, equal, mn_mul_number(c, g, 0.5), g, NULL);
  if (mn_need(r, 0)) mn_give(r, 0, keep_unless(c, loses(c, a, b, &(mn_lt_attrs){.value = value}), share));
  if (mn_need(r, 1)) mn_give(r, 1, keep_unless(c, wins(c, a, b, &(mn_gt_attrs){.value = value}), share));
}

static mn_tensor *less(mn_context *c, mn_tensor *a, mn_tensor *b, const mn_gt_attrs *attrs) {
  return mn_lt(c, a, b, &(mn_lt_attrs){.value = attrs->value});
}
static mn_tensor *greater(mn_context *c, mn_tensor *a, mn_tensor *b, const mn_lt_attrs *attrs) {
  return mn_gt(c, a, b, &(mn_gt_attrs){.value = attrs->value});
}
void mn_vjp_maximum(mn_rule *r) { give_extreme(r, mn_lt, mn_gt); }
void mn_vjp_minimum(mn_rule *r) { give_extreme(r, greater, less); }

typedef mn_tensor *(*quotient_row)(mn_context *, mn_tensor *, mn_tensor *, double);

/* a - b times the whole quotient, whose derivative counts as 0, as in PyTorch. */
static void give_modulo(mn_rule *r, quotient_row quotient) {
  mn_context *c = mn_rule_ctx(r);
  mn_tensor *g = mn_grad(r, 0);
  if (mn_need(r, 0)) mn_give(r, 0, g);
  if (!mn_need(r, 1)) return;
  mn_tensor *whole = quotient(c, mn_saved_in(r, 0), mn_saved_in(r, 1), mn_value_kept(r));
  mn_give(r, 1, mn_neg(c, times(c, g, whole), NULL));
}
static mn_tensor *towards_zero(mn_context *c, mn_tensor *a, mn_tensor *b, double value) {
  return mn_trunc_divide(c, a, b, &(mn_trunc_divide_attrs){.value = value});
}
static mn_tensor *downwards(mn_context *c, mn_tensor *a, mn_tensor *b, double value) {
  return mn_floor_divide(c, a, b, &(mn_floor_divide_attrs){.value = value});
}
void mn_vjp_fmod(mn_rule *r) { give_modulo(r, towards_zero); }
void mn_vjp_remainder(mn_rule *r) { give_modulo(r, downwards); }

/* b / (a^2 + b^2) and -a / (a^2 + b^2), without the squares, which are soon out of range. */
void mn_vjp_atan2(mn_rule *r) {
  mn_context *c = mn_rule_ctx(r);
  mn_tensor *g = mn_grad(r, 0), *a = operand(r, 0), *b = operand(r, 1);
  mn_tensor *inverse = mn_reciprocal_no_nan(c, mn_hypot(c, a, b, NULL), NULL);
  mn_tensor *scaled = times(c, g, inverse);
  if (mn_need(r, 0)) mn_give(r, 0, times(c, scaled, times(c, b, inverse)));
  if (mn_need(r, 1)) mn_give(r, 1, mn_neg(c, times(c, scaled, times(c, a, inverse)), NULL));
}

void mn_vjp_hypot(mn_rule *r) {
  mn_context *c = mn_rule_ctx(r);
  mn_tensor *scaled = times(c, mn_grad(r, 0), mn_reciprocal_no_nan(c, Y, NULL));
  if (mn_need(r, 0)) mn_give(r, 0, times(c, scaled, operand(r, 0)));
  if (mn_need(r, 1)) mn_give(r, 1, times(c, scaled, operand(r, 1)));
}

void mn_vjp_logaddexp(mn_rule *r) {
  mn_context *c = mn_rule_ctx(r);
  mn_tensor *g = mn_grad(r, 0), *difference = minus(c, operand(r, 0), operand(r, 1));
  if (mn_need(r, 0)) mn_give(r, 0, times(c, g, mn_sigmoid(c, difference, NULL)));
  if (mn_need(r, 1)) mn_give(r, 1, times(c, g, mn_sigmoid(c, mn_neg(c, difference, NULL), NULL)));
}

/* input log(other + shift): the logarithm, and input / (other + shift); the first is 0 where both are, or input is 0 and
 * there is no logarithm. */
static void give_logarithm_times(mn_rule *r, double shift) {
  mn_context *c = mn_rule_ctx(r);
  mn_tensor *g = mn_grad(r, 0), *a = operand(r, 0), *b = operand(r, 1);
  if (shift != 0) b = mn_add_number(c, b, shift);
  if (mn_need(r, 0)) {
    mn_tensor *idle = mn_logical_and(c, mn_eq(c, a, MN_NONE, NULL), mn_le(c, b, MN_NONE, NULL), NULL);
    mn_tensor *logarithm = mn_log(c, mn_where(c, idle, number_like(c, b, 1), b, NULL), NULL);
    mn_give(r, 0, times(c, g, logarithm));
  }
  if (mn_need(r, 1)) mn_give(r, 1, times(c, g, over(c, a, b)));
}
void mn_vjp_xlogy(mn_rule *r) { give_logarithm_times(r, 0); }
void mn_vjp_xlog1py(mn_rule *r) { give_logarithm_times(r, 1); }

/* 1 where the signs agree, -1 where they don't, 0 at 0. */
void mn_vjp_copysign(mn_rule *r) {
  mn_context *c = mn_rule_ctx(r);
  mn_tensor *a = operand(r, 0), *b = operand(r, 1), *g = mn_grad(r, 0);
  if (mn_need(r, 0))
    mn_give(r, 0, times(c, g, times(c, mn_sign(c, a, NULL), mn_copysign(c, number_like(c, b, 1), b, NULL))));
  if (mn_need(r, 1)) mn_give(r, 1, mn_mul_number(c, g, 0));
}

/* The next number moves with the first; where both are equal there is none to go to, and PyTorch has 0. */
void mn_vjp_nextafter(mn_rule *r) {
  mn_context *c = mn_rule_ctx(r);
  mn_tensor *g = mn_grad(r, 0);
  if (mn_need(r, 0)) mn_give(r, 0, keep_unless(c, mn_eq(c, operand(r, 0), operand(r, 1), NULL), g));
  if (mn_need(r, 1)) mn_give(r, 1, mn_mul_number(c, g, 0));
}

void mn_vjp_decayed_average(mn_rule *r) {
  mn_context *c = mn_rule_ctx(r);
  const mn_decayed_average_attrs *a = mn_decayed_average_kept(r);
  if (mn_need(r, 0)) mn_give(r, 0, mn_mul(c, mn_grad(r, 0), MN_NONE, &(mn_mul_attrs){.value = a->decay}));
  if (mn_need(r, 1)) mn_give(r, 1, mn_mul(c, mn_grad(r, 0), MN_NONE, &(mn_mul_attrs){.value = a->share}));
}

void mn_vjp_where(mn_rule *r) {
  mn_context *c = mn_rule_ctx(r);
  mn_tensor *g = mn_grad(r, 0), *condition = mn_saved_in(r, 0);
  if (mn_need(r, 1)) mn_give(r, 1, keep_where(c, condition, g));
  if (mn_need(r, 2)) mn_give(r, 2, keep_unless(c, condition, g));
}

void mn_vjp_gate(mn_rule *r) {
  if (mn_need(r, 0))
    mn_give(r, 0, mn_gate(mn_rule_ctx(r), mn_grad(r, 0), mn_saved_in(r, 1), mn_gate_kept(r)));
}

void mn_vjp_clamp_gate(mn_rule *r) {
  const mn_clamp_gate_attrs *attrs = mn_clamp_gate_kept(r);
  if (mn_need(r, 0)) mn_give(r, 0, mn_clamp_gate(mn_rule_ctx(r), mn_grad(r, 0), mn_saved_in(r, 1), attrs));
}
