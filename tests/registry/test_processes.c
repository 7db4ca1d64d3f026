/* tests/registry/test_processes.c - several processes on one lab: a writer killed at any moment leaves a readable lab
 * without half transactions, two writers lose nothing, a locked lab is waited for, and opening a new lab may race. */
#include "base/clock.h"
#include "base/file.h"
#include "check.h"
#include "registry/registry.h"
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char folder[256], file[300];

static int setup(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "%s", check_temp_dir());
    snprintf(file, sizeof file, "%s/weft.db", folder);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    check_ok(wfi_tree_remove(folder, err));
    return 0;
}

/* In a child: a model with its run and two links in one transaction, `count` times; the exit status says how it went.
 */
static void write_groups(const char *who, int count) {
    wf_registry *r = NULL;
    char name[64];
    if (wfi_registry_open(file, true, &r, NULL)) _exit(10);
    for (int i = 0; i < count; i++) {
        int64_t ids[3] = {0};
        const char *kinds[] = {"base", "task", "model"};
        if (wfi_registry_begin(r, NULL)) _exit(11);
        for (int k = 0; k < 3; k++) {
            snprintf(name, sizeof name, "%s-%d", who, i);
            const wf_record record = {.kind = (char *)kinds[k], .name = name};
            if (wfi_registry_put(r, &record, &ids[k], NULL)) _exit(12);
        }
        if (wfi_registry_link(r, ids[2], ids[0], NULL) || wfi_registry_link(r, ids[2], ids[1], NULL)) _exit(13);
        if (wfi_run_begin(r, "train", name, "{}", NULL, NULL)) _exit(14);
        if (wfi_registry_commit(r, NULL)) _exit(15);
    }
    wfi_registry_close(r);
    _exit(0);
}

static void integrity(void) {
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    assert_int_equal(SQLITE_OK, sqlite3_open(file, &db));
    assert_int_equal(SQLITE_OK, sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &s, NULL));
    assert_int_equal(SQLITE_ROW, sqlite3_step(s));
    assert_string_equal("ok", (const char *)sqlite3_column_text(s, 0));
    sqlite3_finalize(s);
    sqlite3_close(db);
}

static size_t groups(void) { /* whole ones; anything else fails */
    wf_registry *r = NULL;
    wf_record *list = NULL, *parents = NULL;
    wf_run *runs = NULL;
    size_t count[3], run_count = 0, n = 0;
    const char *kinds[] = {"base", "task", "model"};
    check_ok(wfi_registry_open(file, false, &r, err));
    for (int k = 0; k < 3; k++) {
        check_ok(wfi_registry_list(r, kinds[k], &list, &count[k], err));
        for (size_t i = 0; k == 2 && i < count[k]; i++) {
            check_ok(wfi_registry_parents(r, list[i].id, &parents, &n, err));
            assert_int_equal(n, 2);
            wfi_records_free(parents, n);
        }
        wfi_records_free(list, count[k]);
    }
    check_ok(wfi_run_list(r, &runs, &run_count, err));
    wfi_runs_free(runs, run_count);
    assert_int_equal(count[0], count[1]);
    assert_int_equal(count[0], count[2]);
    assert_int_equal(count[0], run_count);
    wfi_registry_close(r);
    return count[0];
}

static void rest(int ms) {
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L}, NULL);
}

static void test_kill(void **state) {
    (void)state;
    size_t last = 0;
    for (int round = 0; round < 8; round++) {
        char who[16];
        snprintf(who, sizeof who, "r%d", round);
        pid_t child = fork();
        if (child == 0) write_groups(who, 1000000);
        rest(5 + round * 23); /* some rounds hit the opening, others the middle of writing */
        kill(child, SIGKILL);
        int status = 0;
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status));
        if (!wfi_file_exists(file)) continue;
        size_t n = groups();
        assert_true(n >= last);
        last = n;
        integrity();
    }
    for (int tries = 0; last == 0 && tries < 20; tries++) { /* a slow machine: give the writer longer, once */
        pid_t child = fork();
        if (child == 0) write_groups("slow", 1);
        waitpid(child, NULL, 0);
        last = groups();
    }
    assert_true(last > 0);
    /* The dead writers' runs can be taken over. */
    wf_registry *r = NULL;
    check_ok(wfi_registry_open(file, false, &r, err));
    check_ok(wfi_run_claim(r, 1, err));
    wfi_registry_close(r);
}

static void test_two_writers(void **state) {
    (void)state;
    enum { WRITERS = 3, EACH = 25 };
    pid_t child[WRITERS];
    for (int i = 0; i < WRITERS; i++) { /* they also race to make the lab */
        char who[16];
        snprintf(who, sizeof who, "w%d", i);
        child[i] = fork();
        if (child[i] == 0) write_groups(who, EACH);
    }
    for (int i = 0; i < WRITERS; i++) {
        int status = -1;
        waitpid(child[i], &status, 0);
        assert_int_equal(status, 0);
    }
    assert_int_equal(groups(), WRITERS * EACH);
    integrity();
}

static void test_one_name_two_writers(void **state) {
    (void)state;
    pid_t child[2];
    for (int i = 0; i < 2; i++) {
        child[i] = fork();
        if (child[i]) continue;
        wf_registry *r = NULL;
        const wf_record record = {.kind = (char *)"model", .name = (char *)"same"};
        if (wfi_registry_open(file, true, &r, NULL)) _exit(100);
        wf_status st = wfi_registry_put(r, &record, NULL, NULL);
        wfi_registry_close(r);
        _exit((int)st);
    }
    int status[2];
    for (int i = 0; i < 2; i++) waitpid(child[i], &status[i], 0);
    assert_int_equal(WEXITSTATUS(status[0]) + WEXITSTATUS(status[1]), WF_E_EXISTS); /* one of them, and only one */
}

static void test_waits(void **state) {
    (void)state;
    wf_registry *r = NULL, *reader = NULL;
    wf_record *list = NULL;
    size_t count = 0;
    int go[2];
    char byte = 0;
    const wf_record a = {.kind = (char *)"model", .name = (char *)"a"};
    assert_int_equal(0, pipe(go));
    pid_t child = fork(); /* before this process opens anything: SQLite's handles must not cross a fork */
    if (child == 0) {
        if (read(go[0], &byte, 1) != 1) _exit(1);
        write_groups("patient", 1); /* waits until the transaction below is over */
    }
    check_ok(wfi_registry_open(file, true, &r, err));
    check_ok(wfi_registry_open(file, false, &reader, err));
    check_ok(wfi_registry_begin(r, err));
    check_ok(wfi_registry_put(r, &a, NULL, err));
    check_ok(wfi_registry_list(reader, NULL, &list, &count, err)); /* readers do not wait, and see the old state */
    assert_int_equal(count, 0);
    wfi_records_free(list, count);
    assert_int_equal(1, write(go[1], "x", 1));
    rest(300);
    check_ok(wfi_registry_commit(r, err));
    int status = -1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    check_ok(wfi_registry_list(reader, "model", &list, &count, err));
    assert_int_equal(count, 2);
    wfi_records_free(list, count);
    wfi_registry_close(reader);
    wfi_registry_close(r);
    close(go[0]);
    close(go[1]);
}

static void test_living_run(void **state) {
    (void)state;
    wf_registry *r = NULL;
    wf_err e = {0};
    int go[2];
    char byte = 0;
    assert_int_equal(0, pipe(go));
    pid_t child = fork();
    if (child == 0) {
        if (wfi_registry_open(file, true, &r, NULL) || wfi_run_begin(r, "train", "a", "{}", NULL, NULL)) _exit(1);
        if (write(go[1], "x", 1) != 1) _exit(2);
        for (;;) pause();
    }
    assert_int_equal(1, read(go[0], &byte, 1));
    check_ok(wfi_registry_open(file, false, &r, err));
    assert_int_equal(WF_E_BUSY, wfi_run_claim(r, 1, &e));
    char pid[32];
    snprintf(pid, sizeof pid, "process %d", (int)child);
    assert_non_null(strstr(e.text, pid));
    e = (wf_err){0};
    assert_int_equal(WF_E_BUSY, wfi_run_name_check(r, "a", 0, &e)); /* its name is taken */
    assert_non_null(strstr(e.text, pid));
    assert_non_null(strstr(e.text, "run 1"));
    check_ok(wfi_run_name_check(r, "a", 1, err)); /* for others than itself */
    check_ok(wfi_run_name_check(r, "b", 0, err));
    check_ok(wfi_run_begin(r, "compare", "b", "{}", NULL, err)); /* makes no model */
    check_ok(wfi_run_name_check(r, "b", 0, err));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    check_ok(wfi_run_name_check(r, "a", 0, err)); /* who is gone holds nothing */
    check_ok(wfi_run_claim(r, 1, err));
    wfi_registry_close(r);
    close(go[0]);
    close(go[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kill, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_writers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_name_two_writers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_living_run, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
