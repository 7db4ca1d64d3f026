/* cli/cmd_gate.c - weft gate, gate set, gate rm. */
#include "cli/cli.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void gates_show(const json_t *j) {
    size_t i;
    const json_t *g;
    if (json_array_size(json_object_get(j, "gates")) == 0) {
        puts("no gate yet; make one: weft gate set TASK");
        return;
    }
    static const char *const head[] = {"task",          "model", "metric",    "recorded", "now",
                                       "95 % interval", "fall",  "tolerated", ""};
    cli_table *t = cli_table_new();
    for (size_t k = 0; k < 9; k++) cli_cell(t, k == 3 || k == 4 || k == 6 || k == 7, "%s", head[k]);
    cli_row(t);
    json_array_foreach(json_object_get(j, "gates"), i, g) {
        const char *metric = cli_text(g, "metric");
        char recorded[16], now[16], low[16], high[16];
        cli_score(recorded, metric, cli_number(g, "recorded"));
        cli_score(now, metric, cli_number(g, "score"));
        cli_score(low, metric, cli_number(g, "low"));
        cli_score(high, metric, cli_number(g, "high"));
        cli_cell(t, false, "%s", cli_text(g, "task"));
        cli_cell(t, false, "%s", cli_text(g, "model"));
        cli_cell(t, false, "%s (%s)", metric, cli_text(g, "split"));
        cli_cell(t, true, "%s", recorded);
        cli_cell(t, true, "%s", now);
        cli_cell(t, false, "[%s, %s]", low, high);
        if (isnan(cli_number(g, "fall")))
            cli_cell(t, true, "-");
        else
            cli_cell(t, true, "%.2f", cli_number(g, "fall") + 0.0);
        cli_cell(t, true, "%.2f", cli_number(g, "tolerance"));
        cli_cell(t, false, "%s", json_is_true(json_object_get(g, "holds")) ? "holds" : cli_text(g, "why"));
        cli_row(t);
    }
    cli_table_print(t);
}

/* "TASK" or "TASK=MODEL" words, split in place. */
static wf_status check_call(const cli_args *a, wf_lab *lab, char **text, wf_err *err) {
    char *words[POSITIONALS_MAX] = {0};
    const char *models[POSITIONALS_MAX] = {0};
    wf_status st = WF_OK;
    for (int i = 0; st == WF_OK && i < a->count; i++) {
        if (!(words[i] = strdup(a->words[i]))) st = cli_wrong(err, WF_E_NOMEM, "out of memory");
        char *equals = words[i] ? strchr(words[i], '=') : NULL;
        if (!equals) continue;
        *equals = 0;
        models[i] = equals + 1;
    }
    if (st == WF_OK) st = wf_gate_check(lab, (const char *const *)words, models, (size_t)a->count, text, err);
    for (int i = 0; i < a->count; i++) free(words[i]);
    return st;
}

static int check_run(const cli_args *a) {
    return cli_call(a, check_call, gates_show);
}

static void set_show(const json_t *j) {
    char now[16];
    cli_score(now, cli_text(j, "metric"), cli_number(j, "recorded"));
    printf("gate of %s: %s with %s %s on %s (%.0f rows), %.2f points tolerated\n", cli_text(j, "task"),
           cli_text(j, "model"), cli_text(j, "metric"), now, cli_text(j, "split"), cli_number(j, "rows"),
           cli_number(j, "tolerance"));
}

static wf_status set_call(const cli_args *a, wf_lab *lab, char **text, wf_err *err) {
    const bool given = a->tolerance != CLI_UNSET;
    if (given && !(a->tolerance >= 0))
        return cli_wrong(err, WF_E_ARG, "--tolerance is %g points; it must lie in [0, 100]", a->tolerance);
    const wf_gate_spec spec = {.task = a->words[0],
                               .model = a->model,
                               .split = a->split,
                               .tolerance = !given             ? 0
                                            : a->tolerance > 0 ? a->tolerance
                                                               : -1,
                               .record = a->record};
    return wf_gate_set(lab, &spec, text, err);
}

static int set_run(const cli_args *a) {
    return cli_call(a, set_call, set_show);
}

static void removed_show(const json_t *j) {
    printf("removed the gate of %s\n", cli_text(j, "removed"));
}

static wf_status remove_call(const cli_args *a, wf_lab *lab, char **text, wf_err *err) {
    return wf_gate_remove(lab, a->words[0], text, err);
}

static int remove_run(const cli_args *a) {
    return cli_call(a, remove_call, removed_show);
}

static const cli_option set_options[] = {
    {"--model", "NAME", "the model that answers the task (default: the gate's, or the task's only one)", CLI_TEXT,
     CLI_AT(model)},
    {"--tolerance", "T", "points that the score may fall by: 0.5 allows 90.0 to fall to 89.5 (default: 0.5)", CLI_REAL,
     CLI_AT(tolerance)},
    {"--split", "S", "test (default) or dev", CLI_TEXT, CLI_AT(split)},
    {"--record", NULL, "record the present model's present score anew", CLI_FLAG, CLI_AT(record)},
    {NULL, NULL, NULL, CLI_FLAG, 0},
};

const cli_command cli_gate_set = {
    .name = "gate set",
    .words = "TASK",
    .names = "task",
    .least = 1,
    .most = 1,
    .options = set_options,
    .run = set_run,
    .summary = "record the model that answers a task, and its score, which must not fall",
    .text = "The score is recorded when the gate is made, when its model or split changes, and with --record; a new "
            "tolerance alone leaves it.",
    .example = "weft gate set reviews --model reviews --tolerance 0.5",
};
const cli_command cli_gate_rm = {.name = "gate rm",
                                 .words = "TASK",
                                 .names = "task",
                                 .least = 1,
                                 .most = 1,
                                 .run = remove_run,
                                 .summary = "remove a task's gate",
                                 .example = "weft gate rm reviews"};
const cli_command cli_gate = {
    .name = "gate",
    .words = "[TASK[=MODEL]...]",
    .names = "task",
    .most = POSITIONALS_MAX,
    .run = check_run,
    .summary = "check that no task's score has fallen; exit code 3 when one did",
    .text = "Scores the model of every gate (or of the tasks named) and holds it against what was recorded. TASK=MODEL "
            "judges another model in its\n"
            "place, before it is set.",
    .example = "weft gate reviews=reviews-new",
};
