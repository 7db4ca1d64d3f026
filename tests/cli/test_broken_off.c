/* Work that is broken off, by Ctrl-C or by death at any moment, and two processes in one lab: the lab opens and
 * verifies, and a resumed run ends with the bits of an unbroken one. */
#include "base/random.h"
#include "program.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static const char TRAIN[] = "train reviews --threads 1 --name r --epochs 30 --lr 5e-3 --patience -1";

static void same_hash(const char *lab_a, const char *lab_b, const char *name) {
    char *a = model_hash(lab_a, name), *b = model_hash(lab_b, name);
    assert_string_equal(a, b);
    free(a);
    free(b);
}

/* The mask of signals that a line of a thread's status gives. */
static unsigned long long signals_of(const char *status, const char *field) {
    const char *at = strstr(status, field);
    assert_non_null(at);
    return strtoull(at + strlen(field), NULL, 16);
}

/* No signal interrupts a computing thread: a handler on its stack would overwrite what products keep below it. */
static void test_no_handler_on_a_computing_stack(void **state) {
    (void)state;
    lab_make("masked");
    const pid_t pid = weft_start("-C masked --threads 2 train reviews --name r --epochs 2000 --patience -1");
    file_await(in_top("masked/runs/1/log.txt"));
    char path[300];
    char **names = NULL;
    size_t count = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    check_ok(wfi_dir_list(path, &names, &count, err));
    assert_true(count >= 2);
    int open_threads = 0;
    const unsigned long long both = 1ull << (SIGINT - 1) | 1ull << (SIGTERM - 1);
    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof path, "/proc/%d/task/%s/status", (int)pid, names[i]);
        FILE *f = fopen(path, "r");
        if (!f) continue; /* has ended meanwhile */
        char text[4096];
        text[fread(text, 1, sizeof text - 1, f)] = 0;
        fclose(f);
        if (!*text) continue;
        assert_int_equal(0, signals_of(text, "SigCgt:") & both);
        open_threads += (signals_of(text, "SigBlk:") & both) != both;
    }
    assert_int_equal(1, open_threads); /* only the thread that waits for them */
    wfi_names_free(names, count);
    kill(pid, SIGINT);
    assert_int_equal(1, weft_wait(pid, NULL));
    const pid_t again = weft_start("-C masked resume 1");
    int by = 0;
    nap(300);
    kill(again, SIGTERM);
    nap(5);
    kill(again, SIGTERM); /* the second one is not waited for */
    const int code = weft_wait(again, &by);
    assert_true(code == 1 || by == SIGTERM);
    free(weft_ok("-C masked verify"));
}

/* Ctrl-C: the step is finished, the checkpoint kept, and how to go on is said. It goes on with the threads it began
 * with. */
static void test_interrupted(void **state) {
    (void)state;
    lab_make("calm");
    lab_make("stopped");
    free(weft_ok("-C calm %s", TRAIN));
    const pid_t pid = weft_start("-C stopped %s", TRAIN);
    file_await(in_top("stopped/runs/1/log.txt"));
    kill(pid, SIGSTOP); /* it must still be at work when all is asked */
    weft_says(2, "-C stopped resume 1", "run 1 is being worked on by process", (char *)NULL);
    char who[64];
    snprintf(who, sizeof who, "\"r\" is being trained by process %d (run 1)", (int)pid);
    weft_says(2, "-C stopped train notes --name r", who, "--name", (char *)NULL);
    weft_says(2, "-C stopped joint reviews,notes --name r", who, (char *)NULL);
    kill(pid, SIGINT);
    kill(pid, SIGCONT);
    assert_int_equal(1, weft_wait(pid, NULL));
    file_await(in_top("stopped/runs/1/checkpoint"));
    char *list = weft_ok("-C stopped list");
    assert_non_null(strstr(list, "run 1: train r, cancelled"));
    free(list);
    free(weft_ok("-C stopped verify"));
    ran r = weft("-C stopped --threads 2 resume 1");
    assert_int_equal(0, r.code);
    assert_non_null(strstr(r.err, "began with 1 threads"));
    ran_clear(&r);
    same_hash("calm", "stopped", "r");
    assert_int_not_equal(0, access(in_top("stopped/runs/1/checkpoint"), F_OK)); /* no longer needed */
    weft_says(2, "-C stopped resume 1", "run 1 is done", (char *)NULL);
}

/* What a cancelled run says, on standard error and in its log; a comparison keeps no checkpoint of a training. */
static void test_what_is_said(void **state) {
    (void)state;
    lab_make("said");
    static const char *const commands[] = {"train reviews --name r --epochs 200 --patience -1",
                                           "compare target --methods head,seq_bn --seeds 50 --epochs 20"};
    for (int i = 0; i < 2; i++) {
        char script[1400];
        /* A shell sends the signal, so that the program's standard error can be captured as usual. */
        snprintf(script, sizeof script,
                 "cd %s && { '%s' -C said %s 2>err.txt & p=$!; until [ -s said/runs/%d/%s ]; do sleep 0.05; done; kill "
                 "-TERM $p; wait $p; }",
                 top, getenv("WEFT_PROGRAM"), commands[i], i + 1, i ? "cells.json" : "log.txt");
        const int status = system(script);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
        char *text = file_text(in_top("err.txt")), want[64];
        snprintf(want, sizeof want, "go on with: weft resume %d\n", i + 1);
        if (!strstr(text, want) || !strstr(text, "weft: cancelled") || !strstr(text, "once more to stop at once") ||
            (strstr(text, "checkpoint") == NULL) != (i == 1))
            fail_msg("%s: %s", commands[i], text);
        free(text);
    }
}

/* Killed again and again while it trains: each time the lab verifies; the end is the end of the unbroken run. */
static void test_killed_training(void **state) {
    (void)state;
    lab_make("killed");
    int moment = 0;
    for (; moment < 30; moment++) {
        const pid_t pid = moment ? weft_start("-C killed resume 1") : weft_start("-C killed %s", TRAIN);
        if (moment == 0) file_await(in_top("killed/runs/1/log.txt"));
        nap(10 + (int)wfi_random_below(5, (uint64_t)moment, 300));
        kill(pid, SIGKILL);
        int by = 0;
        if (weft_wait(pid, &by) == 0) break; /* was faster */
        if (by == 0) { /* the one before was killed behind its last step, on its way out: nothing is left to resume */
            char *list = weft_ok("-C killed list");
            assert_true(moment > 0 && strstr(list, "run 1: train r, done"));
            free(list);
            break;
        }
        assert_int_equal(SIGKILL, by);
        free(weft_ok("-C killed verify"));
        if (moment == 7) {
            ran r = weft("-C killed resume 1");
            assert_true(r.code == 0 || strstr(r.err, "run 1 is done")); /* killed on its way out */
            ran_clear(&r);
            break;
        }
    }
    same_hash("calm", "killed", "r");
    char **names = NULL;
    size_t count = 0;
    check_ok(wfi_dir_list(in_top("killed/runs/1"), &names, &count, err));
    for (size_t i = 0; i < count; i++) assert_null(strstr(names[i], ".tmp-")); /* nothing half written stays */
    wfi_names_free(names, count);
}

static size_t dotted(const char *folder) {
    char **names = NULL;
    size_t count = 0, n = 0;
    check_ok(wfi_dir_list(folder, &names, &count, err));
    for (size_t i = 0; i < count; i++) n += names[i][0] == '.';
    wfi_names_free(names, count);
    return n;
}

/* Killed while something is added or removed: it is there or not, never half; what was left behind goes with the next
 * addition. */
static void test_killed_additions(void **state) {
    (void)state;
    tiny_task(in_top("large"), 9, 20000, 100, 100);
    free(weft_ok("init adds"));
    char *text = NULL;
    for (int k = 0; k < 10; k++) {
        const pid_t task = weft_start("-C adds task add large large");
        const pid_t base = weft_start("-C adds base add tiny base");
        nap(5 + (int)wfi_random_below(6, (uint64_t)k, 250));
        kill(task, SIGKILL);
        kill(base, SIGKILL);
        weft_wait(task, NULL);
        weft_wait(base, NULL);
        free(weft_ok("-C adds verify"));
        text = weft_ok("-C adds list");
        const char *const have[] = {"task large", "base tiny"}, *const names[] = {"large", "tiny"};
        for (int i = 0; i < 2; i++) {
            if (!strstr(text, have[i])) continue;
            const pid_t rm = weft_start("-C adds rm %s", names[i]);
            nap((int)wfi_random_below(7, (uint64_t)k, 60));
            kill(rm, SIGKILL);
            weft_wait(rm, NULL);
            free(weft_ok("-C adds verify"));
            ran r = weft("-C adds rm %s", names[i]); /* unless it is gone already */
            ran_clear(&r);
        }
        free(text);
    }
    free(weft_ok("-C adds task add small target"));
    free(weft_ok("-C adds base add last base"));
    assert_int_equal(0, dotted(in_top("adds/tasks")));
    assert_int_equal(0, dotted(in_top("adds/bases")));
    free(weft_ok("-C adds verify"));
}

static json_t *compared_metrics(const char *lab, const char *how) {
    json_t *j = weft_json("-C %s %s", lab, how), *rows = json_object_get(j, "rows"), *all = json_array(), *row;
    size_t i;
    json_array_foreach(rows, i, row) json_array_append(all, json_object_get(row, "metrics"));
    json_decref(j);
    return all;
}

static void test_killed_comparison(void **state) {
    (void)state;
    static const char COMPARE[] = "compare target --threads 1 --methods head,seq_bn --rows 40,80 --seeds 2 --epochs 3";
    json_t *calm = compared_metrics("calm", COMPARE);
    lab_make("cut");
    const pid_t pid = weft_start("-C cut %s", COMPARE);
    file_await(in_top("cut/runs/1/cells.json"));
    nap(50);
    kill(pid, SIGKILL);
    weft_wait(pid, NULL);
    free(weft_ok("-C cut verify"));
    char *list = weft_ok("-C cut list");
    const char *how = strstr(list, "run 1: compare target, done") ? COMPARE : "resume 1";
    json_t *cut = compared_metrics("cut", how);
    assert_int_equal(8, json_array_size(cut));
    assert_true(json_equal(calm, cut));
    json_decref(calm);
    json_decref(cut);
    free(list);
}

/* What an unbroken comparison ends with, a resumed one does too: its table. */
static void test_resumed_comparison_shows_its_table(void **state) {
    (void)state;
    lab_make("shown");
    const pid_t pid = weft_start("-C shown compare target --threads 1 --methods head,seq_bn --seeds 5 --epochs 20");
    file_await(in_top("shown/runs/1/cells.json"));
    kill(pid, SIGINT);
    assert_int_equal(1, weft_wait(pid, NULL));
    char *said = weft_ok("-C shown resume 1");
    if (!strstr(said, "test scores: mean +- standard deviation over 5 seeds (run 1)") || !strstr(said, "seq_bn"))
        fail_msg("%s", said);
    free(said);
}

/* Two trainings in one lab at once give what each gives alone. */
static void test_two_at_once(void **state) {
    (void)state;
    lab_make("both");
    const pid_t a = weft_start("-C both %s", TRAIN),
                b = weft_start("-C both train notes --threads 1 --name n --epochs 4");
    assert_int_equal(0, weft_wait(a, NULL));
    assert_int_equal(0, weft_wait(b, NULL));
    free(weft_ok("-C both verify"));
    free(weft_ok("-C calm train notes --threads 1 --name n --epochs 4"));
    same_hash("calm", "both", "r");
    same_hash("calm", "both", "n");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_interrupted),
                                       cmocka_unit_test(test_what_is_said),
                                       cmocka_unit_test(test_no_handler_on_a_computing_stack),
                                       cmocka_unit_test(test_killed_training),
                                       cmocka_unit_test(test_killed_additions),
                                       cmocka_unit_test(test_killed_comparison),
                                       cmocka_unit_test(test_resumed_comparison_shows_its_table),
                                       cmocka_unit_test(test_two_at_once)};
    return cmocka_run_group_tests(tests, top_make, top_remove);
}
