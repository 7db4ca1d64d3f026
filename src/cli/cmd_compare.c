/* cli/cmd_compare.c - weft compare. */
#include "cli/training.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool same_side(const json_t *t, const json_t *other) {
    return other && cli_number(t, "train_rows") == cli_number(other, "train_rows") &&
           strcmp(cli_text(t, "a"), cli_text(other, "a")) == 0;
}

static void test_row(cli_table *t, const json_t *test) {
    char d[16], low[16], high[16];
    const char *metric = cli_text(test, "metric");
    cli_score(d, metric, cli_number(test, "difference"));
    cli_score(low, metric, cli_number(test, "low"));
    cli_score(high, metric, cli_number(test, "high"));
    cli_cell(t, false, "    against %s%s", cli_text(test, "b"),
             json_is_true(json_object_get(test, "best")) ? " (the best of these)" : "");
    cli_cell(t, true, "%s", d);
    cli_cell(t, false, "[%s, %s]", low, high);
    cli_cell(t, false, "p %.2g%s", cli_number(test, "p_holm"),
             json_is_string(json_object_get(test, "better")) ? " *" : "");
    cli_row(t);
}

/* What the test rows tell apart, and what they do not. */
static void tests_show(const json_t *j) {
    const json_t *tests = json_object_get(j, "tests"), *t;
    size_t i, told = 0;
    cli_table *table = NULL;
    json_array_foreach(tests, i, t) told += json_is_string(json_object_get(t, "better"));
    if (json_array_size(tests) == 0) return;
    printf(
        "\n%zu of %zu differences may be claimed (*: p below 0.05; paired bootstrap over test rows and seeds, 95 %%, p "
        "corrected by Holm)\n",
        told, json_array_size(tests));
    json_array_foreach(tests, i, t) {
        if (!same_side(t, i ? json_array_get(tests, i - 1) : NULL)) {
            if (table) cli_table_print(table);
            table = cli_table_new();
            printf("  %s, %.0f rows\n", cli_text(t, "a"), cli_number(t, "train_rows"));
        }
        test_row(table, t);
    }
    if (table) cli_table_print(table);
}

static void gap_cell(cli_table *t, const json_t *s, const json_t *j) {
    const json_t *gap = json_object_get(s, "gap"), *row = json_array_get(json_object_get(j, "rows"), 0);
    char text[16];
    cli_score(text, cli_text(row, "metric"), cli_number(gap, "gap"));
    cli_cell(t, true, "%s%s", json_is_object(gap) ? text : "-",
             json_is_object(gap) && 2 * cli_number(gap, "warns") > cli_number(gap, "seeds") ? " *" : "");
}

static void one_answer_show(const json_t *s) {
    if (cli_number(s, "one_answer") > 0)
        printf("! %s with %.0f rows: %.0f of %.0f seeds give (nearly) all test rows one answer\n",
               cli_text(s, "method"), cli_number(s, "train_rows"), cli_number(s, "one_answer"), cli_number(s, "seeds"));
}

/* A dash where it was not recorded. */
static void memory_cell(cli_table *t, double bytes) {
    if (isfinite(bytes))
        cli_cell(t, true, "%.1f", bytes / 1048576);
    else
        cli_cell(t, true, "-");
}

static void rate_cell(cli_table *t, double lr) {
    if (isfinite(lr))
        cli_cell(t, true, "%g", lr);
    else
        cli_cell(t, true, "-");
}

/* What dev said of each learning rate: a line a size, method and training of it. */
static void tuning_show(const json_t *j) {
    const json_t *tuning = json_object_get(j, "tuning"), *one, *trial;
    cli_table *t = json_array_size(tuning) ? cli_table_new() : NULL;
    size_t i, k;
    json_array_foreach(tuning, i, one) {
        const json_t *trials = json_object_get(one, "trials");
        if (i == 0) {
            printf("\nlearning rates, chosen (*) by %s on dev, each by a training with seed 0\n",
                   cli_text(one, "metric"));
            cli_cell(t, true, "rows");
            cli_cell(t, false, "method");
            json_array_foreach(trials, k, trial) cli_cell(t, true, "%g", cli_number(trial, "lr"));
            cli_cell(t, true, "seconds");
            cli_row(t);
        }
        const bool part = json_is_string(json_object_get(one, "part"));
        cli_cell(t, true, "%.0f", cli_number(one, "train_rows"));
        cli_cell(t, false, "%s%s%s", cli_text(one, "method"), part ? ", for it " : "", cli_text(one, "part"));
        json_array_foreach(trials, k, trial) {
            char score[16];
            cli_score(score, cli_text(one, "metric"), cli_number(trial, "dev"));
            cli_cell(t, true, "%s%s", score, cli_number(trial, "lr") == cli_number(one, "lr") ? " *" : "");
        }
        cli_cell(t, true, "%.1f", cli_number(one, "wall_seconds"));
        cli_row(t);
    }
    if (t) cli_table_print(t);
}

static void chosen_show(const json_t *s) {
    const char *name;
    json_t *times;
    size_t n = 0;
    json_object_foreach(json_object_get(s, "chosen"), name, times) {
        if (n++ == 0) printf("%s with %.0f rows took", cli_text(s, "method"), cli_number(s, "train_rows"));
        printf("%s %s (%lld of %.0f seeds)", n > 1 ? "," : "", name, (long long)json_integer_value(times),
               cli_number(s, "seeds"));
    }
    if (n) puts("");
}

/* The table: a line a size and method, mean and standard deviation over the seeds. */
void cli_compared_show(const json_t *j) {
    const json_t *summary = json_object_get(j, "summary"), *s;
    size_t i, n = 0;
    const char *names[3];
    cli_table *t = cli_table_new();
    json_array_foreach(summary, i, s) {
        const json_t *mean = json_object_get(s, "mean"), *sd = json_object_get(s, "sd");
        if (i == 0) {
            n = cli_metrics(mean, 3, names);
            cli_cell(t, true, "rows");
            cli_cell(t, false, "method");
            for (size_t k = 0; k < n; k++) cli_cell(t, true, "%s", names[k]);
            cli_cell(t, true, "gap");
            cli_cell(t, true, "parameters");
            cli_cell(t, true, "seconds");
            cli_cell(t, true, "MiB");
            cli_cell(t, true, "tokens");
            cli_cell(t, true, "rate");
            cli_row(t);
        }
        char parameters[16], tokens[16];
        cli_count(parameters, cli_number(s, "trainable_params"));
        cli_count(tokens, cli_number(s, "tokens"));
        cli_cell(t, true, "%.0f", cli_number(s, "train_rows"));
        cli_cell(t, false, "%s%s", cli_text(s, "method"), cli_number(s, "one_answer") > 0 ? " !" : "");
        for (size_t k = 0; k < n; k++) {
            char value[16], spread[16];
            cli_score(value, names[k], cli_number(mean, names[k]));
            cli_score(spread, names[k], cli_number(sd, names[k]));
            if (isnan(cli_number(sd, names[k])))
                cli_cell(t, true, "%s", value);
            else
                cli_cell(t, true, "%s +- %s", value, spread);
        }
        gap_cell(t, s, j);
        cli_cell(t, true, "%s", parameters);
        cli_cell(t, true, "%.1f", cli_number(s, "wall_seconds"));
        memory_cell(t, cli_number(s, "memory_bytes"));
        cli_cell(t, true, "%s", tokens);
        rate_cell(t, cli_number(s, "lr"));
        cli_row(t);
    }
    printf("%s, test scores: mean +- standard deviation over %.0f seeds (run %.0f)\n", cli_text(j, "task"),
           cli_number(json_array_get(summary, 0), "seeds"), cli_number(j, "run"));
    cli_table_print(t);
    puts("gap: what the chosen metric is worth on training rows above dev; *: too wide for most seeds\n"
         "seconds, MiB (most that a training holds beside the base, counted), tokens passed through training: of all "
         "that "
         "is trained for a method");
    json_array_foreach(summary, i, s) one_answer_show(s);
    json_array_foreach(summary, i, s) chosen_show(s);
    tuning_show(j);
    tests_show(j);
}

typedef struct words {
    char **list;
    size_t count;
} words;

static bool word_add(words *w, const char *text, size_t n) {
    char **list = realloc(w->list, (w->count + 1) * sizeof *list);
    if (!list) return false;
    w->list = list;
    list[w->count] = strndup(text, n);
    return list[w->count++] != NULL;
}

/* "head,seq_bn,fuse:A,B;lora": pieces between ';', in each of them methods between ',' (outside brackets) until one
 * that names others behind a ':', which takes the rest. */
static bool methods_split(const char *text, words *out) {
    int depth = 0;
    for (const char *at = text; *at;) {
        const char *end = at;
        const bool names = at[strcspn(at, ":,;[{")] == ':';
        for (depth = 0; *end && (depth > 0 || (*end != ';' && (names || *end != ','))); end++)
            depth += (*end == '[' || *end == '{') - (*end == ']' || *end == '}');
        if (end > at && !word_add(out, at, (size_t)(end - at))) return false;
        at = *end ? end + 1 : end;
    }
    return true;
}

static wf_status sizes_read(const char *text, int64_t **out, size_t *count, wf_err *err) {
    char **list = cli_list(text, ',', count), *end = NULL;
    wf_status st =
        list && (*out = calloc(*count + 1, sizeof **out)) ? WF_OK : cli_wrong(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; st == WF_OK && list && *out && i < *count; i++) {
        errno = 0;
        (*out)[i] = strtoll(list[i], &end, 10);
        if (*end || errno || (*out)[i] < 1)
            st = cli_wrong(err, WF_E_ARG, "--rows needs whole numbers from 1, such as 100,300,1000, not \"%s\"",
                           list[i]);
    }
    if (st == WF_OK && *count == 0) st = cli_wrong(err, WF_E_ARG, "--rows names no number, such as 100,300,1000");
    cli_list_free(list, *count);
    return st;
}

static wf_status rates_read(const char *text, double **out, size_t *count, wf_err *err) {
    char **list = cli_list(text, ',', count), *end = NULL;
    wf_status st =
        list && (*out = calloc(*count + 1, sizeof **out)) ? WF_OK : cli_wrong(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; st == WF_OK && list && *out && i < *count; i++) {
        (*out)[i] = strtod(list[i], &end);
        if (*end || !((*out)[i] > 0))
            st = cli_wrong(err, WF_E_ARG, "--tune-lr needs numbers above 0, such as 2e-4,1e-3,5e-3, not \"%s\"",
                           list[i]);
    }
    if (st == WF_OK && *count < 2)
        st = cli_wrong(err, WF_E_ARG, "--tune-lr needs two rates or more to choose from, such as 2e-4,1e-3,5e-3");
    cli_list_free(list, *count);
    return st;
}

static wf_status run_call(const cli_args *given, wf_lab *lab, char **text, wf_err *err) {
    cli_args a = *given;
    words methods = {0};
    int64_t *rows = NULL;
    double *rates = NULL;
    size_t row_count = 0, rate_count = 0;
    wf_status st = methods_split(a.methods, &methods) ? WF_OK : cli_wrong(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK && a.rows_list) st = sizes_read(a.rows_list, &rows, &row_count, err);
    if (st == WF_OK && a.rates_list) st = rates_read(a.rates_list, &rates, &rate_count, err);
    if (lab) cli_stop_gently(); /* NULL: only says what is wrong */
    cli_train_fill(&a);
    const wf_compare_spec spec = {.task = a.words[0],
                                  .base = a.train.base,
                                  .methods = (const char *const *)methods.list,
                                  .method_count = methods.count,
                                  .rows = rows,
                                  .rows_count = row_count,
                                  .seeds = (int)a.seeds,
                                  .tune_lr = rates,
                                  .tune_lr_count = rate_count,
                                  .train = a.train};
    if (st == WF_OK) st = lab ? wf_compare(lab, &spec, text, err) : wf_compare_check(&spec, err);
    cli_list_free(methods.list, methods.count);
    free(rows);
    free(rates);
    return st;
}

static int run(const cli_args *a) {
    if (!a->methods) return cli_usage("which methods? weft compare TASK --methods head,seq_bn,fuse:A,B");
    if (a->seeds < 0 || a->seeds > 1000) return cli_usage("--seeds must lie in [1, 1000]");
    return cli_call(a, run_call, cli_compared_show);
}

static wf_status check(const cli_args *a, wf_err *err) {
    return a->methods ? run_call(a, NULL, NULL, err)
                      : cli_wrong(err, WF_E_ARG, "which methods? weft compare TASK --methods head,seq_bn,fuse:A,B");
}

static const cli_option options[] = {
    {"--methods", "LIST",
     "head, full, seq_bn, ...; fuse:A,B[@static] (own: trained here; auto:K: the K best by weft rank, on the same "
     "rows), average:A,B, weighted:A,B, best:A,B; of other "
     "tasks "
     "joint:T,U[@METHOD], multihead:T,U, mtfuse:T,U; what names others stands last, or ';' ends it; behind any of them "
     "@lr=R: its own learning rate",
     CLI_TEXT, CLI_AT(methods)},
    {"--rows", "N,N,...", "training rows to try, nested stratified samples (default: all)", CLI_TEXT,
     CLI_AT(rows_list)},
    {"--tune-lr", "R,R,...",
     "choose each method's learning rate among these, on dev, for every size: a training with seed 0 for each rate",
     CLI_TEXT, CLI_AT(rates_list)},
    {"--seeds", "N", "seeds 0 to N-1 (default: 3)", CLI_COUNT, CLI_AT(seeds)},
    CLI_TRAINING_OPTIONS,
    {NULL, NULL, NULL, CLI_FLAG, 0},
};

const cli_command cli_compare = {
    .name = "compare",
    .words = "TASK",
    .names = "task",
    .least = 1,
    .most = 1,
    .options = options,
    .run = run,
    .check = check,
    .summary = "train and score several methods over sizes and seeds",
    .text =
        "A fusion may name \"own\": an adapter of the task trained on the same rows. average, weighted (by dev) "
        "and best (on dev) keep the\n"
        "adapters frozen under a new head. joint shares one adapter, multihead the whole base with other tasks; "
        "mtfuse fuses adapters that\n"
        "were each trained jointly with one of them, and own. The other tasks of joint, multihead and mtfuse help with "
        "all their rows, whatever\n"
        "--rows says of TASK; --steps there counts over the rows of all and is rounded up to whole epochs of them. "
        "Differences are tested on\n"
        "the test rows.\n"
        "Every method is trained with its own defaults unless you set them; with --tune-lr each gets the learning "
        "rate that dev likes best,\n"
        "seq_bn@lr=5e-4 keeps its own, and adapters trained on the way to a fusion are chosen for, too. Nothing is "
        "kept in the lab but the "
        "scores. A comparison that was\n"
        "interrupted goes on with weft resume, where it stopped.",
    .example = "weft compare editorials --methods head,seq_bn,fuse:amazon,movies,tweets --rows 100,300,1000 --seeds 3",
};
