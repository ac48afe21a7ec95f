/* scratch.c: scratch memory for kernels, on the device that they run on: the context's, or a caller's own. */
#include "engine/engine.h"

static void *from_context(mn_arena *arena, size_t bytes) {
  mn_scratches *s = (mn_scratches *)arena;
  if (s->n == MN_SCRATCHES) return NULL;
  void *p =
      mn_on_host(s->ctx, s->device) ? mn_memory_get(s->ctx, bytes) : mn_device_get(s->ctx, s->device, bytes);
  if (p) s->blocks[s->n].p = p, s->blocks[s->n++].bytes = bytes;
  return p;
}

void mn_scratches_open(mn_scratches *s, mn_context *ctx, int device) {
  s->arena.get = from_context, s->ctx = ctx, s->device = device, s->n = 0;
}

void mn_scratches_close(mn_scratches *s) {
  for (int i = 0; i < s->n; i++)
    if (mn_on_host(s->ctx, s->device)) mn_memory_put(s->ctx, s->blocks[i].p, s->blocks[i].bytes);
    else mn_device_put(s->ctx, s->device, s->blocks[i].p, s->blocks[i].bytes);
  s->n = 0;
}

/* ---- memory that the caller owns ---- */

static void *from_memory(mn_arena *arena, size_t bytes) {
  size_t rounded = (bytes + 63) & ~(size_t)63;
  if (rounded < bytes || rounded > arena->bytes - arena->used) return NULL;
  char *p = arena->memory + arena->used;
  arena->used += rounded;
  return p;
}

void mn_arena_over(mn_arena *arena, void *memory, size_t bytes) {
  *arena = (mn_arena){.get = from_memory, .memory = memory, .bytes = bytes};
}
