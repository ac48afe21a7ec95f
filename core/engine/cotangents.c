/* cotangents.c: slots, where the cotangents of an output or a leaf are gathered and summed. */
#include "engine/walk.h"

int mn_slot_offer(mn_walk *w, slot *s, mn_tensor *t) {
  mn_tensor *sum = s->next ? s->next : s->sum;
  s->next = sum ? row_add(w->ctx, sum, t) : t;
  return s->next ? 0 : -1;
}

void mn_slot_keep(slot *s) {
  if (s->next) {
    s->next->refs++; /* the scope has the other reference */
    mn_tensor_unref(s->sum);
    s->sum = s->next;
  }
  s->next = NULL;
}

int mn_slot_gather(mn_walk *w, slot *s, mn_tensor *t) {
  if (mn_slot_offer(w, s, t)) return -1;
  mn_slot_keep(s);
  return 0;
}

/* Puts zeros like that array where a slot holds no more than the word that its cotangent is 0. */
int mn_slot_fill(mn_walk *w, slot *s, const mn_array *like) {
  if (s->sum || !s->zero) return 0;
  s->sum = row_full(w->ctx, like, 0);
  if (!s->sum) return -1;
  s->sum->refs++; /* the scope has the other reference */
  return 0;
}

void mn_slot_free(slot *s) {
  mn_tensor_unref(s->sum);
  *s = (slot){NULL, NULL, false};
}
