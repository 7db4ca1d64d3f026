/* tests/fusion/oracle.h - AdapterFusion in the textbook form: N keys and N values a token, plain loops in double. The
 * oracle for src/fusion, which never forms them. */
#ifndef WF_TESTS_FUSION_ORACLE_H
#define WF_TESTS_FUSION_ORACLE_H
#include "check.h"
#include "fusion/fusion.h"

enum { ORACLE_ADAPTERS = 8, ORACLE_VARS = 128 };

typedef struct oracle_var { /* an input or parameter in double */
    const char *name;
    const wf_param *param; /* NULL: h or x */
    double *v;
    int64_t n;
    const float *grad; /* what weft found, NULL: not trained */
} oracle_var;

typedef struct oracle { /* one block of one fusion */
    const wf_fusion *fusion;
    wf_site site;
    int layer;
    int64_t T, d;
    const wf_norm *norm;
    double dropout, temperature; /* of the scores; dropout 0: none */
    uint64_t key;                /* of the pass */
    oracle_var vars[ORACLE_VARS];
    int count;
    double *h, *x; /* [T,d]: vars 0 and 1 */
    double *probs; /* [T,N] */
    double *y;     /* [T,d] */
} oracle;

/* Copies h, x and all parameters of the fusion and of its adapters. dropout: what the block is to use. */
void oracle_init(oracle *o, const wf_fusion *f, wf_site site, int layer, int64_t T, const float *h, const float *x,
                 const wf_norm *norm);
void oracle_clear(oracle *o);
void oracle_run(oracle *o); /* h, x, parameters -> probs, y */
#endif
