/* allocator.c: the caching allocator of a context. Blocks come in size classes (64-byte steps to 1 KiB, then
 * eight to a power of two), 64-byte aligned; freed ones wait in their class's list. Small tensors, nodes and
 * data all live here, so live_bytes is what the context holds. Under AddressSanitizer nothing is cached, so
 * that it sees every use after free. */
#include "engine/engine.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define CACHING 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CACHING 0
#endif
#endif
#ifndef CACHING
#define CACHING 1
#endif

struct mn_block {
  mn_block *next;
};

/* The class of a size, and the size of its blocks. */
static int size_class(size_t bytes, size_t *rounded) {
  if (bytes <= 1024) {
    size_t k = bytes == 0 ? 0 : (bytes - 1) / 64;
    *rounded = (k + 1) * 64;
    return (int)k;
  }
  int e = 63 - __builtin_clzll((unsigned long long)(bytes - 1)); /* 2^e < bytes <= 2^(e+1) */
  size_t step = (size_t)1 << (e - 3);
  size_t k = (bytes - 1 - ((size_t)1 << e)) / step;
  *rounded = ((size_t)1 << e) + (k + 1) * step;
  return 16 + (e - 10) * 8 + (int)k;
}

void mn_empty_cache(mn_context *ctx) {
  for (int i = 0; i < MN_CLASSES; i++) {
    while (ctx->cache[i]) {
      mn_block *b = ctx->cache[i];
      ctx->cache[i] = b->next;
      ctx->devices[0]->backend->put(ctx->devices[0], b);
    }
  }
  ctx->stats.cached_bytes = 0;
}

static void *fresh(mn_context *ctx, size_t bytes) {
  mn_stats *s = &ctx->stats;
  if (ctx->closed) {
    mn_error_set(ctx, MN_ERR_ARGUMENT, "metann is closed: the program is at its end");
    return NULL;
  }
  double size = (double)bytes;
  if (s->live_bytes + s->cached_bytes + size > s->limit_bytes) mn_empty_cache(ctx);
  if (s->live_bytes + size <= s->limit_bytes) {
    void *p = ctx->devices[0]->backend->get(ctx->devices[0], bytes);
    if (!p && s->cached_bytes > 0)
      mn_empty_cache(ctx), p = ctx->devices[0]->backend->get(ctx->devices[0], bytes);
    if (p) return p;
  }
  mn_error_set(ctx, MN_ERR_MEMORY, "out of memory: asked for %.0f bytes with %.0f in use and a limit of %.0f",
               size, s->live_bytes, s->limit_bytes);
  return NULL;
}

int mn_fail_allocation(mn_context *ctx, int first, int times) {
  int failed = ctx->requests_failed;
  ctx->requests_left = first, ctx->requests_to_fail = times, ctx->requests_failed = 0;
  return failed;
}

bool mn_memory_is_failed(mn_context *ctx) {
  if (ctx->requests_left > 1) return ctx->requests_left--, false;
  ctx->requests_failed++;
  if (--ctx->requests_to_fail <= 0) ctx->requests_left = 0;
  mn_error_set(ctx, MN_ERR_MEMORY, "out of memory: a test said so");
  return true;
}

void *mn_memory_get(mn_context *ctx, size_t bytes) {
  if (mn_memory_fails(ctx)) return NULL;
  if (bytes > (size_t)1 << 47) {
    mn_error_set(ctx, MN_ERR_MEMORY, "out of memory: asked for %.0f bytes", (double)bytes);
    return NULL;
  }
  size_t rounded;
  int k = size_class(bytes, &rounded);
  mn_stats *s = &ctx->stats;
  void *p = s->live_bytes + (double)rounded <= s->limit_bytes ? ctx->cache[k] : NULL;
  if (p) {
    ctx->cache[k] = ((mn_block *)p)->next;
    s->cached_bytes -= (double)rounded;
  } else if (!(p = fresh(ctx, rounded))) {
    return NULL;
  }
  s->live_bytes += (double)rounded;
  if (s->live_bytes > s->peak_bytes) s->peak_bytes = s->live_bytes;
  return p;
}

void mn_memory_put(mn_context *ctx, void *p, size_t bytes) {
  if (!p) return;
  size_t rounded;
  int k = size_class(bytes, &rounded);
  ctx->stats.live_bytes -= (double)rounded;
  if (!CACHING || ctx->closed) {
    ctx->devices[0]->backend->put(ctx->devices[0], p);
    return;
  }
  ((mn_block *)p)->next = ctx->cache[k];
  ctx->cache[k] = p;
  ctx->stats.cached_bytes += (double)rounded;
}

void *mn_memory_zeros(mn_context *ctx, size_t bytes) {
  void *p = mn_memory_get(ctx, bytes);
  if (p) memset(p, 0, bytes);
  return p;
}

void *mn_memory_grow(mn_context *ctx, void *p, size_t had, size_t wanted) {
  void *larger = mn_memory_get(ctx, wanted);
  if (larger && p) memcpy(larger, p, had), mn_memory_put(ctx, p, had);
  return larger;
}

void *mn_memory_lengthen(mn_context *ctx, void *p, size_t had, size_t wanted) {
  double before = ctx->stats.live_bytes;
  p = mn_memory_grow(ctx, p, had, wanted);
  ctx->stats.list_bytes += ctx->stats.live_bytes - before;
  return p;
}

static double read_number(const char *path) {
  FILE *f = fopen(path, "r");
  double v = 0;
  if (!f) return 0;
  if (fscanf(f, "%lf", &v) != 1) v = 0; /* "max": no limit */
  fclose(f);
  return v;
}

double mn_memory_default_limit(void) {
  double machine = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
  static const char *const files[] = {"/sys/fs/cgroup/memory.max",
                                      "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
  for (int i = 0; i < 2; i++) {
    double v = read_number(files[i]);
    if (v > 0 && v < machine) machine = v;
  }
  return 0.9 * machine;
}

int mn_set_memory_limit(mn_context *ctx, double bytes) {
  if (!(bytes >= 0))
    return mn_error_set(ctx, MN_ERR_ARGUMENT, "set_memory_limit: expected bytes, 0 for the default");
  ctx->stats.limit_bytes = bytes > 0 ? bytes : mn_memory_default_limit();
  return 0;
}
