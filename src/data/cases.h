/* data/cases.h - which rows of a file belong together, and what is expected of them: contrast sets (rows of one `case`)
 * and behavioural tests (`test`, `type`, `variant`, `expect`; CheckList, Ribeiro et al. 2020). Layer 3. */
#ifndef WF_DATA_CASES_H
#define WF_DATA_CASES_H
#include "weft/status.h"
#include <stddef.h>
#include <stdint.h>

typedef enum wf_case_type {
    WF_CASE_NONE, /* a contrast set: nothing but its labels */
    WF_CASE_MFT,  /* minimum functionality: the label must be predicted */
    WF_CASE_INV,  /* invariance: the answer must not change between the variants */
    WF_CASE_DIR,  /* direction: it must move as `expect` says */
    WF_CASE_TYPES
} wf_case_type;

/* What must hold of the answers, beyond labels. The first variant is what the others are held against. */
typedef enum wf_move {
    WF_MOVE_NONE,
    WF_MOVE_UP,   /* "up": confidence in the first variant's answer, "up A": in A, "up A against B": in A less in B */
    WF_MOVE_DOWN, /* must not fall, or rise, by more than WF_MOVE_TOLERANCE */
    WF_MOVE_IS,   /* "is A": the others are answered A */
    WF_MOVE_NOT,  /* "not A": no row is answered A */
    WF_MOVE_FROM  /* "from A": where the first is answered A, the others are not */
} wf_move;
#define WF_MOVE_TOLERANCE 0.1 /* as in CheckList */

typedef struct wf_expect {
    wf_move move;
    const char *label, *against; /* NULL: none */
} wf_expect;

typedef struct wf_case_mark { /* of one row; strings belong to the marks */
    const char *id, *test;    /* NULL: absent */
    wf_case_type type;
    int64_t variant; /* 0: the first, or not given */
    wf_expect expect;
} wf_case_mark;

typedef struct wf_case_marks {
    wf_case_mark *rows; /* one a row of the file, in its order */
    size_t count, cap;
    struct wf_text_pool *pool;
} wf_case_marks;

/* Fields `case`, `test`, `type`, `variant` and `expect`; a file without `case` and `test` gives count 0. Tests of the
 * published suites that say what to expect by their name alone are known by it. */
wf_status wfi_case_marks_read(const char *path, wf_case_marks *out, wf_err *err);
void wfi_case_marks_clear(wf_case_marks *m);
const char *wfi_case_type_name(wf_case_type t); /* "contrast", "MFT", "INV", "DIR" */
#endif
