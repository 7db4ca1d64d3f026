/* tests/engine/parity.h - a case of the golden vectors that tools/parity_golden.py wrote, opened: what the Python
 * `adapters` library made of a batch, and weft's own parts from the library's files, ready to be trained. The cases are
 * the folders of WEFT_TEST_DATA/golden/parity, or of $WEFT_PARITY; $WEFT_PARITY_ONLY: those whose name holds it. */
#ifndef WF_TESTS_PARITY_H
#define WF_TESTS_PARITY_H
#include "check.h"
#include "engine/context.h"
#include "formats/safetensors.h"
#include "optim/optim.h"

enum { PARITY_ADAPTERS = 8, PARITY_SETS = PARITY_ADAPTERS + 3 };

typedef struct parity {
    char dir[512];
    json_t *info; /* case.json */
    wf_source want;
    wf_bert *base, *model; /* model: a trainable copy, or base */
    wf_adapter *adapters[PARITY_ADAPTERS];
    size_t adapter_count;
    wf_fusion *fusion;
    wf_head *head;
    wf_context *context;
    wf_batch batch;
    wf_optim *optim;
    wf_pset *sets[PARITY_SETS];
    size_t set_count;
    float class_weights[16];
} parity;

/* The base multiplies in `dtype`; one that is trained cannot in I8. */
void parity_open(parity *p, const char *dir, wf_dtype dtype);
void parity_close(parity *p);
const char *parity_text(const parity *p, const char *field); /* of case.json; NULL when it is null */
double parity_number(const json_t *from, const char *field);
const char *parity_below(const parity *p, const char *part); /* static storage, two at a time */
const wf_tensor *parity_expected(const parity *p, const char *name, wf_dtype type);
bool parity_listed(const parity *p, const char *list, const char *name);
wf_value *parity_forward(parity *p, bool training, wf_value **each);
/* Forward and backward of the batch; what it made (may be NULL) lives until the next pass. */
void parity_gradient(parity *p, wf_value **each, const wf_value **logits, const wf_value **loss);
double parity_step(parity *p); /* clips and steps as the case says; the gradient's length before that */
/* One test a case, run with its folder as the state. */
int parity_main(const char *name, CMUnitTestFunction run);
#endif
