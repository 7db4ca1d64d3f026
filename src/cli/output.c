/* cli/output.c - aligned tables and values for people. */
#include "cli/cli.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct cell { char *text; bool right; } cell;
struct cli_table {
    cell *cells;
    size_t count, cap, columns, row_start;
    bool failed;
};

cli_table *cli_table_new(void) { return calloc(1, sizeof(cli_table)); }

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
    if (c) *c = (cell){.text = strdup(text), .right = right};
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
        for (size_t k = column; k < t->count; k += t->columns) width = width_of(t->cells[k].text) > width ? width_of(t->cells[k].text) : width;
        const int blanks = width - width_of(c->text);
        const bool last = column + 1 == t->columns;
        if (c->right) printf("%*s%s", blanks, "", c->text ? c->text : "");
        else printf("%s%*s", c->text ? c->text : "", last ? 0 : blanks, "");
        fputs(last ? "\n" : "  ", stdout);
    }
    for (size_t i = 0; i < t->count; i++) free(t->cells[i].text);
    free(t->cells);
    free(t);
}

json_t *cli_result(const cli_args *a, char *text, int *code) {
    json_t *j = NULL;
    cli_progress_end();
    if (a->json) {
        puts(text);
    } else if (!(j = json_loads(text, JSON_DECODE_ANY, NULL))) {
        fputs("weft: out of memory\n", stderr);
        *code = EXIT_FAILED;
    }
    wf_free(text);
    return j;
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
    if (isnan(value)) snprintf(out, 16, "-");
    else snprintf(out, 16, "%.3f", value);
}
