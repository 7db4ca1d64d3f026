/* cli/cmd_verify.c - weft verify. */
#include "cli/cli.h"
#include <stdio.h>

static void verify_show(const json_t *j) {
    size_t i;
    const json_t *f;
    json_array_foreach(json_object_get(j, "failures"), i, f)
        printf("%s %s: %s\n", cli_text(f, "kind"), cli_text(f, "name"), cli_text(f, "why"));
    if (i == 0)
        printf("verified: all %.0f artefacts are unchanged, and every model gives its recorded predictions\n",
               cli_number(j, "checked"));
}

static wf_status run_call(const cli_args *a, wf_lab *lab, char **text, wf_err *err) {
    return wf_verify(lab, text, err);
}

static int run(const cli_args *a) {
    return cli_call(a, run_call, verify_show);
}

const cli_command cli_verify = {
    .name = "verify",
    .words = "",
    .run = run,
    .summary = "check that nothing stored has changed; exit code 3 when something did",
    .text = "Hashes every file again and runs every model on the rows whose outputs were recorded when it was trained. "
            "On the processor and\n"
            "thread count that trained it, the outputs must agree in every bit.",
    .example = "weft verify",
};
