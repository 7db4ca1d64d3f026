/* perturb/wordnet.c - synonyms out of WordNet's own text files (formats: its manual pages wndb(5)), by binary search in
 * the mapped files: nothing is loaded. Lines are sorted by word; the licence in front begins with blanks, which sort
 * first. Every field is read within its line: damaged files give no synonyms. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "perturb/perturb.h"
#include <stdio.h>
#include <string.h>

enum { SPEECHES = 4, WORDS_MOST = 64 };
static const char *const speeches[SPEECHES] = {"noun", "verb", "adj", "adv"};

struct wf_wordnet {
    wf_map index[SPEECHES], data[SPEECHES];
};

void wfi_wordnet_free(wf_wordnet *w) {
    for (int i = 0; w && i < SPEECHES; i++) {
        wfi_file_unmap(&w->index[i]);
        wfi_file_unmap(&w->data[i]);
    }
    wfi_free(w);
}

static wf_status file_open(const char *dir, const char *kind, const char *speech, wf_map *out, wf_err *err) {
    char name[32];
    snprintf(name, sizeof name, "%s.%s", kind, speech);
    char *path = wfi_path_join(dir, name);
    if (!path) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    wf_status st = wfi_file_exists(path)
                       ? wfi_file_map(path, out, err)
                       : wfi_fail_at(err, WF_E_NOTFOUND, path, -1,
                                     "%s does not exist; the folder of WordNet holds index.noun, data.noun and so on "
                                     "(Debian: package wordnet-base, /usr/share/wordnet)",
                                     path);
    wfi_free(path);
    return st;
}

wf_status wfi_wordnet_open(const char *dir, wf_wordnet **out, wf_err *err) {
    wf_wordnet *w = wfi_alloc(1, sizeof *w);
    wf_status st = w ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (int i = 0; st == WF_OK && i < SPEECHES; i++) {
        st = file_open(dir, "index", speeches[i], &w->index[i], err);
        if (st == WF_OK) st = file_open(dir, "data", speeches[i], &w->data[i], err);
    }
    if (st != WF_OK)
        wfi_wordnet_free(w);
    else
        *out = w;
    return st;
}

typedef struct line {
    const unsigned char *at, *end;
} line;

/* The next field, parted by blanks; its length, 0 at the end. */
static size_t field(line *l, const unsigned char **out) {
    while (l->at < l->end && *l->at == ' ') l->at++;
    *out = l->at;
    while (l->at < l->end && *l->at != ' ') l->at++;
    return (size_t)(l->at - *out);
}

/* A number of the base in at most 9 digits; -1 when it is none. */
static long number(line *l, int base) {
    const unsigned char *text;
    const size_t n = field(l, &text);
    long v = 0;
    if (n == 0 || n > 9) return -1;
    for (size_t i = 0; i < n; i++) {
        const int c = text[i], digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
        if (digit >= base) return -1;
        v = v * base + digit;
    }
    return v;
}

/* The line in which `at` lies. */
static line line_at(const wf_map *m, size_t at) {
    size_t start = at, end = at;
    while (start > 0 && m->data[start - 1] != '\n') start--;
    while (end < m->size && m->data[end] != '\n') end++;
    return (line){m->data + start, m->data + end};
}

static bool line_find(const wf_map *m, const char *word, line *out) {
    const size_t n = strlen(word);
    size_t low = 0, high = m->size;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const line l = line_at(m, middle);
        const size_t have = (size_t)(l.end - l.at), shared = have < n ? have : n;
        int order = memcmp(l.at, word, shared);
        if (order == 0) order = have > n ? l.at[n] - ' ' : -1; /* a blank ends the word */
        if (order == 0) {
            *out = l;
            return true;
        }
        if (order < 0)
            low = (size_t)(l.end - m->data) + 1;
        else
            high = (size_t)(l.at - m->data);
    }
    return false;
}

/* word pos synsets pointers pointer... senses tagged offset...: the tagged senses and the first offset. */
static bool index_read(line l, long *tagged, long *offset) {
    const unsigned char *skip;
    field(&l, &skip);
    field(&l, &skip);
    const long synsets = number(&l, 10), pointers = number(&l, 10);
    for (long i = 0; i < pointers && l.at < l.end; i++) field(&l, &skip);
    const long senses = number(&l, 10);
    *tagged = number(&l, 10);
    *offset = number(&l, 10);
    return synsets > 0 && pointers >= 0 && senses >= 0 && *tagged >= 0 && *offset >= 0;
}

/* Length of a word of lower-case letters only, without the marker of adjectives; 0: something else. */
static size_t plain(const unsigned char *text, size_t n) {
    const unsigned char *bracket = memchr(text, '(', n);
    if (bracket) n = (size_t)(bracket - text);
    for (size_t i = 0; i < n; i++)
        if (text[i] < 'a' || text[i] > 'z') return 0;
    return n < WF_SYNONYM_BYTES ? n : 0;
}

size_t wfi_wordnet_synonyms(const wf_wordnet *w, const char *word, char (*out)[WF_SYNONYM_BYTES], size_t most) {
    long best = 0, at = 0;
    int speech = -1;
    if (!*word) return 0;
    for (int i = 0; i < SPEECHES; i++) {
        line l;
        long tagged, offset;
        if (!line_find(&w->index[i], word, &l) || !index_read(l, &tagged, &offset)) continue;
        if (tagged == best) speech = -1; /* as often one thing as the other: whichever it is here is a guess */
        if (tagged <= best) continue;
        best = tagged;
        at = offset;
        speech = i;
    }
    if (speech < 0 || (size_t)at >= w->data[speech].size) return 0;
    line l = line_at(&w->data[speech], (size_t)at);
    if (l.at != w->data[speech].data + at || number(&l, 10) != at) return 0;
    const unsigned char *text;
    field(&l, &text);
    field(&l, &text);
    const long words = number(&l, 16);
    size_t n = 0;
    for (long i = 0; i < words && i < WORDS_MOST && n < most; i++) {
        const unsigned char *sense;
        const size_t have = field(&l, &text), length = have ? plain(text, have) : 0;
        field(&l, &sense);
        if (length == 0 || (strlen(word) == length && memcmp(text, word, length) == 0)) continue;
        memcpy(out[n], text, length);
        out[n++][length] = 0;
    }
    return n;
}
