/* perturb/words.c - words left out, words replaced by a synonym, sentences put in front that have nothing to do with
 * it. Negations stay, and so do the words that they may belong to. */
#include "perturb/kind.h"
#include <stdio.h>
#include <string.h>

/* A negation may stand inside a token ("(not"). */
static bool negates(const wf_subject *s, const wf_span *token) {
    for (size_t w = 0; w < s->words; w++)
        if (s->word[w].at >= token->at && s->word[w].end <= token->end && wfi_is_negation(s, &s->word[w])) return true;
    return false;
}

static void words_find(const wf_subject *s, wf_edits *out) {
    for (size_t t = 0; t < s->tokens; t++) {
        const size_t end = t + 1 < s->tokens ? s->token[t + 1].at : s->token[t].end;
        if (!negates(s, &s->token[t])) wfi_edit_add(out, s->token[t].at, end - s->token[t].at, NULL, 0);
    }
}
const wf_perturbation wfi_perturb_words = {.name = "words", .step = 0.06, .keep = 1, .find = words_find};

static void prefix_find(const wf_subject *s, wf_edits *out) {
    static const char *const sentences[] = {"The meeting starts at nine on Monday. ",
                                            "A parcel was left at the front desk. ",
                                            "The train to the coast leaves from platform four. ",
                                            "The library opens at ten. ",
                                            "Two cups of flour are needed for the recipe. ",
                                            "The printer on the second floor is being serviced. ",
                                            "Light wind is expected from the west. ",
                                            "The form has three pages. ",
                                            "A bridge crosses the river near the station. ",
                                            "The recording lasts twelve minutes. "};
    enum { N = sizeof sentences / sizeof *sentences };
    const uint32_t first = wfi_choose(s, 0, N);
    for (uint32_t i = 0; s->n && i < WF_STRENGTHS; i++) {
        const char *sentence = sentences[(first + i) % N];
        wfi_edit_add(out, 0, 0, sentence, strlen(sentence));
    }
}
const wf_perturbation wfi_perturb_prefix = {.name = "prefix", .step = 0.2, .find = prefix_find};

static bool is_function_word(const char *word) {
    static const char list[] = " about above after again all also and any are because been before being below both but "
                               "can could did does doing down during each few for from further had has have having her "
                               "here hers him his how into its itself just may might more most must now off once one "
                               "only other our out over own same shall she should some such than that the their them "
                               "then there these they this those through too two under until very was well were what "
                               "when where which while who whom why will with would you your yes ";
    char key[40];
    const size_t n = strlen(word);
    if (n + 3 > sizeof key) return false;
    snprintf(key, sizeof key, " %s ", word);
    return strstr(list, key) != NULL;
}

static void synonym_find(const wf_subject *s, wf_edits *out) {
    enum { REACH = 3, MOST = 8 }; /* words behind a negation that keep their form */
    size_t negated = 0;
    for (size_t w = 0; w < s->words; w++) {
        const wf_span *word = &s->word[w];
        char text[WF_SYNONYM_BYTES], found[MOST][WF_SYNONYM_BYTES];
        if (wfi_is_negation(s, word)) {
            negated = REACH;
            continue;
        }
        if (negated) {
            negated--;
            continue;
        }
        if (!wfi_word_ascii(s, word, text, sizeof text) || strlen(text) < 3 || is_function_word(text)) continue;
        const size_t n = wfi_wordnet_synonyms(s->wordnet, text, found, MOST);
        if (n == 0) continue;
        char *chosen = found[wfi_choose(s, word->at, (uint32_t)n)];
        if (s->cp[word->at] >= 'A' && s->cp[word->at] <= 'Z') chosen[0] = (char)(chosen[0] - 32);
        wfi_edit_add(out, word->at, word->end - word->at, chosen, strlen(chosen));
    }
}
const wf_perturbation wfi_perturb_synonym = {.name = "synonym", .step = 0.2, .wordnet = true, .find = synonym_find};
