/* program.c: a recording that has ended, as others see it. */
#include "engine/recording.h"

int mn_program_length(const mn_program *p) { return p->n; }
const mn_row *mn_program_row(const mn_program *p, int i) { return i >= 0 && i < p->n ? &p->rows[i] : NULL; }

int mn_program_bound(const mn_program *p) { return p->n_bound; }

mn_tensor *mn_program_bound_tensor(mn_program *p, int i) {
  if (i < 0 || i >= p->n_bound)
    return mn_error_set(p->ctx, MN_ERR_ARGUMENT, "record: no tensor is bound there"), NULL;
  mn_tensor *t = mn_tensor_header(p->ctx);
  if (!t) return NULL;
  const mn_bound *b = &p->bound[i];
  t->a = b->ref.array;
  t->a.data = (char *)b->storage->data + b->ref.offset * (int64_t)mn_dtype_size(t->a.dtype);
  t->id = b->ref.tensor;
  t->storage = b->storage;
  t->storage->refs++;
  return t;
}

void mn_program_free(mn_program *p) {
  if (!p) return;
  mn_context *ctx = p->ctx;
  mn_program_destroy(p);
  mn_context_release(ctx);
}
