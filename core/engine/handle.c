/* handle.c: results that go straight into a binding's handles. Between two instructions of the binding anything may
 * run or be raised there (a finalizer, a debug hook), so whatever must happen as one step happens here in one call:
 * taking a place, filling a handle together with its place, giving a dead handle's place back.
 *
 * A place holds a reference for as long as the binding's handle lives. The binding knows which handles live; a place
 * that holds something for a dead one is found by its sweep. MN_NONE stands for a place that was taken and is empty. */
#include "engine/engine.h"
#include <string.h>

static mn_tensor **place_at(mn_context *ctx, int place) {
  return &ctx->places.chunks[(place - 1) / MN_PLACES][(place - 1) % MN_PLACES];
}

/* Handles outside of scopes have a place, and after mn_context_close there are none any more. */
static void put(mn_context *ctx, int place, mn_tensor *t) {
  if (place > 0 && place <= ctx->places.n_chunks * MN_PLACES) *place_at(ctx, place) = t ? t : mn_none();
}

/* Room for n chunks in the list of them and in that of empty places. */
static int reserve_lists(mn_context *ctx, int n) {
  mn_places *p = &ctx->places;
  if (n <= p->room) return 0;
  size_t chunk = sizeof *p->chunks, places = MN_PLACES * sizeof *p->empty;
  mn_tensor ***chunks = mn_memory_get(ctx, (size_t)n * chunk);
  int32_t *empty = chunks ? mn_memory_get(ctx, (size_t)n * places) : NULL;
  if (!empty) return mn_memory_put(ctx, chunks, (size_t)n * chunk), -1;
  if (p->room)
    memcpy(chunks, p->chunks, (size_t)p->room * chunk), memcpy(empty, p->empty, (size_t)p->room * places);
  mn_memory_put(ctx, p->chunks, (size_t)p->room * chunk);
  mn_memory_put(ctx, p->empty, (size_t)p->room * places);
  p->chunks = chunks, p->empty = empty, p->room = n;
  return 0;
}

static int add_chunks(mn_context *ctx, int n) {
  mn_places *p = &ctx->places;
  int before = p->n_chunks;
  if (reserve_lists(ctx, n)) return -1;
  while (p->n_chunks < n) {
    mn_tensor **chunk = mn_memory_zeros(ctx, MN_PLACES * sizeof *chunk);
    if (!chunk) break;
    p->chunks[p->n_chunks++] = chunk;
  }
  if (p->n_chunks == n) return 0;
  while (p->n_chunks > before) mn_memory_put(ctx, p->chunks[--p->n_chunks], MN_PLACES * sizeof(mn_tensor *));
  return -1;
}

int mn_places_reserve(mn_context *ctx, int chunks) {
  mn_places *p = &ctx->places;
  int first = p->n_chunks * MN_PLACES + 1, n = p->n_chunks + chunks;
  double before = ctx->stats.live_bytes;
  if (chunks < 1 || n > INT32_MAX / MN_PLACES) return 0;
  int failed = add_chunks(ctx, n);
  ctx->stats.list_bytes += ctx->stats.live_bytes - before;
  return failed ? 0 : first;
}

void mn_places_open(mn_context *ctx, int first, int n) {
  mn_places *p = &ctx->places;
  for (int i = n - 1; i >= 0; i--) p->empty[p->n_empty++] = first + i;
}

mn_tensor *const *mn_places_chunk(mn_context *ctx, int i) {
  return i >= 0 && i < ctx->places.n_chunks ? ctx->places.chunks[i] : NULL;
}

int mn_places_empty(mn_context *ctx) { return ctx->places.n_empty; }

int mn_place_take(mn_context *ctx) {
  mn_places *p = &ctx->places;
  return p->n_empty > 0 ? p->empty[--p->n_empty] : 0;
}

int mn_sweep_begin(mn_context *ctx) { return (int)++ctx->places.sweeps; }

int mn_place_sweep(mn_context *ctx, int place, int sweep) {
  mn_places *p = &ctx->places;
  if ((unsigned)sweep != p->sweeps || place > p->n_chunks * MN_PLACES) return -1;
  mn_tensor **at = place_at(ctx, place), *t = *at;
  if (!t) return 0;
  *at = NULL;
  p->empty[p->n_empty++] = place;
  mn_tensor_release(t);
  return 0;
}

void mn_places_free(mn_context *ctx) {
  mn_places *p = &ctx->places;
  for (int i = 0; i < p->n_chunks; i++) {
    for (int k = 0; k < MN_PLACES; k++) mn_tensor_release(p->chunks[i][k]);
    mn_memory_put(ctx, p->chunks[i], MN_PLACES * sizeof *p->chunks[i]);
  }
  mn_memory_put(ctx, p->chunks, (size_t)p->room * sizeof *p->chunks);
  mn_memory_put(ctx, p->empty, (size_t)p->room * MN_PLACES * sizeof *p->empty);
  *p = (mn_places){.sweeps = p->sweeps};
}

void mn_context_close(mn_context *ctx) {
  if (ctx->closed) return;
  ctx->closed = true;
  ctx->stats.limit_bytes = -1;
  mn_forget_signals(ctx);
  mn_record_drop(ctx); /* which may keep a map, and that the context */
  mn_places_free(ctx);
  mn_context_release(ctx);
}

int mn_count(mn_counter *c) { return ++c->n; }

/* ---- handles ---- */

int mn_handle_fill(mn_context *ctx, mn_handle *h, mn_tensor *t) {
  put(ctx, h->place, t);
  h->p = t;
  return t ? 0 : -1;
}

void mn_handle_own(mn_context *ctx, mn_handle *h, int place, int mark) {
  h->place = place;
  h->mark = mark;
  put(ctx, place, h->p);
}

void mn_handle_free(mn_handle *h) {
  mn_tensor *t = h->p;
  h->p = NULL;
  if (!t || mn_is_none(t)) return;
  put(t->ctx, h->place, NULL);
  mn_tensor_release(t);
}

int mn_make(mn_context *ctx, int op, int n_in, mn_tensor *const *in, const mn_slot *attrs,
            mn_handle *const *out) {
  mn_tensor *made[MN_MAX_OUT] = {0};
  int failed = mn_apply(ctx, op, n_in, in, attrs, made);
  for (int k = 0; k < mn_op(op)->n_out; k++) mn_handle_fill(ctx, out[k], failed ? NULL : made[k]);
  return failed;
}

int mn_make0(mn_context *ctx, int op, const mn_slot *attrs, mn_handle *h) {
  return mn_handle_fill(ctx, h, mn_apply0(ctx, op, attrs));
}
int mn_make1(mn_context *ctx, int op, mn_tensor *a, const mn_slot *attrs, mn_handle *h) {
  return mn_handle_fill(ctx, h, mn_apply1(ctx, op, a, attrs));
}
int mn_make2(mn_context *ctx, int op, mn_tensor *a, mn_tensor *b, const mn_slot *attrs, mn_handle *h) {
  return mn_handle_fill(ctx, h, mn_apply2(ctx, op, a, b, attrs));
}
int mn_make3(mn_context *ctx, int op, mn_tensor *a, mn_tensor *b, mn_tensor *c, const mn_slot *attrs,
             mn_handle *h) {
  return mn_handle_fill(ctx, h, mn_apply3(ctx, op, a, b, c, attrs));
}

/* ---- walks ---- */

int mn_walk_open(mn_walk_box *box, mn_context *ctx, int n_out, mn_tensor *const *outputs,
                 mn_tensor *const *grad_outputs, int n_in, mn_tensor *const *inputs, int flags,
                 double since) {
  mn_walk_close(box);
  box->walk = mn_walk_new(ctx, n_out, outputs, grad_outputs, n_in, inputs, flags, since);
  return box->walk ? 0 : -1;
}

void mn_walk_close(mn_walk_box *box) {
  mn_walk *w = box->walk;
  box->walk = NULL;
  mn_walk_free(w);
}

int mn_walk_take(mn_context *ctx, mn_walk *w, int part, int i, mn_handle *h) {
  mn_tensor *t = NULL;
  switch (part) {
  case MN_WALK_RESULT:
    t = mn_walk_result(w, i);
    break;
  case MN_WALK_SAVED:
    t = mn_walk_saved(w, i);
    break;
  case MN_WALK_COTANGENT:
    t = mn_walk_cotangent(w, i);
    break;
  case MN_WALK_INPUT:
    t = mn_walk_input(w, i);
    break;
  default:
    break;
  }
  return mn_handle_fill(ctx, h, t);
}

double mn_function_make(mn_context *ctx, const char *name, int n_in, mn_tensor *const *inputs, int n_out,
                        mn_tensor *const *outputs, int n_saved, mn_tensor *const *saved,
                        mn_handle *const *attached) {
  size_t bytes = ((size_t)n_out + 1) * sizeof(mn_tensor *);
  mn_tensor **made = mn_memory_get(ctx, bytes);
  if (!made) return 0;
  double number = mn_function_attach(ctx, name, n_in, inputs, n_out, outputs, n_saved, saved, made);
  for (int k = 0; k < n_out && number > 0; k++)
    if (attached[k]) mn_handle_fill(ctx, attached[k], made[k]);
  mn_memory_put(ctx, made, bytes);
  return number;
}

int mn_push_tangents(mn_context *ctx, int n_out, mn_tensor *const *outputs, int n_in,
                     mn_tensor *const *inputs, mn_tensor *const *tangents, int create_graph,
                     mn_handle *const *results) {
  size_t bytes = ((size_t)n_out + 1) * sizeof(mn_tensor *);
  mn_tensor **made = mn_memory_get(ctx, bytes);
  if (!made) return -1;
  int result = mn_tangents(ctx, n_out, outputs, n_in, inputs, tangents, create_graph, made);
  for (int k = 0; k < n_out && result == 0; k++) mn_handle_fill(ctx, results[k], made[k]);
  mn_memory_put(ctx, made, bytes);
  return result;
}
