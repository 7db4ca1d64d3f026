/* lab/compare_method.c - what the texts of --methods mean. See compare_cell.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "lab/compare_cell.h"
#include "lab/rank.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *prefix;
    wf_compare_kind kind;
    bool tasks, at;
} FORMS[] = {{"fuse:", WF_COMPARE_FUSE, false, true},          {"fusion:", WF_COMPARE_FUSE, false, true},
             {"mtfuse:", WF_COMPARE_MTFUSE, true, true},       {"average:", WF_COMPARE_AVERAGE, false, false},
             {"weighted:", WF_COMPARE_WEIGHTED, false, false}, {"best:", WF_COMPARE_BEST, false, false},
             {"joint:", WF_COMPARE_JOINT, true, true},         {"multihead:", WF_COMPARE_MULTIHEAD, true, false}};
enum { FORM_COUNT = sizeof FORMS / sizeof *FORMS, NAMES_MOST = 31 };

void wfi_compare_method_clear(wf_compare_method *m) {
    json_decref(m->names);
    wfi_free(m->plain);
    *m = (wf_compare_method){0};
}

/* "auto" is "auto:3": the same words for the same choice. */
static wf_status name_make(const wf_compare_method *m, const char *name, size_t n, json_t **out, bool *chooses,
                           wf_err *err) {
    char word[32];
    int64_t wanted = 0;
    *chooses = false;
    if (m->kind == WF_COMPARE_FUSE && n < sizeof word) {
        snprintf(word, sizeof word, "%.*s", (int)n, name);
        WF_TRY(wfi_rank_auto(word, chooses, &wanted, err));
    }
    *out = *chooses ? json_sprintf("auto:%d", (int)wanted) : json_stringn(name, n);
    return *out ? WF_OK : wfi_fail(err, WF_E_ARG, "\"%.80s\": a name is not UTF-8", m->text);
}

static wf_status names_read(wf_compare_method *m, size_t end, const char *names, wf_err *err) {
    const char *text = m->text;
    json_t *out = m->names;
    for (size_t i = 0; i < end || i == 0;) {
        const size_t n = strcspn(names + i, ",@");
        json_t *name = NULL;
        bool chooses = false;
        if (n == 0) return wfi_fail(err, WF_E_ARG, "\"%.80s\": a name is missing", text);
        WF_TRY(name_make(m, names + i, n, &name, &chooses, err));
        if (chooses && m->chooses) {
            json_decref(name);
            return wfi_fail(err, WF_E_ARG, "\"%.80s\": auto stands twice", text);
        }
        m->chooses = m->chooses || chooses;
        for (size_t k = 0; k < json_array_size(out); k++)
            if (json_equal(name, json_array_get(out, k))) {
                json_decref(name);
                return wfi_fail(err, WF_E_ARG, "\"%.80s\": \"%.*s\" stands twice", text, (int)(n > 64 ? 64 : n),
                                names + i);
            }
        json_array_append_new(out, name);
        i += n + 1;
        if (i == end && names[end - 1] == ',') return wfi_fail(err, WF_E_ARG, "\"%.80s\": a name is missing", text);
    }
    return WF_OK;
}

/* "@lr=R" at the end is taken off. */
static wf_status rate_take(wf_compare_method *m, wf_err *err) {
    char *at = strstr(m->plain, "@lr="), *end = NULL;
    if (!at) return WF_OK;
    m->lr = strtod(at + 4, &end);
    if (!at[4] || *end)
        return wfi_fail(err, WF_E_ARG, "\"%.80s\": behind @lr= stands a number and nothing else, such as @lr=5e-4",
                        m->text);
    if (!(m->lr > 0 && m->lr <= 10))
        return wfi_fail(err, WF_E_ARG, "\"%.80s\": the learning rate is %s; it must be above 0 and at most 10", m->text,
                        at + 4);
    *at = 0;
    return WF_OK;
}

static wf_status form_read(wf_compare_method *out, wf_err *err) {
    const char *text = out->plain;
    size_t f = 0;
    while (f < FORM_COUNT && strncmp(text, FORMS[f].prefix, strlen(FORMS[f].prefix)) != 0) f++;
    if (f == FORM_COUNT) return WF_OK;
    const char *names = text + strlen(FORMS[f].prefix), *at = strchr(names, '@');
    out->kind = FORMS[f].kind;
    out->tasks = FORMS[f].tasks;
    out->at = at ? at + 1 : NULL;
    wf_status st = names_read(out, at ? (size_t)(at - names) : strlen(names), names, err);
    if (st == WF_OK && at && (!FORMS[f].at || !at[1]))
        st = wfi_fail(err, WF_E_ARG, "\"%.80s\": %s", text,
                      FORMS[f].at ? "nothing stands behind the @" : "this form takes no @");
    if (st == WF_OK && json_array_size(out->names) > NAMES_MOST)
        st = wfi_fail(err, WF_E_ARG, "\"%.40s...\" names more than %d", text, NAMES_MOST);
    return st;
}

wf_status wfi_compare_method(const char *text, wf_compare_method *out, wf_err *err) {
    *out = (wf_compare_method){.text = text, .plain = wfi_strdup(text), .names = json_array()};
    wf_status st = out->names && out->plain ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = rate_take(out, err);
    if (st == WF_OK) st = form_read(out, err);
    if (st != WF_OK) wfi_compare_method_clear(out);
    return st;
}

bool wfi_compare_methods_same(const wf_compare_method *a, const wf_compare_method *b) {
    static const char otherwise[] = "dynamic";
    const bool fuses = a->kind == WF_COMPARE_FUSE || a->kind == WF_COMPARE_MTFUSE;
    const char *x = a->at ? a->at : fuses ? otherwise : "", *y = b->at ? b->at : fuses ? otherwise : "";
    if (a->kind != b->kind || a->lr < b->lr || a->lr > b->lr) return false;
    if (a->kind == WF_COMPARE_PLAIN) return strcmp(a->plain, b->plain) == 0;
    return strcmp(x, y) == 0 && json_equal(a->names, b->names);
}

static wf_status name_check(wf_lab *lab, const wf_compare_method *m, const char *name, const char *task,
                            int64_t max_length, const wf_open_base *base, wf_err *err) {
    wf_record r = {0};
    if (m->tasks && strcmp(name, task) == 0)
        return wfi_fail(err, WF_E_ARG, "\"%.80s\": \"%s\" is compared itself; name the other tasks", m->text, name);
    if (m->kind == WF_COMPARE_FUSE && strcmp(name, "own") == 0) return WF_OK;
    if (m->chooses && strncmp(name, "auto:", 5) == 0) return WF_OK;
    WF_TRY(wfi_registry_get(lab->registry, m->tasks ? "task" : "model", name, &r, err));
    wf_status st = m->tasks ? wfi_job_length_check(lab, base, &r, max_length, err) : WF_OK;
    wfi_record_clear(&r);
    return st;
}

wf_status wfi_compare_method_check(wf_lab *lab, const wf_compare_method *m, const char *task, int64_t max_length,
                                   const wf_open_base *base, wf_err *err) {
    size_t i;
    const json_t *name;
    wf_status st = WF_OK;
    json_array_foreach(m->names, i, name) if (st == WF_OK) st =
        name_check(lab, m, json_string_value(name), task, max_length, base, err);
    return st;
}
