/* norm.c: shape and derivative rules of batch norm. It runs no kernels and reads no data. */
#include "ops/prototypes.h"

/* ---- shapes ---- */

static int check_float(const mn_infer *x, int i, const char *name) {
  const mn_array *a = x->in[i];
  if (a->dtype == MN_FLOAT32 || a->dtype == MN_FLOAT64) return 0;
  return mn_fail(x, "%s must be float32 or float64, got %s", name, mn_dtype_name(a->dtype));
}

/* Input i, if it is there, has one number for each of the channels. */
static int check_channels(const mn_infer *x, int i, const char *name, const mn_array *input) {
  char left[128], right[128];
  if (!x->in[i]) return 0;
  const mn_array *a = x->in[i];
  if (a->ndim != 1 || a->size[0] != input->size[1])
    return mn_fail(x, "%s %s does not fit the %lld channels of input %s", name, mn_shape_text(a, left),
                   (long long)input->size[1], mn_shape_text(input, right));
  if (a->dtype != input->dtype)
    return mn_fail(x, "%s is %s but input is %s", name, mn_dtype_name(a->dtype), mn_dtype_name(input->dtype));
  return 0;
}

static int check_like(const mn_infer *x, int i, const char *name, const mn_array *input) {
  char left[128], right[128];
  if (!x->in[i]) return 0;
  const mn_array *a = x->in[i];
  int same = a->ndim == input->ndim && a->dtype == input->dtype;
  for (int d = 0; same && d < a->ndim; d++) same = a->size[d] == input->size[d];
  if (same) return 0;
  return mn_fail(x, "%s %s %s does not match input %s %s", name, mn_dtype_name(a->dtype),
                 mn_shape_text(a, left), mn_dtype_name(input->dtype), mn_shape_text(input, right));
}

static int check_input(const mn_infer *x, int i) {
  const mn_array *a = x->in[i];
  char text[128];
  if (check_float(x, i, "input")) return -1;
  return a->ndim >= 2 ? 0 : mn_fail(x, "input must be (N, C, ...), got %s", mn_shape_text(a, text));
}

static void of_channels(mn_array *out, const mn_array *input) {
  out->dtype = input->dtype;
  out->ndim = 1, out->size[0] = input->size[1];
}

static void of_input(mn_array *out, const mn_array *input) {
  out->dtype = input->dtype;
  mn_same_shape(out, input);
}

int mn_infer_batch_norm(mn_infer *x) {
  const mn_array *in = x->in[0];
  if (check_input(x, 0) || check_channels(x, 1, "weight", in) || check_channels(x, 2, "bias", in)) return -1;
  of_input(x->out[0], in);
  of_channels(x->out[1], in), of_channels(x->out[2], in);
  return 0;
}

int mn_infer_batch_norm_grad(mn_infer *x) {
  const mn_array *in = x->in[1];
  if (check_input(x, 1) || check_like(x, 0, "grad", in) || check_channels(x, 2, "weight", in) ||
      check_channels(x, 3, "mean", in) || check_channels(x, 4, "var", in))
    return -1;
  of_input(x->out[0], in);
  of_channels(x->out[1], in), of_channels(x->out[2], in);
  return 0;
}

int mn_infer_batch_norm_grad_grad(mn_infer *x) {
  const mn_array *in = x->in[4];
  if (check_input(x, 4) || check_like(x, 0, "grad_input", in) || check_channels(x, 1, "grad_weight", in) ||
      check_channels(x, 2, "grad_bias", in) || check_like(x, 3, "grad", in) ||
      check_channels(x, 5, "weight", in) || check_channels(x, 6, "mean", in) ||
      check_channels(x, 7, "var", in))
    return -1;
  of_input(x->out[0], in), of_input(x->out[1], in);
  of_channels(x->out[2], in);
  return 0;
}

/* ---- derivatives ---- */

void mn_vjp_batch_norm(mn_rule *r) {
  const mn_batch_norm_attrs *t = mn_batch_norm_kept(r);
  mn_tensor *out[3] = {NULL, NULL, NULL};
  mn_batch_norm_grad(mn_rule_ctx(r), mn_grad(r, 0), mn_saved_in(r, 0), mn_saved_in(r, 1), mn_saved_out(r, 1),
                     mn_saved_out(r, 2), &(mn_batch_norm_grad_attrs){t->eps}, out);
  for (int i = 0; i < 3; i++)
    if (mn_need(r, i)) mn_give(r, i, out[i]);
}

/* mean and var are functions of input that happen to be at hand: all of their derivative is in input's. */
void mn_vjp_batch_norm_grad(mn_rule *r) {
  const mn_batch_norm_grad_attrs *t = mn_batch_norm_grad_kept(r);
  mn_tensor *out[3] = {NULL, NULL, NULL}, *cotangent[3];
  for (int k = 0; k < 3; k++) cotangent[k] = mn_has_grad(r, k) ? mn_grad(r, k) : MN_NONE;
  mn_batch_norm_grad_grad(mn_rule_ctx(r), cotangent[0], cotangent[1], cotangent[2], mn_saved_in(r, 0),
                          mn_saved_in(r, 1), mn_saved_in(r, 2), mn_saved_in(r, 3), mn_saved_in(r, 4),
                          &(mn_batch_norm_grad_grad_attrs){t->eps}, out);
  for (int i = 0; i < 3; i++)
    if (mn_need(r, i)) mn_give(r, i, out[i]);
}

/* The derivative of batch_norm_grad_grad, in ordinary ops of input, so that all further ones follow.
 *
 * With P(u) = u - mean(u) - xh mean(u xh), r = (var + eps)^-1/2, s_u = <u, xh>, U = r P(u) and the symmetric
 * form [u, t] = <u, r P(t)>, its outputs with cotangents p (for grad), q (input) and c (weight) add up to T =
 * w [p,v] + a s_p + b sum(p) - k ([v,g] s_q + s_v [q,g] + s_g [q,v]) + a [q,g] + c [v,g],   k = w r / count.
 * Then d[u,t]/du = r P(t), ds_u/du = xh, and with respect to input: ds_u/dx = U, dk/dx = -k r xh / count and
 * d[u,t]/dx = -r / count ([u,t] xh + s_u T + s_t U). A missing v, a or b stands for zero. */
typedef struct vector {
  mn_tensor *u, *s, *big; /* u, s_u and U = r P(u); NULL members where u is missing */
} vector;

typedef struct third {
  mn_rule *rule;
  mn_context *ctx;
  mn_tensor *x, *mean, *var, *xh, *r;
  mn_list wide; /* (1, C, 1, ...) */
  double eps, count;
} third;

/* Products and sums in which MN_NONE stands for zero. */
static mn_tensor *times(third *z, mn_tensor *a, mn_tensor *b) {
  return a == MN_NONE || b == MN_NONE ? MN_NONE : mn_mul(z->ctx, a, b, NULL);
}
static mn_tensor *plus(third *z, mn_tensor *a, mn_tensor *b) {
  if (a == MN_NONE) return b;
  return b == MN_NONE ? a : mn_add(z->ctx, a, b, NULL);
}
static mn_tensor *scaled(third *z, mn_tensor *a, double by) {
  return a == MN_NONE ? MN_NONE : mn_mul_number(z->ctx, a, by);
}
/* Numbers of channels as (1, C, 1, ...), and back. */
static mn_tensor *wide(third *z, mn_tensor *a) { return a == MN_NONE ? a : mn_reshape(z->ctx, a, z->wide); }
static mn_tensor *narrow(third *z, mn_tensor *a) {
  return a == MN_NONE ? a : mn_reshape(z->ctx, a, (mn_list){1, {z->wide.v[1]}});
}
static mn_tensor *channel_sum(third *z, mn_tensor *a) {
  return a == MN_NONE ? a : mn_sum_to(z->ctx, a, &(mn_sum_to_attrs){z->wide});
}

static vector make_vector(third *z, mn_tensor *u) {
  mn_tensor *out[3] = {NULL, NULL, NULL};
  if (u == MN_NONE) return (vector){u, u, u};
  mn_batch_norm_grad(z->ctx, u, z->x, MN_NONE, z->mean, z->var, &(mn_batch_norm_grad_attrs){z->eps}, out);
  return (vector){u, wide(z, out[1]), out[0]};
}

static mn_tensor *form(third *z, vector u, vector t) { return channel_sum(z, times(z, u.u, t.big)); }

/* d[u,t]/dx, given [u,t] */
static mn_tensor *form_dx(third *z, mn_tensor *ut, vector u, vector t) {
  mn_tensor *sum = plus(z, plus(z, times(z, ut, z->xh), times(z, u.s, t.big)), times(z, t.s, u.big));
  return scaled(z, times(z, z->r, sum), -1 / z->count);
}

static void begin(third *z, mn_rule *r) {
  mn_tensor *out[3] = {NULL, NULL, NULL};
  mn_list size = mn_in_shape(r, 4);
  *z = (third){.rule = r,
               .ctx = mn_rule_ctx(r),
               .x = mn_saved_in(r, 4),
               .mean = mn_saved_in(r, 6),
               .var = mn_saved_in(r, 7),
               .wide = {.n = size.n},
               .count = 1,
               .eps = mn_batch_norm_grad_grad_kept(r)->eps};
  mn_list dims = {.n = size.n - 1};
  for (int64_t d = 0; d < size.n; d++) {
    z->wide.v[d] = d == 1 ? size.v[1] : 1;
    if (d != 1) z->count *= (double)size.v[d], dims.v[d ? d - 1 : 0] = d;
  }
  mn_batch_norm(z->ctx, z->x, MN_NONE, MN_NONE, &(mn_batch_norm_attrs){z->eps}, out);
  z->xh = out[0];
  mn_var_attrs biased = {.dim = dims, .correction = 0, .keepdim = 1};
  z->r = mn_rsqrt(z->ctx, mn_add_number(z->ctx, mn_var(z->ctx, z->x, &biased), z->eps), NULL);
}

static mn_tensor *cotangent(mn_rule *r, int k) { return mn_has_grad(r, k) ? mn_grad(r, k) : MN_NONE; }

void mn_vjp_batch_norm_grad_grad(mn_rule *rule) {
  third z;
  mn_list size = mn_in_shape(rule, 4);
  for (int64_t d = 0; d < size.n; d++)
    if (size.v[d] == 0) return; /* a mean of nothing is no number, its derivative is zero */
  begin(&z, rule);
  mn_tensor *a = wide(&z, mn_saved_in(rule, 1)), *w = wide(&z, mn_saved_in(rule, 5)),
            *c = wide(&z, cotangent(rule, 2));
  vector p = make_vector(&z, cotangent(rule, 0)), q = make_vector(&z, cotangent(rule, 1));
  vector v = make_vector(&z, mn_saved_in(rule, 0)), g = make_vector(&z, mn_saved_in(rule, 3));
  if (w == MN_NONE) w = mn_full(z.ctx, &(mn_full_attrs){z.wide, 1, mn_in_dtype(rule, 4), -1});
  mn_tensor *pv = form(&z, p, v), *vg = form(&z, v, g), *qg = form(&z, q, g), *qv = form(&z, q, v);
  mn_tensor *k = scaled(&z, times(&z, w, z.r), -1 / z.count); /* -k */
  mn_tensor *vg_all = plus(&z, times(&z, k, q.s), c), *qg_all = plus(&z, times(&z, k, v.s), a),
            *qv_all = times(&z, k, g.s);
  /* T = w [p,v] + a s_p + b sum(p) + vg_all [v,g] + qg_all [q,g] + qv_all [q,v], plus what is in s_q, s_v and
   * s_g. */
  mn_tensor *in_sq = times(&z, k, vg), *in_sv = times(&z, k, qg), *in_sg = times(&z, k, qv);
  mn_tensor *triple = plus(&z, plus(&z, times(&z, vg, q.s), times(&z, v.s, qg)), times(&z, g.s, qv));
  mn_tensor *scale = scaled(&z, times(&z, z.r, triple), -1 / z.count);
  if (mn_need(rule, 0))
    mn_give(rule, 0,
            plus(&z, plus(&z, times(&z, w, p.big), times(&z, vg_all, g.big)),
                 plus(&z, times(&z, qv_all, q.big), times(&z, in_sv, z.xh))));
  if (mn_need(rule, 1)) mn_give(rule, 1, narrow(&z, plus(&z, p.s, qg)));
  if (mn_need(rule, 2)) mn_give(rule, 2, narrow(&z, channel_sum(&z, p.u)));
  if (mn_need(rule, 3))
    mn_give(rule, 3,
            plus(&z, plus(&z, times(&z, vg_all, v.big), times(&z, qg_all, q.big)), times(&z, in_sg, z.xh)));
  if (mn_need(rule, 5)) mn_give(rule, 5, narrow(&z, plus(&z, pv, scale)));
  if (!mn_need(rule, 4)) return;
  mn_tensor *dx = times(&z, w, form_dx(&z, pv, p, v));
  dx = plus(&z, dx, times(&z, a, p.big));
  dx = plus(&z, dx, times(&z, vg_all, form_dx(&z, vg, v, g)));
  dx = plus(&z, dx, times(&z, qg_all, form_dx(&z, qg, q, g)));
  dx = plus(&z, dx, times(&z, qv_all, form_dx(&z, qv, q, v)));
  dx = plus(&z, dx,
            plus(&z, times(&z, in_sq, q.big), plus(&z, times(&z, in_sv, v.big), times(&z, in_sg, g.big))));
  mn_tensor *dk = scaled(&z, times(&z, times(&z, k, z.r), times(&z, triple, z.xh)), -1 / z.count);
  mn_give(rule, 4, plus(&z, dx, dk));
}

/* ---- tangents ---- */

/* y = w xh + b: w r P(dx) + dw xh + db, where batch_norm_grad without a weight gives r P(dx). */
void mn_jvp_batch_norm(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  const mn_batch_norm_attrs *t = mn_batch_norm_kept(r);
  mn_tensor *x = mn_saved_in(r, 0), *w = mn_saved_in(r, 1), *sum = MN_NONE, *out[3] = {NULL, NULL, NULL};
  mn_list size = mn_in_shape(r, 0);
  third z = {.ctx = ctx, .wide = {.n = size.n}};
  for (int64_t d = 0; d < size.n; d++) z.wide.v[d] = d == 1 ? size.v[1] : 1;
  if (mn_has_tangent(r, 0)) {
    mn_batch_norm_grad(ctx, mn_tangent(r, 0), x, MN_NONE, mn_saved_out(r, 1), mn_saved_out(r, 2),
                       &(mn_batch_norm_grad_attrs){t->eps}, out);
    sum = w == MN_NONE ? out[0] : times(&z, wide(&z, w), out[0]);
  }
  if (mn_has_tangent(r, 1)) {
    mn_batch_norm(ctx, x, MN_NONE, MN_NONE, t, out);
    sum = plus(&z, sum, times(&z, wide(&z, mn_tangent(r, 1)), out[0]));
  }
  if (mn_has_tangent(r, 2)) sum = plus(&z, sum, wide(&z, mn_tangent(r, 2)));
  mn_push(r, 0, sum);
}
