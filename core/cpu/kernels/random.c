/* random.c: kernels of the rows that draw random numbers. How words and numbers come about is philox.inc's;
 * element i draws word counter + i, so that threads, chunks and devices don't matter. */
#include "create.h"
#include "index.h"
#define MN_SECTION "ops/create.def"
#include "section.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

#define MN_PHILOX_FN static inline
#include "philox.inc"

typedef struct stream {
  uint64_t seed, counter;
} stream;

#ifdef __AVX2__
/* Four blocks side by side, a 32-bit word in each 64-bit lane. What is above it doesn't matter: the products
 * read the low halves only, and the last step takes those. */
static void draw_four(const stream *s, uint32_t nr, uint64_t block, uint32_t *words) {
  const __m256i m0 = _mm256_set1_epi64x(MN_PHILOX_M0), m1 = _mm256_set1_epi64x(MN_PHILOX_M1);
  uint32_t k0 = (uint32_t)s->seed, k1 = (uint32_t)(s->seed >> 32);
  __m256i c0 = _mm256_add_epi64(_mm256_set1_epi64x((int64_t)block), _mm256_setr_epi64x(0, 1, 2, 3));
  __m256i c1 = _mm256_srli_epi64(c0, 32), c2 = _mm256_set1_epi64x(nr), c3 = _mm256_setzero_si256();
  for (int round = 0; round < 10; round++, k0 += MN_PHILOX_STEP0, k1 += MN_PHILOX_STEP1) {
    __m256i a = _mm256_mul_epu32(m0, c0), b = _mm256_mul_epu32(m1, c2);
    c0 = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(b, 32), c1), _mm256_set1_epi64x(k0));
    c2 = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(a, 32), c3), _mm256_set1_epi64x(k1));
    c1 = b, c3 = a;
  }
  __m256i front = _mm256_blend_epi32(c0, _mm256_slli_epi64(c1, 32), 0xaa);
  __m256i back = _mm256_blend_epi32(c2, _mm256_slli_epi64(c3, 32), 0xaa);
  __m256i even = _mm256_unpacklo_epi64(front, back), odd = _mm256_unpackhi_epi64(front, back);
  _mm256_storeu_si256((__m256i *)words, _mm256_permute2x128_si256(even, odd, 0x20));
  _mm256_storeu_si256((__m256i *)(words + 8), _mm256_permute2x128_si256(even, odd, 0x31));
}
#endif

/* Words first .. first+n-1 of a stream for n <= CREATE_CHUNK. The counter and the chunks begin at multiples of 4.
 */
static void draw(const stream *s, uint32_t nr, int64_t first, int64_t n, uint32_t *words) {
  uint64_t block = (s->counter + (uint64_t)first) / 4;
  int64_t b = 0, blocks = (n + 3) / 4;
#ifdef __AVX2__
  for (; b + 4 <= blocks; b += 4) draw_four(s, nr, block + (uint64_t)b, words + 4 * b);
#endif
  for (; b < blocks; b++) mn_philox(block + (uint64_t)b, nr, s->seed, words + 4 * b);
}

/* How many random digits a uniform number of that dtype has: all that it can hold below 1. */
static int digits(int dtype) {
  return dtype == MN_FLOAT64 ? 53 : dtype == MN_FLOAT16 ? 11 : dtype == MN_BFLOAT16 ? 8 : 24;
}

static void draw_uniform(const stream *s, int bits, int64_t first, int64_t n, double *to) {
  uint32_t high[CREATE_CHUNK], low[CREATE_CHUNK];
  draw(s, 0, first, n, high);
  if (bits > 32) {
    draw(s, 1, first, n, low);
    for (int64_t i = 0; i < n; i++) to[i] = mn_uniform53(high[i], low[i]);
  } else {
    for (int64_t i = 0; i < n; i++) to[i] = mn_uniform(high[i], bits);
  }
}

/* ---- rand ---- */

typedef struct uniform {
  stream s;
  int bits;
  double low, width, last;
} uniform;

static void make_uniform(const void *arg, int64_t first, int64_t n, void *buffer) {
  const uniform *u = arg;
  double *to = buffer;
  draw_uniform(&u->s, u->bits, first, n, to);
  for (int64_t i = 0; i < n; i++) {
    double v = u->low + u->width * to[i];
    to[i] = v < u->last ? v : u->last; /* rounding must not reach `high` */
  }
}

int MN_KERNEL(rand)(mn_call *call) {
  const mn_rand_attrs *a = mn_rand_of(call);
  int dtype = call->out[0]->dtype;
  uniform u = {{call->seed, call->counter}, digits(dtype), a->low, a->high - a->low, a->high};
  if (a->low < a->high) {
    u.last = nextafter(a->high, a->low);
    float single = (float)a->high;
    if (dtype != MN_FLOAT64) u.last = single < a->high ? single : nextafterf(single, (float)a->low);
  }
  MN_KERNEL(generate)(call->out[0], make_uniform, &u, MN_FLOAT64);
  return 0;
}

/* ---- randn ---- */

typedef struct normal {
  stream s;
  int wide;
  double mean, std;
} normal;

static void make_normal(const void *arg, int64_t first, int64_t n, void *buffer) {
  const normal *g = arg;
  double *to = buffer, uniforms[CREATE_CHUNK], step = g->wide ? 0x1p-53 : 0x1p-32;
  draw_uniform(&g->s, g->wide ? 53 : 32, first, (n + 1) / 2 * 2, uniforms);
  for (int64_t j = 0; j < (n + 1) / 2; j++) {
    double pair[2];
    mn_normal_pair(uniforms[2 * j] + step, uniforms[2 * j + 1], &pair[0], &pair[1]);
    to[2 * j] = g->mean + g->std * pair[0];
    to[2 * j + 1] = g->mean + g->std * pair[1];
  }
}

int MN_KERNEL(randn)(mn_call *call) {
  const mn_randn_attrs *a = mn_randn_of(call);
  normal g = {{call->seed, call->counter}, call->out[0]->dtype == MN_FLOAT64, a->mean, a->std};
  MN_KERNEL(generate)(call->out[0], make_normal, &g, MN_FLOAT64);
  return 0;
}

/* ---- integers ---- */

typedef struct integers {
  stream s;
  int64_t low;
  uint64_t range;
} integers;

static void make_integers(const void *arg, int64_t first, int64_t n, void *buffer) {
  const integers *r = arg;
  int64_t *to = buffer;
  uint32_t high[CREATE_CHUNK], low[CREATE_CHUNK];
  draw(&r->s, 0, first, n, high);
  draw(&r->s, 1, first, n, low);
  for (int64_t i = 0; i < n; i++) to[i] = (int64_t)((uint64_t)r->low + mn_below(high[i], low[i], r->range));
}

int MN_KERNEL(randint)(mn_call *call) {
  const mn_randint_attrs *a = mn_randint_of(call);
  integers r = {{call->seed, call->counter}, a->low, (uint64_t)a->high - (uint64_t)a->low};
  MN_KERNEL(generate)(call->out[0], make_integers, &r, MN_INT64);
  return 0;
}

/* R. A. Fisher and F. Yates' shuffle: element i changes places with one of i .. n-1. */
int MN_KERNEL(randperm)(mn_call *call) {
  const mn_randperm_attrs *a = mn_randperm_of(call);
  int64_t n = a->n, *order = mn_scratch(call, (size_t)(n + 1) * sizeof *order);
  if (!order) return -1;
  stream s = {call->seed, call->counter};
  uint32_t high[CREATE_CHUNK], low[CREATE_CHUNK];
  for (int64_t i = 0; i < n; i++) order[i] = i + a->index_base;
  for (int64_t i = 0; i < n; i++) {
    int64_t k = i % CREATE_CHUNK;
    if (k == 0) {
      int64_t m = n - i < CREATE_CHUNK ? n - i : CREATE_CHUNK;
      draw(&s, 0, i, m, high);
      draw(&s, 1, i, m, low);
    }
    int64_t j = i + (int64_t)mn_below(high[k], low[k], (uint64_t)(n - i)), moved = order[j];
    order[j] = order[i], order[i] = moved;
  }
  mn_array from = *call->out[0];
  from.data = order, from.dtype = MN_INT64;
  MN_KERNEL(copy_array)(call->out[0], &from);
  return 0;
}

/* ---- multinomial ---- */

/* Elements first .. first+n-1 of a dense array of floats, as doubles. */
static void load(const mn_array *a, int64_t first, int64_t n, double *to) {
  int64_t item = (int64_t)mn_dtype_size(a->dtype);
  MN_KERNEL(row_copier)(MN_FLOAT64, a->dtype)((char *)to, 8, (const char *)a->data + first * item, item, n);
}

/* Sums of weights as a binary tree: node k has the children 2k and 2k + 1, and the leaves, `width` of them, are the
 * weights. A draw goes down by sums that are never smaller than 0, into children that have some weight: a class without
 * any can't come up, whatever the rounding. */
typedef struct weights {
  double *sum;
  int64_t classes, width;
} weights;

static void sum_tree(weights *w) {
  for (int64_t k = w->width - 1; k > 0; k--) w->sum[k] = w->sum[2 * k] + w->sum[2 * k + 1];
}

static int64_t pick(const weights *w, double at) {
  int64_t k = 1;
  at *= w->sum[1];
  while (k < w->width) {
    double left = w->sum[k *= 2];
    if (w->sum[k + 1] == 0 || (at < left && left > 0)) continue;
    at -= left, k++;
  }
  return k - w->width;
}

static void take_out(weights *w, int64_t class) {
  int64_t k = class + w->width;
  w->sum[k] = 0;
  while (k /= 2) w->sum[k] = w->sum[2 * k] + w->sum[2 * k + 1];
}

/* Are these weights, and enough of them? Names the row of several (from `base`). */
static int check_weights(mn_call *call, const double *weight, int64_t classes, int64_t draws, int64_t row) {
  char where[32] = "", *error = call->error;
  int64_t some = 0;
  size_t room = sizeof call->error;
  if (call->in[0]->ndim == 2) snprintf(where, sizeof where, " in row %lld", (long long)row);
  for (int64_t i = 0; i < classes; i++) {
    double w = weight[i];
    if (isnan(w))
      return snprintf(error, room, "weights must be finite and not negative, got NaN%s", where), -1;
    if (!(w >= 0 && isfinite(w)))
      return snprintf(error, room, "weights must be finite and not negative, got %g%s", w, where), -1;
    some += w > 0;
  }
  if (some == 0) return snprintf(error, room, "all weights%s are 0", where), -1;
  if (some >= draws) return 0;
  snprintf(error, room, "%lld draws without replacement, but only %lld weights%s are not 0", (long long)draws,
           (long long)some, where);
  return -1;
}

/* Reads a row. Weights whose sum is out of range are made smaller, though none becomes 0. */
static void read_weights(weights *w, const mn_array *in, int64_t row) {
  double *leaf = w->sum + w->width;
  load(in, row * w->classes, w->classes, leaf);
  for (int64_t i = w->classes; i < w->width; i++) leaf[i] = 0;
  sum_tree(w);
  if (!isinf(w->sum[1])) return;
  for (int64_t i = 0; i < w->classes; i++) leaf[i] = leaf[i] > 0 ? fmax(ldexp(leaf[i], -64), DBL_MIN) : 0;
  sum_tree(w);
}

int MN_KERNEL(multinomial)(mn_call *call) {
  const mn_multinomial_attrs *a = mn_multinomial_of(call);
  mn_array room;
  const mn_array *in = MN_KERNEL(dense)(call, call->in[0], &room);
  if (!in) return -1;
  weights w = {.classes = in->size[in->ndim - 1], .width = 1};
  while (w.width < w.classes) w.width *= 2;
  w.sum = mn_scratch(call, 2 * (size_t)w.width * sizeof *w.sum);
  if (!w.sum) return -1;
  int64_t rows = in->numel / w.classes, n = a->num_samples, *to = call->out[0]->data;
  for (int64_t row = 0; row < rows; row++) {
    load(in, row * w.classes, w.classes, w.sum);
    if (check_weights(call, w.sum, w.classes, a->replacement ? 1 : n, row + a->index_base)) return -1;
  }
  stream s = {call->seed, call->counter};
  double at[CREATE_CHUNK];
  for (int64_t i = 0; i < rows * n; i++) {
    if (i % n == 0) read_weights(&w, in, i / n);
    if (i % CREATE_CHUNK == 0)
      draw_uniform(&s, 53, i, rows * n - i < CREATE_CHUNK ? rows * n - i : CREATE_CHUNK, at);
    int64_t class = pick(&w, at[i % CREATE_CHUNK]);
    if (!a->replacement) take_out(&w, class);
    to[i] = class + a->index_base;
  }
  return 0;
}

/* ---- bernoulli and dropout ---- */

typedef struct trial {
  stream s;
  int bits;
  double p, scale;
  const mn_array *chances;
} trial;

static void make_trials(const void *arg, int64_t first, int64_t n, void *buffer) {
  const trial *t = arg;
  double chances[CREATE_CHUNK], *to = buffer;
  load(t->chances, first, n, chances);
  draw_uniform(&t->s, t->bits, first, n, to);
  for (int64_t i = 0; i < n; i++) to[i] = to[i] < chances[i];
}

static int check_chances(mn_call *call, const mn_array *p) {
  double chances[CREATE_CHUNK];
  for (int64_t i = 0; i < p->numel; i += CREATE_CHUNK) {
    int64_t n = p->numel - i < CREATE_CHUNK ? p->numel - i : CREATE_CHUNK;
    load(p, i, n, chances);
    for (int64_t k = 0; k < n; k++) {
      if (chances[k] >= 0 && chances[k] <= 1) continue;
      snprintf(call->error, sizeof call->error, "expected probabilities between 0 and 1, got %g", chances[k]);
      return -1;
    }
  }
  return 0;
}

int MN_KERNEL(bernoulli)(mn_call *call) {
  mn_array room;
  const mn_array *p = MN_KERNEL(dense)(call, call->in[0], &room);
  if (!p || check_chances(call, p)) return -1;
  trial t = {.s = {call->seed, call->counter}, .bits = digits(p->dtype), .chances = p};
  MN_KERNEL(generate)(call->out[0], make_trials, &t, MN_FLOAT64);
  return 0;
}

static void make_mask(const void *arg, int64_t first, int64_t n, void *buffer) {
  const trial *t = arg;
  double *to = buffer;
  draw_uniform(&t->s, t->bits, first, n, to);
  for (int64_t i = 0; i < n; i++) to[i] = to[i] < t->p ? 0 : t->scale;
}

/* The mask is read back as it was stored, so that the result is the product that the derivative takes. */
typedef struct product {
  const mn_array *in, *mask;
} product;

static void make_product(const void *arg, int64_t first, int64_t n, void *buffer) {
  const product *p = arg;
  double mask[CREATE_CHUNK], *to = buffer;
  load(p->in, first, n, to);
  load(p->mask, first, n, mask);
  for (int64_t i = 0; i < n; i++) to[i] *= mask[i];
}

int MN_KERNEL(dropout)(mn_call *call) {
  double p = mn_dropout_of(call)->p;
  mn_array room;
  const mn_array *in = MN_KERNEL(dense)(call, call->in[0], &room);
  if (!in) return -1;
  trial t = {
      .s = {call->seed, call->counter}, .bits = digits(in->dtype), .p = p, .scale = p < 1 ? 1 / (1 - p) : 0};
  product with = {in, call->out[1]};
  MN_KERNEL(generate)(call->out[1], make_mask, &t, MN_FLOAT64);
  MN_KERNEL(generate)(call->out[0], make_product, &with, MN_FLOAT64);
  return 0;
}

/* ---- gamma ---- */

typedef struct gammas {
  stream s;
  const mn_array *concentrations;
} gammas;

/* Element i of a gamma variate (G. Marsaglia, W. W. Tsang, "A simple method for generating gamma variables", 2000). Its
 * tries draw from blocks of their own: number counter + i, in streams that nothing else draws from. Below 1 it is made
 * of one of 1 more. */
static double draw_gamma(const stream *s, int64_t i, double concentration) {
  double boosted = concentration < 1 ? concentration + 1 : concentration;
  double d = boosted - 1.0 / 3, c = 1 / sqrt(9 * d);
  for (uint32_t nr = 2;; nr += 2) {
    uint32_t w[8];
    double x, other;
    mn_philox(s->counter + (uint64_t)i, nr, s->seed, w);
    mn_philox(s->counter + (uint64_t)i, nr + 1, s->seed, w + 4);
    mn_normal_pair(mn_uniform53(w[0], w[1]) + 0x1p-53, mn_uniform53(w[2], w[3]), &x, &other);
    double root = 1 + c * x, v = root * root * root, u = 1 - mn_uniform53(w[4], w[5]);
    if (root <= 0 || !(u < 1 - 0.0331 * (x * x) * (x * x) || log(u) < 0.5 * x * x + d * (1 - v + log(v))))
      continue;
    return concentration < 1 ? d * v * pow(1 - mn_uniform53(w[6], w[7]), 1 / concentration) : d * v;
  }
}

static void make_gammas(const void *arg, int64_t first, int64_t n, void *buffer) {
  const gammas *g = arg;
  double concentrations[CREATE_CHUNK], *to = buffer;
  load(g->concentrations, first, n, concentrations);
  for (int64_t i = 0; i < n; i++) to[i] = draw_gamma(&g->s, first + i, concentrations[i]);
}

static int check_concentrations(mn_call *call, const mn_array *a) {
  double values[CREATE_CHUNK];
  for (int64_t i = 0; i < a->numel; i += CREATE_CHUNK) {
    int64_t n = a->numel - i < CREATE_CHUNK ? a->numel - i : CREATE_CHUNK;
    load(a, i, n, values);
    for (int64_t k = 0; k < n; k++) {
      if (values[k] >= 0 && isfinite(values[k])) continue;
      snprintf(call->error, sizeof call->error, "expected finite concentrations of at least 0, got %g",
               values[k]);
      return -1;
    }
  }
  return 0;
}

int MN_KERNEL(standard_gamma)(mn_call *call) {
  mn_array room;
  const mn_array *a = MN_KERNEL(dense)(call, call->in[0], &room);
  if (!a || check_concentrations(call, a)) return -1;
  gammas g = {{call->seed, call->counter}, a};
  MN_KERNEL(generate)(call->out[0], make_gammas, &g, MN_FLOAT64);
  return 0;
}
