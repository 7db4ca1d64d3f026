/* cli/plan.c - reads a plan and fills in its loops and names. See plan.h. */
#include "cli/plan.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
    const char *path;
    const json_t *let; /* names for the whole plan */
    json_t *steps;     /* out */
    size_t number;     /* of the step in the file, from 1 */
} reader;

static wf_status wrong(const reader *r, wf_err *err, const char *what, const char *which) {
    if (!r->number) return cli_wrong(err, WF_E_DATA, "%s: %s%s", r->path, what, which);
    return cli_wrong(err, WF_E_DATA, "%s: step %zu: %s%s", r->path, r->number, what, which);
}

static wf_status no_memory(wf_err *err) {
    return cli_wrong(err, WF_E_NOMEM, "out of memory for the plan");
}

/* ---- names in words ---- */

static bool scalar(const json_t *j) {
    return json_is_string(j) || json_is_number(j);
}

/* A string or number as text; a list with commas between. Free. */
static char *text_of(const json_t *j) {
    if (json_is_string(j)) return strdup(json_string_value(j));
    if (json_is_number(j)) return json_dumps(j, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    char *out = strdup("");
    size_t i;
    const json_t *one;
    json_array_foreach(j, i, one) {
        char *item = text_of(one), *longer = NULL;
        const size_t size = out && item ? strlen(out) + strlen(item) + 2 : 0;
        if (size && (longer = malloc(size))) snprintf(longer, size, "%s%s%s", out, i ? "," : "", item);
        free(out);
        free(item);
        out = longer;
    }
    return out;
}

static size_t name_length(const char *s) {
    size_t n = 0;
    while ((s[n] >= 'a' && s[n] <= 'z') || (s[n] >= 'A' && s[n] <= 'Z') || s[n] == '_' ||
           (n && s[n] >= '0' && s[n] <= '9'))
        n++;
    return n;
}

/* `{name}` becomes the loop's value or the plan's; other braces stay, settings in JSON have them too. */
static wf_status word_fill(const reader *r, const char *word, const json_t *values, json_t *words, wf_err *err) {
    json_t *pieces = json_array();
    const char *at = word;
    wf_status st = pieces ? WF_OK : no_memory(err);
    while (st == WF_OK && *at) {
        const size_t plain = strcspn(at, "{"), n = at[plain] ? name_length(at + plain + 1) : 0;
        if (n == 0 || at[plain + 1 + n] != '}') { /* as it stands, with the brace */
            const size_t take = plain + (at[plain] != 0);
            json_array_append_new(pieces, json_stringn(at, take));
            at += take;
            continue;
        }
        char name[80];
        snprintf(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : sizeof name - 1), at + plain + 1);
        const json_t *value = json_object_get(values, name);
        if (!value) value = json_object_get(r->let, name);
        char *text = value ? text_of(value) : NULL;
        if (!value) st = wrong(r, err, "nothing is called ", name);
        if (value && !text) st = no_memory(err);
        if (text) {
            json_array_append_new(pieces, json_stringn(at, plain));
            json_array_append_new(pieces, json_string(text));
        }
        free(text);
        at += plain + n + 2;
    }
    size_t i, length = 0;
    const json_t *piece;
    json_array_foreach(pieces, i, piece) length += json_string_length(piece);
    char *whole = malloc(length + 1), *to = whole;
    if (st == WF_OK && !whole) st = no_memory(err);
    if (st == WF_OK && to) {
        json_array_foreach(pieces, i, piece) {
            const char *text = json_string_value(piece);
            if (text) memcpy(to, text, json_string_length(piece));
            to += json_string_length(piece);
        }
        *to = 0;
        if (json_array_append_new(words, json_string(whole)) != 0) st = no_memory(err);
    }
    free(whole);
    json_decref(pieces);
    return st;
}

/* ---- steps ---- */

/* "run" as a list of words: a text is cut at blanks. */
static json_t *run_words(const json_t *run) {
    if (!json_is_string(run)) return json_incref((json_t *)run);
    json_t *words = json_array();
    for (const char *at = json_string_value(run); *at;) {
        at += strspn(at, " \t");
        const size_t n = strcspn(at, " \t");
        if (n) json_array_append_new(words, json_stringn(at, n));
        at += n;
    }
    return words;
}

static wf_status step_add(reader *r, const json_t *run, const json_t *values, wf_err *err) {
    json_t *raw = run_words(run), *words = json_array();
    size_t i;
    const json_t *word;
    wf_status st = raw && words ? WF_OK : no_memory(err);
    json_array_foreach(raw, i, word) {
        if (st == WF_OK && !scalar(word)) st = wrong(r, err, "\"run\" holds something that is no word", "");
        char *text = st == WF_OK ? text_of(word) : NULL;
        if (text) st = word_fill(r, text, values, words, err);
        free(text);
    }
    if (st == WF_OK && json_array_size(r->steps) == PLAN_STEPS_MAX) st = wrong(r, err, "more than 100000 steps", "");
    if (st == WF_OK && json_array_append(r->steps, words) != 0) st = no_memory(err);
    json_decref(raw);
    json_decref(words);
    return st;
}

/* One loop after the other, the first outermost. */
static wf_status loop_run(reader *r, const json_t *run, void *iter, json_t *loops, json_t *values, wf_err *err) {
    if (!iter) return step_add(r, run, values, err);
    const char *name = json_object_iter_key(iter);
    const json_t *list = json_object_iter_value(iter), *one;
    if (json_is_string(list)) {
        const char *of = json_string_value(list);
        list = json_object_get(r->let, of);
        if (!list) return wrong(r, err, "\"for\" goes over a list that \"let\" does not have: ", of);
    }
    if (!json_is_array(list) || json_array_size(list) == 0)
        return wrong(r, err, "\"for\" needs a list of values for ", name);
    size_t i;
    json_array_foreach(list, i, one) {
        if (!scalar(one)) return wrong(r, err, "values must be texts or numbers, in ", name);
        json_object_set(values, name, (json_t *)one);
        const wf_status st = loop_run(r, run, json_object_iter_next(loops, iter), loops, values, err);
        if (st != WF_OK) return st;
    }
    json_object_del(values, name);
    return WF_OK;
}

static wf_status keys_check(const reader *r, const json_t *object, const char *const *known, wf_err *err) {
    const char *key;
    const json_t *value;
    json_object_foreach((json_t *)object, key, value) {
        const char *const *k = known;
        while (*k && strcmp(*k, key) != 0) k++;
        if (!*k) return wrong(r, err, "there is no key ", key);
    }
    return WF_OK;
}

static wf_status step_read(reader *r, json_t *step, wf_err *err) {
    static const char *const keys[] = {"about", "for", "run", NULL};
    json_t *run = json_is_object(step) ? json_object_get(step, "run") : step, *loops = json_object_get(step, "for");
    wf_status st = json_is_object(step) ? keys_check(r, step, keys, err) : WF_OK;
    if (st != WF_OK) return st;
    if (!json_is_string(run) && !json_is_array(run))
        return wrong(r, err, "needs \"run\": the words of a command, as one text or a list", "");
    if (loops && !json_is_object(loops)) return wrong(r, err, "\"for\" must be {\"name\": [values]}", "");
    json_t *values = json_object();
    if (!values) return no_memory(err);
    st = loop_run(r, run, json_object_iter(loops), loops, values, err);
    json_decref(values);
    return st;
}

static wf_status let_check(reader *r, wf_err *err) {
    const char *name;
    const json_t *value, *one;
    size_t i;
    if (r->let && !json_is_object(r->let)) return wrong(r, err, "\"let\" must be {\"name\": value}", "");
    json_object_foreach((json_t *)r->let, name, value) {
        bool good = scalar(value) || json_is_array(value);
        json_array_foreach(value, i, one) good = good && scalar(one);
        if (!good || name_length(name) != strlen(name))
            return wrong(r, err, "\"let\" holds names with texts, numbers or lists of them; not so: ", name);
    }
    return WF_OK;
}

static wf_status plan_name(const reader *r, const json_t *given, cli_plan *out, wf_err *err) {
    const char *slash = strrchr(r->path, '/'), *stem = slash ? slash + 1 : r->path;
    if (given && !json_is_string(given)) return wrong(r, err, "\"plan\" must be its name", "");
    const char *name = given ? json_string_value(given) : stem;
    size_t n = strlen(name);
    if (!given && n > 5 && strcmp(name + n - 5, ".json") == 0) n -= 5;
    bool good = n > 0 && n <= PLAN_NAME_MAX && name[0] != '.';
    for (size_t i = 0; i < n; i++) good = good && (unsigned char)name[i] > ' ' && name[i] != '/' && name[i] != 127;
    if (!good) return wrong(r, err, "a plan's name has 1 to 64 characters without blanks and '/'; not so: ", name);
    snprintf(out->name, sizeof out->name, "%.*s", (int)n, name);
    return WF_OK;
}

static wf_status folder_find(const char *path, cli_plan *out, wf_err *err) {
    char *whole = realpath(path, NULL), *slash = whole ? strrchr(whole, '/') : NULL;
    if (!slash) {
        free(whole);
        return cli_wrong(err, WF_E_NOTFOUND, "%s: cannot be read", path);
    }
    if (slash == whole) slash++;
    *slash = 0;
    out->folder = whole;
    return WF_OK;
}

wf_status cli_plan_read(const char *path, cli_plan *out, wf_err *err) {
    static const char *const keys[] = {"plan", "about", "let", "steps", NULL};
    json_error_t at;
    *out = (cli_plan){0};
    wf_status st = folder_find(path, out, err);
    if (st != WF_OK) return st;
    json_t *file = json_load_file(path, JSON_REJECT_DUPLICATES, &at), *step;
    if (!file) return cli_wrong(err, WF_E_DATA, "%s: line %d: %s", path, at.line, at.text);
    reader r = {.path = path, .let = json_object_get(file, "let"), .steps = json_array()};
    out->steps = r.steps;
    const json_t *steps = json_object_get(file, "steps");
    if (!r.steps) st = no_memory(err);
    if (st == WF_OK && json_array_size(steps) == 0) st = wrong(&r, err, "needs {\"steps\": [...]}, at least one", "");
    if (st == WF_OK) st = keys_check(&r, file, keys, err);
    if (st == WF_OK) st = plan_name(&r, json_object_get(file, "plan"), out, err);
    if (st == WF_OK) st = let_check(&r, err);
    for (size_t i = 0; st == WF_OK && i < json_array_size(steps); i++) {
        step = json_array_get(steps, i);
        r.number = i + 1;
        st = step_read(&r, step, err);
    }
    json_decref(file);
    return st;
}

void cli_plan_clear(cli_plan *p) {
    json_decref(p->steps);
    free(p->folder);
    *p = (cli_plan){0};
}

char *cli_plan_line(const json_t *words) {
    size_t i, length = 1;
    const json_t *word;
    json_array_foreach(words, i, word) length += json_string_length(word) + 3;
    char *line = malloc(length), *at = line;
    if (!line) return NULL;
    *line = 0;
    json_array_foreach(words, i, word) {
        const char *text = json_string_value(word);
        const char *quote = !*text || strpbrk(text, " \t") ? "'" : "";
        at += snprintf(at, length - (size_t)(at - line), "%s%s%s%s", i ? " " : "", quote, text, quote);
    }
    return line;
}
