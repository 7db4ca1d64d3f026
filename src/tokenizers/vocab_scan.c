/* tokenizers/vocab_scan.c - reads the vocabulary out of a tokenizer.json without a JSON tree: its 30 to 250 thousand
 * entries are nearly all of the file, and a tree of them costs many times what everything else does when a model is
 * opened. What is not plainly as the `tokenizers` library writes it (a number with a point, half a surrogate, an id
 * twice, ...) is left alone: the caller reads the whole file as JSON then, which is what has a message for it. So
 * nothing here says what is wrong, and nothing may be accepted that JSON would refuse. */
#include "base/alloc.h"
#include "tokenizers/internal.h"
#include <string.h>

typedef struct scan {
    const char *text;
    size_t at, size;
    char *spare; /* unescaped token texts */
    size_t spare_used;
} scan;

static char peek(const scan *s) {
    return s->at < s->size ? s->text[s->at] : 0;
}

static void blanks(scan *s) {
    while (peek(s) == ' ' || peek(s) == '\n' || peek(s) == '\t' || peek(s) == '\r') s->at++;
}

/* The character c with blanks around. */
static bool take(scan *s, char c) {
    blanks(s);
    if (peek(s) != c) return false;
    s->at++;
    blanks(s);
    return true;
}

/* Over a string as it stands, without reading it: s->at is at its first quote. */
static bool pass_string(scan *s) {
    for (s->at++; s->at < s->size && s->text[s->at] != '"'; s->at++)
        if (s->text[s->at] == '\\') s->at++;
    return s->at++ < s->size;
}

/* Over any value. Only brackets are counted: JSON itself is checked by the reader of what surrounds the vocabulary. */
static bool pass_value(scan *s) {
    int depth = 0;
    while (s->at < s->size) {
        const char c = s->text[s->at];
        if (c == '"') {
            if (!pass_string(s)) return false;
            continue;
        }
        if ((c == ',' || c == '}' || c == ']') && !depth) return true;
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        s->at++;
    }
    return false;
}

/* Enters the object at s->at and stops at the value of `key`. */
static bool enter(scan *s, const char *key) {
    const size_t n = strlen(key);
    if (!take(s, '{')) return false;
    while (peek(s) == '"') {
        const size_t from = s->at + 1;
        if (!pass_string(s)) return false;
        const bool found = s->at - 1 - from == n && !memcmp(s->text + from, key, n);
        if (!take(s, ':')) return false;
        if (found) return true;
        if (!pass_value(s) || !take(s, ',')) return false;
    }
    return false;
}

static bool hex4(const scan *s, size_t at, uint32_t *out) {
    *out = 0;
    if (s->size - at < 4) return false;
    for (size_t i = at; i < at + 4; i++) {
        const char c = s->text[i];
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0) return false;
        *out = *out << 4 | (uint32_t)digit;
    }
    return true;
}

/* One escape, s->at behind its backslash. \u of the basic plane alone. */
static bool unescape(scan *s) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char c = peek(s), *which = c ? strchr(from, c) : NULL;
    uint32_t cp;
    if (which) {
        s->spare[s->spare_used++] = to[which - from];
        s->at++;
        return true;
    }
    if (c != 'u' || !hex4(s, s->at + 1, &cp) || !cp || (cp >= 0xD800 && cp < 0xE000)) return false;
    s->spare_used += wfi_utf8_put(cp, s->spare + s->spare_used);
    s->at += 5;
    return true;
}

/* A token's text: where it stands when nothing in it is escaped, else in s->spare. */
static bool token(scan *s, const char **text, size_t *size) {
    if (peek(s) != '"') return false;
    const size_t from = ++s->at, kept = s->spare_used;
    bool escaped = false;
    for (;;) {
        const unsigned char c = (unsigned char)peek(s);
        uint32_t cp;
        if (c < ' ') return false; /* the end as well */
        if (c == '"') break;
        if (c == '\\') {
            if (!escaped) {
                memcpy(s->spare + kept, s->text + from, s->at - from);
                s->spare_used = kept + s->at - from;
            }
            escaped = true;
            s->at++;
            if (!unescape(s)) return false;
            continue;
        }
        const size_t n = wfi_utf8_get((const unsigned char *)s->text + s->at, s->size - s->at, &cp);
        if (!n) return false;
        if (escaped) {
            memcpy(s->spare + s->spare_used, s->text + s->at, n);
            s->spare_used += n;
        }
        s->at += n;
    }
    *text = escaped ? s->spare + kept : s->text + from;
    *size = escaped ? s->spare_used - kept : s->at - from;
    s->at++;
    return true;
}

/* A whole number from 0 on, as JSON writes it. */
static bool number(scan *s, size_t *out) {
    const size_t from = s->at;
    *out = 0;
    for (; peek(s) >= '0' && peek(s) <= '9'; s->at++) {
        if (s->at - from == 9) return false;
        *out = 10 * *out + (size_t)(peek(s) - '0');
    }
    return s->at > from && (s->text[from] != '0' || s->at == from + 1);
}

static wf_status entries(scan *s, wf_plan *plan, size_t most, bool *found) {
    size_t highest = 0, id;
    plan->texts = wfi_alloc(most, sizeof *plan->texts);
    plan->sizes = wfi_alloc(most, sizeof *plan->sizes);
    if (!plan->texts || !plan->sizes) return WF_E_NOMEM;
    if (!take(s, '{')) return WF_OK;
    do {
        const char *text;
        size_t size;
        if (!token(s, &text, &size) || !take(s, ':') || !number(s, &id) || id >= most || plan->texts[id]) return WF_OK;
        plan->texts[id] = text;
        plan->sizes[id] = size;
        if (id > highest) highest = id;
        plan->count++;
    } while (take(s, ','));
    *found = peek(s) == '}' && plan->count == highest + 1 && plan->count <= WFI_VOCAB_MAX;
    s->at++;
    return WF_OK;
}

wf_status wfi_vocab_scan(const char *json, size_t size, wf_plan *plan, wf_vocab_place *place, bool *found) {
    scan s = {.text = json, .size = size};
    *found = false;
    *place = (wf_vocab_place){0};
    if (!enter(&s, "model") || !enter(&s, "vocab")) return WF_OK;
    place->from = s.at;
    /* An entry has at least six bytes ("a":0,), and no text is longer unescaped than escaped. */
    place->spare = s.spare = wfi_alloc(size - s.at + 1, 1);
    wf_status st = s.spare ? entries(&s, plan, (size - s.at) / 6 + 1, found) : WF_E_NOMEM;
    place->to = s.at;
    if (*found && st == WF_OK) return WF_OK;
    wfi_vocab_scan_clear(plan, place);
    return st;
}

void wfi_vocab_scan_clear(wf_plan *plan, wf_vocab_place *place) {
    wfi_free(plan->texts);
    wfi_free(plan->sizes);
    wfi_free(place->spare);
    plan->texts = NULL;
    plan->sizes = NULL;
    plan->count = 0;
    *place = (wf_vocab_place){0};
}
