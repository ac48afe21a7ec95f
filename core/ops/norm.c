/* norm.c: shape and derivative rules of batch norm. It runs no kernels and reads no data. */
#include "ops/algebra.h"

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
    return mn_fail(x, "%s %s doesn't fit the %lld channels of input %s", name, mn_shape_text(a, left),
                   (long long)input->size[1], mn_shape_text(input, right));
  if (a->dtype != input->dtype)
    return mn_fail(x, "%s is %s but input is %s", name, mn_dtype_name(a->dtype), mn_dtype_name(input->dtype));
  return 0;
}

static int check_like(const mn_infer *x, int i, const char *name, const mn_array *input) {
  char left[128], right[128];
  if (!x->in[i]) return 0;
  const mn_array *a = x->in[i];
  if (a->dtype == input->dtype && mn_same_size(a, input)) return 0;
  return mn_fail(x, "%s %s %s doesn't match input %s %s", name, mn_dtype_name(a->dtype),
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
static mn_tensor *multiplied(third *z, mn_tensor *a, mn_tensor *b) {
  return a == MN_NONE || b == MN_NONE ? MN_NONE : times(z->ctx, a, b);
}
static mn_tensor *added(third *z, mn_tensor *a, mn_tensor *b) {
  if (a == MN_NONE) return b;
  return b == MN_NONE ? a : plus(z->ctx, a, b);
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

static mn_tensor *form(third *z, vector u, vector t) { return channel_sum(z, multiplied(z, u.u, t.big)); }

/* d[u,t]/dx, given [u,t] */
static mn_tensor *form_dx(third *z, mn_tensor *ut, vector u, vector t) {
  mn_tensor *sum =
      added(z, added(z, multiplied(z, ut, z->xh), multiplied(z, u.s, t.big)), multiplied(z, t.s, u.big));
  return scaled(z, multiplied(z, z->r, sum), -1 / z->count);
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

/* The terms of T, with all that [v,g], [q,g] and [q,v] are multiplied by, and what stands in s_q, s_v and s_g. */
typedef struct terms {
  vector p, q, v, g;
  mn_tensor *a, *w, *k, *pv, *vg, *qg, *qv; /* k: -k */
  mn_tensor *vg_all, *qg_all, *qv_all, *in_sq, *in_sv, *in_sg, *triple;
} terms;

static terms make_terms(third *z) {
  mn_rule *rule = z->rule;
  terms t = {.a = wide(z, mn_saved_in(rule, 1)), .w = wide(z, mn_saved_in(rule, 5))};
  mn_tensor *c = wide(z, cotangent(rule, 2));
  t.p = make_vector(z, cotangent(rule, 0)), t.q = make_vector(z, cotangent(rule, 1));
  t.v = make_vector(z, mn_saved_in(rule, 0)), t.g = make_vector(z, mn_saved_in(rule, 3));
  if (t.w == MN_NONE) t.w = mn_full(z->ctx, &(mn_full_attrs){z->wide, 1, mn_in_dtype(rule, 4), -1});
  t.pv = form(z, t.p, t.v), t.vg = form(z, t.v, t.g), t.qg = form(z, t.q, t.g), t.qv = form(z, t.q, t.v);
  t.k = scaled(z, multiplied(z, t.w, z->r), -1 / z->count);
  t.vg_all = added(z, multiplied(z, t.k, t.q.s), c);
  t.qg_all = added(z, multiplied(z, t.k, t.v.s), t.a);
  t.qv_all = multiplied(z, t.k, t.g.s);
  t.in_sq = multiplied(z, t.k, t.vg), t.in_sv = multiplied(z, t.k, t.qg), t.in_sg = multiplied(z, t.k, t.qv);
  t.triple =
      added(z, added(z, multiplied(z, t.vg, t.q.s), multiplied(z, t.v.s, t.qg)), multiplied(z, t.g.s, t.qv));
  return t;
}

static mn_tensor *input_grad(third *z, const terms *t) {
  mn_tensor *dx = multiplied(z, t->w, form_dx(z, t->pv, t->p, t->v));
  dx = added(z, dx, multiplied(z, t->a, t->p.big));
  dx = added(z, dx, multiplied(z, t->vg_all, form_dx(z, t->vg, t->v, t->g)));
  dx = added(z, dx, multiplied(z, t->qg_all, form_dx(z, t->qg, t->q, t->g)));
  dx = added(z, dx, multiplied(z, t->qv_all, form_dx(z, t->qv, t->q, t->v)));
  mn_tensor *in_sums = added(z, multiplied(z, t->in_sv, t->v.big), multiplied(z, t->in_sg, t->g.big));
  dx = added(z, dx, added(z, multiplied(z, t->in_sq, t->q.big), in_sums));
  mn_tensor *dk =
      scaled(z, multiplied(z, multiplied(z, t->k, z->r), multiplied(z, t->triple, z->xh)), -1 / z->count);
  return added(z, dx, dk);
}

void mn_vjp_batch_norm_grad_grad(mn_rule *rule) {
  third whole, *z = &whole;
  mn_list size = mn_in_shape(rule, 4);
  for (int64_t d = 0; d < size.n; d++)
    if (size.v[d] == 0) return; /* a mean of nothing is no number, its derivative is zero */
  begin(z, rule);
  terms t = make_terms(z);
  mn_tensor *scale = scaled(z, multiplied(z, z->r, t.triple), -1 / z->count);
  if (mn_need(rule, 0)) {
    mn_tensor *sum = added(z, multiplied(z, t.w, t.p.big), multiplied(z, t.vg_all, t.g.big));
    mn_give(rule, 0,
            added(z, sum, added(z, multiplied(z, t.qv_all, t.q.big), multiplied(z, t.in_sv, z->xh))));
  }
  if (mn_need(rule, 1)) mn_give(rule, 1, narrow(z, added(z, t.p.s, t.qg)));
  if (mn_need(rule, 2)) mn_give(rule, 2, narrow(z, channel_sum(z, t.p.u)));
  if (mn_need(rule, 3)) {
    mn_tensor *sum = added(z, multiplied(z, t.vg_all, t.v.big), multiplied(z, t.qg_all, t.q.big));
    mn_give(rule, 3, added(z, sum, multiplied(z, t.in_sg, z->xh)));
  }
  if (mn_need(rule, 5)) mn_give(rule, 5, narrow(z, added(z, t.pv, scale)));
  if (mn_need(rule, 4)) mn_give(rule, 4, input_grad(z, &t));
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
    sum = w == MN_NONE ? out[0] : multiplied(&z, wide(&z, w), out[0]);
  }
  if (mn_has_tangent(r, 1)) {
    mn_batch_norm(ctx, x, MN_NONE, MN_NONE, t, out);
    sum = added(&z, sum, multiplied(&z, wide(&z, mn_tangent(r, 1)), out[0]));
  }
  if (mn_has_tangent(r, 2)) sum = added(&z, sum, wide(&z, mn_tangent(r, 2)));
  mn_push(r, 0, sum);
}
