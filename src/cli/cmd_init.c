/* cli/cmd_init.c - weft init. */
#include "cli/cli.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int run(const cli_args *a) {
    wf_err err = {0};
    const char *dir = a->count ? a->words[0] : a->lab;
    const wf_status st = wf_lab_init(dir, &err);
    if (st != WF_OK) return cli_fail(st, &err);
    json_t *j = json_pack("{s:s}", "lab", dir);
    char *text = json_dumps(j, 0);
    json_decref(j);
    if (!text) return cli_fail(WF_E_NOMEM, &(wf_err){.text = "out of memory for the result"});
    if (a->json)
        puts(text);
    else if (!a->quiet)
        printf("made a lab in %s; next: weft%s%s base add NAME PATH\n", dir, strcmp(dir, ".") ? " -C " : "",
               strcmp(dir, ".") ? dir : "");
    free(text);
    return cli_finish(a, WF_OK, &err, NULL, NULL);
}

const cli_command cli_init = {
    .name = "init",
    .words = "[DIR]",
    .least = 0,
    .most = 1,
    .run = run,
    .summary = "make a lab: a folder for bases, tasks and trained models",
    .example = "weft init reviews-lab",
};
