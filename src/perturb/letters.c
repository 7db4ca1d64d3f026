/* perturb/letters.c - slips of the fingers: a neighbouring key, a letter left out, two letters in the wrong order, the
 * shift key. The first letter of a word is neither dropped nor swapped, as in most real misspellings. */
#include "perturb/kind.h"
#include <utf8proc.h>

static void typo_find(const wf_subject *s, wf_edits *out) {
    /* Letters beside, above and below each letter on a QWERTY keyboard, a to z. */
    static const char *const near[26] = {"qwsz",   "vghn", "xdfv",   "serfcx", "wrsd",   "drtgvc", "ftyhbv",
                                         "gyujnb", "uokj", "huikmn", "jiolm",  "kop",    "njk",    "bhjm",
                                         "iplk",   "ol",   "wa",     "etdf",   "awedxz", "ryfg",   "yihj",
                                         "cfgb",   "qeas", "zsdc",   "tugh",   "asx"};
    for (size_t i = 0; i < s->n; i++) {
        const int32_t c = s->cp[i], lower = c >= 'A' && c <= 'Z' ? c + 32 : c;
        if (lower < 'a' || lower > 'z' || !wfi_is_single(s, i)) continue;
        const char *keys = near[lower - 'a'];
        uint32_t n = 0;
        while (keys[n]) n++;
        const char key = (char)(keys[wfi_choose(s, i, n)] - (lower - c));
        wfi_edit_add(out, i, 1, &key, 1);
    }
}
const wf_perturbation wfi_perturb_typo = {.name = "typo", .step = 0.03, .find = typo_find};

static void drop_find(const wf_subject *s, wf_edits *out) {
    for (size_t w = 0; w < s->words; w++)
        for (size_t i = s->word[w].at + 1; i < s->word[w].end; i++)
            if (wfi_is_single(s, i)) wfi_edit_add(out, i, 1, NULL, 0);
}
const wf_perturbation wfi_perturb_drop = {.name = "drop", .step = 0.03, .find = drop_find};

static void swap_find(const wf_subject *s, wf_edits *out) {
    for (size_t w = 0; w < s->words; w++) {
        const wf_span *word = &s->word[w];
        for (size_t i = word->at + 1 + wfi_choose(s, word->at, 2); i + 1 < word->end; i++) {
            if (!wfi_is_single(s, i) || !wfi_is_single(s, i + 1) || s->cp[i] == s->cp[i + 1]) continue;
            wfi_edit_add_cp(out, i, 2, (const int32_t[]){s->cp[i + 1], s->cp[i]}, 2);
            i++; /* pairs do not overlap */
        }
    }
}
const wf_perturbation wfi_perturb_swap = {.name = "swap", .step = 0.06, .find = swap_find};

static void case_find(const wf_subject *s, wf_edits *out) {
    for (size_t i = 0; i < s->n; i++) {
        const int32_t c = s->cp[i], lower = utf8proc_tolower(c), upper = utf8proc_toupper(c),
                      other = c == lower ? upper : lower;
        if (!wfi_is_letter(c) || other == c) continue;
        if (other == upper ? utf8proc_tolower(other) != c : utf8proc_toupper(other) != c) continue; /* no way back */
        wfi_edit_add_cp(out, i, 1, &other, 1);
    }
}
const wf_perturbation wfi_perturb_case = {.name = "case", .step = 0.1, .find = case_find};
