/* guarded.c: a second device for tests. Its memory is mapped twice: where tensors point nobody can read or write, and rows
 * and copies go to the same pages by another mapping, which only this file knows. An allocation is filled with NaN and
 * lies between bytes that nobody may change; what was given back is refused, and its addresses are never used again.
 * Copies wait in a queue until something needs what they bring. Rows go over the host's kernels. On the device "late",
 * which is the same otherwise, what fails because of the values of its inputs is told by the next wait. */
#define _GNU_SOURCE
#include "backend.h"
#include "rows.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, POISON = 0xff, FENCE = 0xb5, FENCE_BYTES = 64, SEEN = 1024 };
static const size_t ROOM = (size_t)1 << 41;   /* addresses, none of which is used twice */
static const size_t MEMORY = (size_t)1 << 30; /* bytes in use at most */

typedef struct block {
  char *start; /* of its pages, where tensors point */
  char *data;
  size_t pages, bytes; /* pages: in bytes */
  int freed, broken;   /* broken: its fences */
} block;

typedef struct copy {
  char *to, *from; /* from: what was uploaded, a copy of its own; or memory of the device */
  size_t bytes;
  int own;
} copy;

typedef struct guarded {
  mn_device device;    /* first: mn_device* is cast to guarded* */
  char *room, *inside; /* what nobody can touch, and the same pages for us */
  size_t used, live;
  block *blocks; /* by address */
  int n_blocks, block_capacity;
  copy *copies;
  int n_copies, copy_capacity;
  char trouble[160];
  mn_fault fault; /* of a row, told by the next wait; op is -1 where there is none */
} guarded;

static mn_device *host;
static int (*execute)(int op, mn_call *call);

static int grow(void **items, int *capacity, int n, size_t item) {
  if (n < *capacity) return 0;
  void *p = realloc(*items, (size_t)(2 * n + 64) * item);
  if (!p) return -1;
  *items = p, *capacity = 2 * n + 64;
  return 0;
}

static int trouble(guarded *g, const char *what) {
  if (!g->trouble[0]) strncpy(g->trouble, what, sizeof g->trouble - 1);
  return -1;
}

/* ---- the way in ---- */

static block *find(guarded *g, const void *p) {
  int low = 0, high = g->n_blocks;
  while (low < high) {
    int middle = low + (high - low) / 2;
    if (g->blocks[middle].start <= (const char *)p) low = middle + 1;
    else high = middle;
  }
  block *b = low > 0 ? &g->blocks[low - 1] : NULL;
  return b && (const char *)p < b->start + b->pages ? b : NULL;
}

static char *inside(const guarded *g, const void *p) { return g->inside + ((const char *)p - g->room); }

/* Where the memory behind a tensor's pointer can be reached, or NULL. */
static char *enter(guarded *g, const void *p) {
  const block *b = find(g, p);
  if (!b) return trouble(g, "memory that is not the device's"), NULL;
  if (b->freed) return trouble(g, "memory that was given back"), NULL;
  return inside(g, p);
}

static int is_fence(const char *p, const char *end) {
  for (; p < end; p++)
    if ((unsigned char)*p != FENCE) return 0;
  return 1;
}

/* The rest of the last page, of which as much is looked at as may be. */
static size_t fence_after(const block *b) {
  size_t rest = (size_t)(b->start + b->pages - b->data) - b->bytes;
  return rest < SEEN ? rest : SEEN;
}

/* Has somebody written around the block? That is told once. */
static int fences_hold(guarded *g, const void *p) {
  block *b = find(g, p);
  const char *data = inside(g, b->data), *end = data + b->bytes;
  if (b->broken || (is_fence(data - FENCE_BYTES, data) && is_fence(end, end + fence_after(b)))) return 0;
  b->broken = 1;
  return trouble(g, "a write beyond an array's end");
}

/* ---- the queue ---- */

static int run_copies(guarded *g) {
  int failed = 0;
  for (int i = 0; i < g->n_copies; i++) {
    copy *c = &g->copies[i];
    char *to = enter(g, c->to), *from = c->own ? c->from : enter(g, c->from);
    if (to && from) memmove(to, from, c->bytes);
    failed |= !to || !from || fences_hold(g, c->to);
    if (c->own) free(c->from);
  }
  g->n_copies = 0;
  return failed ? -1 : 0;
}

static int add_copy(guarded *g, void *to, const void *from, size_t bytes, int own) {
  if (grow((void **)&g->copies, &g->copy_capacity, g->n_copies, sizeof *g->copies))
    return trouble(g, "no memory");
  copy c = {to, (char *)from, bytes, own};
  if (own && !(c.from = malloc(bytes))) return trouble(g, "no memory");
  if (own) memcpy(c.from, from, bytes);
  g->copies[g->n_copies++] = c;
  return 0;
}

static int upload(mn_device *d, void *to, const void *from, size_t bytes) {
  return add_copy((guarded *)d, to, from, bytes, 1);
}
static int within(mn_device *d, void *to, const void *from, size_t bytes) {
  return add_copy((guarded *)d, to, from, bytes, 0);
}

/* Waits; no number leaves the device past something that failed. */
static int wait_for(guarded *g) { return run_copies(g) || g->trouble[0] || g->fault.op >= 0 ? -1 : 0; }

static int download(mn_device *d, void *to, const void *from, size_t bytes) {
  guarded *g = (guarded *)d;
  const char *data = wait_for(g) ? NULL : enter(g, from);
  if (!data) return -1;
  memcpy(to, data, bytes);
  return 0;
}

static int settle(mn_device *d, mn_fault *fault) {
  guarded *g = (guarded *)d;
  if (wait_for(g) == 0) return 0;
  *fault = g->fault;
  if (g->trouble[0]) *fault = (mn_fault){.op = -1}, memcpy(fault->text, g->trouble, sizeof g->trouble);
  g->trouble[0] = 0, g->fault.op = -1;
  return -1;
}

/* ---- memory ---- */

static void *get(mn_device *d, size_t bytes) {
  guarded *g = (guarded *)d;
  if (bytes > MEMORY || g->live > MEMORY - bytes) return NULL;
  size_t pages = (bytes + 2 * FENCE_BYTES + PAGE - 1) / PAGE * PAGE;
  if (pages > ROOM - g->used) return NULL;
  if (grow((void **)&g->blocks, &g->block_capacity, g->n_blocks, sizeof *g->blocks)) return NULL;
  char *start = g->room + g->used, *own = inside(g, start);
  block b = {start, start + FENCE_BYTES, pages, bytes, 0, 0};
  memset(own, FENCE, FENCE_BYTES);
  memset(own + FENCE_BYTES, POISON, bytes);
  memset(own + FENCE_BYTES + bytes, FENCE, fence_after(&b));
  g->used += pages, g->live += bytes;
  g->blocks[g->n_blocks++] = b;
  return b.data;
}

static void put(mn_device *d, void *p) {
  guarded *g = (guarded *)d;
  run_copies(g);
  block *b = find(g, p);
  if (!b || b->freed) {
    trouble(g, "memory given back that is not the device's");
    return;
  }
  fences_hold(g, p);
  b->freed = 1, g->live -= b->bytes;
  madvise(inside(g, b->start), b->pages, MADV_REMOVE);
}

/* ---- rows over the host's kernels ---- */

typedef struct host_arena {
  mn_arena arena;
  void *blocks[32];
  int n;
} host_arena;

static void *host_scratch(mn_arena *arena, size_t bytes) {
  host_arena *h = (host_arena *)arena;
  void *p = h->n < 32 ? aligned_alloc(64, (bytes + 64) & ~(size_t)63) : NULL;
  if (p) h->blocks[h->n++] = p;
  return p;
}

/* The same array, by the mapping that can be touched. */
static int enter_array(guarded *g, const mn_array *a, mn_array *same) {
  *same = *a;
  if (a->numel == 0) return 0;
  same->data = enter(g, a->data);
  return same->data ? 0 : -1;
}

static int run_inside(guarded *g, int op, mn_call *call, mn_arena *arena) {
  mn_array out[MN_MAX_OUT], *outs[MN_MAX_OUT];
  mn_array *in = arena->get(arena, (size_t)call->n_in * sizeof *in);
  const mn_array **ins = arena->get(arena, (size_t)call->n_in * sizeof *ins);
  mn_call inner = *call;
  if (!in || !ins) return trouble(g, "no memory");
  for (int i = 0; i < call->n_in; i++) {
    ins[i] = call->in[i] ? &in[i] : NULL;
    if (call->in[i] && enter_array(g, call->in[i], &in[i])) return -1;
  }
  for (int k = 0; k < call->n_out; k++) {
    outs[k] = &out[k];
    if (enter_array(g, call->out[k], &out[k])) return -1;
  }
  inner.device = host, inner.arena = arena, inner.in = ins, inner.out = outs;
  int failed = execute(op, &inner);
  memcpy(call->error, inner.error, sizeof call->error);
  for (int k = 0; k < call->n_out; k++)
    if (out[k].numel > 0 && fences_hold(g, call->out[k]->data)) failed = -1;
  return failed;
}

/* Keeps the first failure for the next wait. */
static int hold(guarded *g, int op, const mn_call *call) {
  if (g->fault.op >= 0) return 0;
  g->fault = (mn_fault){.op = op, .place = call->place};
  memcpy(g->fault.text, call->error, sizeof g->fault.text);
  return 0;
}

static int over_host(int op, int may_be_late, mn_call *call) {
  guarded *g = (guarded *)call->device;
  host_arena arena = {.arena = {.get = host_scratch}};
  int failed = run_copies(g) || run_inside(g, op, call, &arena.arena);
  for (int i = 0; i < arena.n; i++) free(arena.blocks[i]);
  if (g->trouble[0]) failed = -1, may_be_late = 0, strcpy(call->error, g->trouble), g->trouble[0] = 0;
  return failed && may_be_late && g->device.backend->late ? hold(g, op, call) : failed;
}

#define MN_VIEW(...)
#define MN_OP(name, inputs, outputs, attributes, infer, vjp, jvp, batch, saves, flags)                       \
  static int run_##name(mn_call *call) { return over_host(MN_OP_##name, (flags)&MN_F_VALUES, call); }
#include "ops.def"

static const mn_kernel kernels[MN_OP_COUNT] = {
#define MN_VIEW(...)
#define MN_OP(name, ...) [MN_OP_##name] = run_##name,
#include "ops.def"
};

static int64_t query(mn_device *d, mn_question what, const mn_array *a) {
  guarded *g = (guarded *)d;
  mn_array same;
  if (wait_for(g) || enter_array(g, a, &same)) return -2;
  return host->backend->query(host, what, &same);
}

/* ---- the backends ---- */

static int count(char why[200]) { return (void)why, 2; }

static void close_device(mn_device *d) {
  guarded *g = (guarded *)d;
  run_copies(g);
  munmap(g->room, ROOM), munmap(g->inside, ROOM);
  free(g->blocks), free(g->copies), free(g);
}

static mn_device *open_as(const mn_backend *backend, char why[200]) {
  guarded *g = calloc(1, sizeof *g);
  int file = memfd_create("guarded", MFD_CLOEXEC);
  if (g && file >= 0 && ftruncate(file, (off_t)ROOM) == 0) {
    g->room = mmap(NULL, ROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    g->inside = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0);
  }
  if (file >= 0) close(file);
  if (!g || !g->room || g->room == MAP_FAILED || g->inside == MAP_FAILED)
    return free(g), strcpy(why, "no address space"), NULL;
  g->device.backend = backend, g->device.kernels = kernels, g->fault.op = -1;
  return &g->device;
}

static mn_device *open_guarded(int index, char why[200]);
static mn_device *open_late(int index, char why[200]);

#define BACKEND(name_, open_, late_)                                                                         \
  {                                                                                                          \
    .name = name_, .count = count, .open = open_, .close = close_device, .get = get, .put = put,             \
    .upload = upload, .download = download, .within = within, .settle = settle, .query = query,              \
    .late = late_                                                                                            \
  }
static const mn_backend guarded_one = BACKEND("guarded", open_guarded, 0);
static const mn_backend late_one = BACKEND("late", open_late, 1);

static mn_device *open_guarded(int index, char why[200]) { return (void)index, open_as(&guarded_one, why); }
static mn_device *open_late(int index, char why[200]) { return (void)index, open_as(&late_one, why); }

const mn_backend *guarded_backend(mn_device *on, int (*by)(int op, mn_call *call), int late) {
  host = on, execute = by;
  return late ? &late_one : &guarded_one;
}
