/* cli/cmd_plan.c - weft plan: the steps of a plan one after the other, each once. */
#include "cli/plan_step.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef struct plan_run {
    const cli_args *a;
    cli_plan plan;
    json_t *state;  /* {line of words: last event} */
    char *lab;      /* absolute */
    json_t *report; /* [{"step","words","status","seconds","result"}] */
    size_t done, failed;
    int code; /* of the first step that failed */
} plan_run;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- checks before the first step ---- */

static int step_check(const plan_run *p, size_t k, const json_t *words) {
    enum { WORDS_MAX = 300 };
    char *argv[WORDS_MAX];
    const size_t n = json_array_size(words);
    int used = 0;
    cli_args unused = {.cache_memory = CLI_UNSET};
    if (n > WORDS_MAX) return cli_usage("%s: step %zu has more than %d words", p->a->words[0], k + 1, WORDS_MAX);
    for (size_t i = 0; i < n; i++) argv[i] = (char *)json_string_value(json_array_get(words, i));
    const cli_command *c = n ? cli_find((int)n, argv, &used) : NULL;
    char *line = cli_plan_line(words);
    int code = EXIT_DONE;
    if (!c || strcmp(c->name, "plan") == 0)
        code = cli_usage("%s: expanded step %zu is no command of weft: %s", p->a->words[0], k + 1, line ? line : "");
    else if (!cli_parse((int)n - used, argv + used, c, &unused) || unused.lab || unused.json)
        code =
            cli_usage("%s: expanded step %zu is wrong%s: %s", p->a->words[0], k + 1,
                      unused.lab || unused.json ? " (-C and --json belong to weft plan itself)" : "", line ? line : "");
    else if (unused.count < c->least || unused.count > c->most)
        code = cli_usage("%s: expanded step %zu needs: weft %s %s; it is: %s", p->a->words[0], k + 1, c->name, c->words,
                         line ? line : "");
    wf_err err = {0};
    if (code == EXIT_DONE && c && c->check && c->check(&unused, &err) != WF_OK)
        code = cli_usage("%s: expanded step %zu: %s; it is: %s", p->a->words[0], k + 1, err.text, line ? line : "");
    free(line);
    return code;
}

static int steps_check(const plan_run *p) {
    json_t *seen = json_object();
    int code = seen ? EXIT_DONE : cli_fail(WF_E_NOMEM, &(wf_err){.text = "out of memory for the plan"});
    for (size_t k = 0; code == EXIT_DONE && k < json_array_size(p->plan.steps); k++) {
        const json_t *words = json_array_get(p->plan.steps, k);
        char *line = cli_plan_line(words);
        code = step_check(p, k, words);
        if (code == EXIT_DONE && line && json_object_get(seen, line))
            code = cli_usage("%s: expanded step %zu stands twice: %s", p->a->words[0], k + 1, line);
        if (line) json_object_set_new(seen, line, json_true());
        free(line);
    }
    json_decref(seen);
    return code;
}

/* ---- one step ---- */

static const char *last_status(const plan_run *p, const char *line) {
    const char *s = json_string_value(json_object_get(json_object_get(p->state, line), "status"));
    return s ? s : "open";
}

static wf_status event_add(plan_run *p, const json_t *words, const char *line, const char *status, double seconds,
                           json_int_t run_before, const json_t *result, wf_err *err) {
    char when[32];
    const time_t t = time(NULL);
    struct tm utc;
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &utc));
    json_t *event = json_pack("{s:O,s:s,s:s,s:f,s:I,s:O?}", "words", words, "status", status, "at", when, "seconds",
                              seconds, "run_before", run_before, "result", result);
    if (!event) return cli_wrong(err, WF_E_NOMEM, "out of memory for the plan");
    const wf_status st = cli_plan_state_add(p->lab, p->plan.name, event, err);
    json_object_set_new(p->state, line, event);
    return st;
}

/* The lab's runs; NULL when it cannot be listed. */
static json_t *runs_list(const plan_run *p) {
    json_t *words = json_pack("[s]", "list");
    cli_step_end end = {0};
    wf_err unused;
    FILE *out = tmpfile();
    const wf_status st = out ? cli_step_run(p->a, p->lab, p->plan.folder, words, fileno(out), &end, &unused) : WF_E_IO;
    json_t *runs = st == WF_OK ? json_incref(json_object_get(end.result, "runs")) : NULL;
    if (out) fclose(out);
    json_decref(end.result);
    json_decref(words);
    return runs;
}

static json_int_t run_newest(const json_t *runs) {
    size_t i;
    const json_t *run;
    json_int_t newest = 0;
    json_array_foreach(runs, i, run) {
        const json_int_t id = json_integer_value(json_object_get(run, "run"));
        if (id > newest) newest = id;
    }
    return newest;
}

/* The run that this step began earlier and that can go on: the newest one behind `before` of its command. */
static json_int_t run_unfinished(const json_t *runs, json_int_t before, const char *command) {
    size_t i;
    const json_t *run;
    json_int_t found = 0;
    json_array_foreach(runs, i, run) {
        const json_int_t id = json_integer_value(json_object_get(run, "run"));
        const char *status = cli_text(run, "status");
        if (id > before && id > found && strcmp(cli_text(run, "command"), command) == 0 &&
            (strcmp(status, "cancelled") == 0 || strcmp(status, "interrupted") == 0))
            found = id;
    }
    return found;
}

/* Begun and not ended, as far as is recorded. */
static bool step_begun(const plan_run *p, const char *line) {
    const char *status = last_status(p, line);
    return strcmp(status, "started") == 0 || strcmp(status, "interrupted") == 0;
}

/* Of a step that ended well when its plan was gone already. Checks are made again: what they print does not say how
 * they ended. */
static json_t *result_left(const plan_run *p, const json_t *words, const char *line) {
    const char *command = json_string_value(json_array_get(words, 0));
    if (!step_begun(p, line) || strcmp(command, "gate") == 0 || strcmp(command, "verify") == 0) return NULL;
    const int out = cli_plan_output_open(p->lab, p->plan.name, false);
    json_t *result = out < 0 ? NULL : cli_step_result(out);
    if (out >= 0) close(out);
    return result;
}

/* Begun and not ended: goes on with its run where there is one. */
static wf_status step_words(const plan_run *p, json_t *words, const char *line, json_t **out, json_int_t *before) {
    const json_t *last = json_object_get(p->state, line);
    json_t *runs = runs_list(p);
    json_int_t resume = 0;
    *before = run_newest(runs);
    if (step_begun(p, line)) {
        const json_int_t earlier = json_integer_value(json_object_get(last, "run_before"));
        resume = run_unfinished(runs, earlier, json_string_value(json_array_get(words, 0)));
        if (resume) *before = earlier;
    }
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)resume);
    *out = resume ? json_pack("[s,s]", "resume", number) : json_incref(words);
    json_decref(runs);
    return *out ? WF_OK : WF_E_NOMEM;
}

static const char *ending(int code) {
    return code == EXIT_DONE ? "done" : cli_step_stopped() ? "interrupted" : "failed";
}

static void step_tell(const plan_run *p, size_t k, const char *line, const char *how) {
    char *shown = p->a->quiet ? NULL : cli_visible(line);
    if (shown) fprintf(stderr, "[%zu/%zu] %s%s\n", k + 1, json_array_size(p->plan.steps), shown, how);
    free(shown);
}

static wf_status step_run(plan_run *p, size_t k, json_t *words, const char *line, wf_err *err) {
    json_t *call = NULL, *left = result_left(p, words, line);
    json_int_t before = 0;
    cli_step_end end = {0};
    const double start = now();
    wf_status st = WF_OK;
    if (left) {
        step_tell(p, k, line, " (had ended)");
        st = event_add(p, words, line, "done", 0, before, left, err);
        cli_plan_output_drop(p->lab, p->plan.name);
        json_decref(left);
        return st;
    }
    st = step_words(p, words, line, &call, &before);
    if (st != WF_OK) return cli_wrong(err, st, "out of memory for the plan");
    step_tell(p, k, line, call != words ? " (goes on)" : "");
    const int out = cli_plan_output_open(p->lab, p->plan.name, true); /* before it is begun: no other step's is left */
    if (out < 0) st = cli_wrong(err, WF_E_IO, "%s/plans/%s.out: %s", p->lab, p->plan.name, strerror(errno));
    if (st == WF_OK) st = event_add(p, words, line, "started", 0, before, NULL, err);
    if (st == WF_OK) st = cli_step_run(p->a, p->lab, p->plan.folder, call, out, &end, err);
    if (st == WF_OK) st = event_add(p, words, line, ending(end.code), now() - start, before, end.result, err);
    if (st == WF_OK) cli_plan_output_drop(p->lab, p->plan.name);
    if (out >= 0) close(out);
    if (end.code != EXIT_DONE && p->code == EXIT_DONE) p->code = end.code > EXIT_CHECK ? EXIT_FAILED : end.code;
    json_decref(end.result);
    json_decref(call);
    return st;
}

/* ---- the whole ---- */

static void report_add(plan_run *p, size_t k, const json_t *words, const char *line) {
    const json_t *event = json_object_get(p->state, line);
    const char *status = last_status(p, line);
    p->done += strcmp(status, "done") == 0;
    p->failed += strcmp(status, "failed") == 0;
    json_array_append_new(p->report, json_pack("{s:I,s:O,s:s,s:O?,s:O?}", "step", (json_int_t)k + 1, "words", words,
                                               "status", status, "seconds", json_object_get(event, "seconds"), "result",
                                               json_object_get(event, "result")));
}

static wf_status steps_run(plan_run *p, bool list, wf_err *err) {
    wf_status st = WF_OK;
    size_t k;
    json_t *words;
    bool go = !list;
    json_array_foreach(p->plan.steps, k, words) {
        char *line = cli_plan_line(words);
        if (!line) return cli_wrong(err, WF_E_NOMEM, "out of memory for the plan");
        if (go && st == WF_OK && strcmp(last_status(p, line), "done") != 0) {
            st = step_run(p, k, words, line, err);
            const bool failed = strcmp(last_status(p, line), "done") != 0;
            go = !cli_step_stopped() && (!failed || p->a->keep_going);
        }
        report_add(p, k, words, line);
        free(line);
    }
    return st;
}

/* The first score of a step's result, for the table. */
static void score_cell(cli_table *t, const json_t *result) {
    const char *name;
    char value[16];
    const json_t *scores = json_object_get(result, "test");
    if (json_is_object(scores) && cli_metrics(scores, 1, &name) == 1) {
        cli_score(value, name, cli_number(scores, name));
        cli_cell(t, false, "test %s %s", name, value);
    } else {
        cli_cell(t, false, "%s", "");
    }
}

static void report_show(const json_t *j) {
    size_t i;
    const json_t *step;
    cli_table *t = cli_table_new();
    cli_cell(t, true, "step");
    cli_cell(t, false, "state");
    cli_cell(t, true, "seconds");
    cli_cell(t, false, "result");
    cli_cell(t, false, "command");
    cli_row(t);
    json_array_foreach(json_object_get(j, "steps"), i, step) {
        const double seconds = cli_number(step, "seconds");
        char *line = cli_plan_line(json_object_get(step, "words"));
        cli_cell(t, true, "%zu", i + 1);
        cli_cell(t, false, "%s", cli_text(step, "status"));
        if (isnan(seconds))
            cli_cell(t, true, "-");
        else
            cli_cell(t, true, "%.1f", seconds);
        score_cell(t, json_object_get(step, "result"));
        cli_cell(t, false, "%s", line ? line : "");
        cli_row(t);
        free(line);
    }
    cli_table_print(t);
    printf("plan %s: %.0f of %zu steps done, %.0f failed\n", cli_text(j, "plan"), cli_number(j, "done"), i,
           cli_number(j, "failed"));
}

/* A lab where there is none yet: a plan begins with nothing. */
static wf_status lab_ready(plan_run *p, bool list, wf_err *err) {
    const size_t size = strlen(p->a->lab) + 16;
    char *database = malloc(size);
    if (!database) return cli_wrong(err, WF_E_NOMEM, "out of memory for the plan");
    snprintf(database, size, "%s/weft.db", p->a->lab);
    wf_status st = WF_OK;
    if (access(database, F_OK) != 0)
        st = list ? cli_wrong(err, WF_E_NOTFOUND, "%s is no lab yet", p->a->lab) : wf_lab_init(p->a->lab, err);
    free(database);
    if (st == WF_OK && !(p->lab = realpath(p->a->lab, NULL)))
        st = cli_wrong(err, WF_E_IO, "%s: %s", p->a->lab, strerror(errno));
    return st;
}

static void run_clear(plan_run *p) {
    cli_plan_clear(&p->plan);
    json_decref(p->state);
    json_decref(p->report);
    free(p->lab);
}

static int run(const cli_args *a) {
    plan_run p = {.a = a, .report = json_array()};
    wf_err err = {0};
    char *text = NULL;
    wf_status st = cli_plan_read(a->words[0], &p.plan, &err);
    int code = st == WF_OK ? steps_check(&p) : cli_fail(st, &err);
    if (code == EXIT_DONE) {
        st = lab_ready(&p, a->list, &err);
        if (st == WF_OK) st = cli_plan_state_read(p.lab, p.plan.name, &p.state, &err);
        if (st == WF_OK) st = steps_run(&p, a->list, &err);
        json_t *whole = json_pack("{s:s,s:s,s:I,s:I,s:O}", "plan", p.plan.name, "lab", p.lab ? p.lab : "", "done",
                                  (json_int_t)p.done, "failed", (json_int_t)p.failed, "steps", p.report);
        if (st == WF_OK && whole) text = json_dumps(whole, JSON_COMPACT);
        json_decref(whole);
        const bool stopped = st == WF_OK && cli_step_stopped();
        if (stopped)
            st = cli_wrong(&err, WF_E_CANCELLED, "stopped; the same command goes on with what is left of %s",
                           a->words[0]);
        code = cli_finish(a, st, &err, text, report_show);
        if (code == EXIT_DONE) code = p.code;
    }
    run_clear(&p);
    return code;
}

static const cli_option options[] = {
    {"--list", NULL, "show the steps and what became of them; run nothing", CLI_FLAG, CLI_AT(list)},
    {"--keep-going", NULL, "go on with the next step where one fails", CLI_FLAG, CLI_AT(keep_going)},
    {NULL, NULL, NULL, CLI_FLAG, 0},
};

const cli_command cli_plan_command = {
    .name = "plan",
    .words = "FILE",
    .least = 1,
    .most = 1,
    .options = options,
    .run = run,
    .summary = "run the commands of a JSON file, each once, and go on where an earlier call ended",
    .text =
        "FILE holds {\"let\": {\"sources\": [\"a\", \"b\"]}, \"steps\": [\"base add base ../base\",\n"
        "{\"for\": {\"t\": \"sources\", \"s\": [0, 1]}, \"run\": \"train {t} --name {t}-{s} --seed {s}\"}]}: a step "
        "is a command's words,\n"
        "repeated for each value; {sources} stands for a,b. Before the first one runs, all steps are checked: "
        "commands, options and\n"
        "numbers, of trainings also methods, names of their settings and ranges; not what must be in the lab by then. "
        "A lab is made where\n"
        "there is none; paths start from FILE's folder. What is done is kept in the lab: the same call again runs "
        "what is not,\n"
        "and goes on with a training or comparison that was interrupted.",
    .example = "weft plan study.json",
};
