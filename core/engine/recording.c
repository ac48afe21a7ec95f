/* recording.c: recording the rows that pass the door, and what else a replay must know: tensors made from the binding's
 * numbers, and what becomes of .grad. Of tensors that it made a recording keeps numbers only (ids, layouts, attributes);
 * storages that were there before, and that its rows take, it keeps alive: a replay reads and writes them.
 *
 * A storage is marked with the recording that met it last and the part it has there, so that reading a number that is
 * computed can be refused: the number would be frozen in whatever the program did with it. */
#include "engine/recording.h"
#include <string.h>

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

/* ---- storages ---- */

/* Notes what a row takes, in room that was made: unknown to this recording, it was there before. */
static void meet(mn_program *p, const mn_tensor *t) {
  if (mn_is_none(t) || t->storage->recording == p->number) return;
  p->bound[p->n_bound++] = (mn_bound){t->storage, ref_of(t)};
  t->storage->refs++;
  t->storage->recording = p->number, t->storage->role = MN_BOUND;
}

int mn_tensor_readable(mn_context *ctx, const char *name, const mn_tensor *t) {
  const mn_program *p = ctx->recording;
  if (!p || t->storage->recording != p->number || t->storage->role != MN_COMPUTED) return 0;
  return mn_error_set(
      ctx, MN_ERR_ARGUMENT,
      "%s: a recording can't take numbers of a tensor that it computes: they would be the same in "
      "every replay; return the tensor, or decide outside",
      name);
}

/* ---- rows ---- */

/* Room for n items in a list. */
static int room(mn_context *ctx, void **items, int *capacity, int n, size_t item) {
  if (n <= *capacity) return 0;
  int wanted = *capacity ? 2 * *capacity : 64;
  if (wanted < n) wanted = n;
  void *larger = mn_memory_grow(ctx, *items, (size_t)*capacity * item, (size_t)wanted * item);
  if (!larger) return -1;
  *items = larger, *capacity = wanted;
  return 0;
}

/* Room for a row whose references are followed by that many bytes. */
static int make_room(mn_context *ctx, int n_in, int n_out, size_t behind) {
  mn_program *p = ctx->recording;
  mn_memory_put(ctx, p->block, p->block_bytes); /* of a row that failed */
  p->block = NULL;
  p->block_bytes = (size_t)(n_in + n_out) * sizeof(mn_ref) + behind;
  if (room(ctx, (void **)&p->rows, &p->capacity, p->n + 1, sizeof *p->rows) ||
      room(ctx, (void **)&p->bound, &p->bound_capacity, p->n_bound + n_in, sizeof *p->bound))
    return -1;
  p->block = mn_memory_get(ctx, p->block_bytes);
  return p->block ? 0 : -1;
}

static size_t attrs_bytes(int op) { return op < 0 ? 0 : (size_t)mn_op(op)->n_slots * sizeof(mn_slot); }

int mn_record_prepare(mn_context *ctx, int op, int n_in, int n_out) {
  if (op >= 0 && mn_op(op)->flags & MN_F_DATA_SHAPE)
    return mn_error_set(
        ctx, MN_ERR_ARGUMENT,
        "%s: a recording can't hold a row whose result's size depends on data; use where(), or gather "
        "with a fixed count",
        mn_op(op)->name);
  return make_room(ctx, n_in, n_out, attrs_bytes(op));
}

/* Adds a row in the room that was made for it; returns where what follows its references goes. */
static char *add_row(mn_program *p, mn_row row, mn_tensor *const *in, mn_tensor *const *out) {
  mn_ref *r = (mn_ref *)(void *)p->block;
  p->block = NULL;
  for (int i = 0; i < row.n_in; i++) meet(p, in[i]), r[i] = ref_of(in[i]);
  for (int k = 0; k < row.n_out; k++) r[row.n_in + k] = ref_of(out[k]);
  row.in = r, row.out = r + row.n_in;
  p->rows[p->n++] = row;
  return (char *)(r + row.n_in + row.n_out);
}

void mn_record_row(mn_context *ctx, int op, bool inplace, int n_in, mn_tensor *const *in, int n_out,
                   mn_tensor *const *out, const mn_slot *attrs) {
  mn_program *p = ctx->recording;
  mn_row row = {.op = op, .inplace = inplace, .n_in = n_in, .n_out = n_out, .counter = -1};
  if (op >= 0 && mn_op(op)->flags & MN_F_RANDOM)
    row.counter = (double)(int64_t)(ctx->offset - mn_random_count(&out[0]->a) - p->offset);
  char *behind = add_row(p, row, in, out);
  if (op < 0) return; /* a function's outputs are its inputs */
  memcpy(behind, attrs, attrs_bytes(op));
  p->rows[p->n - 1].attrs = (mn_slot *)(void *)behind;
  for (int k = 0; k < n_out && !mn_rules(op)->view; k++)
    out[k]->storage->recording = p->number, out[k]->storage->role = MN_COMPUTED;
}

int mn_record_constant(mn_context *ctx, mn_tensor *t, const void *data, bool fresh) {
  mn_program *p = ctx->recording;
  size_t bytes = (size_t)t->a.numel * mn_dtype_size(t->a.dtype);
  if (!p) return 0;
  if (make_room(ctx, !fresh, 1, bytes)) return -1;
  mn_row row = {.op = MN_ROW_CONSTANT, .inplace = !fresh, .n_in = !fresh, .n_out = 1, .counter = -1};
  char *behind = add_row(p, row, &t, &t);
  if (bytes > 0) memcpy(behind, data, bytes);
  p->rows[p->n - 1].values = behind;
  if (fresh) t->storage->recording = p->number, t->storage->role = MN_CONSTANT;
  else if (t->storage->role != MN_CONSTANT) t->storage->role = MN_COMPUTED;
  return 0;
}

int mn_record_grad(mn_context *ctx, mn_tensor *t, mn_tensor *grad) {
  mn_tensor *in[2] = {t, grad ? grad : mn_none()};
  if (!ctx->recording) return 0;
  if (make_room(ctx, 2, 0, 0)) return -1;
  add_row(ctx->recording, (mn_row){.op = MN_ROW_GRAD, .n_in = 2, .counter = -1}, in, NULL);
  return 0;
}

static size_t row_bytes(const mn_row *row) {
  size_t refs = (size_t)(row->n_in + row->n_out) * sizeof(mn_ref);
  if (row->op != MN_ROW_CONSTANT) return refs + attrs_bytes(row->op);
  return refs + (size_t)row->out[0].array.numel * mn_dtype_size(row->out[0].array.dtype);
}

static void drop_rows(mn_program *p, int n) {
  while (p->n > n) {
    const mn_row *row = &p->rows[--p->n];
    mn_memory_put(p->ctx, (void *)(uintptr_t)row->in, row_bytes(row));
  }
}

int mn_record_length(mn_context *ctx) { return ctx->recording ? ctx->recording->n : 0; }

void mn_record_cut(mn_context *ctx, int n) {
  if (ctx->recording) drop_rows(ctx->recording, n);
}

/* ---- from its beginning to its end ---- */

int mn_record_begin(mn_context *ctx) {
  if (ctx->recording) return mn_error_set(ctx, MN_ERR_ARGUMENT, "record: a recording is on already");
  mn_program *p = mn_memory_zeros(ctx, sizeof *p);
  if (!p) return -1;
  p->ctx = ctx, p->offset = ctx->offset, p->number = ++ctx->recordings;
  ctx->recording = p;
  ctx->watch |= MN_WATCH_RECORDING;
  return 0;
}

static mn_program *stop(mn_context *ctx) {
  mn_program *p = ctx->recording;
  ctx->recording = NULL;
  ctx->watch &= ~MN_WATCH_RECORDING;
  return p;
}

mn_program *mn_record_end(mn_context *ctx) {
  mn_program *p = stop(ctx);
  if (!p) return mn_error_set(ctx, MN_ERR_ARGUMENT, "record: no recording is on"), NULL;
  mn_memory_put(ctx, p->block, p->block_bytes);
  p->block = NULL;
  ctx->refs++;
  return p;
}

void mn_program_destroy(mn_program *p) {
  mn_context *ctx = p->ctx;
  drop_rows(p, 0);
  for (int i = 0; i < p->n_bound; i++) mn_storage_unref(ctx, p->bound[i].storage);
  mn_memory_put(ctx, p->rows, (size_t)p->capacity * sizeof *p->rows);
  mn_memory_put(ctx, p->bound, (size_t)p->bound_capacity * sizeof *p->bound);
  mn_memory_put(ctx, p->block, p->block_bytes);
  mn_memory_put(ctx, p, sizeof *p);
}

void mn_record_drop(mn_context *ctx) {
  mn_program *p = stop(ctx);
  if (p) mn_program_destroy(p);
}
