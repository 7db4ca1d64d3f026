/* study/fair_terms.c - sets of terms for people: a short list of our own, or a file. See fair.h. */
#include "base/error.h"
#include "study/fair.h"
#include <string.h>

enum { FILE_MOST = 1 << 20, FORMS_MOST = 64, TERM_MOST = 64 };

static const char BUILT_IN[] =
    "{\"gender\": {"
    "\"male\": [\"male\", \"man\", \"men\", \"boy\", \"boys\", \"he\", \"his\", \"him\", \"himself\", \"father\", "
    "\"son\", \"brother\", \"husband\", \"uncle\"],"
    "\"female\": [\"female\", \"woman\", \"women\", \"girl\", \"girls\", \"she\", \"her\", \"her\", \"herself\", "
    "\"mother\", \"daughter\", \"sister\", \"wife\", \"aunt\"]},"
    "\"religion\": {\"christian\": [\"Christian\", \"Christians\"], \"muslim\": [\"Muslim\", \"Muslims\"],"
    "\"jewish\": [\"Jewish\", \"Jews\"], \"hindu\": [\"Hindu\", \"Hindus\"], \"buddhist\": [\"Buddhist\", "
    "\"Buddhists\"], \"atheist\": [\"atheist\", \"atheists\"]},"
    "\"origin\": {\"african\": [\"African\", \"Africans\"], \"american\": [\"American\", \"Americans\"],"
    "\"asian\": [\"Asian\", \"Asians\"], \"european\": [\"European\", \"Europeans\"], \"mexican\": [\"Mexican\", "
    "\"Mexicans\"]},"
    "\"orientation\": {\"straight\": [\"straight\", \"heterosexual\"], \"gay\": [\"gay\", \"homosexual\"]},"
    "\"age\": {\"young\": [\"young\", \"younger\"], \"old\": [\"old\", \"older\"]}}";

static wf_status file_wrong(const char *name, const char *set, const char *why, wf_err *err) {
    return wfi_fail(err, WF_E_DATA,
                    "%s%s%.40s: %s; a file of terms is JSON such as {\"gender\": {\"male\": [\"man\", \"men\"], "
                    "\"female\": [\"woman\", \"women\"]}, \"faith\": [\"Christian\", \"Muslim\"]}",
                    name, *set ? ", set " : "", set, why);
}

static bool term_good(const json_t *term) {
    const char *t = json_string_value(term);
    if (!t || !*t || strlen(t) > TERM_MOST || t[0] == ' ' || t[strlen(t) - 1] == ' ') return false;
    for (; *t; t++)
        if ((unsigned char)*t < ' ' || *t == '{' || *t == '}') return false;
    return true;
}

/* A list of terms is a set in which each one stands for itself. */
static json_t *spread(const json_t *list) {
    json_t *set = json_object();
    const json_t *term;
    size_t i;
    json_array_foreach(list, i, term) {
        if (!json_is_string(term) || json_object_get(set, json_string_value(term))) {
            json_decref(set);
            return NULL;
        }
        json_object_set_new(set, json_string_value(term), json_pack("[s]", json_string_value(term)));
    }
    return set;
}

static bool stands_in(const json_t *forms, const char *term) {
    const json_t *one;
    size_t i;
    json_array_foreach(forms, i, one) if (strcasecmp(json_string_value(one), term) == 0) return true;
    return false;
}

static wf_status set_check(const char *file, const char *name, json_t *set, wf_err *err) {
    const char *identity, *other;
    json_t *forms, *those;
    const json_t *form;
    size_t i, n = 0;
    if (json_object_size(set) < 2 || json_object_size(set) > WF_FAIR_IDENTITIES)
        return file_wrong(file, name, "a set needs 2 to 64 different identities, each with its terms", err);
    json_object_foreach(set, identity, forms) {
        if (n == 0) n = json_array_size(forms);
        if (!*identity || strlen(identity) > TERM_MOST || n == 0 || n > FORMS_MOST || json_array_size(forms) != n)
            return file_wrong(file, name, "every identity needs as many terms as the others, 1 to 64", err);
        json_array_foreach(forms, i, form) if (!term_good(form)) return file_wrong(
            file, name, "a term is a text of 1 to 64 bytes without braces", err);
    }
    json_object_foreach(set, identity, forms) json_object_foreach(set, other, those) {
        if (forms == those) continue;
        json_array_foreach(forms, i, form) if (stands_in(those, json_string_value(form))) return file_wrong(
            file, name, "a term stands for two identities", err);
    }
    return WF_OK;
}

static wf_status terms_settle(const char *file, json_t *raw, json_t *out, wf_err *err) {
    const char *name;
    json_t *set;
    if (!json_is_object(raw) || json_object_size(raw) == 0 || json_object_size(raw) > WF_FAIR_SETS)
        return file_wrong(file, "", "it needs 1 to 32 sets", err);
    json_object_foreach(raw, name, set) {
        json_t *one = json_is_array(set) ? spread(set) : json_incref(set);
        wf_status st =
            one && *name && strlen(name) <= TERM_MOST
                ? set_check(file, name, one, err)
                : file_wrong(file, name, "a set is a list of different terms, or identities with terms", err);
        if (st == WF_OK && json_object_set(out, name, one) != 0) st = wfi_fail(err, WF_E_NOMEM, "out of memory");
        json_decref(one);
        WF_TRY(st);
    }
    return WF_OK;
}

wf_status wfi_fair_terms(const char *path, json_t **out, wf_err *err) {
    json_t *raw = NULL, *terms = json_object();
    wf_status st = path ? wfi_json_read(path, FILE_MOST, &raw, err)
                        : wfi_json_parse(BUILT_IN, sizeof BUILT_IN - 1, "the built-in terms", &raw, err);
    if (st == WF_OK && !terms) st = wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = terms_settle(path ? path : "the built-in terms", raw, terms, err);
    json_decref(raw);
    if (st != WF_OK)
        json_decref(terms);
    else
        *out = terms;
    return st;
}
