/* lab/compare_gap.c - how far a comparison's trainings fit their own rows better than dev, and what "auto" took, over
 * the seeds. See compare_cell.h. */
#include "base/alloc.h"
#include "base/buffer.h"
#include "base/error.h"
#include "lab/compare_cell.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static bool of_cell(const json_t *row, const char *method, int64_t asked) {
    return strcmp(json_string_value(json_object_get(row, "method")), method) == 0 &&
           json_integer_value(json_object_get(row, "asked_rows")) == asked;
}

json_t *wfi_compare_gap(const json_t *rows, const char *method, int64_t asked) {
    static const char *const keys[] = {"train", "dev", "gap"};
    double sum[3] = {0};
    int n = 0, warns = 0;
    size_t i;
    const json_t *row;
    json_array_foreach(rows, i, row) {
        const json_t *gap = json_object_get(row, "gap");
        if (!of_cell(row, method, asked) || !json_is_number(json_object_get(gap, "gap"))) continue;
        for (int k = 0; k < 3; k++) sum[k] += json_number_value(json_object_get(gap, keys[k]));
        warns += json_is_true(json_object_get(gap, "warns"));
        n++;
    }
    return n ? json_pack("{s:f, s:f, s:f, s:i, s:i}", keys[0], sum[0] / n, keys[1], sum[1] / n, keys[2], sum[2] / n,
                         "seeds", n, "warns", warns)
             : json_null();
}

json_t *wfi_compare_chosen(const json_t *rows, const char *method, int64_t asked) {
    json_t *times = json_object();
    size_t i, k;
    const json_t *row, *name;
    json_array_foreach(rows, i, row) {
        if (!of_cell(row, method, asked)) continue;
        json_array_foreach(json_object_get(row, "chosen"), k, name) {
            const char *one = json_string_value(name);
            json_object_set_new(times, one, json_integer(json_integer_value(json_object_get(times, one)) + 1));
        }
    }
    return times;
}

static const char *remedy_of(const json_t *rows, const char *method, int64_t asked) {
    size_t i;
    const json_t *row;
    json_array_foreach(rows, i, row) {
        const json_t *gap = json_object_get(row, "gap");
        if (of_cell(row, method, asked) && json_is_true(json_object_get(gap, "warns")))
            return json_string_value(json_object_get(gap, "remedy"));
    }
    return "";
}

/* One line a method: the sizes at which more than half of its seeds warn, and the numbers of the widest gap. */
static void method_warn(wf_lab *lab, const json_t *spec, const wf_task *task, const json_t *rows, const char *method) {
    const json_t *sizes = json_object_get(spec, "rows"), *size;
    wf_buffer list = {0};
    json_t *worst = NULL;
    int64_t worst_at = 0;
    size_t i, n = 0;
    json_array_foreach(sizes, i, size) {
        const int64_t asked = json_integer_value(size);
        json_t *gap = wfi_compare_gap(rows, method, asked);
        const double wide = json_number_value(json_object_get(gap, "gap"));
        if (2 * json_integer_value(json_object_get(gap, "warns")) > json_integer_value(json_object_get(gap, "seeds"))) {
            wfi_buffer_printf(&list, "%s%lld", n++ ? ", " : "",
                              (long long)(asked ? asked : (int64_t)task->train.count));
            if (!worst || wide > json_number_value(json_object_get(worst, "gap"))) {
                json_decref(worst);
                worst = json_incref(gap);
                worst_at = asked;
            }
        }
        json_decref(gap);
    }
    if (n && !list.failed)
        wfi_lab_message(lab, "warning",
                        "%s with %s rows: fits what it has seen too closely; with %lld %s is %.3f on training rows "
                        "and %.3f on dev (means over the seeds); try %s",
                        method, list.data, (long long)(worst_at ? worst_at : (int64_t)task->train.count), task->metric,
                        json_number_value(json_object_get(worst, "train")),
                        json_number_value(json_object_get(worst, "dev")), remedy_of(rows, method, worst_at));
    json_decref(worst);
    wfi_buffer_clear(&list);
}

void wfi_compare_gap_warn(wf_lab *lab, const json_t *spec, const wf_task *task, const json_t *rows) {
    const json_t *methods = json_object_get(spec, "methods"), *method;
    size_t i;
    json_array_foreach(methods, i, method) method_warn(lab, spec, task, rows, json_string_value(method));
}
