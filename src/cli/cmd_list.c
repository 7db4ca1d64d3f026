/* cli/cmd_list.c - weft list. */
#include "cli/cli.h"
#include <stdio.h>

static void models_print(const json_t *models) {
    size_t i;
    const json_t *m;
    cli_table *t = cli_table_new();
    static const char *const head[] = {"model", "task", "method", "metric", "dev", "test", "parameters"};
    for (size_t k = 0; k < 7; k++) cli_cell(t, k >= 4, "%s", head[k]);
    cli_row(t);
    json_array_foreach(models, i, m) {
        const char *metric = cli_text(m, "metric"), *first[1] = {metric};
        char dev[16], test[16], parameters[16];
        if (!*metric && cli_metrics(json_object_get(m, "test"), 1, first) == 0) first[0] = "";
        cli_score(dev, first[0], cli_number(json_object_get(m, "dev"), first[0]));
        cli_score(test, first[0], cli_number(json_object_get(m, "test"), first[0]));
        cli_count(parameters, cli_number(m, "trainable_params"));
        cli_cell(t, false, "%s", cli_text(m, "name"));
        cli_cell(t, false, "%s", cli_text(m, "task"));
        cli_cell(t, false, "%s", cli_text(m, "method"));
        cli_cell(t, false, "%s", first[0]);
        cli_cell(t, true, "%s", dev);
        cli_cell(t, true, "%s", test);
        cli_cell(t, true, "%s", parameters);
        cli_row(t);
    }
    cli_table_print(t);
}

static void list_show(const json_t *j) {
    size_t i;
    const json_t *one;
    json_array_foreach(json_object_get(j, "bases"), i, one)
        printf("base %s: %s, %.0f layers, width %.0f\n", cli_text(one, "name"), cli_text(one, "model_type"),
               cli_number(one, "layers"), cli_number(one, "hidden_size"));
    json_array_foreach(json_object_get(j, "tasks"), i, one)
        printf("task %s: %s, %.0f training rows\n", cli_text(one, "name"), cli_text(one, "kind"),
               cli_number(json_object_get(one, "rows"), "train"));
    if (json_array_size(json_object_get(j, "models"))) models_print(json_object_get(j, "models"));
    json_array_foreach(json_object_get(j, "runs"), i, one)
        printf("run %.0f: %s %s, %s, started %s\n", cli_number(one, "run"), cli_text(one, "command"),
               cli_text(one, "name"), cli_text(one, "status"), cli_text(one, "started"));
    if (json_array_size(json_object_get(j, "bases")) == 0)
        puts("this lab is empty; start with: weft base add NAME PATH");
}

static wf_status run_call(const cli_args *a, wf_lab *lab, char **text, wf_err *err) {
    return wf_list(lab, text, err);
}

static int run(const cli_args *a) {
    return cli_call(a, run_call, list_show);
}

const cli_command cli_show = {.name = "list",
                              .words = "",
                              .run = run,
                              .summary = "show what is in the lab: bases, tasks, models, runs",
                              .example = "weft list"};
