/* tests/formats/test_zip.c - files out of archives, and what hostile ones are told. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/random.h"
#include "check.h"
#include "formats/zip.h"
#include "zip_make.h"
#include <stdlib.h>

static char dir[256];

static int setup(void **state) {
    (void)state;
    snprintf(dir, sizeof dir, "%s", check_temp_dir());
    return 0;
}

static int teardown(void **state) {
    (void)state;
    return wfi_tree_remove(dir, NULL) == WF_OK ? 0 : 1;
}

static const char *in(const char *name) {
    static char path[2][400];
    static int k;
    k ^= 1;
    snprintf(path[k], sizeof path[k], "%s/%s", dir, name);
    return path[k];
}

static void test_files_come_out_as_they_went_in(void **state) {
    (void)state;
    enum { BYTES = 3000000 }; /* more than one block */
    char *big = malloc(BYTES + 1), *text = NULL;
    size_t n = 0;
    for (int i = 0; i < BYTES; i++) big[i] = (char)('a' + wfi_random_below(1, (uint64_t)i, 26));
    big[BYTES] = 0;
    zip_t *made = zip_make(in("a.zip"));
    zip_text(made, "folder/big", big);
    zip_text(made, "empty", "");
    assert_int_equal(0, zip_close(made));
    wf_zip *z = NULL;
    assert_true(wfi_zip_is(in("a.zip")));
    check_ok(wfi_zip_open(in("a.zip"), &z, err));
    assert_int_equal(2, wfi_zip_count(z));
    assert_string_equal("folder/big", wfi_zip_name(z, 0));
    assert_true(wfi_zip_has(z, "empty") && !wfi_zip_has(z, "big"));
    check_ok(wfi_zip_extract(z, "folder/big", in("big"), err));
    check_ok(wfi_file_read(in("big"), BYTES, &text, &n, err));
    assert_int_equal(BYTES, n);
    assert_memory_equal(big, text, BYTES);
    wfi_free(text);
    check_ok(wfi_zip_extract(z, "empty", in("none"), err));
    check_ok(wfi_file_read(in("none"), 0, &text, &n, err));
    assert_int_equal(0, n);
    wfi_free(text);
    check_status(WF_E_NOTFOUND, wfi_zip_extract(z, "big", in("no"), err));
    assert_false(wfi_file_exists(in("no")));
    wfi_zip_close(z);
    wfi_zip_close(NULL);
    free(big);
    assert_false(wfi_zip_is(in("big")) || wfi_zip_is(dir) || wfi_zip_is(in("absent")));
    check_status(WF_E_DATA, wfi_zip_open(in("big"), &z, err));
    check_status(WF_E_NOTFOUND, wfi_zip_open(in("absent"), &z, err));
}

/* The fuzz target's seeds, by what is said of each. A refused file leaves nothing behind. */
static void test_hostile_archives(void **state) {
    (void)state;
    static const struct {
        const char *seed;
        wf_status want;
        const char *says;
    } rows[] = {{"bad_climbs", WF_E_DATA, "leads out of the archive"},
                {"bad_climbs_inside", WF_E_DATA, "leads out of the archive"},
                {"bad_absolute", WF_E_DATA, "\"/etc/passwd\" leads out"},
                {"bad_backslash", WF_E_DATA, "leads out of the archive"},
                {"bad_cut", WF_E_DATA, "no whole zip archive"},
                {"bad_twice", WF_E_DATA, ""},
                {"bad_bomb", WF_E_DATA, "200 times its size"},
                {"bad_sum", WF_E_DATA, "does not unpack"},
                {"bad_size_long", WF_E_DATA, ""},
                {"bad_size_short", WF_E_DATA, ""},
                {"bad_encrypted", WF_E_UNSUPPORTED, "encrypted"}};
    const char *data = getenv("WEFT_TEST_DATA");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[600];
        wf_zip *z = NULL;
        wf_err e = {0};
        snprintf(path, sizeof path, "%s/../fuzz/seeds/zip/%s", data ? data : "tests", rows[i].seed);
        wf_status st = wfi_zip_open(path, &z, &e);
        if (st == WF_OK) st = wfi_zip_extract(z, wfi_zip_name(z, 0), in("out"), &e);
        if (st != rows[i].want || !strstr(e.text, rows[i].says))
            fail_msg("%s: status %d, \"%s\"", rows[i].seed, (int)st, e.text);
        assert_false(wfi_file_exists(in("out")));
        wfi_zip_close(z);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_files_come_out_as_they_went_in),
                                       cmocka_unit_test(test_hostile_archives)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
