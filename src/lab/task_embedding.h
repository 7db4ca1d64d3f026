/* lab/task_embedding.h - where a task pulls: the diagonal Fisher information of a small probe. Layer 10.
 *
 * A fresh adapter (seq_bn, the same for every task) and a linear head fitted to the frozen base's features stand on the
 * base; for each of some training rows a label is drawn from what the head says, and the gradient of its loss by the
 * adapter's values is squared (Task2Vec, Achille et al. 2019; Vu et al. 2020). The squares are added up over rows of
 * each matrix, so that an entry is one unit of the adapter. Kept in the lab's cache. */
#ifndef WF_LAB_TASK_EMBEDDING_H
#define WF_LAB_TASK_EMBEDDING_H
#include "lab/handle.h"

enum { WF_FISHER_ROWS = 100 };

/* base: opened in float32. most: rows looked at, at most WF_FISHER_ROWS. *out [*n] (wfi_free). */
wf_status wfi_task_embedding(wf_lab *lab, wf_open_base *base, const wf_task *task, const char *task_hash, size_t most,
                             uint64_t seed, float **out, size_t *n, wf_err *err);
#endif
