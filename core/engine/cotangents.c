/* cotangents.c: sums what derivatives give for an output of a node or for a leaf. */
#include "engine/walk.h"

int mn_cotangent_offer(mn_walk *w, cotangent *s, mn_tensor *t) {
  mn_tensor *sum = s->next ? s->next : s->sum;
  s->next = sum ? row_add(w->ctx, sum, t) : t;
  return s->next ? 0 : -1;
}

void mn_cotangent_keep(cotangent *s) {
  if (s->next) {
    s->next->refs++; /* the scope has the other reference */
    mn_tensor_unref(s->sum);
    s->sum = s->next;
  }
  s->next = NULL;
}

int mn_cotangent_add(mn_walk *w, cotangent *s, mn_tensor *t) {
  if (mn_cotangent_offer(w, s, t)) return -1;
  mn_cotangent_keep(s);
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
  *s = (cotangent){NULL, NULL, false};
}
