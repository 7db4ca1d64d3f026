/* cli/output.c - aligned tables and values for people. Texts, labels and file names come from anywhere: what a terminal
 * would obey instead of show is printed as an escape. */
#include "cli/cli.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Length of the UTF-8 character at `s`, 0 when there is none. */
static int character(const unsigned char *s, unsigned *code) {
    const int n = s[0] < 0x80 ? 1 : s[0] >= 0xC2 && s[0] < 0xE0 ? 2 : s[0] >= 0xE0 && s[0] < 0xF0 ? 3 : 4;
    if (n == 4 && (s[0] < 0xF0 || s[0] > 0xF4)) return 0;
    *code = n == 1 ? s[0] : s[0] & (0x7Fu >> n);
    for (int i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80) return 0;
        *code = *code << 6 | (s[i] & 0x3F);
    }
    return n;
}

/* C0, DEL, C1 (which some terminals obey like ESC and a letter), and what reverses the order of the text behind it. */
static bool is_order(unsigned code) {
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || (code >= 0x202A && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069);
}

char *cli_visible(const char *text) {
    enum { ESCAPE_MOST = 4 }; /* bytes for one: \x1b; longer ones stand for two or three */
    char *out = malloc(ESCAPE_MOST * strlen(text) + 1), *at = out;
    if (!out) return NULL;
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        unsigned code = 0;
        const int n = character(s, &code);
        if (n && !is_order(code))
            memcpy(at, s, (size_t)n), at += n;
        else if (*s == '\n' || *s == '\t')
            at += snprintf(at, ESCAPE_MOST + 1, "\\%c", *s == '\n' ? 'n' : 't');
        else if (n > 1)
            at += snprintf(at, 2 * ESCAPE_MOST + 1, "<U+%04X>", code & 0xFFFF);
        else
            at += snprintf(at, ESCAPE_MOST + 1, "\\x%02x", *s);
        s += n ? n : 1;
    }
    *at = 0;
    return out;
}

static json_t *shown(const json_t *j) {
    const char *key;
    const json_t *value;
    size_t i;
    json_t *out = NULL;
    if (json_is_string(j)) {
        char *text = cli_visible(json_string_value(j));
        out = text ? json_string(text) : NULL;
        free(text);
    } else if (json_is_array(j)) {
        out = json_array();
        json_array_foreach(j, i, value) json_array_append_new(out, shown(value));
    } else if (json_is_object(j)) {
        out = json_object();
        json_object_foreach((json_t *)j, key, value) {
            char *name = cli_visible(key);
            if (name) json_object_set_new(out, name, shown(value));
            free(name);
        }
    } else {
        out = json_deep_copy(j);
    }
    return out;
}

json_t *cli_shown(const char *text) {
    json_t *j = json_loads(text, JSON_DECODE_ANY, NULL), *out = j ? shown(j) : NULL;
    json_decref(j);
    return out;
}

typedef struct cell {
    char *text;
    bool right;
} cell;
struct cli_table {
    cell *cells;
    size_t count, cap, columns, row_start;
    bool failed;
};

cli_table *cli_table_new(void) {
    return calloc(1, sizeof(cli_table));
}

static cell *cell_add(cli_table *t) {
    if (t->count == t->cap) {
        const size_t cap = t->cap ? 2 * t->cap : 64;
        cell *cells = realloc(t->cells, cap * sizeof *cells);
        if (!cells) {
            t->failed = true;
            return NULL;
        }
        t->cells = cells;
        t->cap = cap;
    }
    t->cells[t->count] = (cell){0};
    return &t->cells[t->count++];
}

void cli_cell(cli_table *t, bool right, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cell *c = t ? cell_add(t) : NULL;
    if (c) *c = (cell){.text = cli_visible(text), .right = right};
}

void cli_row(cli_table *t) {
    if (!t) return;
    if (!t->columns) t->columns = t->count;
    while (!t->failed && t->columns && t->count % t->columns) cell_add(t);
}

/* Characters of UTF-8 text (as many columns, but for wide scripts). */
static int width_of(const char *text) {
    int n = 0;
    for (; text && *text; text++) n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

void cli_table_print(cli_table *t) {
    if (!t) return;
    for (size_t i = 0; !t->failed && t->columns && i < t->count; i++) {
        const cell *c = &t->cells[i];
        const size_t column = i % t->columns;
        int width = 0;
        for (size_t k = column; k < t->count; k += t->columns)
            width = width_of(t->cells[k].text) > width ? width_of(t->cells[k].text) : width;
        const int blanks = width - width_of(c->text);
        const bool last = column + 1 == t->columns;
        if (c->right)
            printf("%*s%s", blanks, "", c->text ? c->text : "");
        else
            printf("%s%*s", c->text ? c->text : "", last ? 0 : blanks, "");
        fputs(last ? "\n" : "  ", stdout);
    }
    for (size_t i = 0; i < t->count; i++) free(t->cells[i].text);
    free(t->cells);
    free(t);
}

int cli_finish(const cli_args *a, wf_status status, const wf_err *err, char *text, void (*show)(const json_t *result)) {
    int code = EXIT_DONE;
    cli_progress_end();
    if (text && a->json) {
        puts(text);
    } else if (text && show) {
        json_t *j = cli_shown(text);
        if (j)
            show(j);
        else
            code = cli_fail(WF_E_NOMEM, &(wf_err){.text = "out of memory for the result"});
        json_decref(j);
    }
    wf_free(text);
    if (status != WF_OK) code = cli_fail(status, err);
    if (fflush(stdout) != 0 || ferror(stdout))
        code = cli_fail(WF_E_IO, &(wf_err){.text = "cannot write to standard output"});
    return code;
}

const char *cli_text(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

double cli_number(const json_t *object, const char *key) {
    const json_t *v = json_object_get(object, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

void cli_score(char out[16], const char *metric, double value) {
    static const char *const shares[] = {"accuracy", "macro_f1", "micro_f1", "f1"};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        if (strcmp(metric, shares[i]) == 0 && !isnan(value)) {
            snprintf(out, 16, "%.1f", 100 * value);
            return;
        }
    if (isnan(value))
        snprintf(out, 16, "-");
    else
        snprintf(out, 16, "%.3f", value);
}

size_t cli_metrics(const json_t *scores, size_t most, const char **out) {
    static const char *const order[] = {"accuracy", "macro_f1", "f1",  "mcc", "micro_f1",
                                        "pearson",  "spearman", "mae", "mse"};
    size_t n = 0;
    for (size_t i = 0; i < sizeof order / sizeof *order && n < most; i++)
        if (json_object_get(scores, order[i])) out[n++] = order[i];
    return n;
}

void cli_count(char out[16], double n) {
    if (n >= 1e6)
        snprintf(out, 16, "%.1fM", n / 1e6);
    else if (n >= 1e4)
        snprintf(out, 16, "%.1fk", n / 1e3);
    else
        snprintf(out, 16, "%.0f", n);
}
