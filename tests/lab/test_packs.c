/* tests/lab/test_packs.c - a base packed from what the cache kept multiplies bit for bit like one packed from its
 * weights, and nothing else is ever taken for it. */
#include "base/alloc.h"
#include "kernels/gemm.h"
#include "lab/packs.h"
#include "tiny.h"
#include <fcntl.h>
#include <sys/stat.h>

static char top[256], cache[300], weights[300];
static const wf_dtype types[] = {WF_DTYPE_F32, WF_DTYPE_BF16, WF_DTYPE_I8};

static int setup(void **state) {
    snprintf(top, sizeof top, "%s", check_temp_dir());
    snprintf(cache, sizeof cache, "%s/cache", top);
    snprintf(weights, sizeof weights, "%s/model.safetensors", top);
    tiny_base(top);
    return 0;
}

static int teardown(void **state) {
    check_ok(wfi_tree_remove(top, err));
    return 0;
}

static wf_open_base opened(wf_dtype type) {
    wf_open_base b = {.hash = (char *)"abc", .cache = cache, .weights = weights, .dtype = type};
    check_ok(wfi_bert_open(top, &b.model, err));
    return b;
}

static void closed(wf_open_base *b) {
    wfi_bert_free(b->model);
    wfi_cached_clear(&b->packs);
}

/* Every matrix of both models on the same rows. */
static void check_same(const wf_bert *a, const wf_bert *b) {
    enum { T = 5, WIDEST = 64 };
    float x[T * WIDEST], y[T * WIDEST], z[T * WIDEST];
    size_t compared = 0;
    for (int i = 0; i < T * WIDEST; i++) x[i] = (float)((i * 37 + 11) % 101) / 50.0f - 1.0f;
    for (int i = 0; i < a->config.layers; i++) {
        const wf_bert_layer *l = &a->layers[i], *m = &b->layers[i];
        const wf_linear *const ours[] = {&l->query, &l->key, &l->value, &l->attention_dense, &l->up, &l->down};
        const wf_linear *const theirs[] = {&m->query, &m->key, &m->value, &m->attention_dense, &m->up, &m->down};
        for (size_t k = 0; k < 6; k++, compared++) {
            const int64_t in = ours[k]->in, out = ours[k]->out;
            assert_true(in <= WIDEST && out <= WIDEST);
            check_ok(wfi_packed_gemm(ours[k]->forward, T, x, in, NULL, 0.0f, y, out, err));
            check_ok(wfi_packed_gemm(theirs[k]->forward, T, x, in, NULL, 0.0f, z, out, err));
            assert_memory_equal(y, z, T * (size_t)out * sizeof *y);
        }
    }
    assert_true(compared >= 12);
}

static size_t kept(char first[512]) {
    char **names = NULL;
    size_t count = 0;
    if (!wfi_dir_exists(cache)) return 0;
    check_ok(wfi_dir_list(cache, &names, &count, err));
    if (count && first) snprintf(first, 512, "%s/%s", cache, names[0]);
    wfi_names_free(names, count);
    return count;
}

/* Packs as a lab does; says whether that came from the cache. The oracle packs the weights itself. */
static bool from_cache(wf_dtype type) {
    wf_open_base b = opened(type), want = opened(type);
    check_ok(wfi_bert_pack(want.model, false, type, err));
    check_ok(wfi_packs_make(&b, 0, err));
    const bool is = b.packs.data != NULL;
    check_same(want.model, b.model);
    check_ok(wfi_packs_make(&b, 0, err)); /* again: nothing to do */
    check_ok(wfi_bert_pack(b.model, true, type, err));
    closed(&b);
    closed(&want);
    return is;
}

static void test_same_bits(void **state) {
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
        assert_false(from_cache(types[k]));
        assert_int_equal(k + 1, kept(NULL));
        assert_true(from_cache(types[k]));
        assert_int_equal(k + 1, kept(NULL));
    }
    wf_open_base b = opened(WF_DTYPE_F32);
    check_ok(wfi_packs_make(&b, WF_PACKS_LEAST, err)); /* too small to be worth it */
    assert_null(b.packs.data);
    closed(&b);
    check_ok(wfi_tree_remove(cache, err));
}

static void test_other_key(void **state) {
    wf_open_base b = opened(WF_DTYPE_F32);
    check_ok(wfi_packs_make(&b, 0, err));
    closed(&b);
    b = opened(WF_DTYPE_F32);
    b.hash = (char *)"abd";
    check_ok(wfi_packs_make(&b, 0, err));
    assert_null(b.packs.data);
    closed(&b);
    const struct timespec times[2] = {{1000, 0}, {1000, 1}}; /* of the weights: they may have been written anew */
    assert_int_equal(0, utimensat(AT_FDCWD, weights, times, 0));
    assert_false(from_cache(WF_DTYPE_F32));
    const int threads = wfi_threads_get();
    wfi_threads_set(threads == 1 ? 2 : 1);
    assert_false(from_cache(WF_DTYPE_F32));
    wfi_threads_set(threads);
    assert_true(from_cache(WF_DTYPE_F32));
    assert_int_equal(4, kept(NULL));
    check_ok(wfi_tree_remove(cache, err));
}

static void test_damage(void **state) {
    char path[512], *text = NULL;
    size_t size = 0;
    assert_false(from_cache(WF_DTYPE_F32));
    assert_int_equal(1, kept(path));
    check_ok(wfi_file_read(path, 1 << 24, &text, &size, err));
    for (size_t at = 0; at < size; at += size / 7) {
        text[at] ^= 4;
        check_ok(wfi_file_write_parts(path, &(wf_file_part){text, size}, 1, err));
        assert_false(from_cache(WF_DTYPE_F32)); /* and written again */
        assert_true(from_cache(WF_DTYPE_F32));
        text[at] ^= 4;
    }
    /* whole, but of another model: shorter, longer */
    const char *key = strrchr(path, '-') + 1;
    char name[WF_HASH_HEX];
    snprintf(name, sizeof name, "%s", key);
    const wf_file_part part = {text + 128, size - 128 - 64}, longer[] = {{text + 128, size - 128}, {text, 64}};
    wfi_cache_put(cache, "packed", name, &part, 1, WF_CACHE_BYTES);
    assert_false(from_cache(WF_DTYPE_F32));
    wfi_cache_put(cache, "packed", name, longer, 2, WF_CACHE_BYTES);
    assert_false(from_cache(WF_DTYPE_F32));
    assert_true(from_cache(WF_DTYPE_F32));
    wfi_free(text);
    check_ok(wfi_tree_remove(cache, err));
}

/* Memory that ends in the cache's own work, or in packing. */
static void test_no_memory(void **state) {
    int failures = 0;
    for (long n = 1; n <= 24; n++) {
        wf_err err = {0};
        wf_open_base b = opened(WF_DTYPE_F32);
        wfi_tree_remove(cache, NULL);
        wfi_alloc_fail_at(n);
        const wf_status st = wfi_packs_make(&b, 0, &err);
        wfi_alloc_fail_at(0);
        if (st != WF_OK) assert_int_equal(WF_E_NOMEM, st);
        failures += st != WF_OK;
        closed(&b);
    }
    assert_true(failures > 8);
    check_ok(wfi_tree_remove(cache, err));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_other_key),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
