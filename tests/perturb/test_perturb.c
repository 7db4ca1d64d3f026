/* Disturbed texts: valid UTF-8, never empty, the same again, nothing at strength 0, more at more strength; known texts
 * by hand; negations stay; hostile texts and hostile WordNet files. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/random.h"
#include "check.h"
#include "perturb/perturb.h"
#include <utf8proc.h>

static const char *const texts[] = {
    "The film was good, but the book isn't as dull as people say.",
    "I don't think it is bad; we are happy with the second edition (really).",
    "Caf\xC3\xA9 M\xC3\xBCller, stra\xC3\x9F"
    "e 3.14 http://example.org/a.b?c=d",
    "\xD0\x9F\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82, \xD0\xBC\xD0\xB8\xD1\x80!",
    "\xE4\xBD\xA0\xE5\xA5\xBD\xE4\xB8\x96\xE7\x95\x8C",
    "\xD9\x85\xD8\xB1\xD8\xAD\xD8\xA8\xD8\xA7 \xE2\x80\xAE"
    "abc",
    "family \xF0\x9F\x91\xA8\xE2\x80\x8D\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7 emoji",
    "e\xCC\x81\xCC\x82\xCC\x83 a\xCC\x88\xCC\x88 zalgo\xCC\xB6\xCC\xB7",
    "",
    " ",
    "\t\n \xC2\xA0",
    "!",
    "?!...",
    "a",
    "I",
    "7",
    "don't",
    "not",
    "'",
    "\xE2\x80\x99\xE2\x80\x99",
    "\xCC\x81",
    "x",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "\xF4\x8F\xBF\xBF \xEF\xBF\xBF \xEE\x80\x80",
    "It's  two   blanks\r\nand a line",
    "NEVER SHOUT \xE1\xBA\x9E"};
enum { TEXTS = sizeof texts / sizeof *texts };

static bool blank(const char *text) {
    for (const char *c = text; *c;) {
        utf8proc_int32_t cp;
        c += utf8proc_iterate((const utf8proc_uint8_t *)c, -1, &cp);
        if (cp != ' ' && (cp < '\t' || cp > '\r') && utf8proc_category(cp) != UTF8PROC_CATEGORY_ZS) return false;
    }
    return true;
}

/* Code points; -1 when the text is no UTF-8. */
static long decode(const char *text, int32_t *out) {
    long n = 0;
    for (size_t i = 0, bytes = strlen(text); i < bytes;) {
        utf8proc_int32_t cp;
        const utf8proc_ssize_t k =
            utf8proc_iterate((const utf8proc_uint8_t *)text + i, (utf8proc_ssize_t)(bytes - i), &cp);
        if (k <= 0) return -1;
        out[n++] = cp;
        i += (size_t)k;
    }
    return n;
}

static long distance(const char *a, const char *b) { /* Levenshtein over code points */
    static int32_t x[1024], y[1024];
    static long row[1025];
    const long n = decode(a, x), m = decode(b, y);
    assert_true(n >= 0 && m >= 0 && n < 1024 && m < 1024);
    for (long j = 0; j <= m; j++) row[j] = j;
    for (long i = 1; i <= n; i++) {
        long corner = row[0];
        row[0] = i;
        for (long j = 1; j <= m; j++) {
            const long swap = corner + (x[i - 1] != y[j - 1]);
            corner = row[j];
            row[j] = row[j] + 1 < row[j - 1] + 1 ? row[j] + 1 : row[j - 1] + 1;
            if (swap < row[j]) row[j] = swap;
        }
    }
    return row[m];
}

static char *disturb(const char *kind, const wf_wordnet *w, const char *text, int strength, uint64_t seed) {
    char *out = NULL;
    const wf_perturbation *p = wfi_perturbation_find(kind);
    assert_non_null(p);
    check_ok(wfi_perturb(p, w, text, strength, seed, &out, NULL, err));
    return out;
}

static void properties(const wf_perturbation *p, const wf_wordnet *w, const char *text, uint64_t seed, long *sum) {
    size_t before = 0;
    for (int s = 0; s <= WF_STRENGTHS; s++) {
        char *one = NULL, *two = NULL;
        size_t edits = 99, again = 99;
        check_ok(wfi_perturb(p, w, text, s, seed, &one, &edits, err));
        check_ok(wfi_perturb(p, w, text, s, seed, &two, &again, err));
        assert_string_equal(one, two);
        assert_true(edits == again && edits >= before && (s > 0 || edits == 0));
        if ((edits == 0) != (strcmp(one, text) == 0))
            fail_msg("%s at %d: %zu edits make \"%s\" of \"%s\"", wfi_perturbation_name(p), s, edits, one, text);
        if (blank(one) && !blank(text)) fail_msg("%s at %d empties \"%s\"", wfi_perturbation_name(p), s, text);
        sum[s] += distance(text, one); /* fails on what is no UTF-8 */
        before = edits;
        wfi_free(one);
        wfi_free(two);
    }
}

/* A word-net of our own: good = well = fine, one adjective; film = movie, a noun; bank, as often verb as noun. */
static const char *wordnet_write(const char *dir, const char *adjective_line) {
    static const char *const names[] = {"noun", "verb", "adj", "adv"};
    char path[400], data[600], index[600];
    for (int i = 0; i < 4; i++) {
        static const char licence[] = "  1 no licence  \n";
        int n = snprintf(data, sizeof data, "%s", licence), k = snprintf(index, sizeof index, "%s", licence);
        if (i == 0) {
            n += snprintf(data + n, sizeof data - (size_t)n, "%08d 17 n 02 bank 0 shore 0 000 | x  \n", n);
            k += snprintf(index + k, sizeof index - (size_t)k, "bank n 1 0 1 2 %08d  \n", (int)strlen(licence));
            k += snprintf(index + k, sizeof index - (size_t)k,
                          "film n 1 1 @ 1 2 %08d  \nfilm_star n 1 0 1 9 00000000  \n", n);
            n += snprintf(data + n, sizeof data - (size_t)n,
                          "%08d 06 n 04 film 0 movie 0 moving_picture 1 Film 0 001 @ 00000001 n 0000 | a form  \n", n);
        } else if (i == 1) {
            k += snprintf(index + k, sizeof index - (size_t)k, "bank v 1 0 1 2 %08d  \nfilm v 1 0 1 1 %08d  \n", n, n);
            n += snprintf(data + n, sizeof data - (size_t)n, "%08d 17 v 02 bank 0 tilt 0 000 | x  \n", n);
        } else if (i == 2) {
            k += snprintf(index + k, sizeof index - (size_t)k, "good a 2 2 ! & 2 2 %08d 00000099  \n", n);
            n += snprintf(data + n, sizeof data - (size_t)n, adjective_line, n);
        }
        snprintf(path, sizeof path, "%s/data.%s", dir, names[i]);
        check_ok(wfi_file_write(path, data, (size_t)n, err));
        snprintf(path, sizeof path, "%s/index.%s", dir, names[i]);
        check_ok(wfi_file_write(path, index, (size_t)k, err));
    }
    return dir;
}
static const char adjective[] = "%08d 00 a 03 good 0 solid(a) 0 fine 1 001 ! 00000002 a 0101 | pleasing  \n";

static void test_properties(void **state) {
    const char *dir = check_temp_dir();
    wf_wordnet *w = NULL;
    check_ok(wfi_wordnet_open(wordnet_write(dir, adjective), &w, err));
    size_t kinds = 0;
    for (const wf_perturbation *p; (p = wfi_perturbation_at(kinds)); kinds++) {
        long sum[WF_STRENGTHS + 1] = {0};
        assert_ptr_equal(p, wfi_perturbation_find(wfi_perturbation_name(p)));
        for (int i = 0; i < TEXTS; i++)
            for (uint64_t seed = 0; seed < 4; seed++) properties(p, w, texts[i], seed, sum);
        assert_int_equal(0, sum[0]);
        assert_true(sum[1] > 0);
        for (int s = 1; s <= WF_STRENGTHS; s++) /* over all texts: a single one may run out of places */
            if (sum[s] < sum[s - 1]) fail_msg("%s at %d disturbs less", wfi_perturbation_name(p), s);
        assert_true(sum[WF_STRENGTHS] > sum[1]);
    }
    assert_int_equal(10, kinds);
    assert_null(wfi_perturbation_find("nothing"));
    wfi_wordnet_free(w);
    check_ok(wfi_tree_remove(dir, err));
}

/* Random code points, and random bytes, which must be refused or left valid. */
static void test_random_texts(void **state) {
    static const uint32_t ranges[][2] = {{1, 0x7F},        {0x80, 0x24F},    {0x300, 0x36F},    {0x370, 0x5FF},
                                         {0x2000, 0x206F}, {0x4E00, 0x4E80}, {0x1F468, 0x1F4FF}};
    for (uint64_t k = 0; k < 150; k++) {
        char text[400];
        size_t n = 0;
        const uint64_t key = wfi_random_key(3, "text", k, 0);
        const uint32_t count = wfi_random_below(key, 0, 60);
        for (uint32_t i = 0; i < count; i++) {
            const uint32_t r = wfi_random_below(key, 3 * i + 1, 9), *range = ranges[r < 7 ? r : 0];
            n += (size_t)utf8proc_encode_char(
                (utf8proc_int32_t)(range[0] + wfi_random_below(key, 3 * i + 2, range[1] - range[0])),
                (utf8proc_uint8_t *)text + n);
        }
        text[n] = 0;
        long sum[WF_STRENGTHS + 1] = {0};
        for (size_t i = 0; wfi_perturbation_at(i); i++)
            if (!wfi_perturbation_needs_wordnet(wfi_perturbation_at(i)))
                properties(wfi_perturbation_at(i), NULL, text, k, sum);
        if (n == 0) continue;
        text[wfi_random_below(key, 999, (uint32_t)n)] = (char)0xC0; /* no UTF-8 has this byte */
        char *out = NULL;
        check_status(WF_E_DATA, wfi_perturb(wfi_perturbation_at(k % 9), NULL, text, 3, 0, &out, NULL, err));
        assert_null(out);
    }
}

static void test_known(void **state) {
    static const struct {
        const char *kind, *text, *want;
    } rows[] = {{"contraction", "I do not know; it's fine. We're late, they can't come.",
                 "I don't know; it's fine. We are late, they cannot come."},
                {"contraction", "DO NOT panic, It is Done", "Don't panic, It's Done"},
                {"contraction", "He isn\xE2\x80\x99t here", "He is not here"},
                {"accents", "\xC3\xA9t\xC3\xA9", "ete"},
                {"words", "not never", "not never"},
                {"swap", "ab I", "ab I"},
                {"drop", "a b c", "a b c"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *got = disturb(rows[i].kind, NULL, rows[i].text, WF_STRENGTHS, 1);
        if (strcmp(rows[i].kind, "accents") == 0) /* half of the letters, whichever */
            assert_true(distance(got, rows[i].want) < distance(rows[i].text, rows[i].want));
        else
            assert_string_equal(rows[i].want, got);
        wfi_free(got);
    }
    char *typo = disturb("typo", NULL, "mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm", 5, 0);
    assert_true(strspn(typo, "mnjk") == strlen(typo) && strchr(typo, 'n') && strchr(typo, 'k'));
    char *prefix = disturb("prefix", NULL, "good film", 2, 0), *more = disturb("prefix", NULL, "good film", 3, 0);
    assert_non_null(strstr(prefix, ". good film"));
    assert_true(strlen(more) > strlen(prefix) + 20);
    char *other = disturb("typo", NULL, texts[0], 3, 1), *one = disturb("typo", NULL, texts[0], 3, 0);
    assert_string_not_equal(one, other); /* another seed, other places */
    char *all[] = {typo, prefix, more, other, one};
    for (int i = 0; i < 5; i++) wfi_free(all[i]);
}

static void test_negations_stay(void **state) {
    for (uint64_t seed = 0; seed < 20; seed++) {
        char *got = disturb("words", NULL, "it was (not) good and I never said that it wasn't, or without it", 5, seed);
        assert_true(strstr(got, "not") && strstr(got, "never") && strstr(got, "wasn't") && strstr(got, "without"));
        wfi_free(got);
    }
}

static void test_synonyms(void **state) {
    const char *dir = check_temp_dir();
    char found[8][WF_SYNONYM_BYTES];
    wf_wordnet *w = NULL;
    check_ok(wfi_wordnet_open(wordnet_write(dir, adjective), &w, err));
    assert_int_equal(2, wfi_wordnet_synonyms(w, "good", found, 8));
    assert_string_equal("solid", found[0]);
    assert_string_equal("fine", found[1]);
    assert_int_equal(1, wfi_wordnet_synonyms(w, "good", found, 1));
    assert_int_equal(1, wfi_wordnet_synonyms(w, "film", found, 8)); /* a noun in more meanings than a verb */
    assert_string_equal("movie", found[0]);
    assert_int_equal(0, wfi_wordnet_synonyms(w, "bank", found, 8)); /* undecided */
    assert_int_equal(0, wfi_wordnet_synonyms(w, "film_star", found, 8));
    assert_int_equal(0, wfi_wordnet_synonyms(w, "fil", found, 8));
    assert_int_equal(0, wfi_wordnet_synonyms(w, "", found, 8));
    char *got = disturb("synonym", w, "Film lovers do not find it good but this film", 5, 0);
    assert_string_equal("Movie lovers do not find it good but this movie", got);
    wfi_free(got);
    check_status(WF_E_ARG, wfi_perturb(wfi_perturbation_find("synonym"), NULL, "a", 1, 0, &got, NULL, err));
    check_status(WF_E_ARG, wfi_perturb(wfi_perturbation_find("typo"), NULL, "a", 6, 0, &got, NULL, err));
    wfi_wordnet_free(w);
    check_ok(wfi_tree_remove(dir, err));
    w = NULL;
    check_status(WF_E_NOTFOUND, wfi_wordnet_open("/nowhere/at/all", &w, err));
    assert_null(w);
}

/* Lines that break off, numbers that are none, offsets behind the end: no synonyms, nothing read outside. */
static void test_damaged_wordnet(void **state) {
    static const char *const lines[] = {"%08d 00 a ff good 0 bad 0\n",
                                        "%08d 00 a zz good 0\n",
                                        "%08d\n",
                                        "%08d 00 a 02",
                                        "%08d 00 a 02 good",
                                        "1%08d 00 a 02 good 0 fine 0 000\n",
                                        "\n%08d\n",
                                        "%08d 00 a 999999999999 good 0 fine 0\n"};
    char found[8][WF_SYNONYM_BYTES];
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const char *dir = check_temp_dir();
        wf_wordnet *w = NULL;
        check_ok(wfi_wordnet_open(wordnet_write(dir, lines[i]), &w, err));
        assert_int_equal(i == 0 ? 1 : 0, wfi_wordnet_synonyms(w, "good", found, 8));
        wfi_wordnet_free(w);
        char path[400];
        for (uint64_t k = 0; k < 40; k++) { /* an index of random printable bytes with a true beginning */
            char text[200];
            size_t n = (size_t)snprintf(text, sizeof text, "good a ");
            for (; n < 150; n++) text[n] = " \n0123456789abgod"[wfi_random_below(k, n, 17)];
            snprintf(path, sizeof path, "%s/index.adj", dir);
            check_ok(wfi_file_write(path, text, k % 2 ? n : n - 100, err));
            check_ok(wfi_wordnet_open(dir, &w, err));
            wfi_wordnet_synonyms(w, "good", found, 8);
            wfi_wordnet_free(w);
        }
        snprintf(path, sizeof path, "%s/index.adj", dir);
        check_ok(wfi_file_write(path, "", 0, err));
        check_ok(wfi_wordnet_open(dir, &w, err));
        assert_int_equal(0, wfi_wordnet_synonyms(w, "good", found, 8));
        wfi_wordnet_free(w);
        check_ok(wfi_tree_remove(dir, err));
    }
}

static void word_note(void *user, const char *word, bool negation) {
    strcat(strcat(strcat(user, word), negation ? "!" : ""), " ");
}

static void test_words(void **state) {
    char got[200] = "";
    check_ok(wfi_words_each("It ISN'T \xC3\x89t\xC3\xA9, 'good' (3.5) never--don\xE2\x80\x99t", word_note, got, err));
    assert_string_equal("it isn't! \xC3\xA9t\xC3\xA9 good 3 5 never! don\xE2\x80\x99t! ", got);
    got[0] = 0;
    check_ok(wfi_words_each(" ... ", word_note, got, err));
    assert_string_equal("", got);
    check_status(WF_E_DATA, wfi_words_each("a \xFF", word_note, got, err));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_properties),     cmocka_unit_test(test_random_texts),
                                       cmocka_unit_test(test_known),          cmocka_unit_test(test_negations_stay),
                                       cmocka_unit_test(test_synonyms),       cmocka_unit_test(test_words),
                                       cmocka_unit_test(test_damaged_wordnet)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
