/* report/studies.c - see studies.h. */
#include "report/studies.h"
#include "base/error.h"
#include "lab/handle.h"
#include "report/html.h"
#include <stdio.h>
#include <string.h>

static const struct {
    const char *command, *title;
    void (*write)(wf_buffer *b, const char *title, const json_t *result);
} studies[] = {{"study robust", "Robustness", wfi_robust_write},
               {"study failures", "Failures", wfi_failures_write},
               {"study interact", "Interaction", wfi_interact_write},
               {"study fair", "Fairness", wfi_fair_write}};

wf_status wfi_studies_write(wf_lab *lab, wf_buffer *b, wf_err *err) {
    wf_run *runs = NULL;
    size_t count = 0, shown = 0;
    WF_TRY(wfi_run_list(lab->registry, &runs, &count, err));
    wfi_html_section(b, "studies", "Studies");
    wfi_buffer_adds(b, "<p>What trained models do under stress, where they fail, what their adapters give one another, "
                       "and whether groups are treated alike.</p>\n");
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < sizeof studies / sizeof *studies; k++) {
            if (strcmp(runs[i].command, studies[k].command) != 0 || strcmp(runs[i].status, "done") != 0) continue;
            json_t *result = json_loads(runs[i].result, 0, NULL);
            char title[160];
            snprintf(title, sizeof title, "%s: %.80s (run %lld, %.24s)", studies[k].title, runs[i].name,
                     (long long)runs[i].id, runs[i].finished);
            if (result) studies[k].write(b, title, result), shown++;
            json_decref(result);
        }
    if (!shown)
        wfi_buffer_adds(b, "<p class=\"muted\">None yet; see <code>weft --help</code> for the commands that begin "
                           "with <code>study</code>.</p>");
    wfi_html_section_end(b);
    wfi_runs_free(runs, count);
    return WF_OK;
}
