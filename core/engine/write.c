/* write.c: many tensors overwritten at once, all of them or none. Whatever can fail comes first; the copies that
 * follow ask for no memory and look at no flag, so an update of a whole model is never left half done. */
#include "engine/engine.h"
#include "rows.h"
#include <string.h>

static int check_target(mn_context *ctx, const char *name, int i, mn_tensor *target, mn_tensor *source) {
  if (!target || !source || mn_is_none(target))
    return mn_error_set(ctx, MN_ERR_ARGUMENT, "%s: tensor %d is missing", name, i + 1);
  if (target->ctx != ctx || (!mn_is_none(source) && source->ctx != ctx))
    return mn_error_set(ctx, MN_ERR_ARGUMENT, "%s: tensor %d belongs to another context", name, i + 1);
  if (mn_may_share_places(&target->a))
    return mn_error_set(ctx, MN_ERR_ARGUMENT,
                        "%s: a tensor whose elements share memory, as expand and unfold make them, can't be "
                        "changed in place; clone() it",
                        name);
  return 0;
}

/* Fails for another size; 1 for what could be written after a cast or a copy. Copies between devices are such: they may
 * need memory in between. */
static int check_source(mn_context *ctx, const char *name, const mn_tensor *target, const mn_tensor *source) {
  if (mn_is_none(source)) return 0;
  const mn_array *a = &target->a, *b = &source->a;
  char want[128], got[128];
  if (!mn_same_size(a, b))
    return mn_error_set(ctx, MN_ERR_ARGUMENT, "%s: expected a tensor of size %s, got %s", name,
                        mn_shape_text(a, want), mn_shape_text(b, got));
  return a->dtype != b->dtype || a->device != b->device || !b->contiguous || source->storage->written;
}

static int check(mn_context *ctx, const char *name, int n, mn_tensor *const *targets,
                 mn_tensor *const *sources) {
  int marked = 0, failed = 0;
  for (; !failed && marked < n; marked++) {
    failed = check_target(ctx, name, marked, targets[marked], sources[marked]);
    if (failed) break;
    targets[marked]->storage->written = true;
  }
  for (int i = 0; failed >= 0 && i < n; i++) {
    int bad = check_source(ctx, name, targets[i], sources[i]);
    if (bad) failed = bad;
  }
  for (int i = 0; i < marked; i++) targets[i]->storage->written = false;
  return failed;
}

/* In a recording each write is a row like any other. */
static int record(mn_context *ctx, int n, mn_tensor *const *targets, mn_tensor *const *sources) {
  int before = mn_record_length(ctx);
  const mn_fill_attrs zero = {.value = 0};
  for (int i = 0; i < n; i++) {
    mn_tensor *in[2] = {targets[i], sources[i]};
    bool fills = mn_is_none(sources[i]);
    int op = fills ? MN_OP_fill : MN_OP_assign, n_in = fills ? 1 : 2;
    if (mn_record_prepare(ctx, op, n_in, 1)) return mn_record_cut(ctx, before), -1;
    mn_record_row(ctx, op, true, n_in, in, 1, in, (const mn_slot *)&zero);
  }
  return 0;
}

int mn_tensors_write(mn_context *ctx, const char *name, int n, mn_tensor *const *targets,
                     mn_tensor *const *sources) {
  int failed = check(ctx, name, n, targets, sources);
  if (failed) return failed;
  if (ctx->recording && record(ctx, n, targets, sources)) return -1;
  for (int i = 0; i < n; i++) {
    mn_array *to = &targets[i]->a;
    targets[i]->storage->version++;
    if (mn_is_none(sources[i]) ? mn_array_zero(ctx, to) : mn_array_copy(ctx, to, &sources[i]->a)) return -1;
  }
  return 0;
}
