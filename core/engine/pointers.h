/* pointers.h: a small hash table from pointers to numbers, and lists that grow; private to the engine's walks. Inline, as
 * the walk looks up every edge. */
#ifndef MN_POINTERS_H
#define MN_POINTERS_H

#include "engine/engine.h"

typedef struct table {
  const void **keys;
  int *values;
  int capacity, n;
} table;

static inline size_t hash(const void *p) {
  uint64_t x = (uint64_t)(uintptr_t)p;
  return (size_t)((x >> 6) * 0x9E3779B97F4A7C15ull >> 20);
}

/* Where the key's number stands, or NULL. The table must have been resized once. */
static inline int *table_find(table *t, const void *key) {
  size_t mask = (size_t)t->capacity - 1, i = hash(key) & mask;
  while (t->keys[i] && t->keys[i] != key) i = (i + 1) & mask;
  return t->keys[i] ? &t->values[i] : NULL;
}

static inline void table_set(table *t, const void *key, int value) {
  size_t mask = (size_t)t->capacity - 1, i = hash(key) & mask;
  while (t->keys[i] && t->keys[i] != key) i = (i + 1) & mask;
  t->n += t->keys[i] == NULL;
  t->keys[i] = key, t->values[i] = value;
}

static inline void table_free(mn_context *ctx, table *t) {
  mn_memory_put(ctx, t->keys, (size_t)t->capacity * sizeof *t->keys);
  mn_memory_put(ctx, t->values, (size_t)t->capacity * sizeof *t->values);
}

static inline int table_resize(mn_context *ctx, table *t, int capacity) {
  table bigger = {mn_memory_zeros(ctx, (size_t)capacity * sizeof *bigger.keys),
                  mn_memory_get(ctx, (size_t)capacity * sizeof *bigger.values), capacity, 0};
  if (!bigger.keys || !bigger.values) {
    table_free(ctx, &bigger);
    return -1;
  }
  for (int i = 0; i < t->capacity; i++)
    if (t->keys[i]) table_set(&bigger, t->keys[i], t->values[i]);
  table_free(ctx, t);
  *t = bigger;
  return 0;
}

static inline int table_add(mn_context *ctx, table *t, const void *key, int value) {
  if (2 * (t->n + 1) > t->capacity && table_resize(ctx, t, t->capacity ? 2 * t->capacity : 128)) return -1;
  table_set(t, key, value);
  return 0;
}

/* Room for one item more. */
static inline int grow(mn_context *ctx, void **items, int *capacity, int n, size_t item) {
  if (n < *capacity) return 0;
  int wanted = *capacity ? 2 * *capacity : 64;
  void *p = mn_memory_grow(ctx, *items, (size_t)*capacity * item, (size_t)wanted * item);
  if (!p) return -1;
  *items = p, *capacity = wanted;
  return 0;
}

#endif
