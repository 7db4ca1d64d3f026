/* perturb/contraction.c - "do not" to "don't" and back. */
#include "perturb/kind.h"
#include <string.h>

static const struct {
    const char *full, *shorter;
    bool both; /* the short form has one reading: "it's" may be "it has" */
} forms[] = {{"is not", "isn't", true},         {"are not", "aren't", true},    {"was not", "wasn't", true},
             {"were not", "weren't", true},     {"do not", "don't", true},      {"does not", "doesn't", true},
             {"did not", "didn't", true},       {"have not", "haven't", true},  {"has not", "hasn't", true},
             {"had not", "hadn't", true},       {"will not", "won't", true},    {"would not", "wouldn't", true},
             {"cannot", "can't", true},         {"can not", "can't", false},    {"could not", "couldn't", true},
             {"should not", "shouldn't", true}, {"must not", "mustn't", true},  {"i am", "i'm", true},
             {"you are", "you're", true},       {"we are", "we're", true},      {"they are", "they're", true},
             {"i have", "i've", true},          {"you have", "you've", true},   {"we have", "we've", true},
             {"they have", "they've", true},    {"i will", "i'll", true},       {"you will", "you'll", true},
             {"he will", "he'll", true},        {"she will", "she'll", true},   {"it will", "it'll", true},
             {"we will", "we'll", true},        {"they will", "they'll", true}, {"he is", "he's", false},
             {"she is", "she's", false},        {"it is", "it's", false},       {"that is", "that's", false},
             {"there is", "there's", false},    {"what is", "what's", false},   {"who is", "who's", false},
             {"i would", "i'd", false},         {"you would", "you'd", false},  {"we would", "we'd", false},
             {"they would", "they'd", false},   {"let us", "let's", false}};
enum { FORMS = sizeof forms / sizeof *forms };

/* Words w and, when `two`, w + 1 with one blank between, in lower case. */
static bool phrase(const wf_subject *s, size_t w, bool two, char out[32]) {
    wf_span both = s->word[w];
    if (two) {
        if (w + 1 >= s->words || s->word[w + 1].at != both.end + 1 || s->cp[both.end] != ' ') return false;
        both.end = s->word[w + 1].end;
    }
    return wfi_word_ascii(s, &both, out, 32);
}

/* Writes the other form, with the first letter as large as it was ("I" stays so). */
static void replace(const wf_subject *s, size_t at, size_t end, const char *with, wf_edits *out) {
    char text[32];
    const size_t n = strlen(with);
    memcpy(text, with, n + 1);
    if (s->cp[at] >= 'A' && s->cp[at] <= 'Z') text[0] = (char)(text[0] - 32);
    wfi_edit_add(out, at, end - at, text, n);
}

static void contraction_find(const wf_subject *s, wf_edits *out) {
    for (size_t w = 0; w < s->words; w++) {
        char one[32] = "", two[32] = "";
        const bool single = phrase(s, w, false, one), pair = phrase(s, w, true, two);
        for (size_t k = 0; k < FORMS; k++) {
            if (pair && strcmp(two, forms[k].full) == 0) {
                replace(s, s->word[w].at, s->word[w + 1].end, forms[k].shorter, out);
                w++;
                break;
            }
            const bool full = single && strcmp(one, forms[k].full) == 0,
                       shorter = single && forms[k].both && strcmp(one, forms[k].shorter) == 0;
            if (!full && !shorter) continue;
            replace(s, s->word[w].at, s->word[w].end, full ? forms[k].shorter : forms[k].full, out);
            break;
        }
    }
}
const wf_perturbation wfi_perturb_contraction = {.name = "contraction", .step = 0.2, .find = contraction_find};
