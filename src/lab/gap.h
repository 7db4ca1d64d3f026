/* lab/gap.h - does a trained model know its training rows by heart? Layer 10. */
#ifndef WF_LAB_GAP_H
#define WF_LAB_GAP_H
#include "lab/job.h"

/* Scores training rows (of those the job used, 1000 at most) as dev is scored, and the gap with its 95 % interval, from
 * a bootstrap of each side. Warns (of a part: only in *out) where even its lower end is above 10 points, or for errors
 * where dev's is surely twice that of training, and names what may help. *out:
 * {"metric","train_rows","train","dev","gap","low","high","warns", "remedy"}, or JSON null where there are no dev rows.
 * used: training rows of the job. */
wf_status wfi_gap_measure(const wf_job *job, wf_trained *t, const wf_encoded *dev, int64_t used, json_t **out,
                          wf_err *err);
#endif
