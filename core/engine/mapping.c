/* mapping.c: files whose pages stand as storages of tensors. Owns mappings and their counts; knows nothing of formats.
 * A mapping is private: writing to such a tensor changes this process's copy of the page, never the file. It lives as
 * long as its owner or one of its storages. Whoever cuts the file short takes the pages away, and the system ends a
 * process that reads them; replacing the file by renaming leaves them be. */
#include "engine/engine.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

mn_map *mn_map_new(mn_context *ctx, int fd, double bytes) {
  mn_map *map = mn_memory_get(ctx, sizeof *map);
  if (!map) return NULL;
  map->ctx = ctx;
  map->bytes = (size_t)bytes;
  map->refs = 1;
  map->start = mmap(NULL, map->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
  if (map->start != MAP_FAILED) return ctx->refs++, map;
  mn_error_set(ctx, MN_ERR_MEMORY, "map: %.0f bytes can't be mapped: %s", bytes, strerror(errno));
  mn_memory_put(ctx, map, sizeof *map);
  return NULL;
}

void mn_map_release(mn_map *map) {
  if (!map) return;
  mn_context *ctx = map->ctx;
  ctx->refs++; /* the map's own may go with it */
  mn_map_unref(map);
  mn_context_release(ctx);
}

mn_tensor *mn_tensor_mapped(mn_context *ctx, mn_map *map, double offset, int dtype, int ndim,
                            const int64_t *sizes) {
  const int64_t none[MN_MAX_DIMS] = {0};
  int device = ctx->default_device;
  ctx->default_device = 0; /* pages are the host's */
  mn_tensor *t =
      mn_tensor_empty(ctx, dtype, ndim, none); /* with its storage's header, and no data of its own */
  ctx->default_device = device;
  if (!t) return NULL;
  for (int d = 0; d < ndim; d++) t->a.size[d] = sizes[d];
  size_t item = mn_dtype_size(dtype);
  if (mn_array_finish(ctx, "map", &t->a)) return mn_tensor_release(t), NULL;
  double end = offset + (double)t->a.numel * (double)item;
  if (!(offset >= 0 && end <= (double)map->bytes) || (size_t)offset % item != 0) {
    mn_error_set(ctx, MN_ERR_ARGUMENT, "map: %.0f to %.0f are no %s elements within %.0f bytes", offset, end,
                 mn_dtype_name(dtype), (double)map->bytes);
    return mn_tensor_release(t), NULL;
  }
  t->a.data = t->storage->data = map->start + (size_t)offset;
  t->storage->map = map;
  map->refs++;
  return t;
}
