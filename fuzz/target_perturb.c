/* fuzz/target_perturb.c - a text: disturbed in every way it stays UTF-8 and is not emptied, and strength 0 leaves it.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "fuzz.h"
#include "perturb/perturb.h"
#include <string.h>

static void word(void *user, const char *text, bool negation) {
    WF_FUZZ_HOLDS(*text);
    (void)negation;
    (*(size_t *)user)++;
}

wf_status wf_fuzz_one(const uint8_t *data, size_t size, wf_err *err) {
    size_t words = 0;
    char *text = wfi_strndup((const char *)data, size);
    WF_FUZZ_HOLDS(text != NULL);
    wf_status st = wfi_words_each(text, word, &words, err);
    for (size_t k = 0; st == WF_OK && wfi_perturbation_at(k); k++)
        for (int strength = 0; st == WF_OK && strength <= WF_STRENGTHS; strength += WF_STRENGTHS) {
            const wf_perturbation *p = wfi_perturbation_at(k);
            char *out = NULL;
            size_t edits = 0, more = 0;
            if (wfi_perturbation_needs_wordnet(p)) continue;
            st = wfi_perturb(p, NULL, text, strength, 7, &out, &edits, err);
            WF_FUZZ_HOLDS(st == WF_OK);
            WF_FUZZ_HOLDS(wfi_words_each(out, word, &more, err) == WF_OK); /* UTF-8 as before */
            WF_FUZZ_HOLDS((edits == 0) == (strcmp(out, text) == 0));
            WF_FUZZ_HOLDS(!*text || *out);
            wfi_free(out);
        }
    wfi_free(text);
    return st;
}
