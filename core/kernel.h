/* kernel.h: what the engine asks of a backend, shared by engine/, cpu/ and cuda/.
 * A kernel sees raw arrays, attributes and pre-drawn random counters; it knows nothing of tensors or autograd.
 * The engine has checked arguments, inferred shapes and dtypes and allocated the outputs before a kernel runs. */
#ifndef MN_KERNEL_H
#define MN_KERNEL_H

#define MN_NO_ROWS
#include "metann.h"

typedef struct mn_call mn_call;
struct mn_call {
  const mn_array *const *in; /* NULL for an absent optional input */
  mn_array *const *out; /* contiguous, except that an in-place call's out[0] has in[0]'s layout and data */
  int n_in, n_out;
  const mn_slot *attrs;   /* read as mn_<op>_of(call) */
  uint64_t seed, counter; /* rows with MN_F_RANDOM: Philox key and first counter */
  void *scratch_owner;    /* the engine's; see mn_scratch */
  char error[200];        /* a kernel that fails writes here, without the op's name */
};

/* 0, or nonzero with a message in call->error. A kernel that can fail (an index out of range) checks before it writes.
 * Scratch memory is asked for before the first write to an output. */
typedef int (*mn_kernel)(mn_call *call);

/* Scratch of at least that many bytes, 64-byte aligned, freed by the engine after the call; NULL (the kernel returns
 * nonzero at once) when there is no memory. Call it only from the kernel's own thread, not inside mn_parallel. */
void *mn_scratch(mn_call *call, size_t bytes);

/* What a kernel or a shape rule says, after the row's name, of a dtype that it isn't made for. */
enum { MN_UNDEFINED_TEXT = 80 };
const char *mn_undefined_for(int dtype, char text[MN_UNDEFINED_TEXT]);

/* Says what a pointwise row does with a line of elements of that dtype (line->loop is NULL where that is not defined). It
 * reads the call's attributes, and of `in` which of them are absent. */
typedef void (*mn_line_kernel)(const mn_call *call, int dtype, mn_line *line);

typedef struct mn_backend {
  const char *name;
  const mn_kernel *kernels;    /* one for each row, NULL for views */
  const mn_line_kernel *lines; /* one for each row, NULL for those that are more than a loop over elements */
} mn_backend;

const mn_backend *mn_cpu_backend(void);

/* cpu/threads.c. Runs body(arg, i) for i in 0..blocks-1, on several threads when allowed; blocks are cut by the shape
 * of the work alone, never by the number of threads, and partial sums are combined in block order. */
void mn_parallel(int64_t blocks, void (*body)(void *arg, int64_t block), void *arg);
void mn_threads_set(int n);
int mn_threads_get(void);
int mn_processors(void); /* that this process may run on */

/* cpu/count.c, for shape rules of rows with MN_F_DATA_SHAPE: how many elements are not 0; the largest element, -1 if
 * there is none larger (whether all are valid indices is for the kernel to say). For detect_anomaly: 2 where an element
 * is NaN, else 1 where one is infinite, else 0. They need no memory. */
int64_t mn_count_nonzero(const mn_array *a);
int64_t mn_largest_index(const mn_array *a);
int mn_find_nonfinite(const mn_array *a);

static inline size_t mn_dtype_size(int dtype) {
  static const unsigned char size[MN_DTYPE_COUNT] = {4, 8, 8, 4, 1, 1, 2, 2};
  return size[dtype];
}
static inline int mn_dtype_is_float(int dtype) {
  return dtype == MN_FLOAT32 || dtype == MN_FLOAT64 || dtype == MN_FLOAT16 || dtype == MN_BFLOAT16;
}

#endif
