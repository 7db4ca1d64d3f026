/* tests/data/test_batch.c - rows to ids, cuts into batches, packed batches. */
#include "base/alloc.h"
#include "check.h"
#include "data/batch.h"
#include <math.h>

enum { ROWS = 500, LABELS = 3 };

static const char vocab[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\ne\n";
static wf_tokenizer *tok;
static char texts[ROWS][64];
static wf_row rows[ROWS];
static wf_rows part = {.rows = rows, .count = ROWS};
static uint8_t marks[ROWS][LABELS];

/* Row i: 1 + i % 23 letters. */
static int setup(void **state) {
    check_ok(wfi_tokenizer_parse_vocab(vocab, sizeof vocab - 1, "vocab.txt", 1, &tok, err));
    for (int i = 0; i < ROWS; i++) {
        for (int k = 0; k <= i % 23; k++) snprintf(texts[i] + 2 * k, 3, "%c ", 'a' + (i + k) % 5);
        marks[i][i % LABELS] = 1;
        rows[i] = (wf_row){.text = texts[i], .label = i % LABELS, .target = i / 4.0, .labels = marks[i], .line = i + 1};
    }
    return 0;
}

static int teardown(void **state) {
    wfi_tokenizer_free(tok);
    return 0;
}

static wf_encoded encoded(wf_kind kind, size_t max_length) {
    const wf_task task = {.kind = kind, .label_count = LABELS};
    wf_encoded e = {0};
    check_ok(wfi_encode(tok, &part, &task, max_length, &e, err));
    return e;
}

/* The words of a sequence. */
static void check_sequence(const wf_encoded *e, size_t s, const char *want) {
    char got[256] = "";
    for (int64_t i = e->offsets[s]; i < e->offsets[s + 1]; i++) {
        const char *t = wfi_tokenizer_token(tok, e->ids[i]);
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s%d", i > e->offsets[s] ? " " : "", t, e->types[i]);
    }
    assert_string_equal(want, got);
}

static void test_encode(void **state) {
    wf_encoded e = encoded(WF_KIND_MULTILABEL, 10);
    assert_int_equal(ROWS, e.rows);
    assert_int_equal(ROWS, e.sequences);
    for (size_t i = 0; i < ROWS; i++) {
        const int64_t words = 1 + (int64_t)(i % 23);
        assert_int_equal(words + 2 > 10 ? 10 : words + 2, e.offsets[i + 1] - e.offsets[i]);
        assert_int_equal(i, e.first[i]);
        assert_int_equal(i % LABELS, e.label[i]);
        assert_true(e.target[i] == (float)(i / 4.0));
        assert_memory_equal(marks[i], e.labels + i * LABELS, LABELS);
    }
    check_sequence(&e, 1, "[CLS]0 b0 c0 [SEP]0");
    wf_task task = {.kind = WF_KIND_MULTILABEL, .label_count = LABELS};
    for (size_t i = 0; i < ROWS; i += 37) { /* one row alone gives the same: order and threads change nothing */
        wf_rows one = {.rows = &rows[i], .count = 1};
        wf_encoded f = {0};
        check_ok(wfi_encode(tok, &one, &task, 10, &f, err));
        assert_memory_equal(e.ids + e.offsets[i], f.ids, (size_t)f.offsets[1] * sizeof *f.ids);
        wfi_encoded_clear(&f);
    }
    wfi_encoded_clear(&e);
}

static void test_pairs_and_choices(void **state) {
    const char *choices[] = {"d", "e e", "b"};
    wf_row r[] = {{.text = "a b", .pair = "c", .choices = choices, .choice_count = 3, .label = 1},
                  {.text = "a _ b c", .choices = choices, .choice_count = 2, .label = 0},
                  {.text = "a _ b _", .choices = choices, .choice_count = 2, .label = 0},
                  {.text = "a", .choices = choices, .choice_count = 2, .label = 0}};
    wf_rows few = {.rows = r, .count = 4};
    wf_task task = {.kind = WF_KIND_MULTIPLE_CHOICE, .label_count = 3, .has_pair = true};
    wf_encoded e = {0};
    check_ok(wfi_encode(tok, &few, &task, 0, &e, err));
    assert_int_equal(9, e.sequences);
    assert_int_equal(3, e.first[1]);
    assert_int_equal(9, e.first[4]);
    check_sequence(&e, 0, "[CLS]0 a0 b0 [SEP]0 c1 d1 [SEP]1"); /* the second text goes with the choice */
    check_sequence(&e, 1, "[CLS]0 a0 b0 [SEP]0 c1 e1 e1 [SEP]1");
    check_sequence(&e, 4, "[CLS]0 a0 e0 e0 [SEP]0 b1 c1 [SEP]1"); /* one gap is filled */
    check_sequence(&e, 5, "[CLS]0 a0 [UNK]0 b0 [UNK]0 [SEP]0 d1 [SEP]1");
    check_sequence(&e, 7, "[CLS]0 a0 [SEP]0 d1 [SEP]1");
    wfi_encoded_clear(&e);
    task.kind = WF_KIND_CLASSIFICATION;
    few.count = 1;
    check_ok(wfi_encode(tok, &few, &task, 0, &e, err));
    check_sequence(&e, 0, "[CLS]0 a0 b0 [SEP]0 c1 [SEP]1");
    wfi_encoded_clear(&e);
    r[0].text = "\xff";
    r[0].line = 17;
    wf_err wrong = {0};
    assert_int_equal(WF_E_DATA, wfi_encode(tok, &few, &task, 0, &e, &wrong));
    assert_non_null(strstr(wrong.text, "line 17"));
    assert_null(e.ids);
    few.count = 0;
    check_ok(wfi_encode(tok, &few, &task, 0, &e, err));
    assert_int_equal(0, e.rows);
    wfi_encoded_clear(&e);
}

static int64_t tokens_of(const wf_encoded *e, int64_t row) {
    return e->offsets[e->first[row + 1]] - e->offsets[e->first[row]];
}

static void check_cut(const wf_encoded *e, const wf_batches *b, int64_t max_rows, int64_t max_tokens) {
    uint8_t seen[ROWS] = {0};
    assert_int_equal(0, b->first[0]);
    assert_int_equal(ROWS, b->first[b->count]);
    for (int64_t k = 0; k < b->count; k++) {
        const int64_t n = b->first[k + 1] - b->first[k];
        int64_t tokens = 0;
        for (int64_t i = b->first[k]; i < b->first[k + 1]; i++) {
            tokens += tokens_of(e, b->order[i]);
            assert_int_equal(1, ++seen[b->order[i]]);
        }
        assert_in_range(n, 1, max_rows);
        assert_true(tokens <= max_tokens || n == 1);
    }
}

static void test_cuts(void **state) {
    static const struct {
        int64_t rows, tokens;
    } limits[] = {{16, 100000}, {1000000, 128}, {8, 64}, {1, 1}, {500, 5000000}};
    wf_encoded e = encoded(WF_KIND_CLASSIFICATION, 0);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        for (int shuffle = 0; shuffle < 2; shuffle++) {
            wf_batches b = {0}, same = {0}, other = {0};
            check_ok(wfi_batches_make(&e, limits[i].rows, limits[i].tokens, shuffle, 7, &b, err));
            check_ok(wfi_batches_make(&e, limits[i].rows, limits[i].tokens, shuffle, 7, &same, err));
            check_ok(wfi_batches_make(&e, limits[i].rows, limits[i].tokens, shuffle, 8, &other, err));
            check_cut(&e, &b, limits[i].rows, limits[i].tokens);
            assert_int_equal(b.count, same.count);
            assert_memory_equal(b.order, same.order, sizeof(int64_t) * ROWS);
            assert_int_equal(!shuffle, memcmp(b.order, other.order, sizeof(int64_t) * ROWS) == 0);
            for (int64_t k = 1; !shuffle && k < ROWS; k++) { /* by length, rows of one length as they stood */
                const int64_t x = tokens_of(&e, b.order[k - 1]), y = tokens_of(&e, b.order[k]);
                assert_true(x < y || (x == y && b.order[k - 1] < b.order[k]));
            }
            wfi_batches_clear(&b);
            wfi_batches_clear(&same);
            wfi_batches_clear(&other);
        }
    wf_batches none = {0};
    check_status(WF_E_ARG, wfi_batches_make(&e, 0, 5, false, 1, &none, err));
    check_status(WF_E_ARG, wfi_batches_make(&e, 5, 0, false, 1, &none, err));
    wfi_encoded_clear(&e);
}

/* Shuffled batches are samples of all rows: their mean lengths lie around the mean of all. */
static void test_shuffled_batches_are_random(void **state) {
    wf_encoded e = encoded(WF_KIND_CLASSIFICATION, 0);
    wf_batches b = {0};
    check_ok(wfi_batches_make(&e, 50, 100000, true, 3, &b, err));
    const double mean = (double)e.offsets[ROWS] / ROWS;
    assert_int_equal(10, b.count);
    for (int64_t k = 0; k < b.count; k++) {
        double sum = 0;
        for (int64_t i = b.first[k]; i < b.first[k + 1]; i++) sum += (double)tokens_of(&e, b.order[i]);
        assert_true(fabs(sum / 50 - mean) <
                    5 * 6.64 / sqrt(50)); /* lengths of 3 to 25 have the standard deviation 6.64 */
    }
    wfi_batches_clear(&b);
    wfi_encoded_clear(&e);
}

static void test_packing(void **state) {
    wf_encoded e = encoded(WF_KIND_MULTILABEL, 0);
    wf_batch b = {0};
    for (int round = 0; round < 3; round++) { /* reused: larger, smaller, larger again */
        const int64_t n = round == 1 ? 2 : 40;
        int64_t chosen[40], at = 0;
        for (int64_t i = 0; i < n; i++) chosen[i] = (i * 37 + round) % ROWS;
        check_ok(wfi_batch_fill(&b, &e, chosen, n, err));
        assert_int_equal(n, b.rows);
        assert_int_equal(n, b.S);
        for (int64_t i = 0; i < n; i++) {
            const int64_t length = tokens_of(&e, chosen[i]);
            assert_int_equal(at, b.offsets[i]);
            assert_memory_equal(e.ids + e.offsets[chosen[i]], b.ids + at, (size_t)length * sizeof *b.ids);
            for (int64_t k = 0; k < length; k++) assert_int_equal(k, b.positions[at + k]);
            assert_int_equal(chosen[i], b.row_index[i]);
            assert_int_equal(1, b.row_counts[i]);
            assert_int_equal(chosen[i] % LABELS, b.label[i]);
            assert_memory_equal(marks[chosen[i]], b.labels + i * LABELS, LABELS);
            at += length;
        }
        assert_int_equal(at, b.T);
        assert_int_equal(at, b.offsets[n]);
    }
    check_status(WF_E_ARG, wfi_batch_fill(&b, &e, (int64_t[]){ROWS}, 1, err));
    check_status(WF_E_ARG, wfi_batch_fill(&b, &e, (int64_t[]){-1}, 1, err));
    wfi_batch_clear(&b);
    wfi_batch_clear(&b);
    wfi_encoded_clear(&e);
}

static void test_every_allocation_may_fail(void **state) {
    const wf_task task = {.kind = WF_KIND_MULTILABEL, .label_count = LABELS};
    wf_rows few = {.rows = rows, .count = 20}; /* one thread: the n-th allocation is always the same one */
    wf_status st = WF_E_NOMEM;
    for (long n = 1; st != WF_OK; n++) {
        wf_encoded e = {0};
        wf_batches cut = {0};
        wf_batch b = {0};
        wf_err wrong = {0};
        assert_true(n < 200);
        wfi_alloc_fail_at(n);
        st = wfi_encode(tok, &few, &task, 0, &e, &wrong);
        if (st == WF_OK) st = wfi_batches_make(&e, 4, 50, true, 1, &cut, &wrong);
        if (st == WF_OK) st = wfi_batch_fill(&b, &e, cut.order, 7, &wrong);
        wfi_alloc_fail_at(0);
        if (st != WF_OK) assert_int_equal(WF_E_NOMEM, st);
        if (st != WF_OK) assert_true(wrong.text[0]);
        if (e.ids && cut.order)
            check_ok(wfi_batch_fill(&b, &e, cut.order, 7, err)); /* a batch that failed can be filled again */
        wfi_batch_clear(&b);
        wfi_batches_clear(&cut);
        wfi_encoded_clear(&e);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode),  cmocka_unit_test(test_pairs_and_choices),
        cmocka_unit_test(test_cuts),    cmocka_unit_test(test_shuffled_batches_are_random),
        cmocka_unit_test(test_packing), cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
