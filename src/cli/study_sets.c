/* cli/study_sets.c - see study_sets.h. */
#include "cli/study_sets.h"
#include <stdio.h>
#include <string.h>

enum { SHOWN = 8 };

/* "12.3 [8.0, 17.1]" in percent, or "-". */
static const char *share_text(char out[48], const json_t *share) {
    if (json_is_number(json_object_get(share, "value")))
        snprintf(out, 48, "%.1f [%.1f, %.1f]", 100 * cli_number(share, "value"), 100 * cli_number(share, "low"),
                 100 * cli_number(share, "high"));
    else
        snprintf(out, 48, "-");
    return out;
}

static void left_show(const json_t *of) {
    const json_t *left;
    size_t i;
    json_array_foreach(json_object_get(of, "not_judged"), i, left)
        printf("; %.0f not judged: %s", cli_number(left, "cases"), cli_text(left, "why"));
    puts("");
}

static void type_show(const json_t *type) {
    char text[48];
    const char *name = cli_text(type, "type");
    const json_t *rate = json_object_get(type, "rate");
    const double cases = cli_number(type, "cases");
    if (cases == 0)
        printf("    %s: no case could be judged", name);
    else if (strcmp(name, "contrast") == 0)
        printf("    contrast: right in all variants in %.1f %% of %.0f cases [%.1f, %.1f]",
               100 * (1 - cli_number(rate, "value")), cases, 100 * (1 - cli_number(rate, "high")),
               100 * (1 - cli_number(rate, "low")));
    else
        printf("    %s: %s %% of %.0f cases %s", name, share_text(text, rate), cases,
               strcmp(name, "INV") == 0   ? "fail (the answer changes between the variants)"
               : strcmp(name, "DIR") == 0 ? "fail (the answer does not move as the test says)"
                                          : "fail (an answer is wrong)");
    left_show(type);
}

static void tests_show(const json_t *tests) {
    static const char *const heads[] = {"    test", "type", "cases", "fail % [95 %]", "changed %"};
    const json_t *test;
    size_t i;
    char text[48];
    if (json_array_size(tests) == 0) return;
    cli_table *t = cli_table_new();
    for (int k = 0; k < 5; k++) cli_cell(t, k > 1, "%s", heads[k]);
    cli_row(t);
    json_array_foreach(tests, i, test) {
        const double changed = cli_number(json_object_get(test, "changed"), "value");
        if (i == SHOWN) break;
        cli_cell(t, false, "    %.60s", cli_text(test, "test"));
        cli_cell(t, false, "%s", cli_text(test, "type"));
        cli_cell(t, true, "%.0f", cli_number(test, "cases"));
        cli_cell(t, true, "%s", share_text(text, json_object_get(test, "rate")));
        if (changed == changed)
            cli_cell(t, true, "%.1f", 100 * changed);
        else
            cli_cell(t, true, "-");
        cli_row(t);
    }
    cli_table_print(t);
    if (json_array_size(tests) > SHOWN)
        printf("    and %zu more tests; see: weft report\n", json_array_size(tests) - SHOWN);
}

static void groups_show(const json_t *groups) {
    const json_t *group, *label;
    size_t i, k;
    char text[48];
    if (json_array_size(groups) < 2) return;
    json_array_foreach(groups, i, group) {
        if (i == SHOWN) break;
        printf("    group %s: %s %% right (%.0f rows", cli_text(group, "group"),
               share_text(text, json_object_get(group, "accuracy")), cli_number(group, "rows"));
        json_array_foreach(json_object_get(group, "labels"), k, label) if (k < SHOWN)
            printf("%s %s %.1f", k ? "," : ";", cli_text(label, "label"),
                   100 * cli_number(json_object_get(label, "accuracy"), "value"));
        puts(")");
    }
    if (json_array_size(groups) > SHOWN)
        printf("    and %zu more groups; see: weft report\n", json_array_size(groups) - SHOWN);
}

void cli_study_sets_show(const json_t *model, const char *metric) {
    const json_t *set, *type;
    size_t i, k;
    char score[16], share[48];
    json_array_foreach(json_object_get(model, "sets"), i, set) {
        const json_t *accuracy = json_object_get(set, "accuracy");
        const double more = cli_number(set, "unlabelled"), left = cli_number(set, "left_out");
        cli_score(score, metric, cli_number(set, "score"));
        printf("  on %s: ", cli_text(set, "name"));
        if (cli_number(set, "rows") == 0)
            printf("no row has a label that the model knows");
        else if (strcmp(metric, "accuracy") == 0)
            printf("%s (%.0f rows)", share_text(share, accuracy), cli_number(set, "rows"));
        else
            printf("%s (%.0f rows)", score, cli_number(set, "rows"));
        if (more > 0) printf("; %.0f rows without a label are judged by case", more);
        if (left > 0) printf("; %.0f rows left out: no label that the model knows", left);
        puts("");
        json_array_foreach(json_object_get(set, "types"), k, type) type_show(type);
        tests_show(json_object_get(set, "tests"));
        groups_show(json_object_get(set, "groups"));
    }
}

void cli_study_sets_compare(const json_t *pair) {
    const json_t *q;
    size_t i;
    json_array_foreach(json_object_get(pair, "sets"), i, q) {
        const char *better = json_string_value(json_object_get(q, "better")), *name = cli_text(q, "name"),
                   *what = cli_text(q, "what");
        const bool right = strcmp(what, "accuracy") == 0 || strcmp(what, "group") == 0;
        if (*name && !better) continue;
        printf("  %s, %s%s%s: %s %.1f against %.1f %%, difference in [%.1f, %.1f], p %.3f: ", cli_text(q, "set"), what,
               *name ? " " : "", name, right ? "right" : "failed", 100 * cli_number(q, "a"), 100 * cli_number(q, "b"),
               100 * cli_number(q, "low"), 100 * cli_number(q, "high"), cli_number(q, "p_holm"));
        if (better)
            printf("%s is better\n", better);
        else
            puts("not told apart");
    }
}
