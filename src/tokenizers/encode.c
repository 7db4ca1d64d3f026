/* tokenizers/encode.c - a text (or two) to ids: added tokens are taken out of the raw text first, the rest is
 * normalised, cut into words at white space and punctuation (BertPreTokenizer), and given to WordPiece; then the cut to
 * a length and the template with special tokens. No heap use per word; the only state is on the stack and in the
 * wf_encoding. */
#include "base/alloc.h"
#include "base/error.h"
#include "tokenizers/internal.h"
#include <string.h>

typedef struct wf_run { /* one encode call */
    wf_word word;
    wf_normal normal;
    const wf_tokenizer *t;
    const unsigned char *text;
    struct wf_point *points; /* normalised text, only for added tokens with `normalized` */
    size_t count, cap;
    bool failed;
} wf_run;
typedef struct wf_point {
    uint32_t cp;
    int32_t from, to;
} wf_point;

static wf_status grow(void **p, size_t count, size_t size) {
    void *more = wfi_realloc(*p, count, size);
    if (!more) return WF_E_NOMEM;
    *p = more;
    return WF_OK;
}

wf_status wfi_encoding_reserve(wf_encoding *e, size_t count) {
    size_t cap = e->cap < 64 ? 64 : e->cap;
    while (cap < count) {
        if (cap > SIZE_MAX / 2) return WF_E_NOMEM;
        cap *= 2;
    }
    if (cap == e->cap) return WF_OK;
    WF_TRY(grow((void **)&e->ids, cap, sizeof *e->ids));
    WF_TRY(grow((void **)&e->type_ids, cap, sizeof *e->type_ids));
    WF_TRY(grow((void **)&e->starts, cap, sizeof *e->starts));
    WF_TRY(grow((void **)&e->ends, cap, sizeof *e->ends));
    e->cap = cap;
    return WF_OK;
}

void wfi_encoding_clear(wf_encoding *e) {
    wfi_free(e->ids);
    wfi_free(e->type_ids);
    wfi_free(e->starts);
    wfi_free(e->ends);
    memset(e, 0, sizeof *e);
}

/* BertPreTokenizer on one normalised character. */
static void put_word(void *to, uint32_t cp, int32_t from, int32_t end) {
    wf_word *w = to;
    const unsigned flags = wfi_unicode_flags(&w->t->chars, cp);
    if (!(flags & (WFI_CH_SPACE | WFI_CH_PUNCT))) {
        wfi_word_put(w, cp, from, end);
        return;
    }
    wfi_word_end(w);
    if (flags & WFI_CH_SPACE) return;
    wfi_word_put(w, cp, from, end);
    wfi_word_end(w);
}

static void put_point(void *to, uint32_t cp, int32_t from, int32_t end) {
    wf_run *r = to;
    if (r->failed) return;
    if (r->count == r->cap) {
        const size_t cap = r->cap ? 2 * r->cap : 256;
        r->failed = grow((void **)&r->points, cap, sizeof *r->points) != WF_OK;
        if (r->failed) return;
        r->cap = cap;
    }
    r->points[r->count++] = (wf_point){cp, from, end};
}

/* text[from..to) without added tokens, straight into words. ASCII goes by table. */
static void words_of(wf_run *r, size_t from, size_t to) {
    wf_word *w = &r->word;
    wfi_normal_begin(&r->normal, r->t, put_word, w);
    for (size_t i = from; i < to;) {
        const unsigned char c = r->text[i];
        if (c < 128 && !r->normal.pending) {
            const uint8_t code = r->t->ascii[c];
            if (code < 128) {
                wfi_word_put(w, code, (int32_t)i, (int32_t)i + 1);
            } else if (code != WFI_ASCII_DROP) {
                wfi_word_end(w);
                if (code == WFI_ASCII_PUNCT) {
                    wfi_word_put(w, c, (int32_t)i, (int32_t)i + 1);
                    wfi_word_end(w);
                }
                if (w->out->count >= w->limit || w->st != WF_OK) break;
            }
            i++;
            continue;
        }
        uint32_t cp = 0;
        const size_t size = wfi_utf8_get(r->text + i, to - i, &cp);
        wfi_normal_char(&r->normal, cp, (int32_t)i, (int32_t)(i + size));
        if (w->out->count >= w->limit || w->st != WF_OK) break;
        i += size;
    }
    wfi_normal_end(&r->normal);
    wfi_word_end(w);
}

/* The longest added token with `normalized` at points[i..); NULL when there is none. *size: in points. */
static const wf_added *normalized_at(const wf_run *r, size_t i, size_t *size) {
    const wf_added *best = NULL;
    for (size_t k = 0; k < r->t->added_count; k++) {
        const wf_added *a = &r->t->added[k];
        if (!a->normalized || (best && a->size <= best->size)) continue;
        size_t at = i, byte = 0;
        for (; byte < a->size && at < r->count; at++) {
            char utf8[4];
            const size_t n = wfi_utf8_put(r->points[at].cp, utf8);
            if (n > a->size - byte || memcmp(utf8, a->text + byte, n)) break;
            byte += n;
        }
        if (byte != a->size) continue;
        best = a;
        *size = at - i;
    }
    return best;
}

static bool point_is(const wf_run *r, size_t i, unsigned flag) {
    return wfi_unicode_flags(&r->t->chars, r->points[i].cp) & flag;
}

static void words_of_points(wf_run *r, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) put_word(&r->word, r->points[i].cp, r->points[i].from, r->points[i].to);
    wfi_word_end(&r->word);
}

/* text[from..to): normalised as a whole, added tokens with `normalized` taken out, the rest to words. */
static void normalized_words_of(wf_run *r, size_t from, size_t to) {
    r->count = 0;
    wfi_normal_begin(&r->normal, r->t, put_point, r);
    for (size_t i = from; i < to;) {
        uint32_t cp = 0;
        const size_t size = wfi_utf8_get(r->text + i, to - i, &cp);
        wfi_normal_char(&r->normal, cp, (int32_t)i, (int32_t)(i + size));
        i += size;
    }
    wfi_normal_end(&r->normal);
    if (r->failed) return;
    size_t done = 0;
    for (size_t i = 0; i < r->count;) {
        size_t size = 0;
        const wf_added *a = normalized_at(r, i, &size);
        if (!a) {
            i++;
            continue;
        }
        size_t start = i, stop = i + size;
        i = stop;
        if (a->single_word &&
            ((start && point_is(r, start - 1, WFI_CH_WORD)) || (stop < r->count && point_is(r, stop, WFI_CH_WORD))))
            continue;
        if (a->lstrip && start < done) start = done < stop ? done : stop - 1; /* white space the one before took */
        while (a->lstrip && start > done && point_is(r, start - 1, WFI_CH_SPACE)) start--;
        while (a->rstrip && stop < r->count && point_is(r, stop, WFI_CH_SPACE)) stop++;
        words_of_points(r, done, start);
        wfi_word_emit(&r->word, a->id, r->points[start].from, r->points[stop - 1].to);
        if (done < stop) done = stop;
    }
    words_of_points(r, done, r->count);
}

static void segment(wf_run *r, size_t from, size_t to) {
    if (from >= to || r->word.out->count >= r->word.limit || r->word.st != WF_OK) return;
    if (r->t->any_normalized)
        normalized_words_of(r, from, to);
    else
        words_of(r, from, to);
}

/* Flags of the character that ends before byte i / begins at byte i. */
static unsigned flags_before(const wf_run *r, size_t i) {
    do i--;
    while (i && (r->text[i] & 0xC0) == 0x80);
    uint32_t cp = 0;
    wfi_utf8_get(r->text + i, 4, &cp);
    return wfi_unicode_flags(&r->t->chars, cp);
}

static unsigned flags_at(const wf_run *r, size_t i, size_t n, size_t *size) {
    uint32_t cp = 0;
    *size = wfi_utf8_get(r->text + i, n - i, &cp);
    return wfi_unicode_flags(&r->t->chars, cp);
}

static size_t size_before(const wf_run *r, size_t i) {
    size_t n = 1;
    while (n < i && (r->text[i - n] & 0xC0) == 0x80) n++;
    return n;
}

static const wf_added *raw_at(const wf_run *r, size_t i, size_t n) {
    const wf_added *best = NULL;
    for (size_t k = 0; k < r->t->added_count; k++) {
        const wf_added *a = &r->t->added[k];
        if (!a->normalized && a->size <= n - i && (!best || a->size > best->size) &&
            !memcmp(a->text, r->text + i, a->size))
            best = a;
    }
    return best;
}

/* The whole text: added tokens of the raw text, and what lies between them. */
static void text_of(wf_run *r, size_t n) {
    size_t done = 0, size = 0;
    for (size_t i = 0; r->t->any_raw && i < n && r->word.out->count < r->word.limit;) {
        const wf_added *a = r->t->raw_first[r->text[i]] ? raw_at(r, i, n) : NULL;
        if (!a) {
            i++;
            continue;
        }
        size_t start = i, stop = i + a->size;
        i = stop;
        if (a->single_word && ((start && flags_before(r, start) & WFI_CH_WORD) ||
                               (stop < n && flags_at(r, stop, n, &size) & WFI_CH_WORD)))
            continue;
        if (a->lstrip && start < done) start = done < stop ? done : stop - 1; /* white space the one before took */
        while (a->lstrip && start > done && flags_before(r, start) & WFI_CH_SPACE) start -= size_before(r, start);
        while (a->rstrip && stop < n && flags_at(r, stop, n, &size) & WFI_CH_SPACE) stop += size;
        segment(r, done, start);
        wfi_word_emit(&r->word, a->id, (int32_t)start, (int32_t)stop);
        if (done < stop) done = stop;
    }
    segment(r, done, n);
}

/* Bytes of words are ASCII mostly: eight at a time. */
static wf_status check_utf8(const char *text, size_t n, const char *which, wf_err *err) {
    const unsigned char *p = (const unsigned char *)text;
    for (size_t i = 0; i < n;) {
        uint64_t eight;
        if (n - i >= 8 && (memcpy(&eight, p + i, 8), !(eight & 0x8080808080808080u))) {
            i += 8;
            continue;
        }
        uint32_t cp;
        const size_t size = wfi_utf8_get(p + i, n - i, &cp);
        if (!size)
            return wfi_fail_at(err, WF_E_DATA, which, (int64_t)i,
                               "the %s is not UTF-8 at byte %zu (0x%02X); convert it to UTF-8", which, i, p[i]);
        i += size;
    }
    return WF_OK;
}

static wf_status encode_text(wf_run *r, const char *text, size_t n, size_t limit, wf_err *err) {
    r->text = (const unsigned char *)text;
    r->word.limit = limit;
    r->word.bytes = r->word.chars = 0;
    text_of(r, n);
    if (r->word.st != WF_OK || r->failed)
        return wfi_fail(err, WF_E_NOMEM, "out of memory for the tokens of a text of %zu bytes", n);
    return WF_OK;
}

/* transformers' longest_first for two texts of n1 and n2 tokens in `room` places (the `tokenizers` library's rule: the
 * longer one is cut to what the shorter leaves, or both to a half). */
static void cut_pair(size_t *a, size_t *b, size_t room) {
    if (*a + *b <= room) return;
    const bool swap = *a > *b;
    size_t n1 = swap ? *b : *a, n2;
    if (n1 > room)
        n2 = n1;
    else
        n2 = n1 > room - n1 ? n1 : room - n1;
    if (n1 + n2 > room) {
        n1 = room / 2;
        n2 = n1 + room % 2;
    }
    *a = swap ? n2 : n1;
    *b = swap ? n1 : n2;
}

static void move_tokens(wf_encoding *e, size_t to, size_t from, size_t n) {
    memmove(e->ids + to, e->ids + from, n * sizeof *e->ids);
    memmove(e->starts + to, e->starts + from, n * sizeof *e->starts);
    memmove(e->ends + to, e->ends + from, n * sizeof *e->ends);
}

/* Spreads the texts' tokens (first n[0], then n[1]) over the template, from the end so that nothing is overwritten. */
static void apply_template(wf_encoding *e, const wf_template *form, const size_t n[2]) {
    size_t at = n[0] + n[1] + form->specials, left = n[0] + n[1];
    e->count = at;
    for (size_t i = form->count; i--;) {
        const wf_piece *p = &form->pieces[i];
        const size_t size = p->text < 0 ? 1 : n[p->text];
        at -= size;
        if (p->text < 0) {
            e->ids[at] = p->id;
            e->starts[at] = e->ends[at] = 0;
        } else {
            left -= size;
            move_tokens(e, at, left, size);
        }
        if (size) memset(e->type_ids + at, p->type_id, size);
    }
}

wf_status wfi_tokenizer_encode(const wf_tokenizer *t, const char *text, size_t n, const char *pair, size_t pair_n,
                               size_t max_length, wf_encoding *out, wf_err *err) {
    const wf_template *form = pair ? &t->pair : &t->single;
    if (!pair) pair_n = 0;
    out->count = 0;
    if (n > INT32_MAX || pair_n > INT32_MAX)
        return wfi_fail(err, WF_E_ARG, "a text of more than %d bytes cannot be encoded", INT32_MAX);
    if (max_length && max_length < form->specials)
        return wfi_fail(err, WF_E_ARG, "a length of %zu tokens leaves no room for the %zu special tokens", max_length,
                        form->specials);
    WF_TRY(check_utf8(text, n, pair ? "first text" : "text", err));
    WF_TRY(check_utf8(pair, pair_n, "second text", err));
    const size_t room = max_length ? max_length - form->specials : SIZE_MAX;
    size_t count[2] = {0, 0};
    wf_run r;
    r.t = r.word.t = t;
    r.word.out = out;
    r.word.st = WF_OK;
    r.points = NULL;
    r.count = r.cap = 0;
    r.failed = false;
    wf_status st = encode_text(&r, text, n, pair ? SIZE_MAX : room, err);
    count[0] = out->count;
    if (st == WF_OK && pair) st = encode_text(&r, pair, pair_n, SIZE_MAX, err);
    count[1] = out->count - count[0];
    wfi_free(r.points);
    if (st == WF_OK && wfi_encoding_reserve(out, out->count + form->specials) != WF_OK)
        st = wfi_fail(err, WF_E_NOMEM, "out of memory for %zu tokens", out->count);
    if (st != WF_OK) {
        out->count = 0;
        return st;
    }
    const size_t first = count[0];
    if (pair)
        cut_pair(&count[0], &count[1], room);
    else if (count[0] > room)
        count[0] = room;
    if (count[0] < first && count[1]) move_tokens(out, count[0], first, count[1]);
    apply_template(out, form, count);
    return WF_OK;
}
