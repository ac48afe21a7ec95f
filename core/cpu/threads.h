/* threads.h: the threads that kernels of the CPU run on. */
#ifndef MN_CPU_THREADS_H
#define MN_CPU_THREADS_H

#include <stdint.h>

/* Runs body(arg, i) for i in 0..blocks-1, on several threads when allowed; blocks are cut by the shape of the work
 * alone, never by the number of threads, and partial sums are combined in block order. */
void mn_parallel(int64_t blocks, void (*body)(void *arg, int64_t block), void *arg);
int mn_threads(int n);   /* sets how many, if n > 0; returns how many */
int mn_processors(void); /* that this process may run on */

#endif
