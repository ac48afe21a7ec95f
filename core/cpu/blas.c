/* blas.c: opens a BLAS library at the first op that needs one (loading OpenBLAS takes 4 to 28 ms) and sets it
 * to one thread, for good: its own threads would make results depend on their number. It must not be linked
 * against. */
#include "cpu/blas.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static mn_blas blas;
static int opened;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ISO C has no cast between object and function pointers. */
static int find(void *library, const char *name, void *function) {
  void *symbol = dlsym(library, name);
  if (symbol) memcpy(function, &symbol, sizeof symbol);
  return symbol != NULL;
}

static void open_library(void) {
  static const char *const names[] = {"libopenblas.so.0", "libopenblas.so", "libblas.so.3", "libblas.so"};
  for (size_t i = 0; i < sizeof names / sizeof *names && !opened; i++) {
    void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!library) continue;
    void (*set_threads)(int) = NULL;
    if (find(library, "openblas_set_num_threads", &set_threads)) set_threads(1);
    opened = find(library, "cblas_sgemm", &blas.sgemm) && find(library, "cblas_dgemm", &blas.dgemm);
    if (!opened) dlclose(library);
  }
}

const mn_blas *mn_blas_open(char *error, size_t size) {
  pthread_once(&once, open_library);
  if (opened) return &blas;
  snprintf(error, size,
           "no BLAS library found (libopenblas.so.0 or libblas.so.3); on Debian: apt install "
           "libopenblas0-pthread");
  return NULL;
}
