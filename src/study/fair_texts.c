/* study/fair_texts.c - texts of the rows that name an identity, and neutral templates, under every identity of a set.
 * See fair.h. */
#include "base/alloc.h"
#include "base/buffer.h"
#include "base/error.h"
#include "study/fair.h"
#include <ctype.h>
#include <string.h>

/* Without "a": whether it were "an" would be told from the identity. */
static const char *const templates[] = {
    "I spoke with the {} person yesterday.",    "The {} person lives next door.",
    "The letter was written by the {} person.", "My neighbour is the {} person over there.",
    "We met the {} person at the station.",     "The {} person works in this office.",
    "The book is about the {} person.",         "The {} person was in the room.",
    "The {} person opened the door.",           "They came together with the {} person.",
    "The article mentions the {} person.",      "The {} person asked a question."};
enum { TEMPLATES = sizeof templates / sizeof *templates };

typedef struct hit { /* a term in a text */
    size_t at, len, form;
    const json_t *forms; /* of its identity */
} hit;

static bool in_word(char c) {
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* The longest term of the set at the first place from `from` on that has one. */
static bool hit_next(json_t *set, const char *text, size_t from, hit *out) {
    const size_t n = strlen(text);
    for (size_t at = from; at < n; at++) {
        const char *identity;
        json_t *forms;
        const json_t *form;
        size_t k;
        if (!in_word(text[at]) || (at > 0 && in_word(text[at - 1]))) continue;
        *out = (hit){.at = at};
        json_object_foreach(set, identity, forms) json_array_foreach(forms, k, form) {
            const size_t len = json_string_length(form);
            if (len > out->len && at + len <= n && strncasecmp(text + at, json_string_value(form), len) == 0 &&
                !in_word(text[at + len]))
                *out = (hit){at, len, k, forms};
        }
        if (out->len) return true;
    }
    return false;
}

/* A form that stands for several others' ("her" for "his" and "him") cannot be replaced. */
static bool ambiguous(const hit *h) {
    const char *term = json_string_value(json_array_get(h->forms, h->form));
    size_t n = 0, k;
    const json_t *form;
    json_array_foreach(h->forms, k, form) n += strcasecmp(json_string_value(form), term) == 0;
    return n > 1;
}

/* The term as its place asks for: capitals as in the text where they are more or fewer than the old term's own. */
static void term_write(wf_buffer *b, const char *text, const hit *h, const char *new) {
    const char *old = json_string_value(json_array_get(h->forms, h->form));
    bool all = h->len > 1, none = true;
    for (size_t i = 0; i < h->len; i++) {
        if (islower((unsigned char)text[h->at + i])) all = false;
        if (isupper((unsigned char)text[h->at + i])) none = false;
    }
    const bool first = isupper((unsigned char)text[h->at]) && !isupper((unsigned char)old[0]);
    for (size_t i = 0; new[i]; i++) {
        const int c = (unsigned char)new[i];
        const char out = (char)(c >= 0x80         ? c
                                : none            ? (isupper((unsigned char)old[0]) ? tolower(c) : c)
                                : all             ? toupper(c)
                                : first && i == 0 ? toupper(c)
                                                  : c);
        wfi_buffer_add(b, &out, 1);
    }
}

/* What was written ends with "a " or "an ": the article that fits the term. */
static void article_fit(wf_buffer *b, const char *term) {
    size_t n = b->len;
    if (n < 2 || b->data[n - 1] != ' ') return;
    const size_t long_one = n >= 3 && tolower((unsigned char)b->data[n - 2]) == 'n', at = n - 2 - long_one;
    if (tolower((unsigned char)b->data[at]) != 'a' || (at > 0 && in_word(b->data[at - 1]))) return;
    const bool vowel =
        strchr("aeioAEIO", term[0]) && strncasecmp(term, "eu", 2) != 0 && strncasecmp(term, "one", 3) != 0;
    const bool capital = at + 1 < n - 1 && isupper((unsigned char)b->data[at + 1]);
    b->len = at + 1;
    wfi_buffer_adds(b, vowel ? capital ? "N " : "n " : " ");
}

static char *text_under(json_t *set, const char *text, const json_t *identity) {
    wf_buffer b = {0};
    hit h;
    size_t from = 0;
    while (hit_next(set, text, from, &h)) {
        const char *new = json_string_value(json_array_get(identity, h.form));
        wfi_buffer_add(&b, text + from, h.at - from);
        if (h.forms == identity) { /* as it stands */
            wfi_buffer_add(&b, text + h.at, h.len);
        } else {
            article_fit(&b, new);
            term_write(&b, text, &h, new);
        }
        from = h.at + h.len;
    }
    wfi_buffer_adds(&b, text + from);
    return wfi_buffer_take(&b);
}

static char *template_under(const char *text, const char *term) {
    const char *gap = strstr(text, "{}");
    wf_buffer b = {0};
    wfi_buffer_add(&b, text, (size_t)(gap - text));
    wfi_buffer_adds(&b, term);
    wfi_buffer_adds(&b, gap + 2);
    return wfi_buffer_take(&b);
}

/* ---- the list ---- */

static wf_status room(void **list, size_t *have, size_t want, size_t size, wf_err *err) {
    if (want <= *have) return WF_OK;
    const size_t next = want > 2 * *have ? want : 2 * *have;
    void *p = wfi_realloc(*list, next, size);
    if (!p) return wfi_fail(err, WF_E_NOMEM, "out of memory for %zu texts", want);
    *list = p;
    *have = next;
    return WF_OK;
}

static wf_status text_keep(wf_fair *f, char *text, const char **out, wf_err *err) {
    wf_status st = text ? room((void **)&f->texts, &f->text_room, f->text_count + 1, sizeof *f->texts, err)
                        : wfi_fail(err, WF_E_NOMEM, "out of memory for a text");
    if (st != WF_OK) {
        wfi_free(text);
        return st;
    }
    f->texts[f->text_count++] = text;
    *out = text;
    return WF_OK;
}

/* The row (or, without one, template k) under every identity. */
static wf_status swap_add(wf_fair *f, const char *name, json_t *set, const wf_row *row, size_t k, wf_err *err) {
    const char *identity;
    json_t *forms;
    WF_TRY(room((void **)&f->swaps, &f->swap_room, f->swap_count + 1, sizeof *f->swaps, err));
    f->swaps[f->swap_count++] = (wf_swap){.set = name, .template = !row, .first = f->variants.count};
    json_object_foreach(set, identity, forms) {
        wf_row one = {.label = row ? row->label : 0};
        if (row) {
            WF_TRY(text_keep(f, text_under(set, row->text, forms), &one.text, err));
            if (row->pair) WF_TRY(text_keep(f, text_under(set, row->pair, forms), &one.pair, err));
        } else {
            const char *term = json_string_value(json_array_get(forms, 0));
            WF_TRY(text_keep(f, template_under(templates[k], term), &one.text, err));
        }
        WF_TRY(room((void **)&f->variants.rows, &f->variant_room, f->variants.count + 1, sizeof one, err));
        f->variants.rows[f->variants.count++] = one;
    }
    return WF_OK;
}

typedef enum finding { NOTHING, ONE_IDENTITY, MIXED, AMBIGUOUS } finding;

static finding look(json_t *set, const char *text, const json_t **identity, finding so_far) {
    hit h;
    for (size_t from = 0; text && hit_next(set, text, from, &h); from = h.at + h.len) {
        if (so_far == NOTHING) so_far = ONE_IDENTITY;
        if (!*identity) *identity = h.forms;
        if (h.forms != *identity)
            so_far = MIXED;
        else if (so_far == ONE_IDENTITY && ambiguous(&h))
            so_far = AMBIGUOUS;
    }
    return so_far;
}

wf_status wfi_fair_texts(wf_fair *f, wf_err *err) {
    const char *name;
    json_t *set;
    json_object_foreach(f->terms, name, set) {
        size_t used = 0;
        for (size_t i = 0; i < f->rows.count && used < WF_FAIR_TEXTS; i++) {
            const wf_row *row = &f->rows.rows[i];
            const json_t *identity = NULL;
            const finding found = look(set, row->pair, &identity, look(set, row->text, &identity, NOTHING));
            f->mixed += found == MIXED;
            f->ambiguous += found == AMBIGUOUS;
            if (found != ONE_IDENTITY) continue;
            WF_TRY(swap_add(f, name, set, row, 0, err));
            used++;
        }
        for (size_t k = 0; !f->task->has_pair && k < TEMPLATES; k++) WF_TRY(swap_add(f, name, set, NULL, k, err));
    }
    return wfi_truth_make(f->task, &f->variants, &f->variant_truth, err);
}

void wfi_fair_texts_clear(wf_fair *f) {
    for (size_t i = 0; i < f->text_count; i++) wfi_free(f->texts[i]);
    wfi_free(f->texts);
    wfi_free(f->swaps);
    wfi_free(f->variants.rows);
    wfi_truth_clear(&f->variant_truth);
}
