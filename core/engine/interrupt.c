/* interrupt.c: how an operation is stopped from outside, by another thread or by a signal. */
#include "engine/engine.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

void mn_interrupt(mn_context *ctx) { atomic_store_explicit(&ctx->interrupted, 1, memory_order_relaxed); }

int mn_interrupted(mn_context *ctx) {
  atomic_store_explicit(&ctx->interrupted, 0, memory_order_relaxed);
  return mn_error_set(ctx, MN_ERR_INTERRUPTED, "interrupted");
}

int mn_take_interrupt(mn_context *ctx) { return atomic_exchange(&ctx->interrupted, 0); }

/* ---- signals ----
 * A handler has no argument of its own, so this is the one place with process-wide mutable state: a list of the
 * contexts that signals interrupt. The handler walks it without a lock. Changes are made under one, and a context that
 * is taken out is not let go before every handler that may have seen it has returned. */
enum { SIGNALS = 65 };
static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(mn_context *) listening;
static atomic_int handling;                /* handlers that are running */
static int listeners[SIGNALS];             /* how many contexts a signal interrupts */
static struct sigaction replaced[SIGNALS]; /* what it did before the first */

static uint64_t bit(int signum) { return UINT64_C(1) << (signum - 1); }

static void interrupt_handler(int signum) {
  atomic_fetch_add(&handling, 1);
  for (mn_context *ctx = atomic_load(&listening); ctx; ctx = atomic_load(&ctx->next_listening))
    if (atomic_load(&ctx->signals) & bit(signum)) mn_interrupt(ctx);
  atomic_fetch_sub(&handling, 1);
}

static int install(int signum) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = interrupt_handler;
  action.sa_flags = SA_RESTART;
  return sigaction(signum, &action, &replaced[signum]);
}

/* What the signal did before, unless somebody else's handler has taken our place. */
static void uninstall(int signum) {
  struct sigaction now;
  if (sigaction(signum, NULL, &now) == 0 && now.sa_handler == interrupt_handler)
    sigaction(signum, &replaced[signum], NULL);
}

static void leave_list(mn_context *ctx) {
  _Atomic(mn_context *) *at = &listening;
  while (atomic_load(at) != ctx) at = &atomic_load(at)->next_listening;
  atomic_store(at, atomic_load(&ctx->next_listening));
  while (atomic_load(&handling) > 0) sched_yield();
}

static void forget(mn_context *ctx, uint64_t which) {
  pthread_mutex_lock(&changing);
  uint64_t had = atomic_load(&ctx->signals), kept = had & ~which;
  atomic_store(&ctx->signals, kept);
  for (int i = 1; i < SIGNALS; i++)
    if (had & which & bit(i) && --listeners[i] == 0) uninstall(i);
  if (had && !kept) leave_list(ctx);
  pthread_mutex_unlock(&changing);
}

void mn_forget_signals(mn_context *ctx) {
  if (atomic_load(&ctx->signals)) forget(ctx, UINT64_MAX);
}

/* The handler is there before the context listens; a signal in between interrupts nobody. */
static int listen(mn_context *ctx, int signum) {
  uint64_t had = atomic_load(&ctx->signals);
  if (had & bit(signum)) return 0;
  if (listeners[signum] == 0 && install(signum)) return -1;
  listeners[signum]++;
  atomic_store(&ctx->signals, had | bit(signum));
  if (had) return 0;
  atomic_store(&ctx->next_listening, atomic_load(&listening));
  atomic_store(&listening, ctx);
  return 0;
}

int mn_interrupt_on_signal(mn_context *ctx, int signum) {
  if (signum == 0) return mn_forget_signals(ctx), 0;
  if (signum <= -SIGNALS || signum >= SIGNALS)
    return mn_error_set(ctx, MN_ERR_ARGUMENT, "interrupt_on_signal: signal %d is not between 1 and 64",
                        signum);
  if (signum < 0) return forget(ctx, bit(-signum)), 0;
  pthread_mutex_lock(&changing);
  int failed = listen(ctx, signum);
  pthread_mutex_unlock(&changing);
  if (!failed) return 0;
  return mn_error_set(ctx, MN_ERR_ARGUMENT, "interrupt_on_signal: signal %d can't be handled", signum);
}
