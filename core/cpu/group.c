/* group.c: chains of pointwise rows over blocks of elements, so that what one row makes is still in the first cache when
 * the next reads it, and what only the chain reads is never stored. The loops are those that the rows run themselves
 * (mn_cpu_line), so their bits are the same. */
#include "cpu/kernels/grain.h"
#include "cpu/threads.h"
#include "metann.h"
#include <stddef.h>

enum { MOST_VALUES = MN_GROUP_INPUTS + MN_GROUP_STEPS };

/* The last step that reads each value; -1 where none does. */
static int find_last_uses(const mn_group *g, int *last) {
  for (int v = 0; v < g->n_in + g->n_steps; v++) last[v] = -1;
  for (int s = 0; s < g->n_steps; s++) {
    const mn_group_step *step = &g->steps[s];
    int dense = 0;
    if (!step->line.loop || step->line.n_in < 1 || step->line.n_in > MN_GROUP_OPERANDS) return -1;
    for (int k = 0; k < step->line.n_in; k++) {
      int v = step->in[k];
      if (v < 0 || v >= g->n_in + s) return -1;
      dense |= v >= g->n_in || g->step[v] != 0;
      last[v] = s;
    }
    if (!dense) return -1; /* a number made of numbers is no row over elements */
  }
  return 0;
}

/* A place in the room for what each step makes and doesn't store; a place is free again after its last reader. */
static int choose_slots(mn_group *g, const int *last) {
  int holder[GROUP_SLOTS], used = 0;
  for (int s = 0; s < g->n_steps; s++) {
    mn_group_step *step = &g->steps[s];
    int at = 0;
    step->slot = -1;
    if (step->out >= 0) continue;
    while (at < used && last[holder[at]] >= s) at++;
    if (at == GROUP_SLOTS) return -1;
    holder[at] = g->n_in + s, step->slot = at;
    if (at == used) used++;
  }
  g->slots = used;
  return 0;
}

int mn_cpu_group_plan(mn_group *g) {
  int last[MOST_VALUES];
  int64_t widest = 1;
  if (g->n_in < 1 || g->n_in > MN_GROUP_INPUTS || g->n_steps < 1 || g->n_steps > MN_GROUP_STEPS) return -1;
  if (find_last_uses(g, last)) return -1;
  for (int s = 0; s < g->n_steps; s++) {
    /* of no use to anybody: the caller has left it in by mistake */
    if (g->steps[s].out < 0 && last[g->n_in + s] < 0) return -1;
    if (g->steps[s].item < 1 || g->steps[s].item > 8) return -1;
    if (g->steps[s].item > widest) widest = g->steps[s].item;
  }
  if (choose_slots(g, last)) return -1;
  int64_t fits = GROUP_ROOM / (widest * (g->slots ? g->slots : 1));
  g->portion = fits < GROUP_PORTION ? fits / 64 * 64 : GROUP_PORTION;
  return 0;
}

typedef struct run {
  const mn_group *group;
  char *const *in, *const *out;
  int64_t n;
} run;

static void run_step(const mn_group *g, const mn_group_step *step, char *const *value, int64_t n) {
  char *ptr[1 + MN_GROUP_OPERANDS];
  int64_t by[1 + MN_GROUP_OPERANDS];
  ptr[0] = value[g->n_in + (int)(step - g->steps)], by[0] = step->item;
  for (int k = 0; k < step->line.n_in; k++) {
    int v = step->in[k];
    ptr[k + 1] = value[v];
    by[k + 1] = v < g->n_in ? g->step[v] : g->steps[v - g->n_in].item;
  }
  step->line.loop(ptr, by, n, step->line.number);
}

static void run_block(void *arg, int64_t block) {
  const run *r = arg;
  const mn_group *g = r->group;
  _Alignas(64) char room[GROUP_ROOM];
  char *value[MOST_VALUES];
  int64_t from = block * POINTWISE_BLOCK, to = from + POINTWISE_BLOCK < r->n ? from + POINTWISE_BLOCK : r->n;
  int64_t each = g->slots ? GROUP_ROOM / g->slots / 64 * 64 : 0;
  for (int64_t i = from; i < to; i += g->portion) {
    int64_t n = to - i < g->portion ? to - i : g->portion;
    for (int v = 0; v < g->n_in; v++) value[v] = r->in[v] + i * g->step[v];
    for (int s = 0; s < g->n_steps; s++) {
      const mn_group_step *step = &g->steps[s];
      value[g->n_in + s] = step->out >= 0 ? r->out[step->out] + i * step->item : room + step->slot * each;
      run_step(g, step, value, n);
    }
  }
}

void mn_cpu_group_run(const mn_group *g, char *const *in, char *const *out, int64_t n) {
  run r = {.group = g, .in = in, .out = out, .n = n};
  int64_t blocks = (n + POINTWISE_BLOCK - 1) / POINTWISE_BLOCK;
  if (n >= POINTWISE_PARALLEL) mn_parallel(blocks, run_block, &r);
  else
    for (int64_t i = 0; i < blocks; i++) run_block(&r, i);
}
