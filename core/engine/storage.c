/* storage.c: the memory of tensors, which views share: made, counted, given back. */
#include "engine/engine.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* A storage and its data are one block: the header fills the first 64 bytes. */
enum { STORAGE_HEADER = 64 };
_Static_assert(sizeof(mn_storage) <= STORAGE_HEADER, "the data must stay 64-byte aligned");

mn_storage *mn_storage_new(mn_context *ctx, size_t bytes) {
  mn_storage *s = mn_memory_get(ctx, STORAGE_HEADER + bytes);
  if (!s) return NULL;
  memset(s, 0, sizeof *s);
  s->bytes = STORAGE_HEADER + bytes;
  s->refs = 1;
  s->data = (char *)s + STORAGE_HEADER;
  s->id = ctx->next_id++;
  ctx->stats.live_storages++;
  return s;
}

/* A mapping lives as long as its owner or one of its storages. */
void mn_map_release(mn_map *map) {
  if (!map || --map->refs > 0) return;
  munmap(map->start, map->bytes);
  free(map);
}

void mn_storage_unref(mn_context *ctx, mn_storage *s) {
  if (--s->refs > 0) return;
  mn_map_release(s->map);
  mn_memory_put(ctx, s, s->bytes);
  ctx->stats.live_storages--;
}
