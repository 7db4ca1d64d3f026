/* tests/lab/test_tokens.c - the lab's cache and the token ids in it: the same ids with and without, whatever happens to
 * the files. The oracle is encoding without a cache. */
#include "base/alloc.h"
#include "base/buffer.h"
#include "base/random.h"
#include "lab/cache.h"
#include "lab/tokens.h"
#include "tiny.h"
#include <sys/stat.h>
#include <unistd.h>

static char top[256], dir[300];
static wf_tokenizer *tok;
static char key[WF_HASH_HEX] = "0000000000000000000000000000000000000000000000000000000000000000";

static int setup(void **state) {
    snprintf(top, sizeof top, "%s", check_temp_dir());
    snprintf(dir, sizeof dir, "%s/cache", top);
    tiny_base(top);
    check_ok(wfi_tokenizer_open(top, &tok, err));
    return 0;
}

static int teardown(void **state) {
    wfi_tokenizer_free(tok);
    check_ok(wfi_tree_remove(top, err));
    return 0;
}

/* ---- the cache ---- */

static size_t files(char first[512]) {
    char **names = NULL;
    size_t count = 0;
    if (!wfi_dir_exists(dir)) return 0;
    check_ok(wfi_dir_list(dir, &names, &count, err));
    if (count && first) snprintf(first, 512, "%s/%s", dir, names[0]);
    wfi_names_free(names, count);
    return count;
}

static void test_entry(void **state) {
    static const char a[] = "seven 7", b[64] = "sixty-four";
    const wf_file_part parts[] = {{a, 7}, {NULL, 0}, {b, 64}, {a, 1}};
    wf_cached c = {0};
    key[0] = '1';
    assert_false(wfi_cache_get(dir, "thing", key, &c));
    assert_false(wfi_cache_get(NULL, "thing", key, &c));
    wfi_cache_put(NULL, "thing", key, parts, 4, 1 << 20);
    wfi_cache_put(dir, "thing", key, parts, 4, 1 << 20);
    assert_true(wfi_cache_get(dir, "thing", key, &c));
    assert_int_equal(64 + 0 + 64 + 64, c.size);
    assert_int_equal(0, (uintptr_t)c.data % 64);
    assert_memory_equal("seven 7\0\0", c.data, 9);
    assert_memory_equal(b, c.data + 64, 64);
    assert_memory_equal("s\0\0", c.data + 128, 3);
    wfi_cached_clear(&c);
    assert_false(wfi_cache_get(dir, "other", key, &c));
    key[1] = '1';
    assert_false(wfi_cache_get(dir, "thing", key, &c));
    key[1] = '0';
    check_ok(wfi_tree_remove(dir, err));
}

/* Every byte of an entry, every shorter length, and more behind it. */
static void test_damage(void **state) {
    char path[512], *text = NULL;
    unsigned char data[200];
    size_t size = 0;
    wf_cached c = {0};
    for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)(7 * i);
    wfi_cache_put(dir, "thing", key, &(wf_file_part){data, sizeof data}, 1, 1 << 20);
    assert_int_equal(1, files(path));
    check_ok(wfi_file_read(path, 1 << 20, &text, &size, err));
    assert_int_equal(128 + 256, size);
    for (size_t i = 0; i < size; i++) {
        text[i] = (char)(text[i] ^ 1 << i % 8);
        check_ok(wfi_file_write_parts(path, &(wf_file_part){text, size}, 1, err));
        if (wfi_cache_get(dir, "thing", key, &c)) fail_msg("byte %zu may change", i);
        text[i] = (char)(text[i] ^ 1 << i % 8);
    }
    for (size_t n = 0; n < size; n += n < 120 ? 1 : 8) {
        check_ok(wfi_file_write_parts(path, &(wf_file_part){text, n}, 1, err));
        if (wfi_cache_get(dir, "thing", key, &c)) fail_msg("%zu bytes are enough", n);
    }
    const wf_file_part longer[] = {{text, size}, {data, 64}};
    check_ok(wfi_file_write_parts(path, longer, 2, err));
    assert_false(wfi_cache_get(dir, "thing", key, &c));
    check_ok(wfi_file_write_parts(path, longer, 1, err));
    assert_true(wfi_cache_get(dir, "thing", key, &c));
    wfi_cached_clear(&c);
    wfi_free(text);
    check_ok(wfi_tree_remove(dir, err));
}

static bool there(char name) {
    wf_cached c = {0};
    key[2] = name;
    const bool is = wfi_cache_get(dir, "thing", key, &c);
    wfi_cached_clear(&c);
    return is;
}

static void put(char name, size_t size) {
    char *data = wfi_alloc(size, 1);
    assert_non_null(data);
    key[2] = name;
    wfi_cache_put(dir, "thing", key, &(wf_file_part){data, size}, 1, 4 * (1024 + 128));
    wfi_free(data);
    usleep(20000); /* file times need not be finer than the system's tick */
}

static void test_bound(void **state) {
    put('a', 1024), put('b', 1024), put('c', 1024), put('d', 1024);
    assert_int_equal(4, files(NULL));
    assert_true(there('a')); /* used last now */
    usleep(20000);
    put('e', 1024);
    assert_int_equal(4, files(NULL));
    assert_false(there('b')); /* the longest unused */
    assert_true(there('a') && there('c') && there('d') && there('e'));
    put('f', 64 * 1024);
    assert_false(there('f'));
    assert_int_equal(4, files(NULL));
    put('a', 1024); /* again: still one file */
    assert_true(there('a'));
    key[2] = '0';
    check_ok(wfi_tree_remove(dir, err));
}

/* ---- token ids ---- */

enum { ROWS = 1500 };

typedef struct made { /* rows of random words, single texts, pairs or choices */
    wf_row rows[ROWS];
    const char *choices[ROWS][3];
    char *memory;
} made;

static char *words(char *at, uint64_t i) {
    static const char *const some[] = {"good", "bad", "film", "the", "a", "unknownish", "\u00e9t\u00e9", "plot.", "!"};
    const uint32_t n = 4 + wfi_random_below(1, i, 16);
    for (uint32_t k = 0; k < n; k++)
        at += sprintf(at, "%s ", some[wfi_random_below(2, 64 * i + k, sizeof some / sizeof *some)]);
    return at + 1;
}

static wf_rows rows_make(made *m, wf_kind kind, bool pairs) {
    char *at = m->memory = wfi_alloc(ROWS * 5, 256);
    assert_non_null(at);
    for (int i = 0; i < ROWS; i++) {
        wf_row *r = &m->rows[i];
        *r = (wf_row){.text = at, .label = i % 3, .target = i, .line = i + 1};
        at = words(at, 5 * (uint64_t)i);
        if (pairs && i % 4) {
            r->pair = at;
            at = words(at, 5 * (uint64_t)i + 1);
        }
        for (int c = 0; kind == WF_KIND_MULTIPLE_CHOICE && c < 2 + i % 2; c++) {
            m->choices[i][r->choice_count++] = at;
            r->choices = m->choices[i];
            at = words(at, 5 * (uint64_t)i + 2 + (uint64_t)c);
        }
    }
    return (wf_rows){.rows = m->rows, .count = ROWS};
}

static void check_same(const wf_encoded *a, const wf_encoded *b) {
    const size_t total = (size_t)a->offsets[a->sequences];
    assert_int_equal(a->rows, b->rows);
    assert_int_equal(a->sequences, b->sequences);
    assert_memory_equal(a->offsets, b->offsets, (a->sequences + 1) * sizeof *a->offsets);
    assert_memory_equal(a->first, b->first, (a->rows + 1) * sizeof *a->first);
    assert_memory_equal(a->ids, b->ids, total * sizeof *a->ids);
    assert_memory_equal(a->types, b->types, total);
    assert_memory_equal(a->label, b->label, a->rows * sizeof *a->label);
    assert_memory_equal(a->target, b->target, a->rows * sizeof *a->target);
}

static void encode_check(const wf_rows *rows, const wf_task *task, size_t length) {
    wf_encoded want = {0}, got = {0};
    check_ok(wfi_encode(tok, rows, task, length, &want, err));
    check_ok(wfi_tokens_encode(dir, tok, rows, task, length, &got, err));
    check_same(&want, &got);
    wfi_encoded_clear(&want);
    wfi_encoded_clear(&got);
}

static void test_same_ids(void **state) {
    static const wf_kind kinds[] = {WF_KIND_CLASSIFICATION, WF_KIND_REGRESSION, WF_KIND_MULTIPLE_CHOICE};
    static made m;
    for (int k = 0; k < 6; k++) {
        const wf_task task = {.name = (char *)"t", .kind = kinds[k / 2], .label_count = 3};
        const wf_rows rows = rows_make(&m, task.kind, k % 2);
        encode_check(&rows, &task, 32);
        assert_int_equal(1, files(NULL));
        encode_check(&rows, &task, 32); /* from the cache */
        assert_int_equal(1, files(NULL));
        encode_check(&rows, &task, 8);
        assert_int_equal(2, files(NULL));
        wfi_free(m.memory);
        check_ok(wfi_tree_remove(dir, err));
    }
}

/* One more letter, a pair's end moved into its beginning, a row less: other entries. Other labels: the same. */
static void test_key(void **state) {
    static made m;
    const wf_task task = {.name = (char *)"t", .kind = WF_KIND_CLASSIFICATION, .label_count = 3};
    wf_rows rows = rows_make(&m, task.kind, true);
    encode_check(&rows, &task, 32);
    m.rows[7].label = 1;
    encode_check(&rows, &task, 32);
    assert_int_equal(1, files(NULL));
    m.rows[9].text = "goods";
    encode_check(&rows, &task, 32);
    assert_int_equal(2, files(NULL));
    m.rows[9].text = "goo";
    m.rows[9].pair = "ds";
    encode_check(&rows, &task, 32);
    assert_int_equal(3, files(NULL));
    m.rows[9].pair = NULL;
    m.rows[9].text = "goods";
    rows.count--;
    encode_check(&rows, &task, 32);
    assert_int_equal(4, files(NULL));
    rows.count = 10; /* few */
    encode_check(&rows, &task, 32);
    assert_int_equal(4, files(NULL));
    wfi_free(m.memory);
    check_ok(wfi_tree_remove(dir, err));
}

/* An entry that is whole, but of other content than its key says: not taken where it does not fit. */
static void test_wrong_content(void **state) {
    static made m;
    const wf_task task = {.name = (char *)"t", .kind = WF_KIND_CLASSIFICATION, .label_count = 3};
    const wf_rows rows = rows_make(&m, task.kind, false);
    const int32_t vocab = (int32_t)wfi_tokenizer_vocab_size(tok);
    char path[512], name[WF_HASH_HEX];
    encode_check(&rows, &task, 32);
    assert_int_equal(1, files(path));
    snprintf(name, sizeof name, "%s", strrchr(path, '-') + 1);
    wf_cached c = {0};
    assert_true(wfi_cache_get(dir, "tokens", name, &c));
    unsigned char *data = wfi_alloc_aligned(c.size);
    assert_non_null(data);
    const size_t size = c.size;
    for (int k = 0; k < 8; k++) {
        memcpy(data, c.data, size);
        uint64_t *count = (uint64_t *)(void *)data;
        int32_t *lengths = (int32_t *)(void *)(data + 64),
                *ids = (int32_t *)(void *)(data + 64 + WF_CACHE_STEP(ROWS * sizeof *lengths));
        if (k == 0) count[0]--;
        if (k == 1) count[1]--;
        if (k == 2) count[0] = UINT64_MAX / 4;
        if (k == 3) count[1] = UINT64_MAX - 63;
        if (k == 4) lengths[3] = -1, lengths[4] += lengths[3] + 1;
        if (k == 5) lengths[3]++;
        if (k == 6) ids[5] = -1;
        if (k == 7) ids[5] = vocab;
        wfi_cache_put(dir, "tokens", name, &(wf_file_part){data, size}, 1, WF_CACHE_BYTES);
        encode_check(&rows, &task, 32); /* writes the right entry again */
    }
    wfi_cache_put(dir, "tokens", name, NULL, 0, WF_CACHE_BYTES);
    encode_check(&rows, &task, 32);
    /* and what fits is taken: other ids come out */
    int32_t *ids = (int32_t *)(void *)(data + 64 + WF_CACHE_STEP(ROWS * sizeof *ids));
    wf_encoded got = {0};
    memcpy(data, c.data, size);
    ids[5] = (ids[5] + 1) % vocab;
    wfi_cache_put(dir, "tokens", name, &(wf_file_part){data, size}, 1, WF_CACHE_BYTES);
    check_ok(wfi_tokens_encode(dir, tok, &rows, &task, 32, &got, err));
    assert_int_equal(ids[5], got.ids[5]);
    wfi_encoded_clear(&got);
    wfi_free(data);
    wfi_cached_clear(&c);
    wfi_free(m.memory);
    check_ok(wfi_tree_remove(dir, err));
}

/* A folder that may not be made, and memory that ends anywhere: the ids all the same, or WF_E_NOMEM. */
static void test_no_room(void **state) {
    static made m;
    const wf_task task = {.name = (char *)"t", .kind = WF_KIND_CLASSIFICATION, .label_count = 3};
    const wf_rows rows = rows_make(&m, task.kind, false);
    check_ok(wfi_file_write(dir, "a file", 6, err)); /* where the folder would be */
    encode_check(&rows, &task, 32);
    assert_int_equal(0, unlink(dir));
    wf_encoded want = {0};
    check_ok(wfi_encode(tok, &rows, &task, 32, &want, err));
    int failures = 0;
    for (long n = 1; n <= 60; n++) {
        wf_encoded got = {0};
        wf_err err = {0};
        if (n % 2) wfi_tree_remove(dir, NULL); /* the way with an entry and the way without */
        wfi_alloc_fail_at(n);
        const wf_status st = wfi_tokens_encode(dir, tok, &rows, &task, 32, &got, &err);
        wfi_alloc_fail_at(0);
        if (st == WF_OK)
            check_same(&want, &got);
        else
            assert_int_equal(WF_E_NOMEM, st);
        failures += st != WF_OK;
        wfi_encoded_clear(&got);
    }
    assert_true(failures > 4);
    wfi_encoded_clear(&want);
    wfi_free(m.memory);
    check_ok(wfi_tree_remove(dir, err));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entry),    cmocka_unit_test(test_damage), cmocka_unit_test(test_bound),
        cmocka_unit_test(test_same_ids), cmocka_unit_test(test_key),    cmocka_unit_test(test_wrong_content),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
