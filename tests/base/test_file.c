/* tests/base/test_file.c - files, folders, hashes. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "check.h"
#include <sys/stat.h>
#include <unistd.h>

static char dir[256];

static int setup(void **state) {
    strcpy(dir, check_temp_dir());
    return 0;
}

static int teardown(void **state) {
    check_ok(wfi_tree_remove(dir, err));
    return 0;
}

static const char *in(const char *name) { /* static storage, two at a time */
    static char path[2][512];
    static int at;
    at ^= 1;
    snprintf(path[at], sizeof path[at], "%s/%s", dir, name);
    return path[at];
}

static void test_write_and_read(void **state) {
    char *text = NULL;
    size_t size = 0;
    wf_map map = {0};
    check_ok(wfi_file_write(in("a"), "one\0two", 7, err));
    check_ok(wfi_file_read(in("a"), 7, &text, &size, err));
    assert_int_equal(7, size);
    assert_memory_equal("one\0two", text, 8); /* and a NUL behind */
    wfi_free(text);
    check_ok(wfi_file_map(in("a"), &map, err));
    assert_int_equal(7, map.size);
    assert_memory_equal("one\0two", map.data, 7);
    wfi_file_unmap(&map);
    assert_null(map.data);
    wfi_file_unmap(&map);
    check_ok(wfi_file_write(in("a"), "", 0, err)); /* over the old one */
    check_ok(wfi_file_map(in("a"), &map, err));
    assert_int_equal(0, map.size);
    assert_null(map.data);
    check_ok(wfi_file_read(in("a"), 0, &text, NULL, err));
    assert_string_equal("", text);
    wfi_free(text);
}

/* kB of mapped files in memory, as the system counts them. */
static long mapped_kilobytes(void) {
    char line[256];
    long kilobytes = -1;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "RssFile:", 8) == 0) kilobytes = strtol(line + 8, NULL, 10);
    if (f) fclose(f);
    return kilobytes;
}

static void test_forget(void **state) {
    enum { SIZE = 16 << 20 };
    wf_map map = {0};
    unsigned char *bytes = wfi_alloc(SIZE, 1);
    for (size_t i = 0; i < SIZE; i++) bytes[i] = (unsigned char)(i * 31 >> 7);
    check_ok(wfi_file_write(in("large"), bytes, SIZE, err));
    check_ok(wfi_file_map(in("large"), &map, err));
    assert_memory_equal(bytes, map.data, SIZE);
    const long before = mapped_kilobytes();
    wfi_file_forget(&map);
    assert_true(mapped_kilobytes() < before - (SIZE >> 10) * 3 / 4);
    assert_memory_equal(bytes, map.data, SIZE); /* and is there again */
    wfi_file_unmap(&map);
    wfi_file_forget(&map); /* of nothing: nothing */
    wfi_free(bytes);
}

static void test_write_leaves_nothing_beside(void **state) {
    char **names = NULL;
    size_t count = 0;
    check_ok(wfi_file_write(in("only"), "x", 1, err));
    check_ok(wfi_file_write(in("only"), "yz", 2, err));
    check_ok(wfi_dir_list(dir, &names, &count, err));
    assert_int_equal(1, count);
    assert_string_equal("only", names[0]);
    wfi_names_free(names, count);
}

/* The old file stays whole for who has it open, and when the new one cannot be put there. */
static void test_write_is_atomic(void **state) {
    wf_map old = {0};
    char *text = NULL;
    check_ok(wfi_file_write(in("f"), "old", 3, err));
    check_ok(wfi_file_map(in("f"), &old, err));
    check_ok(wfi_file_write(in("f"), "newer", 5, err));
    assert_memory_equal("old", old.data, 3);
    wfi_file_unmap(&old);
    for (long n = 1;; n++) {
        wf_err wrong = {0};
        wfi_alloc_fail_at(n);
        const wf_status st = wfi_file_write(in("f"), "newest", 6, &wrong);
        wfi_alloc_fail_at(0);
        if (st == WF_OK) break;
        assert_int_equal(WF_E_NOMEM, st);
    }
    check_ok(wfi_file_read(in("f"), 100, &text, NULL, err));
    assert_string_equal("newest", text);
    wfi_free(text);
    check_ok(wfi_dir_make(in("taken"), err));
    check_ok(wfi_file_write(in("taken/x"), "", 0, err));
    check_status(WF_E_IO, wfi_file_write(in("taken"), "x", 1, err)); /* a folder stands there */
    assert_true(wfi_file_exists(in("taken/x")));
    char **names = NULL;
    size_t count = 0;
    check_ok(wfi_dir_list(dir, &names, &count, err));
    assert_int_equal(2, count); /* nothing half-written is left */
    wfi_names_free(names, count);
}

static void test_what_is_no_file(void **state) {
    char *text = NULL;
    wf_map map = {0};
    check_status(WF_E_NOTFOUND, wfi_file_map(in("absent"), &map, err));
    check_status(WF_E_NOTFOUND, wfi_file_read(in("absent"), 1, &text, NULL, err));
    check_status(WF_E_ARG, wfi_file_map(dir, &map, err));
    check_status(WF_E_NOTFOUND, wfi_file_write(in("no/folder/f"), "", 0, err));
    assert_int_equal(0, mkfifo(in("pipe"), 0600));
    check_status(WF_E_ARG, wfi_file_map("/dev/null", &map, err));
    check_ok(wfi_file_write(in("big"), "12345", 5, err));
    wf_err wrong = {0};
    assert_int_equal(WF_E_DATA, wfi_file_read(in("big"), 4, &text, NULL, &wrong));
    assert_non_null(strstr(wrong.text, "5 bytes"));
    assert_string_equal(in("big"), wrong.subject);
    assert_null(text);
    assert_false(wfi_file_exists(dir));
    assert_true(wfi_dir_exists(dir));
    assert_false(wfi_dir_exists(in("big")));
}

/* A pipe without a writer must be refused, not waited for. */
static void test_a_pipe_is_refused_at_once(void **state) {
    wf_map map = {0};
    assert_int_equal(0, mkfifo(in("pipe"), 0600));
    alarm(20);
    check_status(WF_E_ARG, wfi_file_map(in("pipe"), &map, err));
    alarm(0);
}

static void test_folders(void **state) {
    check_ok(wfi_dir_make(in("a/b//c/"), err));
    assert_true(wfi_dir_exists(in("a/b/c")));
    check_ok(wfi_dir_make(in("a/b"), err)); /* there already */
    check_ok(wfi_file_write(in("a/file"), "", 0, err));
    check_status(WF_E_EXISTS, wfi_dir_make(in("a/file"), err));
    check_status(WF_E_EXISTS, wfi_dir_make(in("a/file/x"), err));
    check_status(WF_E_IO, wfi_dir_make("/proc/x", err)); /* a wish the system does not grant, no wrong name */
    check_ok(wfi_dir_sync(in("a"), err));
    check_status(WF_E_NOTFOUND, wfi_dir_sync(in("none"), err));
    char **names = NULL;
    size_t count = 0;
    check_status(WF_E_NOTFOUND, wfi_dir_list(in("none"), &names, &count, err));
    static const char *const files[] = {"b", "a", "\u00e9", "B", ".hidden", "a1"};
    check_ok(wfi_dir_make(in("many"), err));
    for (size_t i = 0; i < 6; i++) {
        char path[64];
        snprintf(path, sizeof path, "many/%s", files[i]);
        check_ok(wfi_file_write(in(path), "", 0, err));
    }
    check_ok(wfi_dir_list(in("many"), &names, &count, err));
    static const char *const sorted[] = {".hidden", "B", "a", "a1", "b", "\u00e9"};
    assert_int_equal(6, count);
    for (size_t i = 0; i < 6; i++) assert_string_equal(sorted[i], names[i]);
    wfi_names_free(names, count);
    check_ok(wfi_dir_make(in("empty"), err));
    check_ok(wfi_dir_list(in("empty"), &names, &count, err));
    assert_int_equal(0, count);
    wfi_names_free(names, count);
}

static void test_tree_remove_follows_no_link(void **state) {
    check_ok(wfi_dir_make(in("keep"), err));
    check_ok(wfi_file_write(in("keep/f"), "", 0, err));
    check_ok(wfi_dir_make(in("tree/deep"), err));
    check_ok(wfi_file_write(in("tree/deep/f"), "", 0, err));
    assert_int_equal(0, symlink(in("keep"), in("tree/link")));
    assert_int_equal(0, symlink("nowhere", in("tree/dangling")));
    check_ok(wfi_tree_remove(in("tree"), err));
    assert_false(wfi_dir_exists(in("tree")));
    assert_true(wfi_file_exists(in("keep/f")));
    check_ok(wfi_tree_remove(in("tree"), err)); /* gone already */
    check_ok(wfi_tree_remove(in("keep/f"), err));
    assert_false(wfi_file_exists(in("keep/f")));
}

static void test_paths(void **state) {
    static const struct {
        const char *a, *b, *want;
    } cases[] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"}, {"/", "b", "/b"}, {"a", "", "a/"}};
    for (size_t i = 0; i < 5; i++) {
        char *p = wfi_path_join(cases[i].a, cases[i].b);
        assert_string_equal(cases[i].want, p);
        wfi_free(p);
    }
    assert_string_equal("c", wfi_path_base("a/b/c"));
    assert_string_equal("c", wfi_path_base("c"));
    assert_string_equal("", wfi_path_base("c/"));
}

static void test_every_allocation_may_fail(void **state) {
    check_ok(wfi_dir_make(in("d"), err));
    for (int i = 0; i < 40; i++) {
        char name[16];
        snprintf(name, sizeof name, "d/%d", i);
        FILE *f = fopen(in(name), "w");
        assert_non_null(f);
        fclose(f);
    }
    for (int what = 0; what < 3; what++)
        for (long n = 1;; n++) {
            char **names = NULL, *text = NULL;
            size_t count = 0;
            wf_err wrong = {0};
            wf_status st;
            assert_true(n < 200);
            wfi_alloc_fail_at(n);
            if (what == 0)
                st = wfi_dir_list(in("d"), &names, &count, &wrong);
            else if (what == 1)
                st = wfi_dir_make(in("d/x/y"), &wrong);
            else
                st = wfi_file_read(in("d/7"), 10, &text, NULL, &wrong);
            wfi_alloc_fail_at(0);
            wfi_names_free(names, count);
            wfi_free(text);
            if (st == WF_OK) break;
            assert_int_equal(WF_E_NOMEM, st);
            assert_true(wrong.text[0]);
        }
}

/* Answers of FIPS 180-4's examples. */
static void test_hash_known_answers(void **state) {
    static const struct {
        const char *text, *hex;
    } cases[] = {{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
                 {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
                 {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"}};
    char hex[WF_HASH_HEX];
    for (size_t i = 0; i < 3; i++) {
        check_ok(wfi_hash_bytes(cases[i].text, strlen(cases[i].text), hex, err));
        assert_string_equal(cases[i].hex, hex);
        check_ok(wfi_file_write(in("h"), cases[i].text, strlen(cases[i].text), err));
        check_ok(wfi_hash_file(in("h"), hex, err));
        assert_string_equal(cases[i].hex, hex);
    }
    wf_hash *h = NULL;
    check_ok(wfi_hash_new(&h, err));
    for (int i = 0; i < 1000000; i++) wfi_hash_add(h, "a", 1); /* in pieces */
    wfi_hash_hex(h, hex);
    wfi_hash_free(h);
    wfi_hash_free(NULL);
    assert_string_equal("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0", hex);
    check_status(WF_E_NOTFOUND, wfi_hash_file(in("absent"), hex, err));
    wfi_alloc_fail_at(1);
    check_status(WF_E_NOMEM, wfi_hash_bytes("", 0, hex, err));
    wfi_alloc_fail_at(0);
}

int main(void) {
#define WITH_DIR(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_DIR(test_write_and_read),
        WITH_DIR(test_forget),
        WITH_DIR(test_write_leaves_nothing_beside),
        WITH_DIR(test_write_is_atomic),
        WITH_DIR(test_what_is_no_file),
        WITH_DIR(test_a_pipe_is_refused_at_once),
        WITH_DIR(test_folders),
        WITH_DIR(test_tree_remove_follows_no_link),
        cmocka_unit_test(test_paths),
        WITH_DIR(test_every_allocation_may_fail),
        WITH_DIR(test_hash_known_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
