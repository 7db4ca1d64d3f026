/* perturb/marks.c - punctuation put in or left out between words, and accents put on or taken off letters. */
#include "perturb/kind.h"
#include <utf8proc.h>

static bool is_point(int32_t c) {
    return c == ',' || c == '.' || c == ';' || c == ':' || c == '!' || c == '?' || c == '"' || c == '(' || c == ')';
}

/* Not inside a number or an address. */
static bool is_loose(const wf_subject *s, size_t i) {
    return i == 0 || i + 1 == s->n || wfi_is_space(s->cp[i - 1]) || wfi_is_space(s->cp[i + 1]) ||
           is_point(s->cp[i + 1]) || is_point(s->cp[i - 1]);
}

static void punctuation_find(const wf_subject *s, wf_edits *out) {
    static const char points[] = ",.;:";
    for (size_t i = 0; i < s->n; i++) {
        if (is_point(s->cp[i]) && is_loose(s, i)) {
            wfi_edit_add(out, i, 1, NULL, 0);
        } else if (wfi_is_letter(s->cp[i]) && (i + 1 == s->n || wfi_is_space(s->cp[i + 1]))) {
            wfi_edit_add(out, i + 1, 0, &points[wfi_choose(s, i, 4)], 1);
        }
    }
}
const wf_perturbation wfi_perturb_punctuation = {.name = "punctuation", .step = 0.1, .find = punctuation_find};

/* The letter without its accents; the letter itself when it has none or is more than a letter with accents. */
static int32_t bare(int32_t c) {
    utf8proc_int32_t parts[8];
    const utf8proc_ssize_t n = utf8proc_decompose_char(c, parts, 8, UTF8PROC_DECOMPOSE, NULL);
    if (n < 2 || n > 8 || !wfi_is_letter(parts[0])) return c;
    for (utf8proc_ssize_t i = 1; i < n; i++)
        if (!wfi_is_mark(parts[i])) return c;
    return parts[0];
}

static void accents_find(const wf_subject *s, wf_edits *out) {
    static const struct {
        int32_t letter, accented[4];
        uint32_t n;
    } rows[] = {{'a', {0xE1, 0xE0, 0xE2, 0xE4}, 4},
                {'e', {0xE9, 0xE8, 0xEA, 0xEB}, 4},
                {'i', {0xED, 0xEC, 0xEE, 0xEF}, 4},
                {'o', {0xF3, 0xF2, 0xF4, 0xF6}, 4},
                {'u', {0xFA, 0xF9, 0xFB, 0xFC}, 4},
                {'c', {0xE7, 0x107, 0x10D}, 3},
                {'n', {0xF1, 0x144}, 2},
                {'s', {0x161, 0x15B}, 2},
                {'y', {0xFD}, 1},
                {'z', {0x17E, 0x17C}, 2}};
    for (size_t i = 0; i < s->n; i++) {
        const int32_t c = s->cp[i], lower = c >= 'A' && c <= 'Z' ? c + 32 : c;
        if (!wfi_is_single(s, i)) continue;
        for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
            if (rows[k].letter != lower) continue;
            const int32_t accented = rows[k].accented[wfi_choose(s, i, rows[k].n)],
                          shown = c == lower ? accented : utf8proc_toupper(accented);
            wfi_edit_add_cp(out, i, 1, &shown, 1);
        }
        const int32_t without = c >= 0x80 ? bare(c) : c;
        if (without != c) wfi_edit_add_cp(out, i, 1, &without, 1);
    }
}
const wf_perturbation wfi_perturb_accents = {.name = "accents", .step = 0.1, .find = accents_find};
