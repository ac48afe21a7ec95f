/* fourier.c: discrete Fourier transforms of lines of complex numbers. Eight lines are transformed side by side, so that
 * every step is the same for neighbours and vectorises whatever the length's divisors are; fewer leave lanes idle. */
#include "elementwise.h"
#include "grain.h"
#include "special_math.h"
#include <math.h>
#define MN_SECTION "ops/reduce.def"
#include "section.h"

enum {
  ABREAST = 8,        /* lines side by side */
  MOST_FACTORS = 64,  /* of a 64-bit length */
  LARGEST_PRIME = 61, /* that is a step by itself: it costs its square */
};

typedef struct dft {
  const mn_array *in;
  void *out;
  int64_t n, lines;
  double scale;
  bool inverse;
  int64_t length; /* of the steps: n, or that of the convolution that makes a transform of n */
  int factors[MOST_FACTORS], count;
  void *roots;          /* exp(-2 pi i k / length), pairs */
  void *chirp, *kernel; /* of the convolution: exp(-pi i k^2 / n), and the transform of its conjugates */
  char *scratch;
  size_t each;
  int64_t groups, per_block;
} dft;

/* The divisors by which n is transformed, 4 before 2; false where a prime is too large. */
static bool factorize(dft *d, int64_t n) {
  d->length = n, d->count = 0;
  for (; n % 4 == 0; n /= 4) d->factors[d->count++] = 4;
  for (int p = 2; p <= LARGEST_PRIME; p++)
    for (; n % p == 0; n /= p) d->factors[d->count++] = p;
  return n == 1;
}

/* exp(-2 pi i k / n), exact at quarters of a turn. */
static void root(int64_t k, int64_t n, double *re, double *im) {
  int64_t quarter = (int64_t)floor(4 * (double)k / (double)n + 0.5);
  double angle = 2 * MN_PI * ((double)k - (double)quarter * (double)n / 4) / (double)n;
  double c = cos(angle), s = sin(angle), turned[4][2] = {{c, s}, {-s, c}, {-c, -s}, {s, -c}};
  *re = turned[quarter & 3][0], *im = -turned[quarter & 3][1];
}

#define BODY "fourier.inc"
#define KIND MN_FLOATS
#include "each_dtype.inc"

static size_t rounded(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

int MN_KERNEL(dft)(mn_call *call) {
  const mn_array *in = call->in[0];
  const mn_dft_attrs *a = mn_dft_of(call);
  dft d = {.in = in, .out = call->out[0]->data, .scale = a->scale, .inverse = a->inverse != 0};
  if (in->numel == 0) return 0;
  d.n = in->size[in->ndim - 2], d.lines = in->numel / d.n / 2;
  bool direct = factorize(&d, d.n);
  if (!direct) {
    int64_t length = 1;
    while (length < 2 * d.n - 1) length *= 2;
    factorize(&d, length);
  }
  d.groups = (d.lines + ABREAST - 1) / ABREAST;
  d.per_block = 1 + REDUCE_BLOCK / (d.length * ABREAST);
  if (d.per_block < (d.groups + TRANSFORM_BLOCKS - 1) / TRANSFORM_BLOCKS)
    d.per_block = (d.groups + TRANSFORM_BLOCKS - 1) / TRANSFORM_BLOCKS;
  int64_t blocks = (d.groups + d.per_block - 1) / d.per_block;
  size_t item = mn_dtype_size(in->dtype), table = rounded((size_t)d.length * 2 * item);
  size_t chirp = direct ? 0 : rounded((size_t)d.n * 2 * item), kernel = direct ? 0 : table;
  d.each = rounded((size_t)d.length * ABREAST * item) * 4;
  char *room = mn_scratch(call, table + chirp + kernel + d.each * (size_t)blocks);
  if (!room) return -1;
  d.roots = room, d.chirp = direct ? NULL : room + table, d.kernel = direct ? NULL : room + table + chirp;
  d.scratch = room + table + chirp + kernel;
  MN_OF_FLOAT(in->dtype, prepare)(&d);
  mn_parallel(blocks, MN_OF_FLOAT(in->dtype, groups), &d);
  return 0;
}
