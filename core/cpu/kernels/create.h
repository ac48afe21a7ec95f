/* create.h: making an array's elements by their numbers, in chunks, whatever its dtype. */
#ifndef MN_CREATE_H
#define MN_CREATE_H

#include "copy.h"
#include "grain.h"

/* Writes elements first .. first+n-1 (n <= CREATE_CHUNK, first a multiple of it) to buffer: doubles, or int64. */
typedef void (*mn_make_fn)(const void *arg, int64_t first, int64_t n, void *buffer);

/* Fills the dense array out with what make makes, converted from dtype made (float64 or int64), on several
 * threads. */
void MN_KERNEL(generate)(const mn_array *out, mn_make_fn make, const void *arg, int made);

#endif
