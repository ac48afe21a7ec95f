/* grain.h: how large a piece of work is: where threads begin to pay, and what a block for one of them holds. Results
 * depend on these numbers where sums are cut by them, so that none of them asks for the number of threads. */
#ifndef MN_GRAIN_H
#define MN_GRAIN_H

enum {
  /* Elements of a block of a formula over up to four arrays: enough work to be worth a thread, and blocks of 8-byte
   * elements fit the second cache. */
  POINTWISE_BLOCK = 16384,
  /* Elements from which on a formula is shared out: two blocks; below, waking a thread costs more than it saves. */
  POINTWISE_PARALLEL = 2 * POINTWISE_BLOCK,
  /* Elements of a line that goes through buffers at once: those of four operands stay in the first cache. */
  POINTWISE_STAGE = 256,
  /* Bytes that a chain of formulas has for what it doesn't store: half of the first cache, as its inputs and outputs pass
   * through the other half; the most values that share them; the elements that are worth a call. */
  GROUP_ROOM = 16384,
  GROUP_SLOTS = 16,
  GROUP_PORTION = 1024,

  /* Elements of a block of what reads or moves each element about once: twice a formula's, since there is less to do
   * for each. */
  MOVE_BLOCK = 32768,
  /* Elements from which on moving is shared out: two blocks; memory, not the processor, is what it waits for. */
  MOVE_PARALLEL = 2 * MOVE_BLOCK,
  /* Elements up to which dims are counted through without being cut, or margins filled with the whole: they fit the
   * first cache. */
  MOVE_SMALL = 2048,
  /* Side of the square tiles of a transposing copy: two of 8-byte elements are half of the first cache. */
  MOVE_TILE = 32,

  /* Elements of a block of a reduction, a scan or a pooling: as many as of a move. Sums are cut by it. */
  REDUCE_BLOCK = 32768,
  /* Running values of a row of a reduction, between which its elements go round. Sums are cut by it. */
  REDUCE_LANES = 8,
  /* Blocks of lines that have scratch memory of their own: more would need a multiple of the input's memory. */
  LINE_BLOCKS = 64,
  /* The same of Fourier transforms, whose eight lines and as many results are larger. */
  TRANSFORM_BLOCKS = 16,

  /* Elements of a block of numbers that are made: random ones cost several times a formula's, so there are more blocks
   * than of moves. */
  CREATE_BLOCK = 16384,
  /* Numbers made or converted at once by way of a buffer: 2 KiB of doubles. A multiple of 4, as random words come by
   * fours. */
  CREATE_CHUNK = 256,

  /* Elements of a block of batch norm, each of which is read several times. */
  NORM_BLOCK = 16384,
  /* Elements of a channel's row below which rows are brought together first: two vectors, which is what a step of the
   * loops takes. */
  NORM_SHORT = 16,

  /* Multiply-adds of a block of a product, a convolution or a factorization: worth another thread's waking up. */
  PRODUCT_BLOCK = 300000,
  /* Multiply-adds from which on BLAS is asked, and those of the parts it is given: below, packing here costs less than
   * its call, and parts of that size keep several threads busy. */
  BLAS_LEAST = 1 << 24,
  BLAS_PART = 1 << 24,
  /* What calling LAPACK costs, in multiply-adds: it counts where matrices are small. */
  LAPACK_CALL = 500,
  /* How much longer a factorization by iteration takes than one by elimination. */
  LAPACK_ITERATED = 20,
  /* Blocks of matrices that have work memory of their own, and the bytes beyond which none is added. */
  LAPACK_BLOCKS = 64,
  LAPACK_BYTES = 64 << 20,
};

#endif
