/* blas.c: opens a BLAS library at the first op that needs one (loading OpenBLAS takes 4 to 28 ms) and sets it
 * to one thread, for good: its own threads would make results depend on their number. It must not be linked
 * against. LAPACK's routines are looked up at the first op that needs those. */
#define _GNU_SOURCE
#include "cpu/blas.h"
#include "cpu/threads.h"
#include "kernel.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static mn_blas blas;
static void *blas_library;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static char blas_reason[128]; /* what the loader said of the first name */

static mn_lapack lapack;
static int have_lapack;
static pthread_once_t lapack_once = PTHREAD_ONCE_INIT;
static char lapack_reason[128];

/* ---- address space ----
 * OpenBLAS maps 128 MiB for each thread that computes, its own at the start and ours at their first call, and tries
 * again for ever where there is no room. So room is looked for first. */
static const size_t BUFFER = (size_t)128 << 20, SLACK = (size_t)64 << 20;
static atomic_int rooms; /* for how many threads of ours there was */

/* How many threads OpenBLAS begins with: no more than it is told by the first of these that says anything. */
static int own_threads(void) {
  static const char *const names[] = {"OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS"};
  int n = mn_processors();
  for (int i = 0; i < 3; i++) {
    const char *value = getenv(names[i]);
    int said = value ? atoi(value) : 0;
    if (said > 0) return said < n ? said : n;
  }
  return n;
}

static int has_room(char *error, size_t size) {
  int had = atomic_load(&rooms), wanted = mn_threads(0);
  if (wanted <= had) return 1;
  int more = had == 0 ? wanted + own_threads() - 1 : wanted - had;
  size_t bytes = (size_t)more * BUFFER + SLACK;
  void *p = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) {
    snprintf(error, size, "out of memory: a BLAS library on %d threads needs %zu MB of address space", wanted,
             bytes >> 20);
    return 0;
  }
  munmap(p, bytes);
  while (had < wanted && !atomic_compare_exchange_weak(&rooms, &had, wanted)) continue;
  return 1;
}

/* ---- libraries ---- */

/* ISO C has no cast between object and function pointers. */
static int find(void *library, const char *name, void *function) {
  void *symbol = dlsym(library, name);
  if (symbol) memcpy(function, &symbol, sizeof symbol);
  return symbol != NULL;
}

/* The first library of a NULL-ended list that `fits` accepts, on one thread; NULL when there is none. (dlsym
 * also looks into what a library depends on: the setting reaches the BLAS under a LAPACK.) */
static void *open_one(const char *const *names, int (*fits)(void *library), char *reason, size_t size) {
  snprintf(reason, size, "%s lacks routines", *names);
  for (const char *const *first = names; *names; names++) {
    void *library = dlopen(*names, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
      const char *said = dlerror();
      if (names == first && said) snprintf(reason, size, "%s", said);
      continue;
    }
    void (*set_threads)(int) = NULL;
    if (find(library, "openblas_set_num_threads", &set_threads)) set_threads(1);
    if (fits(library)) return library;
    dlclose(library);
  }
  return NULL;
}

static int has_blas(void *library) {
  return find(library, "cblas_sgemm", &blas.sgemm) && find(library, "cblas_dgemm", &blas.dgemm);
}

static void open_blas(void) {
  static const char *const names[] = {"libopenblas.so.0", "libopenblas.so", "libblas.so.3", "libblas.so",
                                      NULL};
  blas_library = open_one(names, has_blas, blas_reason, sizeof blas_reason);
}

const mn_blas *mn_blas_open(char *error, size_t size) {
  if (!has_room(error, size)) return NULL;
  pthread_once(&once, open_blas);
  if (blas_library) return &blas;
  snprintf(error, size, "no BLAS library found (%s); on Debian: apt install libopenblas0-pthread",
           blas_reason);
  return NULL;
}

static int has_lapack(void *library) {
#define FIND_F32(name, arguments) &&find(library, "s" #name "_", &lapack.f32.name)
#define FIND_F64(name, arguments) &&find(library, "d" #name "_", &lapack.f64.name)
  return 1 MN_LAPACK_ROUTINES(FIND_F32, float) MN_LAPACK_ROUTINES(FIND_F64, double);
}

static void open_lapack(void) {
  static const char *const names[] = {"liblapack.so.3", "liblapack.so", NULL};
  pthread_once(&once, open_blas);
  have_lapack = (blas_library && has_lapack(blas_library)) ||
                open_one(names, has_lapack, lapack_reason, sizeof lapack_reason);
}

const mn_lapack *mn_lapack_open(char *error, size_t size) {
  if (!has_room(error, size)) return NULL;
  pthread_once(&lapack_once, open_lapack);
  if (have_lapack) return &lapack;
  snprintf(error, size, "no LAPACK library found (%s); on Debian: apt install libopenblas0-pthread",
           lapack_reason);
  return NULL;
}
