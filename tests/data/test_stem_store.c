/* The store of stems: what was put is what is read, wherever it lies; sizes at the edges; nothing left on disk. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/random.h"
#include "check.h"
#include "data/stem.h"

enum { ROWS = 7, WIDTH = 5, PARTS = 2 };
static const int64_t TOKENS[ROWS + 1] = {3, 5, 6, 6, 10, 11, 14, 19}; /* 16 tokens; row 2 has none */
static const wf_stem_shape SHAPE = {.depth = 9, .parts = PARTS, .width = WIDTH};

static char folder[256];

static int setup(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "%s", check_temp_dir());
    return 0;
}

static int teardown(void **state) {
    (void)state;
    return wfi_tree_remove(folder, NULL) == WF_OK ? 0 : 1;
}

static float value(int row, int part, int i) {
    return wfi_random_normal(3, (uint64_t)(row * 1000 + part * 100 + i));
}

static int floats_of(int row) {
    return (int)(TOKENS[row + 1] - TOKENS[row]) * WIDTH;
}

/* Every budget from nothing to more than all of it, rows put in an order of their own. */
static void test_round_trip(void **state) {
    (void)state;
    static const int order[ROWS] = {4, 0, 6, 2, 5, 1, 3};
    const size_t all = 16 * WIDTH * PARTS * sizeof(float);
    for (size_t memory = 0; memory <= all + 40; memory += 20) {
        wf_stem *s = NULL;
        float at[8 * WIDTH];
        check_ok(wfi_stem_new(&SHAPE, ROWS, TOKENS, memory, folder, &s, err));
        assert_int_equal(all, wfi_stem_memory_bytes(s) + wfi_stem_disk_bytes(s));
        assert_true(wfi_stem_memory_bytes(s) <= memory);
        assert_int_equal(memory >= all, wfi_stem_disk_bytes(s) == 0);
        assert_int_equal(9, wfi_stem_shape_of(s)->depth);
        for (int k = 0; k < ROWS * PARTS; k++) {
            const int row = order[k % ROWS], part = k / ROWS;
            for (int i = 0; i < floats_of(row); i++) at[i] = value(row, part, i);
            check_ok(wfi_stem_put(s, row, part, at, err));
        }
        for (int row = 0; row < ROWS; row++)
            for (int part = 0; part < PARTS; part++) {
                memset(at, 0, sizeof at);
                check_ok(wfi_stem_get(s, row, part, at, err));
                for (int i = 0; i < floats_of(row); i++) assert_true(at[i] == value(row, part, i));
            }
        check_status(WF_E_ARG, wfi_stem_get(s, ROWS, 0, at, err));
        check_status(WF_E_ARG, wfi_stem_get(s, -1, 0, at, err));
        check_status(WF_E_ARG, wfi_stem_put(s, 0, PARTS, at, err));
        wfi_stem_free(s);
    }
    char **names = NULL;
    size_t count = 0;
    check_ok(wfi_dir_list(folder, &names, &count, err));
    assert_int_equal(0, count);
    wfi_names_free(names, count);
}

static void test_refusals(void **state) {
    (void)state;
    wf_stem *s = NULL;
    const wf_stem_shape huge = {.parts = PARTS, .width = INT64_MAX / 2};
    check_status(WF_E_NOMEM, wfi_stem_new(&SHAPE, ROWS, TOKENS, 100, NULL, &s, err));
    check_status(WF_E_NOMEM, wfi_stem_new(&huge, ROWS, TOKENS, 100, folder, &s, err));
    check_status(WF_E_IO, wfi_stem_new(&SHAPE, ROWS, TOKENS, 100, "/nowhere/at/all", &s, err));
    const int64_t exabytes[] = {0, (int64_t)1 << 55}; /* more than any disk has */
    check_status(WF_E_IO, wfi_stem_new(&SHAPE, 1, exabytes, 100, folder, &s, err));
    for (long n = 1;; n++) { /* every allocation fails once */
        wfi_alloc_fail_at(n);
        wf_err e = {0};
        const wf_status st = wfi_stem_new(&SHAPE, ROWS, TOKENS, 100, folder, &s, &e);
        wfi_alloc_fail_at(0);
        if (st == WF_OK) {
            assert_true(n > 3);
            break;
        }
        assert_int_equal(WF_E_NOMEM, st);
    }
    wfi_stem_free(s);
    wfi_stem_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
