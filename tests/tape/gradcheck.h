/* tests/tape/gradcheck.h - checks an op against an obvious re-implementation in double: the forward values element by
 * element, and every single coordinate of every gradient against central differences of the double version (step 1e-5,
 * so their own error is near 1e-9 and the tolerance is that of float32 sums). */
#ifndef WF_TESTS_GRADCHECK_H
#define WF_TESTS_GRADCHECK_H
#include "check.h"
#include "tape/ops.h"

#define GC_INPUTS 6
typedef struct gc_input { /* a value or a parameter [rows,cols]; rows 0: a parameter of rank 1 */
    bool param;
    int64_t rows, cols;
    double scale; /* drawn from scale * [-1,1) */
} gc_input;
#define GC_VALUE(rows, cols, scale)                                                                                    \
    { false, rows, cols, scale }
#define GC_PARAM(rows, cols)                                                                                           \
    { true, rows, cols, 1 }

typedef struct gc_case {
    const char *name;
    gc_input in[GC_INPUTS]; /* ends at cols 0 */
    int64_t rows, cols;     /* of the output */
    void (*reference)(const double *const *in, double *out);
    wf_value *(*build)(wf_tape *t, wf_value *const *v, wf_param *const *p); /* v, p by input index */
} gc_case;

/* Runs: everything needs a gradient; the same with a gradient already there; each input alone; all but one; none;
 * outside training when `inference` (the reference holds there, too); twice with the same bits. */
void gc_check(const gc_case *c, bool inference);

double gc_random(uint64_t *state); /* [-1,1) */
/* sum_i <probe_i, v_i> as a [1,1] value, an op made of the public pieces; gradients are the probes. */
wf_value *gc_probe(wf_tape *t, int n, wf_value *const *v, const float *const *probe);
#endif
