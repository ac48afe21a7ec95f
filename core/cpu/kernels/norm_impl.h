/* norm_impl.h: batch norm of one float type for norm.c, which includes it once for each (see vector.h). */
#include "vector.h"

/* One vector of each array into one set of sums: see add_up. */
VECTOR_INLINE void MN_TN(add_one)(const int which, const MN_T *x, const MN_T *g, const MN_T *v, MN_T shift,
                                  VEC *sum) {
  VEC d = *(const UVEC *)x - shift, y = d;
  if (which != MOMENTS) y = *(const UVEC *)g;
  sum[0] += y, sum[1] = FMA(y, d, sum[1]);
  if (which != TRIPLES) return;
  VEC u = *(const UVEC *)v;
  sum[2] += u, sum[3] = FMA(u, d, sum[3]), sum[4] = FMA(u, y, sum[4]);
}

/* Adds up, over a segment: x - shift and its square (MOMENTS), or g and g * (x - shift) (PRODUCTS) and also
 * v, v * (x - shift) and v * g (TRIPLES). Vectors, two sets of them because each sum waits for the one
 * before, add up at most SEGMENT elements before they go into the double totals. */
VECTOR_INLINE void MN_TN(add_up)(const int which, const MN_T *x, const MN_T *g, const MN_T *v, int64_t count,
                                 MN_T shift, double *total) {
  enum { SEGMENT = 2048 };
  for (int64_t from = 0; from < count; from += SEGMENT) {
    int64_t last = from + SEGMENT < count ? from + SEGMENT : count, i = from;
    VEC sum[5] = {{0}, {0}, {0}, {0}, {0}}, more[5] = {{0}, {0}, {0}, {0}, {0}};
    for (; i + 2 * LANES <= last; i += 2 * LANES) {
      MN_TN(add_one)(which, x + i, g + i, v + i, shift, sum);
      MN_TN(add_one)(which, x + i + LANES, g + i + LANES, v + i + LANES, shift, more);
    }
    if (i + LANES <= last) MN_TN(add_one)(which, x + i, g + i, v + i, shift, sum), i += LANES;
    for (int s = 0; s < (which == TRIPLES ? 5 : 2); s++) {
      sum[s] += more[s];
      for (int l = 0; l < LANES; l++) total[s] += sum[s][l];
    }
    for (; i < last; i++) {
      double d = x[i] - shift, y = which == MOMENTS ? d : g[i], u = which == TRIPLES ? v[i] : 0;
      total[0] += y, total[1] += y * d;
      if (which == TRIPLES) total[2] += u, total[3] += u * d, total[4] += u * y;
    }
  }
}

/* out = a (x - shift) + b y + c z + d over a segment, the first `terms` of the terms with arrays. */
VECTOR_INLINE void MN_TN(combine)(const int terms, MN_T *out, const MN_T *x, const MN_T *y, const MN_T *z,
                                  int64_t count, const double *by, MN_T shift) {
  MN_T a = (MN_T)by[0], b = (MN_T)by[1], c = (MN_T)by[2], d = (MN_T)by[3];
  VEC va = a - (VEC){0}, vb = b - (VEC){0}, vc = c - (VEC){0}, vd = d - (VEC){0};
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    VEC sum = FMA(va, *(const UVEC *)(x + i) - shift, vd);
    if (terms > 1) sum = FMA(vb, *(const UVEC *)(y + i), sum);
    if (terms > 2) sum = FMA(vc, *(const UVEC *)(z + i), sum);
    *(UVEC *)(out + i) = sum;
  }
  for (; i < count; i++) {
    MN_T sum = a * (x[i] - shift) + d;
    if (terms > 1) sum += b * y[i];
    if (terms > 2) sum += c * z[i];
    out[i] = sum;
  }
}

/* A channel's part of p's array i: one segment for each image. */
#define PART(i, n) ((MN_T *)p->array[i] + (n)*p->image_step + c * p->channel_step)
#define CHANNEL(a) ((a) ? (double)((const MN_T *)(a)->data)[c * (a)->stride[0]] : 0)

static void MN_TN(totals)(const norm *p, int64_t c, int which, double shift, double *total) {
  for (int s = 0; s < 5; s++) total[s] = 0;
  for (int64_t n = 0; n < p->images; n++) {
    if (which == MOMENTS)
      MN_TN(add_up)(MOMENTS, PART(X, n), PART(X, n), PART(X, n), p->length, (MN_T)shift, total);
    else if (which == PRODUCTS)
      MN_TN(add_up)(PRODUCTS, PART(X, n), PART(G, n), PART(X, n), p->length, (MN_T)shift, total);
    else MN_TN(add_up)(TRIPLES, PART(X, n), PART(G, n), PART(V, n), p->length, (MN_T)shift, total);
  }
}

static void MN_TN(forward)(const norm *p, int64_t c) {
  double total[5], count = (double)(p->images * p->length), first = PART(X, 0)[0];
  MN_TN(totals)(p, c, MOMENTS, first, total);
  MN_T mean = (MN_T)((MN_T)first + total[0] / count);
  MN_TN(totals)(p, c, MOMENTS, mean, total);
  double off = total[0] / count, variance = total[1] / count - off * off;
  if (variance < 0) variance = 0;
  double scale = 1 / sqrt((double)(MN_T)variance + p->eps) * (p->weight ? CHANNEL(p->weight) : 1);
  ((MN_T *)p->small[0])[c] = mean, ((MN_T *)p->small[1])[c] = (MN_T)variance;
  double by[4] = {scale, 0, 0, CHANNEL(p->bias)};
  for (int64_t n = 0; n < p->images; n++)
    MN_TN(combine)(1, PART(OUT, n), PART(X, n), NULL, NULL, p->length, by, mean);
}

static void MN_TN(backward)(const norm *p, int64_t c) {
  double t[5], count = (double)(p->images * p->length), mean = CHANNEL(p->mean);
  double r = 1 / sqrt(CHANNEL(p->var) + p->eps), scale = r * (p->weight ? CHANNEL(p->weight) : 1);
  MN_TN(totals)(p, c, PRODUCTS, mean, t);
  ((MN_T *)p->small[0])[c] = (MN_T)(r * t[1]), ((MN_T *)p->small[1])[c] = (MN_T)t[0];
  double by[4] = {-scale * r * r * t[1] / count, scale, 0, -scale * t[0] / count};
  for (int64_t n = 0; n < p->images; n++)
    MN_TN(combine)(2, PART(OUT, n), PART(X, n), PART(G, n), NULL, p->length, by, (MN_T)mean);
}

/* With xh = (x - mean) r, s_u = <u, xh> and P(u) = u - mean(u) - xh s_u / count, which is symmetric, the
 * gradients are w r P(g), s_g and sum(g). Their cotangents v, a and b give, with Q = <v, P(g)>, to g:  w r
 * P(v) + a xh + b      to w:  r Q to x:  -w r^2 / count (Q xh + s_v P(g) + s_g P(v)) + a r P(g) since d<u,
 * xh>/dx = r P(u) and dr/dx = -r^2 xh / count. */
static void MN_TN(twice)(const norm *p, int64_t c) {
  double t[5], m = (double)(p->images * p->length), mean = CHANNEL(p->mean), a = CHANNEL(p->a),
               b = CHANNEL(p->b);
  double r = 1 / sqrt(CHANNEL(p->var) + p->eps), w = p->weight ? CHANNEL(p->weight) : 1;
  MN_TN(totals)(p, c, p->array[V] ? TRIPLES : PRODUCTS, mean, t);
  double sg = r * t[1], sv = r * t[3], q = t[4] - t[2] * t[0] / m - sv * sg / m, k = w * r * r / m;
  double to_g[4] = {a * r - w * r * r * sv / m, w * r, 0, b - w * r * t[2] / m};
  double by_g = a * r - k * sv, by_v = -k * sg;
  double to_x[4] = {-r * (k * (q - 2 * sv * sg / m) + a * r * sg / m), by_g, by_v,
                    -(by_g * t[0] + by_v * t[2]) / m};
  ((MN_T *)p->small[0])[c] = (MN_T)(r * q);
  for (int64_t n = 0; n < p->images; n++) {
    const MN_T *x = PART(X, n), *g = PART(G, n);
    if (p->array[V]) {
      MN_TN(combine)(2, PART(OUT, n), x, PART(V, n), NULL, p->length, to_g, (MN_T)mean);
      MN_TN(combine)(3, PART(OUT2, n), x, g, PART(V, n), p->length, to_x, (MN_T)mean);
    } else {
      MN_TN(combine)(1, PART(OUT, n), x, NULL, NULL, p->length, to_g, (MN_T)mean);
      MN_TN(combine)(2, PART(OUT2, n), x, g, NULL, p->length, to_x, (MN_T)mean);
    }
  }
}

static void MN_TN(channels)(void *arg, int64_t block) {
  const norm *p = arg;
  int64_t last = (block + 1) * p->per_block < p->channels ? (block + 1) * p->per_block : p->channels;
  for (int64_t c = block * p->per_block; c < last; c++) p->channel(p, c);
}

/* Between (images, channels, length) and (channels, images, length). */
static void MN_TN(turn)(const norm *p, const MN_T *from, MN_T *to, int back) {
  for (int64_t n = 0; n < p->images; n++)
    for (int64_t c = 0; c < p->channels; c++) {
      int64_t there = (c * p->images + n) * p->length, here = (n * p->channels + c) * p->length;
      for (int64_t i = 0; i < p->length; i++) to[(back ? here : there) + i] = from[(back ? there : here) + i];
    }
}
#undef PART
#undef CHANNEL
