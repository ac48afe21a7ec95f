/* attrs.c: are a call's attributes of the kinds that the op table says? Shape rules and kernels then may index by an
 * enum's or a dtype's number, fill lists, and add small numbers to positions without an overflow. */
#include "engine/engine.h"

/* Positions and sizes from here on make no sense; sums of a few smaller ones fit. The Lua interface has the same limit. */
#define FARTHEST (INT64_C(1) << 60)

static int refuse(mn_context *ctx, const mn_op_info *op, const mn_attr_info *a, const char *want,
                  int64_t got) {
  return mn_error_set(ctx, MN_ERR_ARGUMENT, "%s: '%s' must be %s, got %lld", op->name, a->name, want,
                      (long long)got);
}

static int count_choices(const char *choices) {
  int n = 1;
  for (; *choices; choices++) n += *choices == '|';
  return n;
}

static bool too_far(int64_t v) { return v >= FARTHEST || v <= -FARTHEST; }

static int check_list(mn_context *ctx, const mn_op_info *op, const mn_attr_info *a, const mn_list *list) {
  if (list->n < -1 || list->n > MN_MAX_DIMS)
    return refuse(ctx, op, a, "a list of at most 8 numbers, or -1 of them where it is left out", list->n);
  for (int64_t i = 0; i < list->n; i++)
    if (too_far(list->v[i])) return refuse(ctx, op, a, "a list of numbers below 2^60", list->v[i]);
  return 0;
}

static int check_attr(mn_context *ctx, const mn_op_info *op, const mn_attr_info *a, const mn_slot *slot) {
  int64_t v = slot->i;
  switch (a->kind) {
  case MN_ATTR_NUM:
    return 0;
  case MN_ATTR_LIST:
  case MN_ATTR_DIMS:
  case MN_ATTR_PAIR:
    return check_list(ctx, op, a, (const mn_list *)slot);
  case MN_ATTR_BOOL:
    return v == 0 || v == 1 ? 0 : refuse(ctx, op, a, "0 or 1", v);
  case MN_ATTR_DTYPE:
    return v >= -1 && v < MN_DTYPE_COUNT ? 0 : refuse(ctx, op, a, "a dtype, or -1 for the default", v);
  case MN_ATTR_DEVICE:
    return v >= -1 && v < ctx->n_devices ? 0 : refuse(ctx, op, a, "an open device, or -1 for the default", v);
  case MN_ATTR_ENUM:
    return v >= 0 && v < count_choices(a->choices) ? 0 : refuse(ctx, op, a, a->choices, v);
  default:
    return !too_far(v) || v == MN_UNSET ? 0 : refuse(ctx, op, a, "a number below 2^60", v);
  }
}

int mn_check_attrs(mn_context *ctx, const mn_op_info *op, const mn_slot *attrs) {
  for (int i = 0; i < op->n_attrs; i++)
    if (check_attr(ctx, op, &op->attrs[i], &attrs[op->attrs[i].slot])) return -1;
  return 0;
}
