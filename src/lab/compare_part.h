/* lab/compare_part.h - one training of a comparison's cell, with the rate that is right for it. Private to the
 * comparison. Layer 10. */
#ifndef WF_LAB_COMPARE_PART_H
#define WF_LAB_COMPARE_PART_H
#include "lab/compare_cell.h"

typedef struct wf_part {
    const char *method, *name; /* name: of what it makes */
    const char *role; /* which of the cell's trainings it is: "own", a task, a source; NULL: the method's own */
    bool aside;       /* an adapter made on the way: the method's own rate is not meant for it */
    const json_t *from, *tasks, *weights;
    const char *config, *outputs;
    wf_made *made;
} wf_part;

/* The settings of one training of it; with each method's own defaults where the user gave none. */
wf_status wfi_cell_settings(const wf_cell *c, const char *method, const json_t *from, const char *config, json_t **out,
                            wf_err *err);
/* The rate settled (wfi_part_rate), the training done. t: what was made (wfi_trained_clear). With tasks the training is
 * joint; they help the cell's own. */
wf_status wfi_part_run(const wf_cell *c, const wf_part *p, wf_trained *t, json_t **row, wf_err *err);
/* One training with this rate (0: the method's). trial: without a look at the test rows. */
wf_status wfi_part_train(const wf_cell *c, const wf_part *p, double lr, bool trial, wf_trained *t, json_t **row,
                         wf_err *err);
/* compare_tune.c: that of the method where it has one; else, where rates are chosen, the one that dev likes best of all
 * tried with seed 0, which is done now where it was not yet; else 0, the default. */
wf_status wfi_part_rate(const wf_cell *c, const wf_part *p, double *lr, wf_err *err);
#endif
