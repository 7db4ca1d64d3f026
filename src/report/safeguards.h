/* report/safeguards.h - what the safeguards found about stored models: fusions that do not help, models that fit their
 * training rows too closely. Layer 11. */
#ifndef WF_REPORT_SAFEGUARDS_H
#define WF_REPORT_SAFEGUARDS_H
#include "base/buffer.h"
#include "base/json.h"

/* models: array of lineages. Writes nothing where no model has anything to tell. */
void wfi_safeguards_write(wf_buffer *b, const json_t *models);
#endif
