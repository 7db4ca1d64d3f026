/* cli/study_sets.h - other sets of a robustness study as text: contrast sets, checklists, groups. Layer 13. */
#ifndef WF_CLI_STUDY_SETS_H
#define WF_CLI_STUDY_SETS_H
#include "cli/cli.h"

void cli_study_sets_show(const json_t *model, const char *metric);
/* Two models on these sets: every question about a whole set, and of its groups and tests those that are told apart. */
void cli_study_sets_compare(const json_t *pair);
#endif
