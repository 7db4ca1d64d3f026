/* perturb/kind.h - one way to disturb a text: a function that lists every edit it could do. Which of them are done at a
 * strength is settled in perturb.c, the same way for all. Private to perturb/. Layer 2. */
#ifndef WF_PERTURB_KIND_H
#define WF_PERTURB_KIND_H
#include "base/buffer.h"
#include "perturb/perturb.h"

typedef struct wf_span {
    size_t at, end;
} wf_span;

typedef struct wf_subject { /* a text taken apart */
    int32_t *cp;            /* [n] code points, and a 0 behind them */
    size_t n;
    wf_span *word; /* letters, marks and digits, with apostrophes between them */
    size_t words;
    wf_span *token; /* what white space separates */
    size_t tokens;
    uint64_t key; /* for choices; element: a position */
    const wf_wordnet *wordnet;
} wf_subject;

typedef struct wf_edit { /* cp[at..at+len) becomes text */
    size_t at, len, text, text_len;
} wf_edit;

typedef struct wf_edits { /* by rising position, not overlapping */
    wf_edit *list;
    size_t count, cap;
    wf_buffer texts;
    bool failed;
} wf_edits;

void wfi_edit_add(wf_edits *e, size_t at, size_t len, const char *text, size_t text_len);
void wfi_edit_add_cp(wf_edits *e, size_t at, size_t len, const int32_t *cp, size_t n);

struct wf_perturbation {
    const char *name;
    double step; /* share of the possible edits that each strength adds; at least one edit a strength */
    size_t keep; /* so many possible edits are never done */
    bool wordnet;
    void (*find)(const wf_subject *s, wf_edits *out);
};

/* What the kinds ask of a text. */
bool wfi_is_letter(int32_t cp);
bool wfi_is_space(int32_t cp);
bool wfi_is_mark(int32_t cp);                                /* joins the character before it */
bool wfi_is_single(const wf_subject *s, size_t at);          /* a letter that no mark follows */
bool wfi_is_negation(const wf_subject *s, const wf_span *w); /* not, never, n't, without, ... */
/* The word as lower-case ASCII, NUL-terminated; false when it is something else or too long. */
bool wfi_word_ascii(const wf_subject *s, const wf_span *w, char *out, size_t size);
uint32_t wfi_choose(const wf_subject *s, size_t at, uint32_t n); /* in [0, n), fixed by text, kind and place */
#endif
