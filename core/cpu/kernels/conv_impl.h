/* conv_impl.h: convolution of one float type for conv.c, which includes it once for each (see tile.h).
 *
 * Forward and input gradient are one loop, correlate: a matrix of weights times columns of pixels. Pixels
 * come from a zero-padded copy of the source, so that each row of a panel (one channel and one tap, WIDTH
 * result pixels) is a few contiguous runs at offsets that are the same for every row but for a shift. */
#include "tile.h"

/* Copies a row whose elements are `step` apart; a last vector overlaps the one before. */
VECTOR_INLINE void MN_TN(copy_row)(MN_T *to, const MN_T *from, int64_t count, int64_t step) {
  if (step == 1 && count >= LANES) {
    for (int64_t i = 0; i + LANES < count; i += LANES) *(UVEC *)(to + i) = *(const UVEC *)(from + i);
    *(UVEC *)(to + count - LANES) = *(const UVEC *)(from + count - LANES);
  } else {
    for (int64_t i = 0; i < count; i++) to[i] = from[i * step];
  }
}

/* Copies one image's channels into the middle of a zeroed, padded plane each. */
static void MN_TN(pad_image)(void *arg, int64_t n) {
  const padding *p = arg;
  const mn_array *x = p->from;
  int64_t plane = p->plane, h0 = p->top < 0 ? -p->top : 0, w0 = p->left < 0 ? -p->left : 0;
  int64_t h1 = x->size[2] < p->height - p->top ? x->size[2] : p->height - p->top;
  int64_t w1 = x->size[3] < p->width - p->left ? x->size[3] : p->width - p->left;
  MN_T *to = (MN_T *)p->to + n * x->size[1] * plane;
  memset(to, 0, (size_t)(x->size[1] * plane) * sizeof(MN_T));
  for (int64_t c = 0; c < x->size[1] && w1 > w0; c++, to += plane)
    for (int64_t h = h0; h < h1; h++) MN_TN(copy_row)
  (to + (h + p->top) * p->width + p->left + w0,
   (const MN_T *)x->data + n * x->stride[0] + c * x->stride[1] + h * x->stride[2] + w0 * x->stride[3],
   w1 - w0, x->stride[3]);
}

/* Where the pixels of one tile of columns come from and go to. Those that are adjacent in the source make a
 * run, which is copied by whole vectors, copy_from to copy_to. */
typedef struct MN_TN(pixels) {
  int count, copies, in_place;
  int64_t from[WIDTH], to[WIDTH], copy_from[WIDTH + MOST_COPIES], copy_to[WIDTH + MOST_COPIES];
} MN_TN(pixels);

static void MN_TN(find_pixels)(const correlation *g, int64_t first, MN_TN(pixels) * p) {
  int64_t plane = g->grid_h * g->grid_w, total = g->images * plane;
  int64_t n = first / plane, h = first % plane / g->grid_w, w = first % g->grid_w;
  int start = 0;
  p->count = total - first < WIDTH ? (int)(total - first) : WIDTH;
  p->in_place = p->count == WIDTH, p->copies = 0;
  for (int i = 0; i < p->count; i++) {
    p->from[i] = n * g->from_image + h * g->from_h + w * g->from_w;
    p->to[i] = n * g->to_image + h * g->to_h + w * g->to_w;
    if (i && p->to[i] != p->to[i - 1] + 1) p->in_place = 0;
    if (i && p->from[i] != p->from[i - 1] + 1) start = i;
    if ((i - start) % LANES == 0) p->copy_from[p->copies] = p->from[i], p->copy_to[p->copies++] = i;
    if (++w == g->grid_w) w = 0, h++;
    if (h == g->grid_h) h = 0, n++;
  }
}

/* Rows of a panel by `copies` vectors each. What one writes too much is overwritten by the next one or by the
 * next row, or lies in the panel's slack. */
VECTOR_INLINE void MN_TN(copy_runs)(const int copies, const MN_TN(pixels) * p, const MN_T *source,
                                    const int64_t *offset, int64_t depth, MN_T *panel) {
  for (int64_t k = 0; k < depth; k++, panel += WIDTH) {
    const MN_T *from = source + offset[k];
    TILE_UNROLL
    for (int i = 0; i < copies; i++)
      *(UVEC *)(panel + p->copy_to[i]) = *(const UVEC *)(from + p->copy_from[i]);
  }
}

/* Rows k0 .. k0 + depth - 1 of the panel. */
static void MN_TN(pack_pixels)(const correlation *g, const MN_TN(pixels) * p, const MN_T *source, int64_t k0,
                               int64_t depth, MN_T *panel) {
  const int64_t *offset = g->offset + k0;
  MN_TN(pixels) q = *p; /* a copy that no store can change: its numbers stay in registers */
  switch (p->copies) {
  case 1:
    MN_TN(copy_runs)(1, &q, source, offset, depth, panel);
    break;
  case 2:
    MN_TN(copy_runs)(2, &q, source, offset, depth, panel);
    break;
  case 3:
    MN_TN(copy_runs)(3, &q, source, offset, depth, panel);
    break;
  case 4:
    MN_TN(copy_runs)(4, &q, source, offset, depth, panel);
    break;
  case 5:
    MN_TN(copy_runs)(5, &q, source, offset, depth, panel);
    break;
  case 6:
    MN_TN(copy_runs)(6, &q, source, offset, depth, panel);
    break;
  default:
    for (int64_t k = 0; k < depth; k++)
      for (int i = 0; i < p->count; i++) panel[k * WIDTH + i] = source[offset[k] + p->from[i]];
  }
  if (p->count < WIDTH)
    for (int64_t k = 0; k < depth; k++)
      for (int i = p->count; i < WIDTH; i++) panel[k * WIDTH + i] = 0;
}

static void MN_TN(fill_bias)(const correlation *g, const MN_TN(pixels) * p, const MN_T *bias, MN_T *out) {
  for (int64_t m = 0; m < g->rows; m++) {
    MN_T value = bias ? bias[m * g->bias_step] : 0;
    for (int i = 0; i < p->count; i++) out[m * g->to_row + p->to[i]] = value;
  }
}

static void MN_TN(correlate_tile)(const correlation *g, int64_t group, int64_t first) {
  MN_T panel[TILE_DEPTH * WIDTH + WIDTH] __attribute__((aligned(64)));
  MN_T edge[TILE_ROWS * WIDTH] __attribute__((aligned(64)));
  MN_TN(pixels) p;
  const MN_T *source = (const MN_T *)g->source + group * g->from_group;
  const MN_T *weight = (const MN_T *)g->weight + group * g->rows * g->depth;
  MN_T *out = (MN_T *)g->out + group * g->rows * g->to_row;
  MN_TN(find_pixels)(g, first, &p);
  int filled = g->bias != NULL || g->depth == 0;
  if (filled)
    MN_TN(fill_bias)(g, &p, g->bias ? (const MN_T *)g->bias + group * g->rows * g->bias_step : NULL, out);
  for (int64_t k0 = 0; k0 < g->depth; k0 += TILE_DEPTH) {
    int64_t depth = g->depth - k0 < TILE_DEPTH ? g->depth - k0 : TILE_DEPTH;
    int accumulate = filled || k0 > 0;
    MN_TN(pack_pixels)(g, &p, source, k0, depth, panel);
    for (int64_t m = 0; m < g->rows; m += TILE_ROWS) {
      int rows = g->rows - m < TILE_ROWS ? (int)(g->rows - m) : TILE_ROWS;
      MN_T *to = out + m * g->to_row;
      MN_TN(tile)
      (rows, depth, weight + m * g->depth + k0, g->depth, 1, panel, WIDTH, p.in_place ? to + p.to[0] : edge,
       p.in_place ? g->to_row : WIDTH, p.in_place && accumulate);
      if (p.in_place) continue;
      for (int r = 0; r < rows; r++, to += g->to_row)
        for (int i = 0; i < p.count; i++)
          to[p.to[i]] = accumulate ? to[p.to[i]] + edge[r * WIDTH + i] : edge[r * WIDTH + i];
    }
  }
}

static void MN_TN(correlate_block)(void *arg, int64_t block) {
  const correlation *g = arg;
  int64_t tiles = (g->images * g->grid_h * g->grid_w + WIDTH - 1) / WIDTH;
  int64_t last = (block + 1) * g->tiles_per_block;
  if (last > tiles * g->groups) last = tiles * g->groups;
  for (int64_t i = block * g->tiles_per_block; i < last; i++)
    MN_TN(correlate_tile)(g, i / tiles, i % tiles * WIDTH);
}

static void MN_TN(correlate)(correlation *g) {
  int64_t tiles = g->groups * ((g->images * g->grid_h * g->grid_w + WIDTH - 1) / WIDTH);
  g->tiles_per_block = BLOCK_WORK / (g->rows * g->depth * WIDTH + 1) + 1;
  mn_parallel((tiles + g->tiles_per_block - 1) / g->tiles_per_block, MN_TN(correlate_block), g);
}

/* Weight (out, in / groups, taps) as the matrix of the input gradient: per group a row for each input
 * channel, holding the chosen taps (their places in a kernel's memory) of each output channel. */
static void MN_TN(turn_weight)(const mn_array *w, int64_t groups, const int64_t *taps, int count, MN_T *to) {
  int64_t outs = w->size[0] / groups, ins = w->size[1];
  for (int64_t g = 0; g < groups; g++)
    for (int64_t c = 0; c < ins; c++)
      for (int64_t o = 0; o < outs; o++) {
        const MN_T *from = (const MN_T *)w->data + (g * outs + o) * w->stride[0] + c * w->stride[1];
        for (int t = 0; t < count; t++) to[t] = from[taps[t]];
        to += count;
      }
}

/* Rows of grad, (N, C, pixels) gathered to (C, N, pixels). */
static void MN_TN(gather_grad)(void *arg, int64_t c) {
  const correlation *g = arg;
  const mn_array *from = g->grad;
  MN_T *to = (MN_T *)g->weight + c * g->images * g->grid_h * g->grid_w;
  for (int64_t n = 0; n < g->images; n++)
    for (int64_t h = 0; h < g->grid_h; h++, to += g->grid_w) MN_TN(copy_row)
  (to, (const MN_T *)from->data + n * from->stride[0] + c * from->stride[1] + h * from->stride[2], g->grid_w,
   from->stride[3]);
}

/* SQUARE columns of a panel, taps of adjacent pixels. Pixels past the run are written too: the next run
 * overwrites them, or they lie in the panel's slack. */
VECTOR_INLINE void MN_TN(pack_squares)(const MN_T *from, const int64_t *offset, int64_t run, MN_T *panel) {
  for (int64_t x = 0; x < run; x += SQUARE) SQUARE_TURN(from + x, offset, panel + x * WIDTH, WIDTH);
}

/* A panel of the weight gradient: pixels j0 .. j0 + depth - 1 by WIDTH taps from `first` on. */
static void MN_TN(pack_taps)(const correlation *g, const MN_T *source, int64_t first, int width, int64_t j0,
                             int64_t depth, MN_T *panel) {
  int64_t plane = g->grid_h * g->grid_w;
  if (width < WIDTH) memset(panel, 0, (size_t)depth * WIDTH * sizeof(MN_T));
  for (int64_t j = 0; j < depth;) {
    int64_t n = (j0 + j) / plane, h = (j0 + j) % plane / g->grid_w, w = (j0 + j) % g->grid_w;
    int64_t run = g->grid_w - w < depth - j ? g->grid_w - w : depth - j;
    const MN_T *from = source + n * g->from_image + h * g->from_h + w * g->from_w;
    int i = 0;
    for (; g->from_w == 1 && i + SQUARE <= width; i += SQUARE)
      MN_TN(pack_squares)(from, g->offset + first + i, run, panel + j * WIDTH + i);
    for (; i < width; i++) {
      const MN_T *tap = from + g->offset[first + i];
      MN_T *to = panel + j * WIDTH + i;
      for (int64_t x = 0; x < run; x++) to[x * WIDTH] = tap[x * g->from_w];
    }
    j += run;
  }
}

/* One unit of the weight gradient: WIDTH taps of one group, over one part of the pixels. */
static void MN_TN(weight_unit)(void *arg, int64_t unit) {
  const correlation *g = arg;
  MN_T panel[(TILE_DEPTH + SQUARE) * WIDTH] __attribute__((aligned(64)));
  MN_T edge[TILE_ROWS * WIDTH] __attribute__((aligned(64)));
  int64_t tiles = (g->depth + WIDTH - 1) / WIDTH, pixels = g->images * g->grid_h * g->grid_w;
  int64_t first = unit % tiles * WIDTH, group = unit / tiles % g->groups, part = unit / tiles / g->groups;
  int64_t j = pixels * part / g->parts, last = pixels * (part + 1) / g->parts, start = j;
  int width = g->depth - first < WIDTH ? (int)(g->depth - first) : WIDTH;
  const MN_T *source = (const MN_T *)g->source + group * g->from_group;
  const MN_T *grad = (const MN_T *)g->weight + group * g->rows * pixels;
  MN_T *out = (MN_T *)g->out + (part * g->groups + group) * g->rows * g->depth + first;
  for (; j < last; j += TILE_DEPTH) {
    int64_t depth = last - j < TILE_DEPTH ? last - j : TILE_DEPTH;
    MN_TN(pack_taps)(g, source, first, width, j, depth, panel);
    for (int64_t m = 0; m < g->rows; m += TILE_ROWS) {
      int rows = g->rows - m < TILE_ROWS ? (int)(g->rows - m) : TILE_ROWS, whole = width == WIDTH;
      MN_T *to = out + m * g->depth;
      MN_TN(tile)
      (rows, depth, grad + m * pixels + j, pixels, 1, panel, WIDTH, whole ? to : edge,
       whole ? g->depth : WIDTH, whole && j > start);
      for (int r = 0; r < rows && !whole; r++, to += g->depth)
        for (int i = 0; i < width; i++) to[i] = j > start ? to[i] + edge[r * WIDTH + i] : edge[r * WIDTH + i];
    }
  }
}

static void MN_TN(weight_grad)(correlation *g, MN_T *result) {
  int64_t tiles = g->groups * ((g->depth + WIDTH - 1) / WIDTH), size = g->groups * g->rows * g->depth;
  mn_parallel(g->groups * g->rows, MN_TN(gather_grad), g);
  mn_parallel(tiles * g->parts, MN_TN(weight_unit), g);
  if (g->parts == 1) return;
  const MN_T *sums = g->out;
  memcpy(result, sums, (size_t)size * sizeof(MN_T));
  for (int64_t p = 1; p < g->parts; p++)
    for (int64_t i = 0; i < size; i++) result[i] += sums[p * size + i];
}
