/* recording.c: recording the rows that pass the door. A recording keeps numbers only (ids, layouts,
 * attributes), no tensors, so it neither keeps memory alive nor depends on it. */
#include "engine/engine.h"
#include <stdlib.h>
#include <string.h>

struct mn_program {
  mn_row *rows;
  int n, capacity;
  uint64_t offset; /* of the random stream, at the beginning */
};

static mn_ref ref_of(const mn_tensor *t) {
  mn_ref r;
  memset(&r, 0, sizeof r);
  r.none = mn_is_none(t);
  if (r.none) return r;
  r.tensor = t->id;
  r.storage = t->storage->id;
  r.view = (t->flags & T_VIEW) != 0;
  r.offset = ((char *)t->a.data - (char *)t->storage->data) / (int64_t)mn_dtype_size(t->a.dtype);
  r.array = t->a;
  r.array.data = NULL;
  return r;
}

static int room(mn_program *p) {
  if (p->n < p->capacity) return 0;
  int capacity = p->capacity ? 2 * p->capacity : 256;
  mn_row *rows = realloc(p->rows, (size_t)capacity * sizeof *rows);
  if (!rows) return -1;
  p->rows = rows, p->capacity = capacity;
  return 0;
}

int mn_record_row(mn_context *ctx, int op, bool inplace, int n_in, mn_tensor *const *in, int n_out,
                  mn_tensor *const *out, const mn_slot *attrs) {
  mn_program *p = ctx->recording;
  size_t slots = op < 0 ? 0 : (size_t)mn_op(op)->n_slots * sizeof(mn_slot),
         refs = (size_t)(n_in + n_out) * sizeof(mn_ref);
  char *block = room(p) ? NULL : malloc(refs + slots);
  if (!block) return mn_error_set(ctx, MN_ERR_MEMORY, "out of memory while recording");
  mn_ref *r = (mn_ref *)block;
  for (int i = 0; i < n_in; i++) r[i] = ref_of(in[i]);
  for (int k = 0; k < n_out; k++) r[n_in + k] = ref_of(out[k]);
  if (slots) memcpy(block + refs, attrs, slots);
  double counter = -1;
  if (op >= 0 && mn_op(op)->flags & MN_F_RANDOM)
    counter = (double)(int64_t)(ctx->offset - mn_random_count(&out[0]->a) - p->offset);
  p->rows[p->n++] = (mn_row){op, inplace, n_in, n_out, r, r + n_in, (mn_slot *)(block + refs), counter};
  return 0;
}

void mn_record_cut(mn_context *ctx, int n) {
  mn_program *p = ctx->recording;
  while (p->n > n) free((void *)p->rows[--p->n].in);
}

int mn_record_begin(mn_context *ctx) {
  if (ctx->recording) return mn_error_set(ctx, MN_ERR_ARGUMENT, "record: a recording is on already");
  ctx->recording = calloc(1, sizeof *ctx->recording);
  if (ctx->recording) ctx->watch |= MN_WATCH_RECORDING, ctx->recording->offset = ctx->offset;
  return ctx->recording ? 0 : mn_error_set(ctx, MN_ERR_MEMORY, "out of memory while recording");
}

mn_program *mn_record_end(mn_context *ctx) {
  mn_program *p = ctx->recording;
  if (!p) mn_error_set(ctx, MN_ERR_ARGUMENT, "record: no recording is on");
  ctx->recording = NULL;
  ctx->watch &= ~MN_WATCH_RECORDING;
  return p;
}

int mn_program_length(const mn_program *p) { return p->n; }
const mn_row *mn_program_row(const mn_program *p, int i) { return i >= 0 && i < p->n ? &p->rows[i] : NULL; }

void mn_program_free(mn_program *p) {
  if (!p) return;
  for (int i = 0; i < p->n; i++) free((void *)p->rows[i].in);
  free(p->rows);
  free(p);
}
