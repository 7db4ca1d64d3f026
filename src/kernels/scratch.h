/* kernels/scratch.h - memory that each thread keeps between products. Layer 2, private to kernels/.
 * Grows to the largest product of the thread and is freed when the thread ends, so that steady work allocates nothing.
 */
#ifndef WF_KERNELS_SCRATCH_H
#define WF_KERNELS_SCRATCH_H
#include <stddef.h>

void *wfk_scratch(size_t bytes); /* 64-byte aligned, this thread's until its next call; NULL: out of memory */
#endif
