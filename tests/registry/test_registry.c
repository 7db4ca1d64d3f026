/* tests/registry/test_registry.c - objects, links and runs of one lab in one process: what is stored, what is refused,
 * what is said. */
#include "base/alloc.h"
#include "base/file.h"
#include "check.h"
#include "registry/registry.h"
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[256], file[300];
static wf_registry *reg;

static int setup(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "%s", check_temp_dir());
    snprintf(file, sizeof file, "%s/weft.db", folder);
    check_ok(wfi_registry_open(file, true, &reg, err));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    wfi_registry_close(reg);
    reg = NULL;
    check_ok(wfi_tree_remove(folder, err));
    return 0;
}

static int64_t put(const char *kind, const char *name) {
    int64_t id = 0;
    const wf_record r = {.kind = (char *)kind,
                         .name = (char *)name,
                         .hash = (char *)"ab12",
                         .path = (char *)"objects/ab12",
                         .json = (char *)"{\"a\":1}"};
    check_ok(wfi_registry_put(reg, &r, &id, err));
    return id;
}

static void says(wf_status want, wf_status got, const wf_err *err, const char *part) {
    if (got != want || !strstr(err->text, part))
        fail_msg("status %d (wanted %d), \"%s\" should hold \"%s\"", (int)got, (int)want, err->text, part);
}

static void test_put_get(void **state) {
    (void)state;
    wf_record r = {0};
    int64_t id = put("base", "minilm");
    assert_true(id > 0);
    check_ok(wfi_registry_get(reg, "base", "minilm", &r, err));
    assert_int_equal(r.id, id);
    assert_string_equal(r.kind, "base");
    assert_string_equal(r.name, "minilm");
    assert_string_equal(r.hash, "ab12");
    assert_string_equal(r.path, "objects/ab12");
    assert_string_equal(r.json, "{\"a\":1}");
    assert_int_equal(strlen(r.created), 20);
    wfi_record_clear(&r);
    /* Missing texts have defaults; the same name may serve another kind. */
    const wf_record bare = {.kind = (char *)"task", .name = (char *)"minilm"};
    check_ok(wfi_registry_put(reg, &bare, NULL, err));
    check_ok(wfi_registry_get(reg, "task", "minilm", &r, err));
    assert_string_equal(r.json, "{}");
    assert_string_equal(r.path, "");
    wfi_record_clear(&r);
    /* What was written is there for the next opening. */
    wfi_registry_close(reg);
    check_ok(wfi_registry_open(file, false, &reg, err));
    check_ok(wfi_registry_get(reg, "base", "minilm", &r, err));
    assert_int_equal(r.id, id);
    wfi_record_clear(&r);
}

static void test_odd_texts(void **state) {
    (void)state;
    wf_record r = {0};
    const char *name = "it's \"quoted\"; DROP TABLE objects; -- \xc3\xa4\xe2\x82\xac";
    put("model", name);
    check_ok(wfi_registry_get(reg, "model", name, &r, err));
    assert_string_equal(r.name, name);
    wfi_record_clear(&r);
}

static void test_list(void **state) {
    (void)state;
    char name[16];
    wf_record *list = NULL;
    size_t count = 1;
    check_ok(wfi_registry_list(reg, NULL, &list, &count, err));
    assert_int_equal(count, 0);
    assert_non_null(list);
    wfi_records_free(list, count);
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "m%d", i);
        put(i % 2 ? "task" : "model", name);
    }
    check_ok(wfi_registry_list(reg, NULL, &list, &count, err));
    assert_int_equal(count, 20);
    for (size_t i = 1; i < count; i++) assert_true(list[i].id > list[i - 1].id);
    wfi_records_free(list, count);
    check_ok(wfi_registry_list(reg, "task", &list, &count, err));
    assert_int_equal(count, 10);
    assert_string_equal(list[0].name, "m1");
    wfi_records_free(list, count);
}

static void test_refusals(void **state) {
    (void)state;
    wf_err e = {0};
    wf_record r = {0}, *list = NULL;
    size_t count = 0;
    put("model", "a");
    const wf_record again = {.kind = (char *)"model", .name = (char *)"a"},
                    strange = {.kind = (char *)"adaptor", .name = (char *)"a"},
                    nameless = {.kind = (char *)"model", .name = (char *)""};
    says(WF_E_EXISTS, wfi_registry_put(reg, &again, NULL, &e), &e, "there is a model \"a\" already");
    says(WF_E_ARG, wfi_registry_put(reg, &strange, NULL, &e), &e, "adaptor");
    says(WF_E_ARG, wfi_registry_put(reg, &nameless, NULL, &e), &e, "needs a name");
    check_status(WF_E_ARG, wfi_registry_get(reg, "thing", "a", &r, err));
    check_status(WF_E_ARG, wfi_registry_get(reg, NULL, "a", &r, err));
    check_status(WF_E_ARG, wfi_registry_list(reg, "thing", &list, &count, err));
    check_status(WF_E_ARG, wfi_registry_remove(reg, "model", "", err));
    check_status(WF_E_NOTFOUND, wfi_registry_remove(reg, "model", "zzz", err));
    assert_null(r.name);
    assert_null(list);
    assert_int_equal(WF_E_NOTFOUND, wfi_registry_get(reg, "model", "zzz", &r, NULL)); /* err may be NULL */
}

static void test_near_names(void **state) {
    (void)state;
    wf_err e = {0};
    wf_record r = {0};
    says(WF_E_NOTFOUND, wfi_registry_get(reg, "task", "sst2", &r, &e), &e, "the lab has no task yet");
    put("task", "sst2");
    put("task", "trec");
    put("task", "mnli_small");
    put("model", "sst2-seq_bn");
    says(WF_E_NOTFOUND, wfi_registry_get(reg, "task", "sts2", &r, &e), &e, "did you mean \"sst2\"?");
    says(WF_E_NOTFOUND, wfi_registry_get(reg, "task", "SST2", &r, &e), &e, "\"sst2\"");
    says(WF_E_NOTFOUND, wfi_registry_get(reg, "task", "mnli", &r, &e), &e, "\"mnli_small\"");
    says(WF_E_NOTFOUND, wfi_registry_get(reg, "task", "sst2-seq_bn", &r, &e), &e, "\"sst2-seq_bn\" is a model");
    says(WF_E_NOTFOUND, wfi_registry_get(reg, "task", "qqqqqq", &r, &e), &e,
         "there is \"sst2\", \"trec\", \"mnli_small\"");
    assert_string_equal(e.subject, "qqqqqq");
    put("task", "sst1");
    put("task", "sst3");
    put("task", "sst4");
    put("task", "sst22");
    says(WF_E_NOTFOUND, wfi_registry_get(reg, "task", "zzzzzzzz", &r, &e), &e, " and 3 more");
    says(WF_E_NOTFOUND, wfi_registry_get(reg, "task", "sst", &r, &e), &e, "\"sst2\", \"sst1\", \"sst3\", \"sst4\"?");
    char name[401] = {0}; /* longer than any message */
    memset(name, 'x', 400);
    says(WF_E_NOTFOUND, wfi_registry_get(reg, "task", name, &r, &e), &e, "no task \"xxx");
}

static void test_dependencies(void **state) {
    (void)state;
    wf_err e = {0};
    wf_record *list = NULL;
    size_t count = 0;
    const int64_t base = put("base", "minilm"), task = put("task", "sst2"), a = put("model", "a"),
                  b = put("model", "b"), f = put("model", "f");
    const int64_t links[][2] = {{a, base}, {a, task}, {b, base}, {f, a}, {f, b}, {f, b}};
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        check_ok(wfi_registry_link(reg, links[i][0], links[i][1], err));
    says(WF_E_BUSY, wfi_registry_remove(reg, "model", "a", &e), &e, "model \"f\" needs it; remove that first");
    says(WF_E_BUSY, wfi_registry_remove(reg, "base", "minilm", &e), &e,
         "model \"a\", model \"b\" need it; remove those first");
    check_ok(wfi_registry_parents(reg, f, &list, &count, err));
    assert_int_equal(count, 2);
    assert_string_equal(list[1].name, "b");
    wfi_records_free(list, count);
    check_ok(wfi_registry_children(reg, base, &list, &count, err));
    assert_int_equal(count, 2);
    wfi_records_free(list, count);
    check_ok(wfi_registry_remove(reg, "model", "f", err)); /* its own links go with it */
    check_ok(wfi_registry_remove(reg, "model", "a", err));
    check_ok(wfi_registry_remove(reg, "task", "sst2", err));
    says(WF_E_ARG, wfi_registry_link(reg, base, b, &e), &e, "not older");
    says(WF_E_ARG, wfi_registry_link(reg, b, b, &e), &e, "not older");
    says(WF_E_NOTFOUND, wfi_registry_link(reg, 1000, b, &e), &e, "1000");
    assert_true(put("model", "later") > f); /* ids are not given out again */
}

static void test_transactions(void **state) {
    (void)state;
    wf_record r = {0};
    check_ok(wfi_registry_begin(reg, err));
    check_status(WF_E_ARG, wfi_registry_begin(reg, err));
    const int64_t base = put("base", "x"), model = put("model", "y");
    check_ok(wfi_registry_link(reg, model, base, err));
    check_status(WF_E_BUSY,
                 wfi_registry_remove(reg, "base", "x", err)); /* a failure inside leaves the transaction open */
    const wf_record twice = {.kind = (char *)"model", .name = (char *)"y"};
    check_status(WF_E_EXISTS, wfi_registry_put(reg, &twice, NULL, err));
    check_ok(wfi_registry_get(reg, "model", "y", &r, err));
    wfi_record_clear(&r);
    wfi_registry_rollback(reg);
    check_status(WF_E_NOTFOUND, wfi_registry_get(reg, "model", "y", &r, err));
    check_status(WF_E_ARG, wfi_registry_commit(reg, err));
    wfi_registry_rollback(reg); /* nothing open: nothing done */
    check_ok(wfi_registry_begin(reg, err));
    put("base", "x");
    check_ok(wfi_registry_commit(reg, err));
    check_ok(wfi_registry_begin(reg, err));
    put("base", "z");
    wfi_registry_close(reg); /* closing drops what was not committed */
    check_ok(wfi_registry_open(file, false, &reg, err));
    check_ok(wfi_registry_get(reg, "base", "x", &r, err));
    wfi_record_clear(&r);
    check_status(WF_E_NOTFOUND, wfi_registry_get(reg, "base", "z", &r, err));
}

static void sql(const char *path, const char *text) {
    sqlite3 *db = NULL;
    assert_int_equal(SQLITE_OK, sqlite3_open(path, &db));
    assert_int_equal(SQLITE_OK, sqlite3_exec(db, text, NULL, NULL, NULL));
    sqlite3_close(db);
}

static void test_foreign_files(void **state) {
    (void)state;
    char path[320];
    wf_err e = {0};
    wf_registry *other = NULL;
    says(WF_E_NOTFOUND, wfi_registry_open("/nowhere/weft.db", false, &other, &e), &e, "does not exist");
    says(WF_E_IO, wfi_registry_open("/nowhere/weft.db", true, &other, &e), &e, "/nowhere/weft.db");
    says(WF_E_DATA, wfi_registry_open(folder, true, &other, &e), &e, "is a folder");
    check_status(WF_E_ARG, wfi_registry_open(NULL, true, &other, err));
    snprintf(path, sizeof path, "%s/text", folder);
    char text[4096];
    memset(text, 'x', sizeof text);
    check_ok(wfi_file_write(path, text, sizeof text, err));
    says(WF_E_DATA, wfi_registry_open(path, false, &other, &e), &e, "no lab database");
    snprintf(path, sizeof path, "%s/other.db", folder);
    sql(path, "CREATE TABLE things(id); INSERT INTO things VALUES(1)");
    says(WF_E_DATA, wfi_registry_open(path, true, &other, &e), &e, "another program");
    sql(path, "SELECT count(*) FROM things");           /* left as it was */
    snprintf(path, sizeof path, "%s/empty.db", folder); /* beside a lab's other folders it would hide them all */
    check_ok(wfi_file_write(path, "", 0, err));
    says(WF_E_DATA, wfi_registry_open(path, false, &other, &e), &e, "empty.db is empty: it was not made by weft");
    says(WF_E_DATA, wfi_registry_open(path, true, &other, &e), &e, "is empty");
    wfi_registry_close(NULL);
}

static void test_newer_version(void **state) {
    (void)state;
    wf_err e = {0};
    wf_registry *other = NULL;
    wfi_registry_close(reg);
    reg = NULL;
    sql(file, "PRAGMA user_version = 99");
    says(WF_E_UNSUPPORTED, wfi_registry_open(file, false, &other, &e), &e,
         "newer weft (lab version 99; this program knows up to 1)");
    sql(file, "PRAGMA user_version = -3");
    says(WF_E_DATA, wfi_registry_open(file, false, &other, &e), &e, "-3");
    sql(file, "PRAGMA user_version = 1");
    check_ok(wfi_registry_open(file, false, &reg, err));
}

/* A lab of an older program is migrated; one whose version says less than its tables is refused and left as it was. */
static void test_older_version(void **state) {
    (void)state;
    wf_err e = {0};
    wf_record r = {0};
    wf_registry *other = NULL;
    put("task", "kept");
    wfi_registry_close(reg);
    reg = NULL;
    sql(file, "PRAGMA user_version = 0");
    assert_int_not_equal(WF_OK, wfi_registry_open(file, false, &other, &e));
    assert_non_null(strstr(e.text, "migrating the lab failed"));
    assert_non_null(strstr(e.text, file));
    sql(file, "PRAGMA user_version = 1");
    check_ok(wfi_registry_open(file, false, &reg, err));
    check_ok(wfi_registry_get(reg, "task", "kept", &r, err));
    wfi_record_clear(&r);
    char path[320]; /* version 0 without tables: what a program killed before its first migration leaves */
    snprintf(path, sizeof path, "%s/young.db", folder);
    sql(path, "PRAGMA application_id = 0x77656674");
    check_ok(wfi_registry_open(path, false, &other, err));
    wfi_registry_close(other);
}

/* Its tables overwritten: the file is named, and that it is damaged. */
static void test_damage_is_named(void **state) {
    (void)state;
    wf_err e = {0};
    char *bytes = NULL;
    size_t size = 0;
    wf_record *list = NULL;
    size_t count = 0;
    put("task", "t");
    wfi_registry_close(reg);
    reg = NULL;
    check_ok(wfi_file_read(file, 1 << 24, &bytes, &size, err));
    memset(bytes + 4096, 0xff, size - 4096); /* all but the first page */
    check_ok(wfi_file_write(file, bytes, size, err));
    wfi_free(bytes);
    wf_status st = wfi_registry_open(file, false, &reg, &e);
    if (st == WF_OK) st = wfi_registry_list(reg, NULL, &list, &count, &e);
    assert_int_equal(WF_E_DATA, st);
    assert_non_null(strstr(e.text, file));
    assert_non_null(strstr(e.text, "malformed"));
}

static void test_damaged_file(void **state) {
    (void)state;
    char name[16], *bytes = NULL;
    size_t size = 0;
    wf_registry *other = NULL;
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "m%d", i);
        put("model", name);
    }
    wfi_registry_close(reg); /* the last to close folds the log into the file */
    reg = NULL;
    check_ok(wfi_file_read(file, 1 << 24, &bytes, &size, err));
    for (size_t cut = 1; cut < 24; cut++) { /* zeroed pages and cut ends: an error or a list, never a crash */
        char *damaged = malloc(size);
        memcpy(damaged, bytes, size);
        memset(damaged + size * cut / 24, cut % 2 ? 0 : 0xff, size / 24);
        check_ok(wfi_file_write(file, damaged, cut % 3 ? size : size * cut / 24, err));
        free(damaged);
        if (wfi_registry_open(file, false, &other, NULL) == WF_OK) {
            wf_record *list = NULL;
            size_t count = 0;
            if (wfi_registry_list(other, NULL, &list, &count, NULL) == WF_OK) wfi_records_free(list, count);
            wfi_registry_close(other);
        }
    }
    wfi_free(bytes);
}

static void test_runs(void **state) {
    (void)state;
    wf_err e = {0};
    wf_run run = {0}, *list = NULL;
    size_t count = 0;
    int64_t id = 0, second = 0;
    check_status(WF_E_ARG, wfi_run_begin(reg, "", "x", "{}", &id, err));
    check_ok(wfi_run_begin(reg, "train", "a", "{\"task\":\"sst2\"}", &id, err));
    check_ok(wfi_run_get(reg, id, &run, err));
    assert_string_equal(run.command, "train");
    assert_string_equal(run.spec, "{\"task\":\"sst2\"}");
    assert_string_equal(run.status, "running");
    assert_string_equal(run.result, "");
    assert_string_equal(run.finished, "");
    assert_int_equal(run.pid, getpid());
    wfi_run_clear(&run);
    says(WF_E_BUSY, wfi_run_claim(reg, id, &e), &e, "process"); /* this very process works on it */
    says(WF_E_ARG, wfi_run_end(reg, id, "running", "", &e), &e, "done, failed or cancelled");
    check_ok(wfi_run_end(reg, id, "cancelled", "{}", err));
    check_ok(wfi_run_claim(reg, id, err));
    check_ok(wfi_run_end(reg, id, "failed", "disk full", err));
    check_ok(wfi_run_claim(reg, id, err));
    check_ok(wfi_run_end(reg, id, "done", "{\"ok\":1}", err));
    check_ok(wfi_run_get(reg, id, &run, err));
    assert_string_equal(run.status, "done");
    assert_string_equal(run.result, "{\"ok\":1}");
    assert_int_equal(strlen(run.finished), 20);
    wfi_run_clear(&run);
    says(WF_E_ARG, wfi_run_claim(reg, id, &e), &e, "nothing to resume");
    check_status(WF_E_NOTFOUND, wfi_run_claim(reg, 77, err));
    check_status(WF_E_NOTFOUND, wfi_run_end(reg, 77, "done", "", err));
    check_status(WF_E_NOTFOUND, wfi_run_get(reg, 77, &run, err));
    for (int i = 0; i < 10; i++) check_ok(wfi_run_begin(reg, "fuse", NULL, NULL, &second, err));
    check_ok(wfi_run_list(reg, &list, &count, err));
    assert_int_equal(count, 11);
    assert_int_equal(list[0].id, id);
    assert_int_equal(list[10].id, second);
    wfi_runs_free(list, count);
}

static void test_dead_runs(void **state) {
    (void)state;
    wf_run run = {0};
    int64_t id = 0;
    char text[200];
    wfi_registry_close(reg); /* SQLite's handles must not cross a fork */
    reg = NULL;
    pid_t child = fork(); /* begins a run and dies without ending it */
    if (child == 0) {
        wf_registry *mine = NULL;
        _exit(wfi_registry_open(file, false, &mine, NULL) || wfi_run_begin(mine, "train", "a", "{}", NULL, NULL));
    }
    int status = -1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    check_ok(wfi_registry_open(file, false, &reg, err));
    check_ok(wfi_run_claim(reg, 1, err));
    check_ok(wfi_run_get(reg, 1, &run, err));
    assert_int_equal(run.pid, getpid());
    wfi_run_clear(&run);
    /* A pid that lives but is another process than the one that began: the number was given out again. */
    check_ok(wfi_run_begin(reg, "train", "b", "{}", &id, err));
    snprintf(text, sizeof text, "UPDATE runs SET process = 'some-boot/12345' WHERE id = %lld", (long long)id);
    sql(file, text);
    check_ok(wfi_run_claim(reg, id, err));
    sql(file, "UPDATE runs SET pid = -1, process = ''"); /* nonsense in the file signals nobody */
    check_ok(wfi_run_claim(reg, id, err));
}

static void test_no_memory(void **state) {
    (void)state;
    put("task", "sst2");
    put("model", "a");
    check_ok(wfi_run_begin(reg, "train", "a", "{}", NULL, err));
    for (long n = 1; n < 40; n++) {
        wf_registry *other = NULL;
        wf_record r = {0}, *list = NULL;
        wf_run *runs = NULL;
        size_t count = 0;
        wfi_alloc_fail_at(n);
        if (wfi_registry_open(file, false, &other, NULL) == WF_OK) wfi_registry_close(other);
        wfi_alloc_fail_at(n);
        if (wfi_registry_get(reg, "model", "a", &r, NULL) == WF_OK) wfi_record_clear(&r);
        wf_err e = {0};
        wfi_alloc_fail_at(n);
        wf_status st = wfi_registry_get(reg, "model", "b", &r, &e);
        assert_true(st == WF_E_NOTFOUND || st == WF_E_NOMEM);
        wfi_alloc_fail_at(n);
        if (wfi_registry_list(reg, NULL, &list, &count, NULL) == WF_OK) wfi_records_free(list, count);
        wfi_alloc_fail_at(n);
        if (wfi_run_list(reg, &runs, &count, NULL) == WF_OK) wfi_runs_free(runs, count);
    }
    wfi_alloc_fail_at(0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_put_get, setup, teardown),
        cmocka_unit_test_setup_teardown(test_odd_texts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_near_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dependencies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transactions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_foreign_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_newer_version, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_older_version, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(test_runs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dead_runs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
