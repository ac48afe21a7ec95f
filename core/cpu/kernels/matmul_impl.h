/* matmul_impl.h: products of one float type for matmul.c, which includes it once for each (see tile.h). */
#include "tile.h"

/* Transposing copy of rows k0 .. k0 + depth - 1 and columns n0 .. n0 + width - 1 of b into a panel WIDTH
 * wide. */
static void MN_TN(pack)(const gemm *g, const MN_T *b, int64_t n0, int width, int64_t k0, int64_t depth,
                        MN_T *panel) {
  b += k0 * g->b_row + n0 * g->b_col;
  if (width < WIDTH) memset(panel, 0, (size_t)depth * WIDTH * sizeof(MN_T));
  if (g->b_col == 1) {
    for (int64_t k = 0; k < depth; k++)
      for (int c = 0; c < width; c++) panel[k * WIDTH + c] = b[k * g->b_row + c];
    return;
  }
  int c = 0;
  const int64_t at[4] = {0, g->b_col, 2 * g->b_col, 3 * g->b_col};
  for (; g->b_row == 1 && c + SQUARE <= width; c += SQUARE) {
    int64_t k = 0;
    for (; k + SQUARE <= depth; k += SQUARE)
      SQUARE_TURN(b + c * g->b_col + k, at, panel + k * WIDTH + c, WIDTH);
    for (; k < depth; k++)
      for (int i = c; i < c + SQUARE; i++) panel[k * WIDTH + i] = b[i * g->b_col + k];
  }
  for (; c < width; c++) {
    const MN_T *from = b + c * g->b_col;
    for (int64_t k = 0; k < depth; k++) panel[k * WIDTH + c] = from[k * g->b_row];
  }
}

/* Adds a tile that can't be written in place: at an edge, or where the result's columns aren't adjacent. */
static void MN_TN(spill)(const gemm *g, const MN_T *from, MN_T *c, int rows, int width, int accumulate) {
  for (int r = 0; r < rows; r++)
    for (int i = 0; i < width; i++) {
      MN_T *to = c + r * g->c_row + i * g->c_col;
      *to = accumulate ? *to + from[r * WIDTH + i] : from[r * WIDTH + i];
    }
}

/* WIDTH columns of the result, from n0 on. */
static void MN_TN(columns)(const gemm *g, const MN_T *a, const MN_T *b, MN_T *c, int64_t n0) {
  MN_T panel[TILE_DEPTH * WIDTH] __attribute__((aligned(64)));
  MN_T edge[TILE_ROWS * WIDTH] __attribute__((aligned(64)));
  int width = g->n - n0 < WIDTH ? (int)(g->n - n0) : WIDTH;
  int in_place = width == WIDTH && g->c_col == 1;
  int packed = width < WIDTH || g->b_col != 1 || g->m > 4 * TILE_ROWS;
  for (int64_t k0 = 0; k0 < g->k; k0 += TILE_DEPTH) {
    int64_t depth = g->k - k0 < TILE_DEPTH ? g->k - k0 : TILE_DEPTH;
    int accumulate = k0 > 0 || g->accumulate;
    if (packed) MN_TN(pack)(g, b, n0, width, k0, depth, panel);
    const MN_T *from = packed ? panel : b + k0 * g->b_row + n0;
    for (int64_t m0 = 0; m0 < g->m; m0 += TILE_ROWS) {
      int rows = g->m - m0 < TILE_ROWS ? (int)(g->m - m0) : TILE_ROWS;
      const MN_T *at = a + m0 * g->a_row + k0 * g->a_col;
      MN_T *to = c + m0 * g->c_row + n0 * g->c_col;
      MN_TN(tile)
      (rows, depth, at, g->a_row, g->a_col, from, packed ? WIDTH : g->b_row, in_place ? to : edge,
       in_place ? g->c_row : WIDTH, in_place && accumulate);
      if (!in_place) MN_TN(spill)(g, edge, to, rows, width, accumulate);
    }
  }
}

static void MN_TN(columns_block)(void *arg, int64_t block) {
  const gemm *g = arg;
  int64_t tiles = (g->n + WIDTH - 1) / WIDTH, last = (block + 1) * g->tiles_per_block;
  if (last > g->batches * tiles) last = g->batches * tiles;
  for (int64_t i = block * g->tiles_per_block; i < last; i++) {
    int64_t batch = i / tiles;
    MN_TN(columns)
    (g, (const MN_T *)g->a + g->a_at[batch], (const MN_T *)g->b + g->b_at[batch],
     (MN_T *)g->c + batch * g->m * g->n, i % tiles * WIDTH);
  }
}

static void MN_TN(tiled)(gemm *g) {
  int64_t tiles = g->batches * ((g->n + WIDTH - 1) / WIDTH), work = g->m * g->k * WIDTH + 1;
  g->tiles_per_block = BLOCK_WORK / work + 1;
  mn_parallel((tiles + g->tiles_per_block - 1) / g->tiles_per_block, MN_TN(columns_block), g);
}
