/* threads.c: the only user of OpenMP. Blocks are numbered by the caller from the shape of its work, so results don't
 * depend on the number of threads. After a fork the child runs serially: an OpenMP region there would hang. */
#include "kernel.h"
#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>

static atomic_int threads;
static atomic_int forked;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void after_fork(void) { atomic_store(&forked, 1); }

static void start(void) {
  pthread_atfork(NULL, NULL, after_fork);
  int expected = 0;
  int n = omp_get_num_procs();
  atomic_compare_exchange_strong(&threads, &expected, n > 0 ? n : 1);
}

void mn_threads_set(int n) {
  pthread_once(&once, start);
  atomic_store(&threads, n);
}

int mn_threads_get(void) {
  pthread_once(&once, start);
  return atomic_load(&threads);
}

void mn_parallel(int64_t blocks, void (*body)(void *arg, int64_t block), void *arg) {
  int n = blocks > 1 ? mn_threads_get() : 1;
  if (n > blocks) n = (int)blocks;
  if (n <= 1 || atomic_load_explicit(&forked, memory_order_relaxed) || omp_in_parallel()) {
    for (int64_t i = 0; i < blocks; i++) body(arg, i);
    return;
  }
#pragma omp parallel for schedule(dynamic, 1) num_threads(n)
  for (int64_t i = 0; i < blocks; i++) body(arg, i);
}
