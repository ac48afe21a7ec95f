/* storage.c: the memory of tensors, which views share: made, counted, given back. */
#include "engine/engine.h"
#include <string.h>
#include <sys/mman.h>

/* On the host a storage and its data are one block, of which the header fills the first 64 bytes; what lies on a device
 * has its header apart. */
enum { STORAGE_HEADER = 64 };
_Static_assert(sizeof(mn_storage) <= STORAGE_HEADER, "the data must stay 64-byte aligned");

mn_storage *mn_storage_new(mn_context *ctx, int device, size_t bytes) {
  bool apart = !mn_on_host(ctx, device);
  void *data = apart ? mn_device_get(ctx, device, bytes) : NULL;
  if (apart && !data) return NULL;
  mn_storage *s = mn_memory_get(ctx, apart ? STORAGE_HEADER : STORAGE_HEADER + bytes);
  if (!s) return mn_device_put(ctx, device, data, bytes), NULL;
  memset(s, 0, sizeof *s);
  s->bytes = bytes;
  s->refs = 1;
  s->device = device;
  s->data = apart ? data : (char *)s + STORAGE_HEADER;
  if (apart) ctx->device_stats[device].live_storages++;
  s->id = ctx->next_id++;
  ctx->stats.live_storages++;
  return s;
}

/* A mapping lives as long as its owner or one of its storages, and keeps its context so long. */
void mn_map_unref(mn_map *map) {
  if (!map || --map->refs > 0) return;
  mn_context *ctx = map->ctx;
  munmap(map->start, map->bytes);
  mn_memory_put(ctx, map, sizeof *map);
  ctx->refs--;
}

void mn_storage_unref(mn_context *ctx, mn_storage *s) {
  if (--s->refs > 0) return;
  bool apart = !mn_on_host(ctx, s->device);
  mn_map_unref(s->map);
  if (apart) mn_device_put(ctx, s->device, s->data, s->bytes), ctx->device_stats[s->device].live_storages--;
  mn_memory_put(ctx, s, apart ? STORAGE_HEADER : STORAGE_HEADER + s->bytes);
  ctx->stats.live_storages--;
}
