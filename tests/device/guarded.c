/* guarded.c: a second device for tests. Its memory can't be read or written by the host: each allocation is opened for
 * the kernel or copy that is given it, and closed again. It is filled with NaN, ends in bytes that nobody may change,
 * and stays unreadable when it has been given back. Copies wait in a queue until something needs what they bring.
 * Its rows go over the host's kernels, on memory that is open for as long as they run. */
#define _GNU_SOURCE
#include "backend.h"
#include "rows.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, POISON = 0xff, FENCE = 0xb5, MOST_OPEN = 64 };
static const size_t ROOM = (size_t)1 << 42; /* addresses, none of which is used twice */

typedef struct block {
  char *start; /* of its pages */
  char *data;
  size_t pages, bytes; /* pages: in bytes */
  int freed;
} block;

typedef struct copy {
  char *to, *from; /* from: what was uploaded, a copy of its own; or memory of the device */
  size_t bytes;
  int own;
} copy;

typedef struct guarded {
  mn_device device; /* first: mn_device* is cast to guarded* */
  char *room;
  size_t used;
  block *blocks; /* by address */
  int n_blocks, block_capacity;
  copy *copies;
  int n_copies, copy_capacity;
  int open[MOST_OPEN], n_open;
  char trouble[160];
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

/* ---- opening and closing ---- */

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

static int open_block(guarded *g, const void *p) {
  block *b = find(g, p);
  if (!b) return trouble(g, "memory that is not the device's");
  if (b->freed) return trouble(g, "memory that was given back");
  for (int i = 0; i < g->n_open; i++)
    if (g->open[i] == b - g->blocks) return 0;
  if (g->n_open == MOST_OPEN) return trouble(g, "too many arrays");
  mprotect(b->start, b->pages, PROT_READ | PROT_WRITE);
  g->open[g->n_open++] = (int)(b - g->blocks);
  return 0;
}

static int fences_hold(const block *b) {
  for (const char *p = b->data + b->bytes; p < b->start + b->pages; p++)
    if ((unsigned char)*p != FENCE) return 0;
  return 1;
}

static int close_blocks(guarded *g) {
  int failed = 0;
  for (int i = 0; i < g->n_open; i++) {
    block *b = &g->blocks[g->open[i]];
    if (!fences_hold(b)) failed = trouble(g, "a write beyond an array's end");
    mprotect(b->start, b->pages, PROT_NONE);
  }
  g->n_open = 0;
  return failed;
}

/* ---- the queue ---- */

static int run_copies(guarded *g) {
  int failed = 0;
  for (int i = 0; i < g->n_copies; i++) {
    copy *c = &g->copies[i];
    int bad = open_block(g, c->to) || (!c->own && open_block(g, c->from));
    if (!bad) memmove(c->to, c->from, c->bytes);
    if (c->own) free(c->from);
    failed |= close_blocks(g) || bad;
  }
  g->n_copies = 0;
  return failed;
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
static int download(mn_device *d, void *to, const void *from, size_t bytes) {
  guarded *g = (guarded *)d;
  if (run_copies(g) || open_block(g, from)) return close_blocks(g), -1;
  memcpy(to, from, bytes);
  return close_blocks(g);
}

static int settle(mn_device *d, mn_fault *fault) {
  guarded *g = (guarded *)d;
  run_copies(g);
  if (!g->trouble[0]) return 0;
  memcpy(fault->text, g->trouble, sizeof g->trouble);
  g->trouble[0] = 0;
  return -1;
}

/* ---- memory ---- */

static void *get(mn_device *d, size_t bytes) {
  guarded *g = (guarded *)d;
  size_t data = (bytes + 63) & ~(size_t)63, pages = (data + PAGE - 1) / PAGE * PAGE;
  if (g->used + pages + PAGE > ROOM) return NULL;
  if (grow((void **)&g->blocks, &g->block_capacity, g->n_blocks, sizeof *g->blocks)) return NULL;
  char *start = g->room + g->used;
  if (mprotect(start, pages, PROT_READ | PROT_WRITE)) return NULL;
  block b = {start, start + pages - data, pages, bytes, 0};
  memset(start, POISON, pages);
  memset(b.data + bytes, FENCE, data - bytes);
  mprotect(start, pages, PROT_NONE);
  g->used += pages + PAGE;
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
  b->freed = 1;
  madvise(b->start, b->pages, MADV_DONTNEED);
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

static int over_host(int op, mn_call *call) {
  guarded *g = (guarded *)call->device;
  host_arena arena = {.arena = {.get = host_scratch}};
  mn_call on_host = *call;
  on_host.device = host, on_host.arena = &arena.arena;
  int failed = run_copies(g);
  for (int i = 0; i < call->n_in && !failed; i++)
    if (call->in[i] && call->in[i]->numel > 0) failed = open_block(g, call->in[i]->data);
  for (int k = 0; k < call->n_out && !failed; k++)
    if (call->out[k]->numel > 0) failed = open_block(g, call->out[k]->data);
  if (!failed) failed = execute(op, &on_host);
  memcpy(call->error, on_host.error, sizeof call->error);
  if (close_blocks(g) || g->trouble[0]) failed = -1, memcpy(call->error, g->trouble, sizeof g->trouble);
  for (int i = 0; i < arena.n; i++) free(arena.blocks[i]);
  return failed;
}

#define MN_VIEW(...)
#define MN_OP(name, ...)                                                                                     \
  static int run_##name(mn_call *call) { return over_host(MN_OP_##name, call); }
#include "ops.def"

static const mn_kernel kernels[MN_OP_COUNT] = {
#define MN_VIEW(...)
#define MN_OP(name, ...) [MN_OP_##name] = run_##name,
#include "ops.def"
};

static int64_t query(mn_device *d, mn_question what, const mn_array *a) {
  guarded *g = (guarded *)d;
  if (a->numel == 0) return host->backend->query(host, what, a);
  if (run_copies(g) || open_block(g, a->data)) return close_blocks(g), -2;
  int64_t answer = host->backend->query(host, what, a);
  return close_blocks(g) ? -2 : answer;
}

/* ---- the backend ---- */

static int count(char why[200]) { return (void)why, 2; }

static void close_device(mn_device *d) {
  guarded *g = (guarded *)d;
  run_copies(g);
  munmap(g->room, ROOM);
  free(g->blocks), free(g->copies), free(g);
}

static mn_device *open_device(int index, char why[200]);

static const mn_backend backend = {.name = "guarded",
                                   .count = count,
                                   .open = open_device,
                                   .close = close_device,
                                   .get = get,
                                   .put = put,
                                   .upload = upload,
                                   .download = download,
                                   .within = within,
                                   .settle = settle,
                                   .query = query};

static mn_device *open_device(int index, char why[200]) {
  guarded *g = calloc(1, sizeof *g);
  (void)index;
  if (g) g->room = mmap(NULL, ROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (!g || g->room == MAP_FAILED) return free(g), strcpy(why, "no address space"), NULL;
  g->device.backend = &backend, g->device.kernels = kernels;
  return &g->device;
}

const mn_backend *guarded_backend(mn_device *on, int (*by)(int op, mn_call *call)) {
  host = on, execute = by;
  return &backend;
}
