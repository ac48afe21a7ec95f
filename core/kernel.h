/* kernel.h: what a kernel is given and asked, shared by engine/, ops/, cpu/ and cuda/.
 * A kernel sees raw arrays, attributes and pre-drawn random counters (mn_call of metann.h); it knows nothing of tensors
 * or autograd.
 * The engine has checked arguments, inferred shapes and dtypes and allocated the outputs before a kernel runs. */
#ifndef MN_KERNEL_H
#define MN_KERNEL_H

#define MN_NO_ROWS
#include "metann.h"
#include <stdbool.h>
#include <stdio.h>

/* A kernel of a row: 0, or nonzero with a message in call->error. One that can fail (an index out of range) checks
 * before it writes. Scratch memory is asked for before the first write to an output. It calls nothing above it: what it
 * needs stands in the call. */
typedef int (*mn_kernel)(mn_call *call);

/* Says what a pointwise row does with a line of elements of that dtype (line->loop is NULL where that is not defined). It
 * reads the call's attributes, and of `in` which of them are absent. */
typedef void (*mn_line_kernel)(const mn_call *call, int dtype, mn_line *line);

/* Scratch of at least that many bytes, 64-byte aligned, until the call is over; NULL (the kernel returns nonzero at
 * once) when there is none. Call it only from the thread that the kernel was called on. */
static inline void *mn_scratch(mn_call *call, size_t bytes) { return call->arena->get(call->arena, bytes); }

static inline size_t mn_dtype_size(int dtype) {
  static const unsigned char size[MN_DTYPE_COUNT] = {4, 8, 8, 4, 1, 1, 2, 2};
  return size[dtype];
}
static inline int mn_dtype_is_float(int dtype) {
  return dtype == MN_FLOAT32 || dtype == MN_FLOAT64 || dtype == MN_FLOAT16 || dtype == MN_BFLOAT16;
}
static inline const char *mn_dtype_name(int dtype) {
  static const char *const names[MN_DTYPE_COUNT] = {"float32", "float64", "int64",   "int32",
                                                    "uint8",   "bool",    "float16", "bfloat16"};
  return dtype >= 0 && dtype < MN_DTYPE_COUNT ? names[dtype] : "no dtype";
}

static inline bool mn_same_size(const mn_array *a, const mn_array *b) {
  if (a->ndim != b->ndim) return false;
  for (int d = 0; d < a->ndim; d++)
    if (a->size[d] != b->size[d]) return false;
  return true;
}

/* A place in a grid of n dims, stepped in row-major order, and where its element stands for these strides. */
typedef struct mn_cursor {
  int n;
  const int64_t *size, *stride;
  int64_t index[8], offset;
} mn_cursor;

/* The place whose number in row-major order is `at`. */
static inline mn_cursor mn_cursor_at(int n, const int64_t *size, const int64_t *stride, int64_t at) {
  mn_cursor p = {n, size, stride, {0}, 0};
  for (int d = n - 1; d >= 0 && at > 0; d--) {
    p.index[d] = at % size[d];
    p.offset += p.index[d] * stride[d];
    at /= size[d];
  }
  return p;
}

/* Goes on to the next place; false, and to the first one, from the last. */
static inline bool mn_cursor_next(mn_cursor *p) {
  for (int d = p->n - 1; d >= 0; d--) {
    p->offset += p->stride[d];
    if (++p->index[d] < p->size[d]) return true;
    p->offset -= p->stride[d] * p->size[d];
    p->index[d] = 0;
  }
  return false;
}

/* What a kernel or a shape rule says, after the row's name, of a dtype that it isn't made for. */
enum { MN_UNDEFINED_TEXT = 80 };
static inline const char *mn_undefined_for(int dtype, char text[MN_UNDEFINED_TEXT]) {
  int storage = dtype == MN_FLOAT16 || dtype == MN_BFLOAT16;
  snprintf(text, MN_UNDEFINED_TEXT, "not defined for dtype %s%s", mn_dtype_name(dtype),
           storage ? ", which is for storage: cast it first" : "");
  return text;
}

#endif
