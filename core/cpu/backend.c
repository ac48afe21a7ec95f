/* backend.c: the CPU as a backend. Chooses, once, the tables of kernels and of lines that this processor can run.
 * METANN_CPU=c|avx2|avx512 lowers the choice. */
#include "cpu/query.h"
#include "cpu/threads.h"
#include "rows.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#ifdef MN_HAVE_AVX2
#include <cpuid.h>
#endif

extern const mn_kernel mn_cpu_kernels_c[];
extern const mn_line_kernel mn_cpu_lines_c[];
#ifdef MN_HAVE_AVX2
extern const mn_kernel mn_cpu_kernels_avx2[], mn_cpu_kernels_avx512[];
extern const mn_line_kernel mn_cpu_lines_avx2[], mn_cpu_lines_avx512[];
#endif
extern const mn_backend mn_cpu_backend;

static mn_device device = {.backend = &mn_cpu_backend, .kernels = mn_cpu_kernels_c, .lines = mn_cpu_lines_c};
static const char *path = "c";
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int allowed(const char *name) {
  static const char *const order[] = {"c", "avx2", "avx512"};
  const char *limit = getenv("METANN_CPU");
  int want = 2, have = 0;
  for (int i = 0; i < 3; i++) {
    if (limit && strcmp(limit, order[i]) == 0) want = i;
    if (strcmp(name, order[i]) == 0) have = i;
  }
  return have <= want;
}

#ifdef MN_HAVE_AVX2
/* Asked by cpuid: not every compiler's __builtin_cpu_supports knows f16c. */
static int has_f16c(void) {
  unsigned a, b, c = 0, d;
  return __get_cpuid(1, &a, &b, &c, &d) && c & bit_F16C;
}
#endif

static void choose(void) {
#ifdef MN_HAVE_AVX2
  __builtin_cpu_init();
  if (allowed("avx2") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c())
    device.kernels = mn_cpu_kernels_avx2, device.lines = mn_cpu_lines_avx2, path = "avx2";
  if (allowed("avx512") && device.lines == mn_cpu_lines_avx2 && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    device.kernels = mn_cpu_kernels_avx512, device.lines = mn_cpu_lines_avx512, path = "avx512";
#else
  (void)allowed;
#endif
}

const char *mn_cpu_path(void) {
  pthread_once(&once, choose);
  return path;
}

int mn_cpu_line(int op, const mn_slot *attrs, int dtype, int absent, mn_line *line) {
  pthread_once(&once, choose);
  mn_line_kernel line_of = op >= 0 && op < MN_OP_COUNT ? device.lines[op] : NULL;
  if (!line_of || dtype < 0 || dtype >= MN_DTYPE_COUNT) return -1;
  const mn_array some = {.dtype = dtype}, *in[] = {&some, &some, &some};
  if (absent >= 0 && absent < 3) in[absent] = NULL;
  line_of(&(mn_call){.in = in, .attrs = attrs}, dtype, line);
  return line->loop ? 0 : -1;
}

/* ---- the backend ---- */

static const size_t HUGE_PAGE = (size_t)2 << 20;

static int count(char why[200]) { return (void)why, 1; }

/* One for all contexts: it has nothing of its own. */
static mn_device *open_device(int index, char why[200]) {
  (void)why;
  pthread_once(&once, choose);
  return index == 0 ? &device : NULL;
}
static void close_device(mn_device *d) { (void)d; }

static void *get(mn_device *d, size_t bytes) {
  (void)d;
  if (bytes < 2 * HUGE_PAGE) return aligned_alloc(64, (bytes + 63) & ~(size_t)63);
  void *p = aligned_alloc(HUGE_PAGE, (bytes + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
#ifdef MADV_HUGEPAGE
  if (p) madvise(p, bytes, MADV_HUGEPAGE);
#endif
  return p;
}
static void put(mn_device *d, void *p) { (void)d, free(p); }

static int copy(mn_device *d, void *to, const void *from, size_t bytes) {
  (void)d;
  if (bytes > 0) memcpy(to, from, bytes);
  return 0;
}

static int settle(mn_device *d, mn_fault *fault) { return (void)d, (void)fault, 0; }

const mn_backend mn_cpu_backend = {.name = "cpu",
                                   .host = 1,
                                   .count = count,
                                   .open = open_device,
                                   .close = close_device,
                                   .get = get,
                                   .put = put,
                                   .upload = copy,
                                   .download = copy,
                                   .within = copy,
                                   .settle = settle,
                                   .query = mn_cpu_query,
                                   .threads = mn_threads};
