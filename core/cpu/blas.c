/* blas.c: opens a BLAS library at the first op that needs one (loading OpenBLAS takes 4 to 28 ms) and sets it
 * to one thread, for good: its own threads would make results depend on their number. It must not be linked
 * against. LAPACK's routines are looked up at the first op that needs those. */
#include "cpu/blas.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static mn_blas blas;
static void *blas_library;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static mn_lapack lapack;
static int have_lapack;
static pthread_once_t lapack_once = PTHREAD_ONCE_INIT;

/* ISO C has no cast between object and function pointers. */
static int find(void *library, const char *name, void *function) {
  void *symbol = dlsym(library, name);
  if (symbol) memcpy(function, &symbol, sizeof symbol);
  return symbol != NULL;
}

/* The first library of a NULL-ended list that `fits` accepts, on one thread; NULL when there is none. (dlsym
 * also looks into what a library depends on: the setting reaches the BLAS under a LAPACK.) */
static void *open_one(const char *const *names, int (*fits)(void *library)) {
  for (; *names; names++) {
    void *library = dlopen(*names, RTLD_NOW | RTLD_LOCAL);
    if (!library) continue;
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
  blas_library = open_one(names, has_blas);
}

const mn_blas *mn_blas_open(char *error, size_t size) {
  pthread_once(&once, open_blas);
  if (blas_library) return &blas;
  snprintf(error, size,
           "no BLAS library found (libopenblas.so.0 or libblas.so.3); on Debian: apt install "
           "libopenblas0-pthread");
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
  have_lapack = (blas_library && has_lapack(blas_library)) || open_one(names, has_lapack);
}

const mn_lapack *mn_lapack_open(char *error, size_t size) {
  pthread_once(&lapack_once, open_lapack);
  if (have_lapack) return &lapack;
  snprintf(error, size,
           "no LAPACK library found (libopenblas.so.0 or liblapack.so.3); on Debian: apt install "
           "libopenblas0-pthread");
  return NULL;
}
