/* anomaly.c: detect_anomaly. Whether a result has NaN or an infinity that is news, and where calls were made. The
 * binding knows places; the core asks for one by failing with MN_ERR_PLACE, and nodes keep it. */
#include "engine/engine.h"
#include <string.h>

void mn_set_anomaly(mn_context *ctx, int on) {
  ctx->watch = on ? ctx->watch | MN_WATCH_ANOMALY : ctx->watch & ~MN_WATCH_ANOMALY;
  ctx->place = 0;
  ctx->place_state = MN_PLACE_UNKNOWN;
}
int mn_anomaly(mn_context *ctx) { return (ctx->watch & MN_WATCH_ANOMALY) != 0; }

void mn_set_place(mn_context *ctx, int place) {
  ctx->place = (uint32_t)place;
  ctx->place_state = MN_PLACE_ONCE;
}
int mn_place(mn_context *ctx) { return (int)ctx->place; }

void mn_set_places(mn_context *ctx, int on) {
  ctx->watch = on ? ctx->watch | MN_WATCH_PLACES : ctx->watch & ~MN_WATCH_PLACES;
}

/* Every row's where anomalies are looked for; else of those that the device may tell about later. */
static bool is_wanted(const mn_context *ctx, const mn_op_info *op, int device) {
  if (ctx->watch & MN_WATCH_ANOMALY) return true;
  return ctx->watch & MN_WATCH_PLACES && op->flags & MN_F_VALUES && ctx->devices[device]->backend->late;
}

int mn_place_begin(mn_context *ctx, const mn_op_info *op, int device) {
  if (ctx->place_state != MN_PLACE_UNKNOWN || !is_wanted(ctx, op, device)) return 0;
  return mn_error_set(ctx, MN_ERR_PLACE, "the place of a call is not known");
}

void mn_place_end(mn_context *ctx) {
  if (ctx->place_state == MN_PLACE_ONCE) ctx->place_state = MN_PLACE_UNKNOWN;
}

const char *mn_anomaly_in(const mn_tensor *t) {
  static const char *const names[] = {NULL, "inf", "nan"};
  int64_t found = mn_query(t->ctx, MN_FIND_NONFINITE, &t->a);
  return found > 0 ? names[found] : NULL;
}

/* An infinity that an input or a number already had is not reported: masks are made of them. */
static bool had_infinity(const mn_op_info *op, const mn_slot *attrs, int n_in, mn_tensor *const *in) {
  for (int i = 0; i < op->n_attrs; i++)
    if (op->attrs[i].kind == MN_ATTR_NUM && isinf(attrs[op->attrs[i].slot].f)) return true;
  for (int i = 0; i < n_in; i++)
    if (!mn_is_none(in[i]) && mn_anomaly_in(in[i])) return true;
  return false;
}

int mn_anomaly_check(mn_context *ctx, const mn_op_info *op, const mn_slot *attrs, int n_in,
                     mn_tensor *const *in, int n_out, mn_tensor *const *out) {
  if (ctx->place_state == MN_PLACE_HELD) return 0; /* inside a rule: the walk looks at what comes out */
  for (int k = 0; k < n_out; k++) {
    const char *what = mn_anomaly_in(out[k]);
    if (!what || (what[0] == 'i' && had_infinity(op, attrs, n_in, in))) continue;
    return mn_error_set(ctx, MN_ERR_ANOMALY, "detect_anomaly: the result of %s has %s", op->name, what);
  }
  return 0;
}
