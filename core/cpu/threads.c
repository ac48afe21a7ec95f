/* threads.c: the pool of threads that kernels run on, and the only user of pthreads' threads. Blocks are numbered by
 * the caller from the shape of its work, so results don't depend on the number of threads, nor on who takes a block.
 *
 * The caller works too. A worker that wakes up late finds the job closed and goes back to sleep: the caller waits for
 * blocks that somebody works on, never for a thread that has not begun. (OpenMP's barrier does wait for it; on a busy
 * machine that made two threads three times slower than one.) A job that meets another one, of a kernel inside a
 * kernel or of a second context, runs in its own thread. After a fork the child runs serially: it has no workers. */
#define _GNU_SOURCE
#include "cpu/threads.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum {
  CLOSED = 1 << 30, /* in pool.inside: nobody may begin any more */
  AWAKE_NS =
      100000, /* how long a worker looks for the next job before it sleeps: longer than the gap between ops */
  STACK = 4 << 20,    /* bytes; kernels keep panels on the stack */
  MOST_THREADS = 1024 /* no machine is larger */
};

static struct {
  /* the job: written by the caller while it is closed, read by who got in */
  void (*body)(void *arg, int64_t block);
  void *arg;
  int64_t blocks;
  atomic_int helpers; /* workers that may get in */
  _Alignas(64) atomic_llong next;
  _Alignas(64) atomic_int inside; /* workers in the job */
  _Alignas(64) atomic_uint jobs;  /* how many there were; workers wait for it to change */
  atomic_int sleepers;
  atomic_flag busy;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  int workers; /* of the thread that has set busy */
} pool = {.inside = CLOSED,
          .busy = ATOMIC_FLAG_INIT,
          .lock = PTHREAD_MUTEX_INITIALIZER,
          .wake = PTHREAD_COND_INITIALIZER};

static atomic_int threads, forked;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void take_blocks(void) {
  for (;;) {
    int64_t block = atomic_fetch_add_explicit(&pool.next, 1, memory_order_relaxed);
    if (block >= pool.blocks) return;
    pool.body(pool.arg, block);
  }
}

static void help(void) {
  int inside = atomic_load(&pool.inside);
  while (!(inside & CLOSED) && inside < atomic_load_explicit(&pool.helpers, memory_order_relaxed))
    if (atomic_compare_exchange_weak(&pool.inside, &inside, inside + 1)) {
      take_blocks();
      atomic_fetch_sub(&pool.inside, 1);
      return;
    }
}

/* Looks for a job for a while, then sleeps until there is one. */
static unsigned next_job(unsigned seen) {
  int64_t end = now_ns() + AWAKE_NS;
  do {
    for (int i = 0; i < 64; i++) {
      unsigned jobs = atomic_load_explicit(&pool.jobs, memory_order_acquire);
      if (jobs != seen) return jobs;
      relax();
    }
    sched_yield();
  } while (now_ns() < end);
  pthread_mutex_lock(&pool.lock);
  atomic_fetch_add(&pool.sleepers, 1);
  unsigned jobs;
  while ((jobs = atomic_load(&pool.jobs)) == seen) pthread_cond_wait(&pool.wake, &pool.lock);
  atomic_fetch_sub(&pool.sleepers, 1);
  pthread_mutex_unlock(&pool.lock);
  return jobs;
}

static void *work(void *unused) {
  (void)unused;
  for (unsigned seen = 0;;) {
    help();
    seen = next_job(seen);
  }
  return NULL;
}

/* Signals are the host's: its threads take them. */
static void add_workers(int wanted) {
  sigset_t all, before;
  pthread_attr_t attr;
  if (pool.workers >= wanted || pthread_attr_init(&attr)) return;
  pthread_attr_setstacksize(&attr, STACK);
  pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  while (pool.workers < wanted && pthread_create(&thread, &attr, work, NULL) == 0) pool.workers++;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attr);
}

static void after_fork(void) { atomic_store(&forked, 1); }

int mn_processors(void) {
#ifdef CPU_COUNT
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  int n = (int)sysconf(_SC_NPROCESSORS_ONLN);
  return n > 0 ? n : 1;
}

static void start(void) {
  pthread_atfork(NULL, NULL, after_fork);
  int expected = 0, n = mn_processors();
  atomic_compare_exchange_strong(&threads, &expected, n);
}

int mn_threads(int n) {
  pthread_once(&once, start);
  if (n > 0) atomic_store(&threads, n < MOST_THREADS ? n : MOST_THREADS);
  return atomic_load(&threads);
}

static void open_job(int64_t blocks, void (*body)(void *arg, int64_t block), void *arg, int helpers) {
  pool.body = body, pool.arg = arg, pool.blocks = blocks;
  atomic_store_explicit(&pool.helpers, helpers, memory_order_relaxed);
  atomic_store_explicit(&pool.next, 0, memory_order_relaxed);
  atomic_store(&pool.inside, 0);
  atomic_fetch_add(&pool.jobs, 1);
  if (atomic_load(&pool.sleepers) == 0) return;
  pthread_mutex_lock(&pool.lock);
  pthread_cond_broadcast(&pool.wake);
  pthread_mutex_unlock(&pool.lock);
}

static void close_job(void) {
  atomic_fetch_or(&pool.inside, CLOSED);
  for (int i = 0; atomic_load(&pool.inside) != CLOSED; i++)
    if (i < 1000) relax();
    else sched_yield();
}

void mn_parallel(int64_t blocks, void (*body)(void *arg, int64_t block), void *arg) {
  int n = blocks > 1 ? mn_threads(0) : 1;
  if (n > blocks) n = (int)blocks;
  if (n <= 1 || atomic_load_explicit(&forked, memory_order_relaxed) ||
      atomic_flag_test_and_set_explicit(&pool.busy, memory_order_acquire)) {
    for (int64_t i = 0; i < blocks; i++) body(arg, i);
    return;
  }
  add_workers(n - 1);
  open_job(blocks, body, arg, n - 1);
  take_blocks();
  close_job();
  atomic_flag_clear_explicit(&pool.busy, memory_order_release);
}
