/* calls.c: notes which functions are called, in order: those of a library built with -finstrument-functions, which call
 * the two hooks below (loaded before the C library, whose own do nothing), and those of Lua, which walks.lua tells of.
 * Knows nothing of metann. */
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define CALLS 4194304
#define HOOK __attribute__((no_instrument_function, visibility("default")))

static struct {
  uintptr_t at; /* an address, or a number of Lua's */
  int lua;
} calls[CALLS];
static size_t count;
static int on;
static pthread_t caller; /* what other threads do is part of some call of this one's */

static __attribute__((no_instrument_function)) void note(uintptr_t at, int lua) {
  if (!on || count == CALLS || !pthread_equal(caller, pthread_self())) return;
  calls[count].at = at;
  calls[count++].lua = lua;
}

HOOK void __cyg_profile_func_enter(void *function, void *site) {
  (void)site;
  note((uintptr_t)function, 0);
}
HOOK void __cyg_profile_func_exit(void *function, void *site) { (void)function, (void)site; }

HOOK void calls_start(void) {
  count = 0;
  caller = pthread_self();
  on = 1;
}
/* How many there were; CALLS or more is too many. */
HOOK double calls_stop(void) {
  on = 0;
  return (double)count;
}
HOOK void calls_lua(double number) { note((uintptr_t)number, 1); }

/* Call i: Lua's number, or less than 0: an address in its library, counted from where that begins. */
HOOK double calls_get(double i) {
  size_t k = (size_t)i;
  Dl_info info;
  if (calls[k].lua) return (double)calls[k].at;
  if (!dladdr((void *)calls[k].at, &info)) return -1;
  return -(double)(calls[k].at - (uintptr_t)info.dli_fbase);
}
