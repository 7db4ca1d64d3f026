/* data/cases.c - see cases.h. */
#include "data/cases.h"
#include "base/alloc.h"
#include "base/error.h"
#include "data/pool.h"
#include "data/records.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const type_names[WF_CASE_TYPES] = {"contrast", "MFT", "INV", "DIR"};

const char *wfi_case_type_name(wf_case_type t) {
    return type_names[t];
}

/* The release suites of CheckList for sentiment and question pairs carry no field for what their functions expect. Not
 * here: "Testing implications", which holds three answers against each other. */
static const struct {
    const char *test, *expect;
} published[] = {
    {"intensifiers", "up"},
    {"reducers", "down"},
    {"\"used to\" should reduce", "down"},
    {"add positive phrases", "up positive against negative"},
    {"add negative phrases", "down positive against negative"},
    {"simple negations: not negative", "not negative"},
    {"simple negations: I thought x was negative, but it was not (should be neutral or positive)", "not negative"},
    {"(q, paraphrase(q))", "is paraphrase"},
    {"Keep entitites, fill in with gibberish", "is not_paraphrase"},
    {"Change first name in one of the questions", "from paraphrase"},
    {"Change first and last name in one of the questions", "from paraphrase"},
    {"Change location in one of the questions", "from paraphrase"},
    {"Change numbers in one of the questions", "from paraphrase"}};

void wfi_case_marks_clear(wf_case_marks *m) {
    wfi_free(m->rows);
    wfi_pool_free(m->pool);
    *m = (wf_case_marks){0};
}

/* A text or a whole number as text; anything else counts as absent: files may use these names for other things. */
static wf_status text_get(wf_text_pool *pool, const json_t *row, const char *field, const char **out, wf_err *err) {
    const json_t *v = json_object_get(row, field);
    char number[40];
    const char *text = json_string_value(v);
    *out = NULL;
    if (json_is_integer(v)) {
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(v));
        text = number;
    }
    if (!text || !*text) return WF_OK;
    *out = wfi_pool_text(pool, text, strlen(text));
    return *out ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for texts");
}

static bool expect_parse(char *text, wf_expect *out) {
    static const char *const words[] = {"", "up", "down", "is", "not", "from"};
    char *rest = strchr(text, ' ');
    *out = (wf_expect){0};
    if (rest) *rest++ = 0;
    for (int m = WF_MOVE_UP; m <= WF_MOVE_FROM; m++)
        if (strcmp(text, words[m]) == 0) out->move = (wf_move)m;
    const bool moves = out->move == WF_MOVE_UP || out->move == WF_MOVE_DOWN;
    char *against = moves && rest ? strstr(rest, " against ") : NULL;
    if (against) {
        *against = 0;
        out->against = against + strlen(" against ");
    }
    out->label = rest;
    return out->move && (moves || rest) && !(rest && !*rest) && !(out->against && !*out->against);
}

static wf_status expect_find(wf_text_pool *pool, const char *text, wf_case_mark *mark, const char *place, int64_t line,
                             wf_err *err) {
    const char *said = text;
    for (size_t i = 0; !said && mark->test && i < sizeof published / sizeof *published; i++)
        if (strcmp(published[i].test, mark->test) == 0) said = published[i].expect;
    if (!said) return WF_OK;
    char *copy = wfi_pool_text(pool, said, strlen(said));
    if (!copy) return wfi_fail(err, WF_E_NOMEM, "out of memory for texts");
    return expect_parse(copy, &mark->expect)
               ? WF_OK
               : wfi_fail_at(err, WF_E_DATA, "expect", line,
                             "%s: field \"expect\" must be up, down, up LABEL, down LABEL, up LABEL against LABEL, is "
                             "LABEL, not LABEL or from LABEL, not \"%.80s\"",
                             place, said);
}

static wf_status add(void *user, const json_t *row, const char *place, int64_t line, wf_err *err) {
    wf_case_marks *m = user;
    wf_case_mark mark = {0};
    const char *expect, *variant, *type;
    WF_TRY(text_get(m->pool, row, "case", &mark.id, err));
    WF_TRY(text_get(m->pool, row, "test", &mark.test, err));
    WF_TRY(text_get(m->pool, row, "type", &type, err));
    WF_TRY(text_get(m->pool, row, "variant", &variant, err));
    WF_TRY(text_get(m->pool, row, "expect", &expect, err));
    if (mark.id || mark.test) WF_TRY(expect_find(m->pool, expect, &mark, place, line, err));
    for (int t = WF_CASE_MFT; type && t < WF_CASE_TYPES; t++)
        if (strcmp(type, type_names[t]) == 0) mark.type = (wf_case_type)t;
    mark.variant = variant ? strtoll(variant, NULL, 10) : 0;
    if (m->count == m->cap) {
        const size_t cap = m->cap ? m->cap * 2 : 1024;
        wf_case_mark *rows = wfi_realloc(m->rows, cap, sizeof *rows);
        if (!rows) return wfi_fail(err, WF_E_NOMEM, "out of memory for %zu rows", cap);
        m->rows = rows;
        m->cap = cap;
    }
    m->rows[m->count++] = mark;
    return WF_OK;
}

wf_status wfi_case_marks_read(const char *path, wf_case_marks *out, wf_err *err) {
    wf_case_marks m = {.pool = wfi_pool_new()};
    wf_status st =
        m.pool ? wfi_records_each(path, 0, add, &m, err) : wfi_fail(err, WF_E_NOMEM, "out of memory for texts");
    size_t marked = 0;
    for (size_t i = 0; i < m.count; i++) marked += m.rows[i].id || m.rows[i].test;
    if (st == WF_OK && marked)
        *out = m;
    else
        wfi_case_marks_clear(&m);
    return st;
}
