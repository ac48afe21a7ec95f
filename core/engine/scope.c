/* scope.c: while a rule runs, the open scope owns every tensor that ops return. */
#include "engine/engine.h"

int mn_scope_reserve(mn_context *ctx, int n) {
  mn_scope *s = &ctx->scope;
  if (s->depth == 0 || s->n + n <= s->capacity) return 0;
  int capacity = 2 * (s->n + n) + 64;
  mn_tensor **items = mn_memory_lengthen(ctx, s->items, (size_t)s->capacity * sizeof *items,
                                         (size_t)capacity * sizeof *items);
  if (!items) return -1;
  s->items = items, s->capacity = capacity;
  return 0;
}

void mn_scope_add(mn_context *ctx, mn_tensor *t) {
  if (ctx->scope.depth > 0) ctx->scope.items[ctx->scope.n++] = t;
}

int mn_scope_open(mn_context *ctx) { return ctx->scope.depth++, ctx->scope.n; }

void mn_scope_close(mn_context *ctx, int mark) {
  mn_scope *s = &ctx->scope;
  s->depth--;
  while (s->n > mark) mn_tensor_unref(s->items[--s->n]);
  mn_drain(ctx);
}
