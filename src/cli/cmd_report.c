/* cli/cmd_report.c - weft report. */
#include "cli/cli.h"
#include <stdio.h>

static void report_show(const json_t *j) {
    printf("wrote %s\n", cli_text(j, "report"));
}

static wf_status run_call(const cli_args *a, wf_lab *lab, char **text, wf_err *err) {
    return wf_report(lab, a->output ? a->output : "report.html", text, err);
}

static int run(const cli_args *a) {
    return cli_call(a, run_call, report_show);
}

static const cli_option options[] = {
    {"-o", "FILE", "where to write it (default: report.html)", CLI_TEXT, CLI_AT(output)},
    {NULL, NULL, NULL, CLI_FLAG, 0},
};

const cli_command cli_report = {
    .name = "report",
    .words = "",
    .options = options,
    .run = run,
    .summary = "write the lab as one self-contained HTML page",
    .example = "weft report -o report.html",
};
