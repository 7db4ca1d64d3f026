/* A lab that this user may only read, and a disk that takes no more: who can work all the same, and what is said. */
#include "base/file.h"
#include "check.h"
#include "registry/registry.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOBODY = 65534 };
static char folder[256], lab[300], file[320];

static int setup(void **state) {
    (void)state;
    wf_registry *r = NULL;
    const wf_record task = {.kind = (char *)"task", .name = (char *)"kept"};
    snprintf(folder, sizeof folder, "%s", check_temp_dir());
    snprintf(lab, sizeof lab, "%s/50%% of #1?mode=rwc&x y", folder); /* must not be taken for parts of a URI */
    snprintf(file, sizeof file, "%s/weft.db", lab);
    check_ok(wfi_dir_make(lab, err));
    check_ok(wfi_registry_open(file, true, &r, err));
    check_ok(wfi_registry_put(r, &task, NULL, err));
    check_ok(wfi_run_begin(r, "train", "kept", "{}", NULL, err));
    wfi_registry_close(r);
    return chmod(folder, 0755);
}

static int teardown(void **state) {
    (void)state;
    chmod(lab, 0755);
    check_ok(wfi_tree_remove(folder, err));
    return 0;
}

static void close_lab(mode_t file_mode, mode_t lab_mode) {
    assert_int_equal(0, chmod(file, file_mode));
    assert_int_equal(0, chmod(lab, lab_mode));
}

/* Runs `work` in a child without root's rights; what it says went wrong fails the test. */
static void as_reader(const char *(*work)(void)) {
    int ends[2], status = 0;
    char said[700] = "";
    assert_int_equal(0, pipe(ends));
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const char *wrong = geteuid() == 0 && setuid(NOBODY) != 0 ? "cannot become another user" : work();
        if (wrong && write(ends[1], wrong, strlen(wrong)) < 0) _exit(2);
        _exit(wrong != NULL);
    }
    close(ends[1]);
    if (read(ends[0], said, sizeof said - 1) < 0) said[0] = 0;
    close(ends[0]);
    assert_int_equal(child, waitpid(child, &status, 0));
    if (status != 0) fail_msg("status %d: %s", status, said);
}

static wf_err e;

static const char *read_all(void) {
    wf_registry *r = NULL;
    wf_record *list = NULL;
    wf_run *runs = NULL;
    size_t count = 0;
    if (wfi_registry_open(file, false, &r, &e) || wfi_registry_list(r, NULL, &list, &count, &e)) return e.text;
    if (count != 1 || strcmp(list[0].name, "kept") != 0) return "another list of objects";
    if (wfi_run_list(r, &runs, &count, &e)) return e.text;
    if (count != 1) return "another list of runs";
    wfi_records_free(list, 1);
    wfi_runs_free(runs, count);
    wfi_registry_close(r);
    return NULL;
}

static const char *write_refused(const char *why) {
    wf_registry *r = NULL;
    const wf_record task = {.kind = (char *)"task", .name = (char *)"more"};
    if (wfi_registry_open(file, false, &r, &e)) return e.text;
    for (int i = 0; i < 5; i++) {
        e = (wf_err){0};
        const wf_status st = i == 0   ? wfi_registry_put(r, &task, NULL, &e)
                             : i == 1 ? wfi_registry_begin(r, &e)
                             : i == 2 ? wfi_registry_remove(r, "task", "kept", &e)
                             : i == 3 ? wfi_run_begin(r, "train", "more", "{}", NULL, &e)
                                      : wfi_run_claim(r, 1, &e);
        if (st != WF_E_IO) return "a write was not refused";
        if (!strstr(e.text, why) || !strstr(e.text, "weft.db")) return e.text;
    }
    wfi_registry_close(r);
    return NULL;
}

static const char *write_any(void) {
    return write_refused("the lab is read-only");
}

static void test_closed_to_writers(void **state) {
    (void)state;
    static const mode_t modes[][2] = {{0444, 0555}, {0444, 0777}, {0666, 0555}};
    for (int i = 0; i < 3; i++) {
        close_lab(modes[i][0], modes[i][1]);
        as_reader(read_all);
        as_reader(write_any);
        char **names = NULL;
        size_t count = 0;
        check_ok(wfi_dir_list(lab, &names, &count, err)); /* readers leave nothing behind */
        assert_int_equal(1, count);
        wfi_names_free(names, count);
    }
}

/* A writer has the lab open, with changes that are in its log only. */
static void test_beside_a_writer(void **state) {
    (void)state;
    wf_registry *r = NULL;
    int go[2], ready[2], status = 0;
    char byte = 0;
    assert_int_equal(0, pipe(go) | pipe(ready));
    const pid_t writer = fork(); /* SQLite's handles must not cross the fork of as_reader */
    if (writer == 0) {
        const wf_record other = {.kind = (char *)"task", .name = (char *)"other"};
        if (wfi_registry_open(file, false, &r, NULL) || wfi_registry_remove(r, "task", "kept", NULL) ||
            wfi_registry_put(r, &other, NULL, NULL) || wfi_registry_remove(r, "task", "other", NULL) ||
            wfi_registry_put(r, &(wf_record){.kind = (char *)"base", .name = (char *)"kept"}, NULL, NULL))
            _exit(1);
        _exit(write(ready[1], "", 1) != 1 || read(go[0], &byte, 1) != 1);
    }
    assert_int_equal(1, read(ready[0], &byte, 1));
    close_lab(0444, 0555);
    as_reader(read_all);
    as_reader(write_any);
    assert_int_equal(1, write(go[1], "", 1));
    waitpid(writer, &status, 0); /* without closing: as if it had been killed */
    assert_int_equal(0, status);
    as_reader(read_all);
    assert_int_equal(0, chmod(lab, 0755));
    char index[330];
    snprintf(index, sizeof index, "%s-shm", file);
    assert_int_equal(0, unlink(index));
    assert_int_equal(0, chmod(lab, 0555));
    wf_registry *none = NULL;
    if (geteuid() != 0) {
        check_status(WF_E_IO, wfi_registry_open(file, false, &none, err));
        return;
    }
    const pid_t child = fork();
    if (child == 0) {
        if (setuid(NOBODY) != 0) _exit(2);
        const wf_status st = wfi_registry_open(file, false, &none, &e);
        _exit(st == WF_E_IO && strstr(e.text, "weft.db-wal") ? 0 : 1);
    }
    waitpid(child, &status, 0);
    assert_int_equal(0, status);
}

static const char *grow(void) {
    wf_registry *r = NULL;
    static char spec[100000]; /* more than there is room for */
    memset(spec, 'x', sizeof spec - 1);
    spec[sizeof spec - 1] = 0;
    signal(SIGXFSZ, SIG_IGN);
    if (wfi_registry_open(file, false, &r, &e)) return e.text;
    if (setrlimit(RLIMIT_FSIZE, &(struct rlimit){60000, 60000})) return "no limit set";
    const wf_status st = wfi_run_begin(r, "train", "x", spec, NULL, &e);
    if (st != WF_E_IO) return "it should not fit";
    return strstr(e.text, "File too large") || strstr(e.text, "no space is left") ? NULL : e.text;
}

static void test_no_room(void **state) {
    (void)state;
    close_lab(0666, 0777);
    as_reader(grow);
    as_reader(read_all); /* nothing of it was stored */
}

/* No room for even the files that SQLite makes to read. */
static const char *no_room_left(void) {
    signal(SIGXFSZ, SIG_IGN);
    return setrlimit(RLIMIT_FSIZE, &(struct rlimit){1, 1}) ? "no limit set" : NULL;
}

static const char *read_without_room(void) {
    const char *wrong = no_room_left();
    return wrong ? wrong : read_all();
}

static const char *write_without_room(void) {
    const char *wrong = no_room_left();
    return wrong ? wrong : write_refused("it can only be read");
}

/* Killed with changes in its log only; the index of the log is gone too. */
static void writer_cut_off(void) {
    char index[330];
    int status = 0;
    const pid_t writer = fork();
    if (writer == 0) {
        wf_registry *r = NULL;
        if (wfi_registry_open(file, false, &r, NULL) || wfi_registry_remove(r, "task", "kept", NULL) ||
            wfi_registry_put(r, &(wf_record){.kind = (char *)"base", .name = (char *)"kept"}, NULL, NULL))
            _exit(1);
        _exit(0); /* without closing */
    }
    waitpid(writer, &status, 0);
    assert_int_equal(0, status);
    snprintf(index, sizeof index, "%s-shm", file);
    assert_int_equal(0, unlink(index));
}

static void test_no_room_to_open(void **state) {
    (void)state;
    close_lab(0666, 0777);
    as_reader(read_without_room);
    as_reader(write_without_room);
    writer_cut_off();
    char log[330];
    struct stat info;
    snprintf(log, sizeof log, "%s-wal", file);
    assert_int_equal(0, chmod(log, 0666));
    as_reader(read_without_room);
    assert_true(stat(log, &info) == 0 && info.st_size > 0); /* what is in it alone was read, not lost */
    as_reader(write_without_room);
    as_reader(read_all); /* there is room again */
}

/* A lab that cannot be made whole is not begun. */
static const char *begin(void) {
    wf_registry *r = NULL;
    char fresh[330];
    snprintf(fresh, sizeof fresh, "%s/new.db", lab);
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &(struct rlimit){6000, 6000})) return "no limit set";
    if (wfi_registry_open(fresh, true, &r, &e) == WF_OK) return "it should not fit";
    return wfi_file_exists(fresh) ? "half a lab was left" : NULL;
}

static void test_no_half_lab(void **state) {
    (void)state;
    close_lab(0666, 0777);
    as_reader(begin);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_closed_to_writers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_beside_a_writer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_room_to_open, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_half_lab, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
