/* cotangents.c: sums what derivatives give for an output of a node or for a leaf. */
#include "engine/walk.h"
#include <stdlib.h>

static int put_aside(cotangent *s, mn_tensor *t) {
  mn_tensor **more = realloc(s->more, (size_t)(s->n_more + 1) * sizeof *more);
  if (!more) return -1;
  s->more = more;
  s->more[s->n_more++] = t;
  t->refs++;
  return 0;
}

/* Adds what was put aside, in the order in which it came. Transactional: what has been added is off the list. */
int mn_cotangent_flush(mn_walk *w, cotangent *s) {
  while (s->first < s->n_more) {
    mn_tensor *sum = row_add(w->ctx, s->sum, s->more[s->first]);
    if (!sum) return -1;
    sum->refs++; /* the scope has the other reference */
    mn_tensor_unref(s->sum);
    mn_tensor_unref(s->more[s->first++]);
    s->sum = sum;
  }
  return 0;
}

/* Adds t to a cotangent; without memory for the sum it is put aside. */
int mn_cotangent_add(mn_walk *w, int index, mn_tensor *t) {
  cotangent *s = &w->cotangents[index];
  if (!s->sum) {
    s->sum = t;
    t->refs++;
    return 0;
  }
  mn_tensor *sum = mn_cotangent_flush(w, s) ? NULL : row_add(w->ctx, s->sum, t);
  if (!sum) {
    if (w->ctx->error_code != MN_ERR_MEMORY) return -1;
    mn_error_clear(w->ctx);
    w->failed = put_aside(s, t) != 0; /* half delivered: this walk can't go on */
    return w->failed ? mn_walk_no_memory(w) : 0;
  }
  sum->refs++;
  mn_tensor_unref(s->sum);
  s->sum = sum;
  return 0;
}

/* Puts zeros like that array where no more is known of a cotangent than that it is 0. */
int mn_cotangent_fill(mn_walk *w, cotangent *s, const mn_array *like) {
  if (s->sum || !s->zero) return 0;
  s->sum = row_full(w->ctx, like, 0);
  if (!s->sum) return -1;
  s->sum->refs++; /* the scope has the other reference */
  return 0;
}

void mn_cotangent_free(cotangent *s) {
  mn_tensor_unref(s->sum);
  for (int i = s->first; i < s->n_more; i++) mn_tensor_unref(s->more[i]);
  free(s->more);
  *s = (cotangent){NULL, NULL, 0, 0, false};
}
