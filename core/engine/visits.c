/* visits.c: what a walk goes through: the nodes behind its outputs that may lead to something wanted, from the oldest to
 * the newest, and which of them do. */
#include "engine/walk.h"
#include <string.h>

/* ---- collecting ---- */

static int new_cotangents(mn_walk *w, int n) {
  while (w->n_cotangents + n > w->cotangent_capacity)
    if (grow((void **)&w->cotangents, &w->cotangent_capacity, w->cotangent_capacity, sizeof *w->cotangents))
      return -1;
  memset(&w->cotangents[w->n_cotangents], 0, (size_t)n * sizeof *w->cotangents);
  w->n_cotangents += n;
  return w->n_cotangents - n;
}

static int add_visit(mn_walk *w, mn_node *node) {
  if (dict_find(&w->index, node)) return 0;
  if (grow((void **)&w->visits, &w->capacity, w->n_visits, sizeof *w->visits)) return mn_walk_no_memory(w);
  if (dict_add(&w->index, node, 0)) return mn_walk_no_memory(w);
  node->refs++;
  w->visits[w->n_visits++] = (visit){.node = node, .seq = node->seq};
  return 0;
}

static int leaf_number(mn_walk *w, mn_tensor *leaf) {
  int *found = dict_find(&w->index, leaf);
  if (found) return *found;
  int n = w->n_leaves, s = new_cotangents(w, 1), capacity = w->leaf_capacity;
  if (s < 0) return mn_walk_no_memory(w);
  if (n == capacity) {
    int wanted = capacity ? 2 * capacity : 64;
    mn_tensor **leaves = realloc(w->leaves, (size_t)wanted * sizeof *leaves);
    if (leaves) w->leaves = leaves;
    int *leaf_cotangents =
        leaves ? realloc(w->leaf_cotangents, (size_t)wanted * sizeof *leaf_cotangents) : NULL;
    if (leaf_cotangents) w->leaf_cotangents = leaf_cotangents;
    bool *wanteds = leaf_cotangents ? realloc(w->leaf_wanted, (size_t)wanted * sizeof *wanteds) : NULL;
    if (!wanteds) return mn_walk_no_memory(w);
    w->leaf_wanted = wanteds, w->leaf_capacity = wanted;
  }
  if (dict_add(&w->index, leaf, n)) return mn_walk_no_memory(w);
  leaf->refs++;
  w->leaves[n] = leaf, w->leaf_cotangents[n] = s, w->leaf_wanted[n] = false;
  return w->n_leaves++;
}

static int compare_age(const void *a, const void *b) {
  uint64_t x = ((const visit *)a)->seq, y = ((const visit *)b)->seq;
  return (x > y) - (x < y);
}

/* Collecting finds the newest first: reversed, what has no branches is sorted already. */
static void sort_visits(visit *visits, int n) {
  bool sorted = true;
  for (int i = 0, k = n - 1; i < k; i++, k--) {
    visit newer = visits[i];
    visits[i] = visits[k], visits[k] = newer;
  }
  for (int i = 1; i < n && sorted; i++) sorted = visits[i - 1].seq < visits[i].seq;
  if (!sorted) qsort(visits, (size_t)n, sizeof *visits, compare_age);
}

static bool may_lead(const mn_walk *w, const mn_node *node) {
  return w->flags & MN_WALK_ACCUMULATE || (node->seq >= w->since && reach_leads(&w->reach, node));
}

/* Breadth first: visits doubles as the queue. The flag is looked at on the way: graphs may be large. */
int mn_visits_collect(mn_walk *w, int n_out, mn_tensor *const *outputs) {
  for (int i = 0; i < w->n_in && w->flags & MN_WALK_PARTIAL; i++) {
    mn_node *node = w->inputs[i]->node;
    if (!node) continue;
    if (add_visit(w, node)) return -1;
    w->visits[w->n_visits - 1].barrier = true; /* where it was there already, the last one is an input too */
  }
  for (int i = 0; i < n_out; i++) {
    if (outputs[i]->node ? add_visit(w, outputs[i]->node) : leaf_number(w, outputs[i]) < 0) return -1;
  }
  for (int v = 0; v < w->n_visits; v++) {
    mn_node *node = w->visits[v].node;
    if (mn_check_interrupt(w->ctx)) return -1;
    for (int i = 0; i < node->n_in && !w->visits[v].barrier; i++) {
      const mn_edge *e = &node->edges[i];
      if (e->node && may_lead(w, e->node) && add_visit(w, e->node)) return -1;
      if (e->leaf && leaf_number(w, e->leaf) < 0) return -1;
    }
  }
  w->ctx->stats.visited_nodes += w->n_visits;
  sort_visits(w->visits, w->n_visits);
  for (int v = 0; v < w->n_visits; v++) {
    int s = new_cotangents(w, w->visits[v].node->n_out);
    if (s < 0) return mn_walk_no_memory(w);
    if (mn_check_interrupt(w->ctx)) return -1;
    w->visits[v].first_cotangent = s;
    dict_set(&w->index, w->visits[v].node, v);
  }
  return 0;
}

/* ---- what is wanted ---- */

static void want_inputs(mn_walk *w) {
  for (int i = 0; i < w->n_in; i++) {
    mn_tensor *t = w->inputs[i];
    const void *key = t->node ? (const void *)t->node : (const void *)t;
    int *found = dict_find(&w->index, key);
    w->input_cotangents[i] = -1;
    if (!found) continue;
    if (t->node) {
      w->visits[*found].needed = true;
      w->input_cotangents[i] = w->visits[*found].first_cotangent + t->out_nr;
    } else {
      w->leaf_wanted[*found] = true;
      w->input_cotangents[i] = w->leaf_cotangents[*found];
    }
  }
}

int mn_visits_want(mn_walk *w) {
  bool all = w->flags & MN_WALK_ACCUMULATE;
  for (int i = 0; i < w->n_leaves && all; i++) w->leaf_wanted[i] = true;
  if (!all) want_inputs(w);
  for (int v = 0; v < w->n_visits; v++) {
    visit *x = &w->visits[v];
    if (mn_check_interrupt(w->ctx)) return -1;
    for (int i = 0; i < x->node->n_in && !x->needed && !x->barrier; i++)
      x->needed = mn_edge_wanted(w, &x->node->edges[i]);
    x->needed |= all && x->node->outputs;
  }
  return 0;
}
