/* cli/cmd_predict.c - weft predict. */
#include "cli/cli.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_AT_ONCE = 64, PROBS_SHOWN = 4 };

static void labels_print(const json_t *labels) {
    size_t i;
    const json_t *label;
    json_array_foreach(labels, i, label) printf("%s%s", i ? ", " : "", json_string_value(label));
    if (i == 0) fputs("(none)", stdout);
}

/* The likeliest labels, each with its probability, in falling order. */
static void probs_print(const json_t *probs) {
    double below = INFINITY;
    for (size_t shown = 0; shown < PROBS_SHOWN; shown++) {
        const char *label, *best = NULL;
        const json_t *p;
        double most = -1;
        json_object_foreach((json_t *)probs, label, p) {
            const double v = json_number_value(p);
            if (v < below && v > most) {
                most = v;
                best = label;
            }
        }
        if (!best) break;
        printf("%s%s %.3f", shown ? ", " : "", best, most);
        below = most;
    }
    if (json_object_size(probs) > PROBS_SHOWN) fputs(", ...", stdout);
}

static void row_show(const json_t *row) {
    const char *name;
    const json_t *r;
    printf("%s%s%s\n", cli_text(row, "text"), json_object_get(row, "text_pair") ? " | " : "",
           cli_text(row, "text_pair"));
    json_object_foreach(json_object_get(row, "results"), name, r) {
        printf("  %s: ", name);
        if (json_object_get(r, "value"))
            printf("%.4g", cli_number(r, "value"));
        else if (json_object_get(r, "labels"))
            labels_print(json_object_get(r, "labels"));
        else
            printf("%s", cli_text(r, "label"));
        if (json_object_get(r, "probs")) {
            fputs("  (", stdout);
            probs_print(json_object_get(r, "probs"));
            fputs(")", stdout);
        }
        puts("");
    }
}

static int on_line(const char *line, void *user) {
    const cli_args *a = user;
    if (a->json) return puts(line) < 0;
    json_t *row = cli_shown(line);
    if (row) row_show(row);
    json_decref(row);
    return ferror(stdout) != 0;
}

/* With --json one compact object a line, else for people. */
static void rows_show(const cli_args *a, const char *text) {
    json_t *j = a->json ? json_loads(text, 0, NULL) : cli_shown(text);
    size_t i;
    const json_t *row;
    json_array_foreach(json_object_get(j, "rows"), i, row) {
        char *line = json_dumps(row, JSON_COMPACT | JSON_SORT_KEYS);
        if (line && a->json)
            puts(line);
        else
            row_show(row);
        free(line);
    }
    json_decref(j);
}

static wf_status texts_run(const cli_args *a, wf_predictor *p, const char *const *texts, size_t n, wf_err *err) {
    const char *pairs[POSITIONALS_MAX];
    char *text = NULL;
    for (size_t i = 0; i < n; i++) pairs[i] = a->pair;
    const wf_status st = wf_predictor_run(p, texts, a->pair ? pairs : NULL, n, &text, err);
    if (st == WF_OK) {
        cli_progress_end();
        rows_show(a, text);
        fflush(stdout);
    }
    wf_free(text);
    return st;
}

typedef struct lines { /* of standard input, gathered */
    char *texts[LINES_AT_ONCE];
    size_t n;
    long long before; /* lines answered */
} lines;

static wf_status lines_run(const cli_args *a, wf_predictor *p, lines *l, wf_err *err) {
    wf_status st = l->n ? texts_run(a, p, (const char *const *)l->texts, l->n, err) : WF_OK;
    if (st == WF_E_DATA && err->offset > 0) /* the row among these */
        st = cli_wrong(err, st, "standard input:%lld: a text that is not UTF-8", l->before + (long long)err->offset);
    l->before += (long long)l->n;
    while (l->n) free(l->texts[--l->n]);
    return st;
}

/* Lines of standard input, some at a time; an empty line is an empty text, so that answers and lines agree. */
static wf_status input_run(const cli_args *a, wf_predictor *p, wf_err *err) {
    lines l = {0};
    size_t cap = 0;
    char *line = NULL;
    wf_status st = WF_OK;
    for (ssize_t length; st == WF_OK && (length = getline(&line, &cap, stdin)) >= 0;) {
        while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r')) line[--length] = 0;
        if (memchr(line, 0, (size_t)length))
            st =
                cli_wrong(err, WF_E_DATA, "standard input:%lld: a text with a NUL byte", l.before + (long long)l.n + 1);
        else if (!(l.texts[l.n++] = strdup(line)))
            st = WF_E_NOMEM;
        if (st == WF_OK && l.n == LINES_AT_ONCE) st = lines_run(a, p, &l, err);
    }
    if (st == WF_OK) st = lines_run(a, p, &l, err);
    while (l.n) free(l.texts[--l.n]);
    free(line);
    return st;
}

static int run(const cli_args *a) {
    wf_lab *lab = NULL;
    wf_predictor *p = NULL;
    wf_err err = {0};
    size_t count = 0;
    const int texts = a->count - !a->all;
    if (!a->all && a->count == 0) return cli_usage("which model? weft predict NAME[,NAME...] TEXT..., or --all");
    if (texts && a->input) return cli_usage("texts and --input exclude each other");
    if (a->input && a->pair) return cli_usage("--pair goes with texts; a file has its own pairs (field text_pair)");
    char **names = a->all ? NULL : cli_list(a->words[0], ',', &count);
    if (!a->all && count == 0) {
        cli_list_free(names, count);
        return cli_usage("which model? \"%s\" names none; see: weft list", a->words[0]);
    }
    if (a->of_task && (a->all || count != 1)) {
        cli_list_free(names, count);
        return cli_usage("--task goes with one model; of several write NAME:TASK,NAME:TASK");
    }
    const char *one = a->of_task ? cli_head(names[0], a->of_task) : NULL, *const *asked = (const char *const *)names;
    if (a->of_task) asked = &one;
    const int code = a->of_task && !one ? EXIT_USAGE : cli_open(a, &lab);
    if (code != EXIT_DONE) {
        cli_list_free(names, count);
        return code;
    }
    wf_status st = wf_lab_base_dtype(lab, a->train.base_dtype, &err);
    if (st == WF_OK) st = wf_predictor_open(lab, asked, count, &p, &err);
    if (st == WF_OK) {
        if (a->input)
            st = wf_predictor_file(p, a->input, on_line, (void *)a, &err);
        else if (texts)
            st = texts_run(a, p, a->words + !a->all, (size_t)texts, &err);
        else
            st = input_run(a, p, &err);
    }
    wf_predictor_close(p);
    cli_list_free(names, count);
    wf_lab_close(lab);
    return cli_finish(a, st, &err, NULL, NULL);
}

static const cli_option options[] = {
    {"--input", "FILE", "rows of a JSONL, CSV or TSV file, or lines of any other file", CLI_TEXT, CLI_AT(input)},
    {"--pair", "TEXT", "the second text, for models of pairs", CLI_ANY, CLI_AT(pair)},
    {"--task", "TASK", "this task's head of what was trained jointly (default: all heads; NAME:TASK is the same)",
     CLI_TEXT, CLI_AT(of_task)},
    {"--all", NULL, "every model of the lab", CLI_FLAG, CLI_AT(all)},
    {"--base-dtype", "T", "multiply the base in f32, bf16 or int8 instead of each model's own type", CLI_TEXT,
     CLI_AT(train.base_dtype)},
    {NULL, NULL, NULL, CLI_FLAG, 0},
};

const cli_command cli_predict = {
    .name = "predict",
    .words = "NAME[,NAME...] [TEXT...]",
    .names = "model",
    .least = 0,
    .most = POSITIONALS_MAX,
    .options = options,
    .run = run,
    .summary = "label texts with one or more trained models",
    .text = "Without texts and --input, lines of standard input are read. Every line has its answer, an empty one too. "
            "With\n"
            "--json, one JSON object a line.",
    .example = "weft predict editorials,amazon \"The new bridge will save families an hour every day.\"",
};
