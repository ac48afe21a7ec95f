/* pointers.h: dicts, small hash tables from pointers to numbers, and lists that grow; private to the engine's walks. Inline,
 * as the walk looks up every edge. */
#ifndef MN_POINTERS_H
#define MN_POINTERS_H

#include <stdint.h>
#include <stdlib.h>

typedef struct dict {
  const void **keys;
  int *values;
  int capacity, n;
} dict;

static inline size_t hash(const void *p) {
  uint64_t x = (uint64_t)(uintptr_t)p;
  return (size_t)((x >> 6) * 0x9E3779B97F4A7C15ull >> 20);
}

/* Where the key's number stands, or NULL. The dict must have been resized once. */
static inline int *dict_find(dict *t, const void *key) {
  size_t mask = (size_t)t->capacity - 1, i = hash(key) & mask;
  while (t->keys[i] && t->keys[i] != key) i = (i + 1) & mask;
  return t->keys[i] ? &t->values[i] : NULL;
}

static inline void dict_set(dict *t, const void *key, int value) {
  size_t mask = (size_t)t->capacity - 1, i = hash(key) & mask;
  while (t->keys[i] && t->keys[i] != key) i = (i + 1) & mask;
  t->n += t->keys[i] == NULL;
  t->keys[i] = key, t->values[i] = value;
}

static inline int dict_resize(dict *t, int capacity) {
  dict bigger = {calloc((size_t)capacity, sizeof *bigger.keys),
                 malloc((size_t)capacity * sizeof *bigger.values), capacity, 0};
  if (!bigger.keys || !bigger.values) {
    free(bigger.keys), free(bigger.values);
    return -1;
  }
  for (int i = 0; i < t->capacity; i++)
    if (t->keys[i]) dict_set(&bigger, t->keys[i], t->values[i]);
  free(t->keys), free(t->values);
  *t = bigger;
  return 0;
}

static inline int dict_add(dict *t, const void *key, int value) {
  if (2 * (t->n + 1) > t->capacity && dict_resize(t, t->capacity ? 2 * t->capacity : 128)) return -1;
  dict_set(t, key, value);
  return 0;
}

static inline void dict_free(dict *t) { free(t->keys), free(t->values); }

/* Room for one item more. */
static inline int grow(void **items, int *capacity, int n, size_t item) {
  if (n < *capacity) return 0;
  int wanted = *capacity ? 2 * *capacity : 64;
  void *p = realloc(*items, (size_t)wanted * item);
  if (!p) return -1;
  *items = p, *capacity = wanted;
  return 0;
}

#endif
