/* perturb/perturb.c - taking a text apart, choosing edits by strength, putting it together. See perturb.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "perturb/kind.h"
#include <math.h>
#include <string.h>
#include <utf8proc.h>

#define WF_PERTURBATION(name) extern const wf_perturbation name;
#include "perturb/list.inc"
#undef WF_PERTURBATION
static const wf_perturbation *const kinds[] = {
#define WF_PERTURBATION(name) &name,
#include "perturb/list.inc"
#undef WF_PERTURBATION
};
enum { KINDS = sizeof kinds / sizeof *kinds };

const wf_perturbation *wfi_perturbation_at(size_t i) {
    return i < KINDS ? kinds[i] : NULL;
}
const wf_perturbation *wfi_perturbation_find(const char *name) {
    for (size_t i = 0; i < KINDS; i++)
        if (strcmp(kinds[i]->name, name) == 0) return kinds[i];
    return NULL;
}
const char *wfi_perturbation_name(const wf_perturbation *p) {
    return p->name;
}
bool wfi_perturbation_needs_wordnet(const wf_perturbation *p) {
    return p->wordnet;
}

/* ---- the text taken apart ---- */

static void subject_clear(wf_subject *s) {
    wfi_free(s->cp);
    wfi_free(s->word);
    wfi_free(s->token);
}

static bool in_word(const wf_subject *s, size_t i) {
    const int32_t c = s->cp[i];
    if (wfi_is_letter(c) || wfi_is_mark(c) || (c >= '0' && c <= '9')) return true;
    return (c == '\'' || c == 0x2019) && i > 0 && wfi_is_letter(s->cp[i - 1]) && wfi_is_letter(s->cp[i + 1]);
}

static wf_status subject_make(const char *text, wf_subject *s, wf_err *err) {
    const size_t bytes = strlen(text);
    s->cp = wfi_alloc(bytes + 1, sizeof *s->cp);
    s->word = wfi_alloc(bytes + 1, sizeof *s->word);
    s->token = wfi_alloc(bytes + 1, sizeof *s->token);
    if (!s->cp || !s->word || !s->token) return wfi_fail(err, WF_E_NOMEM, "out of memory for a text");
    for (size_t i = 0; i < bytes;) {
        utf8proc_int32_t c;
        const utf8proc_ssize_t n =
            utf8proc_iterate((const utf8proc_uint8_t *)text + i, (utf8proc_ssize_t)(bytes - i), &c);
        if (n <= 0) return wfi_fail_at(err, WF_E_DATA, "text", (int64_t)i, "byte %zu of the text is no UTF-8", i);
        s->cp[s->n++] = c;
        i += (size_t)n;
    }
    for (size_t i = 0; i < s->n; i++) {
        const bool space = wfi_is_space(s->cp[i]);
        if (in_word(s, i)) {
            if (i == 0 || !in_word(s, i - 1)) s->word[s->words++].at = i;
            s->word[s->words - 1].end = i + 1;
        }
        if (!space) {
            if (i == 0 || wfi_is_space(s->cp[i - 1])) s->token[s->tokens++].at = i;
            s->token[s->tokens - 1].end = i + 1;
        }
    }
    return WF_OK;
}

bool wfi_is_letter(int32_t cp) {
    const utf8proc_category_t c = utf8proc_category(cp);
    return c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_LO;
}

bool wfi_is_mark(int32_t cp) {
    const utf8proc_category_t c = utf8proc_category(cp);
    return (c >= UTF8PROC_CATEGORY_MN && c <= UTF8PROC_CATEGORY_ME) || cp == 0x200D;
}

bool wfi_is_space(int32_t cp) {
    return cp == ' ' || (cp >= '\t' && cp <= '\r') || utf8proc_category(cp) == UTF8PROC_CATEGORY_ZS;
}

bool wfi_is_single(const wf_subject *s, size_t at) {
    return wfi_is_letter(s->cp[at]) && !wfi_is_mark(s->cp[at + 1]);
}

bool wfi_word_ascii(const wf_subject *s, const wf_span *w, char *out, size_t size) {
    const size_t n = w->end - w->at;
    if (n >= size) return false;
    for (size_t i = 0; i < n; i++) {
        const int32_t c = s->cp[w->at + i] == 0x2019 ? '\'' : s->cp[w->at + i];
        if (c >= 0x80) return false;
        out[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    out[n] = 0;
    return true;
}

bool wfi_is_negation(const wf_subject *s, const wf_span *w) {
    static const char *const words[] = {"not",     "no",     "never",   "none",   "nobody",   "nothing",
                                        "neither", "nor",    "nowhere", "hardly", "scarcely", "barely",
                                        "without", "cannot", "dont",    "cant"};
    char word[24];
    if (!wfi_word_ascii(s, w, word, sizeof word)) return false;
    const size_t n = strlen(word);
    if (n > 3 && strcmp(word + n - 3, "n't") == 0) return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(word, words[i]) == 0) return true;
    return false;
}

uint32_t wfi_choose(const wf_subject *s, size_t at, uint32_t n) {
    return wfi_random_below(s->key, (uint64_t)at + (1u << 30), n); /* the order of edits uses the numbers below */
}

wf_status wfi_words_each(const char *text, wf_word_fn fn, void *user, wf_err *err) {
    wf_subject s = {0};
    wf_buffer word = {0};
    utf8proc_uint8_t bytes[4];
    wf_status st = subject_make(text, &s, err);
    for (size_t w = 0; st == WF_OK && w < s.words; w++) {
        word.len = 0;
        for (size_t i = s.word[w].at; i < s.word[w].end; i++)
            wfi_buffer_add(&word, bytes, (size_t)utf8proc_encode_char(utf8proc_tolower(s.cp[i]), bytes));
        if (word.failed)
            st = wfi_fail(err, WF_E_NOMEM, "out of memory for a text");
        else
            fn(user, word.data, wfi_is_negation(&s, &s.word[w]));
    }
    wfi_buffer_clear(&word);
    subject_clear(&s);
    return st;
}

/* ---- edits ---- */

void wfi_edit_add(wf_edits *e, size_t at, size_t len, const char *text, size_t text_len) {
    if (e->count == e->cap) {
        const size_t cap = e->cap ? 2 * e->cap : 64;
        wf_edit *list = wfi_realloc(e->list, cap, sizeof *list);
        if (!list) {
            e->failed = true;
            return;
        }
        e->list = list;
        e->cap = cap;
    }
    e->list[e->count++] = (wf_edit){at, len, e->texts.len, text_len};
    wfi_buffer_add(&e->texts, text, text_len);
    e->failed = e->failed || e->texts.failed;
}

void wfi_edit_add_cp(wf_edits *e, size_t at, size_t len, const int32_t *cp, size_t n) {
    utf8proc_uint8_t text[4 * 8];
    size_t bytes = 0;
    for (size_t i = 0; i < n && i < 8; i++) bytes += (size_t)utf8proc_encode_char(cp[i], text + bytes);
    wfi_edit_add(e, at, len, (const char *)text, bytes);
}

/* The text with the edits that are `done`; *blank: nothing but white space is left. */
static void write(const wf_subject *s, const wf_edits *e, const bool *done, wf_buffer *out, bool *blank) {
    utf8proc_uint8_t text[4];
    size_t at = 0;
    *blank = true;
    out->len = 0;
    for (size_t k = 0; k <= e->count; k++) {
        if (k < e->count && !done[k]) continue;
        const size_t end = k < e->count ? e->list[k].at : s->n;
        for (; at < end; at++) {
            wfi_buffer_add(out, text, (size_t)utf8proc_encode_char(s->cp[at], text));
            *blank = *blank && wfi_is_space(s->cp[at]);
        }
        if (k == e->count) break;
        *blank = *blank && e->list[k].text_len == 0;
        if (e->list[k].text_len) wfi_buffer_add(out, e->texts.data + e->list[k].text, e->list[k].text_len);
        at = e->list[k].at + e->list[k].len;
    }
}

/* Does the first edits of an order that depends on the text and the kind only: a stronger disturbance begins with the
 * weaker one's edits. */
static wf_status choose(const wf_perturbation *p, const wf_subject *s, const wf_edits *e, int strength, wf_buffer *out,
                        size_t *count, wf_err *err) {
    int64_t *order = wfi_alloc(e->count, sizeof *order);
    bool *done = wfi_alloc(e->count, sizeof *done);
    if (!order || !done) {
        wfi_free(order);
        wfi_free(done);
        return wfi_fail(err, WF_E_NOMEM, "out of memory for a text");
    }
    const size_t most = e->count > p->keep ? e->count - p->keep : 0;
    size_t n = (size_t)ceil(p->step * strength * (double)e->count - 1e-9);
    n = n < (size_t)strength ? (size_t)strength : n;
    n = n < most ? n : most;
    for (size_t i = 0; i < e->count; i++) order[i] = (int64_t)i;
    wfi_random_shuffle(s->key, order, e->count);
    for (size_t i = 0; i < n; i++) done[order[i]] = true;
    bool blank = true;
    for (write(s, e, done, out, &blank); blank && n > 0; write(s, e, done, out, &blank)) done[order[--n]] = false;
    *count = n;
    wfi_free(order);
    wfi_free(done);
    return out->failed ? wfi_fail(err, WF_E_NOMEM, "out of memory for a text") : WF_OK;
}

wf_status wfi_perturb(const wf_perturbation *p, const wf_wordnet *wordnet, const char *text, int strength,
                      uint64_t seed, char **out, size_t *edits, wf_err *err) {
    if (strength < 0 || strength > WF_STRENGTHS)
        return wfi_fail(err, WF_E_ARG, "strength %d does not exist; use 0 to %d", strength, WF_STRENGTHS);
    if (p->wordnet && !wordnet) return wfi_fail(err, WF_E_ARG, "%s needs the files of WordNet", p->name);
    wf_subject s = {.wordnet = wordnet, .key = wfi_random_key(wfi_random_key(seed, text, 0, 0), p->name, 0, 0)};
    wf_edits e = {0};
    wf_buffer b = {0};
    size_t count = 0;
    wf_status st = subject_make(text, &s, err);
    if (st == WF_OK && strength > 0) p->find(&s, &e);
    if (st == WF_OK && e.failed) st = wfi_fail(err, WF_E_NOMEM, "out of memory for a text");
    if (st == WF_OK) st = choose(p, &s, &e, strength, &b, &count, err);
    char *done = st == WF_OK ? count ? wfi_buffer_take(&b) : wfi_strdup(text) : NULL;
    if (st == WF_OK && !done) st = wfi_fail(err, WF_E_NOMEM, "out of memory for a text");
    if (st == WF_OK) {
        *out = done;
        if (edits) *edits = count;
    }
    wfi_buffer_clear(&b);
    wfi_buffer_clear(&e.texts);
    wfi_free(e.list);
    subject_clear(&s);
    return st;
}
