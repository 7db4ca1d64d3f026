/* cli/cmd_card.c - weft card. */
#include "cli/cli.h"
#include <stdio.h>

static void card_show(const json_t *j) {
    printf("wrote %s\n", cli_text(j, "card"));
}

static wf_status run_call(const cli_args *a, wf_lab *lab, char **text, wf_err *err) {
    return wf_card_write(lab, a->words[0], a->output, text, err);
}

static int run(const cli_args *a) {
    return cli_call(a, run_call, card_show);
}

static const cli_option options[] = {
    {"-o", "FILE", "where to write it; HTML when it ends in .html, else Markdown (default: NAME-card.md)", CLI_TEXT,
     CLI_AT(output)},
    {NULL, NULL, NULL, CLI_FLAG, 0},
};

const cli_command cli_card = {
    .name = "card",
    .words = "NAME",
    .names = "model",
    .least = 1,
    .most = 1,
    .options = options,
    .run = run,
    .summary = "write a model card from what the lab has recorded",
    .text = "Data, lineage, intended use, scores, robustness, fairness and limits of a model, from its training and "
            "the newest studies it was\n"
            "in. Nothing is measured for it and nothing assumed: what has no record says \"not measured\"; run "
            "weft study robust,\n"
            "study fair and study failures first.",
    .example = "weft card editorials -o editorials.html",
};
