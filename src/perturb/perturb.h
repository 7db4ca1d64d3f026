/* perturb/perturb.h - texts as people also write them: disturbed in one of several ways, at strengths 1 to 5. Layer 2.
 * The meaning stays (no negation is left out or replaced), the text stays valid UTF-8 and is never emptied. What is
 * done is a function of (kind, text, seed) alone, and what strength s does, strength s + 1 does too and more of it. */
#ifndef WF_PERTURB_PERTURB_H
#define WF_PERTURB_PERTURB_H
#include "weft/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WF_STRENGTHS = 5, WF_SYNONYM_BYTES = 64 };

/* The word files of WordNet, opened where the user has them (Debian: package wordnet-base, /usr/share/wordnet). */
typedef struct wf_wordnet wf_wordnet;
wf_status wfi_wordnet_open(const char *dir, wf_wordnet **out, wf_err *err); /* WF_E_NOTFOUND names the missing file */
void wfi_wordnet_free(wf_wordnet *w);
/* Single words that share the first meaning of a word (lower-case ASCII), of the part of speech in which it is used in
 * most meanings; none when that is not one. Damaged files give none. How many were written. */
size_t wfi_wordnet_synonyms(const wf_wordnet *w, const char *word, char (*out)[WF_SYNONYM_BYTES], size_t most);

typedef struct wf_perturbation wf_perturbation;
const wf_perturbation *wfi_perturbation_at(size_t i); /* NULL behind the last */
const wf_perturbation *wfi_perturbation_find(const char *name);
const char *wfi_perturbation_name(const wf_perturbation *p);
bool wfi_perturbation_needs_wordnet(const wf_perturbation *p);

/* strength 0: a copy. edits (may be NULL): how many places were changed; 0 where the kind finds nothing to do. out:
 * wfi_free. WF_E_DATA when the text is no UTF-8. wordnet may be NULL unless the kind needs it. */
wf_status wfi_perturb(const wf_perturbation *p, const wf_wordnet *wordnet, const char *text, int strength,
                      uint64_t seed, char **out, size_t *edits, wf_err *err);

/* Every word of a text in lower case (letters, marks and digits, with apostrophes between letters), in order. */
typedef void (*wf_word_fn)(void *user, const char *word, bool negation);
wf_status wfi_words_each(const char *text, wf_word_fn fn, void *user, wf_err *err);
#endif
