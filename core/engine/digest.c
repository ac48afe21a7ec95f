/* digest.c: a number for what a tensor holds, by which a function that is run again is seen to give what it gave. */
#include "engine/engine.h"
#include <string.h>

enum { LANES = 4 }; /* independent chains, so that the multiplications overlap */

static uint64_t mix(uint64_t h, uint64_t word) {
  h = (h ^ word) * UINT64_C(0x9E3779B97F4A7C15);
  return h ^ h >> 29;
}

static void add_bytes(uint64_t lanes[LANES], const char *p, size_t n) {
  uint64_t words[LANES];
  for (; n >= sizeof words; p += sizeof words, n -= sizeof words) {
    memcpy(words, p, sizeof words);
    for (int i = 0; i < LANES; i++) lanes[i] = mix(lanes[i], words[i]);
  }
  memset(words, 0, sizeof words);
  memcpy(words, p, n);
  for (int i = 0; i < LANES && n > 0; i++) lanes[i] = mix(lanes[i], words[i]);
}

/* In row-major order. A dense tensor's digest and a strided one's differ: the layout is part of what is compared. */
static double digest(const mn_array *a) {
  size_t item = mn_dtype_size(a->dtype);
  uint64_t lanes[LANES] = {1, 2, 3, 4};
  if (a->contiguous && a->numel > 0) {
    add_bytes(lanes, a->data, (size_t)a->numel * item);
  } else {
    mn_cursor at = mn_cursor_at(a->ndim, a->size, a->stride, 0);
    for (int64_t i = 0; i < a->numel; i++, mn_cursor_next(&at)) {
      uint64_t word = 0;
      memcpy(&word, (const char *)a->data + at.offset * (int64_t)item, item);
      lanes[i % LANES] = mix(lanes[i % LANES], word);
    }
  }
  uint64_t h = (uint64_t)a->numel;
  for (int i = 0; i < LANES; i++) h = mix(h, lanes[i]);
  return (double)(h >> 11); /* as many bits as a double holds */
}

double mn_tensor_digest(const mn_tensor *t) {
  mn_array a = t->a;
  size_t bytes = (size_t)a.numel * mn_dtype_size(a.dtype);
  if (mn_on_host(t->ctx, a.device)) return digest(&a);
  a.data = mn_memory_get(t->ctx, bytes);
  a.contiguous = 1;
  double number = a.data && mn_array_read(t->ctx, &t->a, a.data) == 0 ? digest(&a) : NAN;
  mn_memory_put(t->ctx, a.data, bytes);
  return number;
}
