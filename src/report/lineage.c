/* report/lineage.c - see lineage.h. */
#include "report/lineage.h"
#include "base/alloc.h"
#include "base/error.h"
#include "report/chart.h"
#include "report/html.h"
#include "report/scores.h"
#include <stdio.h>
#include <string.h>

enum { NODES_MOST = 160 }; /* more are no figure any longer */

static size_t record_at(const wf_record *records, size_t count, int64_t id) {
    for (size_t i = 0; i < count; i++)
        if (records[i].id == id) return i;
    return count;
}

/* Base and tasks, adapters, fusions have a colour each. */
static int colour_of(const wf_record *r) {
    if (strcmp(r->kind, "base") == 0) return 7;
    if (strcmp(r->kind, "task") == 0) return 2;
    json_t *info = json_loads(r->json, 0, NULL);
    const int colour = json_array_size(json_object_get(info, "from")) ? 3 : 0;
    json_decref(info);
    return colour;
}

static wf_status parents_find(wf_lab *lab, const wf_record *records, size_t count, size_t i, wf_graph_node *node,
                              wf_err *err) {
    wf_record *parents = NULL;
    size_t n = 0;
    WF_TRY(wfi_registry_parents(lab->registry, records[i].id, &parents, &n, err));
    size_t *list = n ? wfi_alloc(n, sizeof *list) : NULL;
    for (size_t k = 0; list && k < n; k++) {
        const size_t at = record_at(records, i, parents[k].id); /* whatever it was made of is older */
        if (at < i) list[node->parent_count++] = at;
    }
    node->parents = list;
    wfi_records_free(parents, n);
    return n && !list ? wfi_fail(err, WF_E_NOMEM, "out of memory for the report") : WF_OK;
}

static wf_status graph_write(wf_lab *lab, wf_buffer *b, const wf_record *records, size_t count, wf_err *err) {
    wf_graph_node *nodes = wfi_alloc(count, sizeof *nodes);
    if (!nodes) return wfi_fail(err, WF_E_NOMEM, "out of memory for the report");
    memset(nodes, 0, count * sizeof *nodes);
    wf_status st = WF_OK;
    for (size_t i = 0; i < count && st == WF_OK; i++) {
        nodes[i] = (wf_graph_node){.name = records[i].name, .kind = records[i].kind, .colour = colour_of(&records[i])};
        st = parents_find(lab, records, count, i, &nodes[i], err);
    }
    if (st == WF_OK)
        wfi_chart_graph(b,
                        "What was made from what: the base (grey) and tasks (green), what was trained on them (blue), "
                        "what was made of adapters (violet)",
                        nodes, count);
    for (size_t i = 0; i < count; i++) wfi_free((void *)nodes[i].parents);
    wfi_free(nodes);
    return st;
}

/* A gate is no part of what a model was made of. */
static wf_status figure_write(wf_lab *lab, wf_buffer *b, wf_err *err) {
    wf_record *records = NULL;
    size_t count = 0, kept = 0;
    WF_TRY(wfi_registry_list(lab->registry, NULL, &records, &count, err));
    for (size_t i = 0; i < count; i++) {
        if (strcmp(records[i].kind, "gate") == 0) continue;
        const wf_record r = records[kept];
        records[kept++] = records[i];
        records[i] = r; /* all of them are freed */
    }
    wf_status st = WF_OK;
    if (kept > NODES_MOST)
        wfi_buffer_printf(b, "<p class=\"muted\">%zu objects are too many for a figure.</p>\n", kept);
    else if (kept > 0)
        st = graph_write(lab, b, records, kept, err);
    wfi_records_free(records, count);
    return st;
}

static void hash_cell(wf_buffer *b, const char *name, const char *hash) {
    char text[128];
    const bool both = *name && *hash; /* what was trained jointly has several tasks and no one hash of them */
    snprintf(text, sizeof text, "%.64s%s%.12s%s", name, both ? " (" : "", hash, both ? ")" : "");
    wfi_html_cell(b, text);
}

wf_status wfi_lineage_write(wf_lab *lab, wf_buffer *b, const json_t *all, wf_err *err) {
    static const char *const heads[] = {"model", "base", "task", "fused from", "seed", "threads", "weft", "made"};
    size_t i, k;
    const json_t *m, *name;
    wfi_html_section(b, "lineage", "Lineage");
    wfi_buffer_adds(b, "<p>What each model was made of, and what it takes to make it again: the same parents, seed, "
                       "threads and version give the same bits on the same machine.</p>\n");
    WF_TRY(figure_write(lab, b, err));
    wfi_html_table(b, "Names with the first digits of their content's SHA-256; weft verify checks all of it", heads, 8);
    json_array_foreach(json_object_get(all, "models"), i, m) {
        wf_buffer from = {0};
        json_array_foreach(json_object_get(m, "from"), k, name)
            wfi_buffer_printf(&from, "%s%s", k ? ", " : "", json_string_value(name));
        wfi_html_row(b);
        hash_cell(b, wfi_report_text(m, "name"), wfi_report_text(m, "hash"));
        hash_cell(b, wfi_report_text(m, "base"), wfi_report_text(m, "base_hash"));
        hash_cell(b, wfi_report_text(m, "task"), wfi_report_text(m, "task_hash"));
        wfi_html_cell(b, from.data);
        wfi_html_number(b, "%.0f", wfi_report_number(m, "seed"));
        wfi_html_number(b, "%.0f", wfi_report_number(m, "threads"));
        wfi_html_cell(b, wfi_report_text(m, "version"));
        wfi_html_cell(b, wfi_report_text(m, "created"));
        wfi_buffer_clear(&from);
    }
    wfi_html_table_end(b);
    wfi_html_section_end(b);
    return WF_OK;
}
