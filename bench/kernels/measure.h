/* bench/kernels/measure.h - a kernel's time beside what this machine allows for it, measured at the same moment.
 *
 * A kernel must at least move some bytes, multiply in some type, and run some arithmetic instructions. Each of these
 * has a bound that is measured anew beside every kernel, in turn with it:
 *   mem                bytes a second: adding two arrays much larger than the caches. What is written without having
 * been read is read first by the processor, so it counts twice f32, bf16, int8    multiplications and additions a
 * second: a large product of that type; of int8 oneDNN's or weft's own, the faster ops                elements of
 * vector instructions a second: chains of multiplications with additions (one instruction) and as many additions.
 * Divisions and roots count as one and take longer. Counted by hand in bench_kernels.c; no such bound without vectors
 * The bound that asks for the most time is the one that is told. The best of several runs counts on both sides. */
#ifndef WF_BENCH_MEASURE_H
#define WF_BENCH_MEASURE_H
#include "base/clock.h"
#include "weft/status.h"
#include <stdbool.h>
#include <stdint.h>

enum { MEASURE_LARGE = 16 << 20 /* floats: more than caches hold */ };
enum { IN_BYTES, IN_F32, IN_BF16, IN_INT8, IN_OPS, BOUNDS };

typedef struct cost {
    double of[BOUNDS]; /* what the kernel needs; 0: nothing of it */
    int64_t sweep;     /* runs that count together: they go once over all sets of buffers; 0: one */
} cost;
/* clang-format off */
#define FLOPS(n)  ((cost){.of[IN_F32] = (double)(n)})
#define HALVES(n) ((cost){.of[IN_BF16] = (double)(n)})
#define EIGHTS(n) ((cost){.of[IN_INT8] = (double)(n)})
/* Of each of n elements, with `sets` of the surrounding function. */
#define EACH(n, bytes, ops) ((cost){.of[IN_BYTES] = (bytes) * (double)(n), .of[IN_OPS] = (ops) * (double)(n), .sweep = sets})
/* clang-format on */

typedef struct measure {
    cost need;
    double best, begin, bounded; /* seconds: of the best run; when it began; when the bounds were measured last */
    double sum;                  /* of the sweep so far */
    double rate[BOUNDS];
    int runs;
} measure;

/* checking: everything runs once, nothing is timed or printed. */
void measure_open(const char *filter, bool checking);
void measure_close(void);
bool measure_wanted(const char *name);
measure measure_begin(cost need);
bool measure_more(measure *m); /* another run is due; measures the bounds when they are */
void measure_note(measure *m, double seconds);
void measure_report(const measure *m, const char *name, const char *shape);
bool measure_told(const char *name); /* a kernel of that name was reported */

#define MEASURE(name, shape, need, statement)                                                                          \
    do {                                                                                                               \
        if (!measure_wanted(name)) break;                                                                              \
        measure m_ = measure_begin(need);                                                                              \
        while (measure_more(&m_)) {                                                                                    \
            const double from_ = wfi_clock_seconds();                                                                  \
            statement;                                                                                                 \
            measure_note(&m_, wfi_clock_seconds() - from_);                                                            \
        }                                                                                                              \
        measure_report(&m_, name, shape);                                                                              \
    } while (0)

/* For the files of this program: floats between low and high, or the end of it; a status that must be WF_OK. */
float *measure_data(int64_t n, float low, float high);
void measure_must(wf_status st, const wf_err *err);

void bench_ops(int64_t rows); /* bench_ops.c */
#endif
