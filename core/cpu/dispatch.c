/* dispatch.c: chooses, once, the kernel table that this processor can run. METANN_CPU=c|avx2|avx512 lowers
 * the choice. */
#include "rows.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#ifdef MN_HAVE_AVX2
#include <cpuid.h>
#endif

extern const mn_backend mn_cpu_backend_c;
#ifdef MN_HAVE_AVX2
extern const mn_backend mn_cpu_backend_avx2, mn_cpu_backend_avx512;
#endif

static const mn_backend *chosen;
static const char *path;
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
  chosen = &mn_cpu_backend_c, path = "c";
#ifdef MN_HAVE_AVX2
  __builtin_cpu_init();
  if (allowed("avx2") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c())
    chosen = &mn_cpu_backend_avx2, path = "avx2";
  if (allowed("avx512") && chosen == &mn_cpu_backend_avx2 && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    chosen = &mn_cpu_backend_avx512, path = "avx512";
#else
  (void)allowed;
#endif
}

const mn_backend *mn_cpu_backend(void) {
  pthread_once(&once, choose);
  return chosen;
}

int mn_cpu_line(int op, const mn_slot *attrs, int dtype, int absent, mn_line *line) {
  mn_line_kernel line_of = op >= 0 && op < MN_OP_COUNT ? mn_cpu_backend()->lines[op] : NULL;
  if (!line_of || dtype < 0 || dtype >= MN_DTYPE_COUNT) return -1;
  const mn_array some = {.dtype = dtype}, *in[] = {&some, &some, &some};
  if (absent >= 0 && absent < 3) in[absent] = NULL;
  line_of(&(mn_call){.in = in, .attrs = attrs}, dtype, line);
  return line->loop ? 0 : -1;
}

const char *mn_cpu_path(void) {
  pthread_once(&once, choose);
  return path;
}
