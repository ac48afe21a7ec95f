/* backend.h: what the engine asks of a backend: devices, memory, copies, questions, kernels. The engine keeps what the
 * memory is for, counts and limits it, and decides which device a row runs on; a backend knows of no tensors.
 *
 * Order. Work on a device is done in the order in which it was asked for. A backend may put it off: memory given back
 * may still be in use by what was asked before, and what failed may be told later, by whatever waits. */
#ifndef MN_BACKEND_H
#define MN_BACKEND_H

#include "kernel.h"

/* What failed on a device, found after the call that asked for it. */
typedef struct mn_fault {
  int op;         /* the row; -1 where it was none */
  uint32_t place; /* mn_call.place of the row */
  char text[200]; /* without the row's name */
} mn_fault;

typedef enum mn_question {
  MN_COUNT_NONZERO,  /* how many elements are not 0 */
  MN_LARGEST_INDEX,  /* the largest element rounded down, -1 if there is none larger */
  MN_FIND_NONFINITE, /* 2 where an element is NaN, else 1 where one is infinite, else 0 */
} mn_question;

struct mn_backend {
  const char *name; /* "cpu"; of others, device i is "name:i" */
  int host;         /* data may be read where they lie, and work is done when a call returns */
  int late; /* kernels of rows with MN_F_VALUES may succeed and tell at the next wait, by settle, that they failed */
  int (*count)(char why[200]);                  /* devices that there are; 0 with the reason */
  mn_device *(*open)(int index, char why[200]); /* NULL with the reason */
  void (*close)(mn_device *device);
  void *(*get)(mn_device *device, size_t bytes); /* 64-byte aligned, or NULL */
  void (*put)(mn_device *device, void *p);
  /* Copies of adjacent bytes, from and to the host's memory and within the device's: 0, or nonzero with the reason kept
   * for settle. upload returns when `from` may change, download when `to` is filled. */
  int (*upload)(mn_device *device, void *to, const void *from, size_t bytes);
  int (*download)(mn_device *device, void *to, const void *from, size_t bytes);
  int (*within)(mn_device *device, void *to, const void *from, size_t bytes);
  int (*settle)(mn_device *device, mn_fault *fault); /* waits; nonzero where something failed late */
  int64_t (*query)(mn_device *device, mn_question what, const mn_array *a); /* waits; -2 where it failed */
  int (*threads)(
      int n); /* sets how many threads kernels use, if n > 0; returns how many; NULL: none of its own */
};

/* What every backend's device begins with. */
struct mn_device {
  const mn_backend *backend;
  const mn_kernel *kernels;    /* by op; NULL for views, and for what it can't do */
  const mn_line_kernel *lines; /* the host's: by op, NULL for rows that are more than a loop over elements */
  int32_t number;              /* mn_array.device of what lies on it, set by the engine: 0 is the host */
};

/* backends.c: those that this library is built with. The first is the host's. */
extern const mn_backend *const mn_backends[];
extern const int mn_backend_count;

#endif
