/* study/explain.c - wf_explain: what every token and every adapter adds to one prediction. See explain.h. */
#include "study/explain.h"
#include "base/alloc.h"
#include "base/error.h"
#include "lab/heads.h"
#include <math.h>
#include <string.h>

static const double TOLERANCE = 0.01;

void wfi_explain_clear(wf_explain *e) {
    wfi_free(e->x);
    wfi_free(e->blank);
    wfi_free(e->readout);
    wfi_encoding_clear(&e->tokens);
    wfi_trained_clear(&e->t);
}

/* In float32, whatever the model was trained in: sums of gradients are to agree with differences. */
static wf_status model_open(wf_lab *lab, const char *name, wf_trained *t, wf_err *err) {
    const bool asked = lab->as_asked;
    const wf_dtype dtype = lab->dtype;
    lab->as_asked = true;
    lab->dtype = WF_DTYPE_F32;
    wf_status st = wfi_trained_open_asked(lab, name, t, err);
    lab->as_asked = asked;
    lab->dtype = dtype;
    return st;
}

static wf_status text_read(wf_lab *lab, wf_explain *e, const wf_explain_spec *s, wf_err *err) {
    const wf_tokenizer *tok = e->t.base->tokenizer;
    wf_pairs pairs = WF_PAIRS_UNKNOWN;
    WF_TRY(wfi_model_pairs(lab, e->t.info, &pairs, NULL, err));
    WF_TRY(wfi_pairs_check(s->model, pairs, s->pair != NULL, err));
    e->pair = s->pair != NULL;
    return wfi_tokenizer_encode(tok, s->text, strlen(s->text), s->pair, s->pair ? strlen(s->pair) : 0,
                                (size_t)e->t.max_length, &e->tokens, err);
}

static bool special(const wf_explain *e, size_t t) {
    return e->tokens.starts[t] == 0 && e->tokens.ends[t] == 0;
}

/* Whether the text (or the second one) has no token of its own. */
static bool empty_part(const wf_explain *e) {
    bool seen[2] = {false, !e->pair};
    for (size_t t = 0; t < e->tokens.count; t++)
        if (!special(e, t)) seen[e->tokens.type_ids[t] ? 1 : 0] = true;
    return !seen[0] || !seen[1];
}

/* What stands for "no word here": the token the base was trained to see in place of one. */
static int32_t blank_token(const wf_tokenizer *tok) {
    static const char *const names[] = {"[MASK]", "[PAD]", "[UNK]"};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        for (int32_t i = 0; (size_t)i < wfi_tokenizer_vocab_size(tok); i++) {
            const char *token = wfi_tokenizer_token(tok, i);
            if (token && strcmp(token, names[k]) == 0) return i;
        }
    return 0;
}

/* Embeddings [T,H] of ids. */
static wf_status embed(wf_explain *e, int32_t *ids, float **out, wf_err *err) {
    const size_t T = e->tokens.count;
    int32_t *positions = wfi_alloc(T, sizeof *positions);
    int64_t offsets[] = {0, (int64_t)T};
    *out = wfi_alloc(T, (size_t)e->H * sizeof **out);
    wf_status st = positions && *out ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for %zu tokens", T);
    for (size_t i = 0; st == WF_OK && i < T; i++) positions[i] = (int32_t)i;
    const wf_batch b = {.T = (int64_t)T,
                        .S = 1,
                        .rows = 1,
                        .ids = ids,
                        .positions = positions,
                        .types = e->tokens.type_ids,
                        .offsets = offsets};
    wf_bert_flow flow;
    if (st == WF_OK) st = wfi_context_flow(e->t.context, &b, 0, &flow, err);
    if (st == WF_OK) memcpy(*out, flow.x->data, T * (size_t)e->H * sizeof **out);
    wfi_free(positions);
    return st;
}

static wf_status embeddings_make(wf_explain *e, wf_err *err) {
    const size_t T = e->tokens.count;
    int32_t *ids = wfi_alloc(T + 1, sizeof *ids);
    if (!ids) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    const int32_t blank = blank_token(e->t.base->tokenizer);
    for (size_t i = 0; i < T; i++) ids[i] = special(e, i) ? e->tokens.ids[i] : blank;
    wf_status st = embed(e, e->tokens.ids, &e->x, err);
    if (st == WF_OK) st = embed(e, ids, &e->blank, err);
    wfi_free(ids);
    return st;
}

/* The explained number: a label's logit less the mean of the others' (of two classes the log-odds), a multi-label
 * label's logit, a regression's value. */
static void readout_make(wf_explain *e) {
    for (int64_t c = 0; c < e->classes; c++)
        e->readout[c] = e->t.kind == WF_KIND_REGRESSION   ? e->t.head->target_std
                        : c == e->label                   ? 1.0f
                        : e->t.kind == WF_KIND_MULTILABEL ? 0.0f
                                                          : (float)(-1.0 / (double)(e->classes - 1));
    e->unit = e->t.kind == WF_KIND_REGRESSION ? (double)e->t.head->target_std : 1;
}

wf_status wfi_explain_label(wf_explain *e, const char *asked, float *logits, wf_err *err) {
    char **labels = e->t.head->labels;
    double unused = 0;
    WF_TRY(wfi_explain_value(e, e->x, logits, &unused, err));
    e->label = 0;
    for (int32_t c = 1; c < e->classes; c++)
        if (logits[c] > logits[e->label]) e->label = c;
    bool known = !asked;
    for (int32_t c = 0; asked && labels && c < e->classes; c++)
        if (strcmp(labels[c], asked) == 0) e->label = c, known = true;
    readout_make(e);
    if (known) return WF_OK;
    return wfi_fail(err, WF_E_ARG, "\"%s\" has no label \"%.64s\"", e->t.name, asked);
}

static double probability(const wf_explain *e, const float *logits) {
    double sum = 0;
    if (e->t.kind == WF_KIND_MULTILABEL) return 1 / (1 + exp(-(double)logits[e->label]));
    for (int64_t c = 0; c < e->classes; c++) sum += exp((double)logits[c] - (double)logits[e->label]);
    return 1 / sum;
}

/* ---- result ---- */

static void tokens_json(const wf_explain *e, const wf_explain_spec *s, const double *a, json_t *into) {
    json_t *list = json_array();
    int32_t end[2] = {0, 0};
    for (size_t t = 0; t < e->tokens.count; t++) {
        const int part = e->tokens.type_ids[t] ? 1 : 0;
        const char *text = part ? s->pair : s->text;
        const int32_t from = e->tokens.starts[t], to = e->tokens.ends[t];
        json_t *j =
            json_pack("{s:s, s:f, s:b, s:i}", "token", wfi_tokenizer_token(e->t.base->tokenizer, e->tokens.ids[t]),
                      "attribution", a[t], "special", special(e, t), "part", part);
        if (j && !special(e, t) && from >= end[part]) {
            json_object_set_new(j, "before", json_stringn(text + end[part], (size_t)(from - end[part])));
            json_object_set_new(j, "text", json_stringn(text + from, (size_t)(to - from)));
            end[part] = to;
        }
        json_array_append_new(list, j);
    }
    json_object_set_new(into, "tokens", list);
}

static wf_status without(wf_explain *e, const char *name, double value, json_t *list, wf_err *err) {
    float *logits = wfi_alloc((size_t)e->classes, sizeof *logits);
    double left = 0;
    if (!logits) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    wf_status st = wfi_explain_value(e, e->x, logits, &left, err);
    if (st == WF_OK) {
        json_t *j = json_pack("{s:s, s:f, s:f}", "adapter", name, "gives", value - left, "value_without", left);
        if (e->t.kind != WF_KIND_REGRESSION)
            json_object_set_new(j, "probability_without", json_real(probability(e, logits)));
        json_array_append_new(list, j);
    }
    wfi_free(logits);
    return st;
}

/* Each adapter taken out exactly: of a fusion out of its attention, a single one out of the model. */
static wf_status adapters_json(wf_explain *e, double value, json_t *list, wf_err *err) {
    wf_trained *t = &e->t;
    wf_status st = WF_OK;
    if (t->adapter) {
        t->context->adapter = NULL;
        st = without(e, t->name, value, list, err);
        t->context->adapter = t->adapter;
    }
    bool *out = wfi_alloc(t->fused_count + 1, sizeof *out);
    if (!out) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; st == WF_OK && i < t->fused_count; i++) {
        out[i] = true;
        wfi_fusion_leave_out(t->fusion, out);
        st = without(e, t->fused[i]->name, value, list, err);
        out[i] = false;
    }
    if (t->fusion) wfi_fusion_leave_out(t->fusion, NULL);
    wfi_free(out);
    return st;
}

static wf_status explained(wf_explain *e, const wf_explain_spec *s, json_t **out, wf_err *err) {
    float *logits = wfi_alloc((size_t)e->classes, sizeof *logits);
    double *a = wfi_alloc((size_t)e->T, sizeof *a), value = 0, blank = 0, sum = 0, allowed = 0;
    int points = 0;
    json_t *j = json_object(), *adapters = json_array();
    wf_status st = logits && a && j && adapters ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = wfi_explain_label(e, s->label, logits, err);
    if (st == WF_OK) st = wfi_explain_value(e, e->x, logits, &value, err);
    if (st == WF_OK) st = wfi_explain_value(e, e->blank, NULL, &blank, err);
    if (st == WF_OK) {
        allowed = (s->tolerance > 0 ? s->tolerance : TOLERANCE) * fmax(e->unit, fabs(value - blank));
        st = wfi_explain_tokens(e, value - blank, allowed, a, &points, err);
    }
    for (int64_t t = 0; st == WF_OK && t < e->T; t++) sum += a[t];
    if (st == WF_OK) st = adapters_json(e, value, adapters, err);
    if (st == WF_OK) {
        json_object_set_new(j, "name", json_string(e->t.name));
        json_object_set_new(j, "text", json_string(s->text));
        if (s->pair) json_object_set_new(j, "text_pair", json_string(s->pair));
        const bool number = e->t.kind == WF_KIND_REGRESSION;
        json_object_set_new(j, "explains",
                            json_string(number                            ? "value"
                                        : e->t.kind == WF_KIND_MULTILABEL ? "logit"
                                        : e->classes == 2                 ? "log-odds"
                                                                          : "margin"));
        if (!number) json_object_set_new(j, "label", json_string(e->t.head->labels ? e->t.head->labels[e->label] : ""));
        if (!number) json_object_set_new(j, "probability", json_real(probability(e, logits)));
        json_object_set_new(j, "value", json_real(value + (number ? (double)e->t.head->target_mean : 0)));
        json_object_set_new(j, "value_of_blank", json_real(blank + (number ? (double)e->t.head->target_mean : 0)));
        json_object_set_new(j, "sum", json_real(sum));
        json_object_set_new(j, "residual", json_real(sum - (value - blank)));
        json_object_set_new(j, "allowed", json_real(allowed));
        json_object_set_new(j, "complete", json_boolean(fabs(sum - (value - blank)) <= allowed));
        json_object_set_new(j, "points", json_integer(points));
        json_object_set_new(j, "empty", json_boolean(empty_part(e)));
        tokens_json(e, s, a, j);
        json_object_set(j, "adapters", adapters);
    }
    wfi_free(logits);
    wfi_free(a);
    json_decref(adapters);
    if (st != WF_OK)
        json_decref(j);
    else
        *out = j;
    return st;
}

static wf_status settle(wf_lab *lab, wf_explain *e, const wf_explain_spec *s, wf_err *err) {
    if (e->t.kind == WF_KIND_MULTIPLE_CHOICE)
        return wfi_fail(err, WF_E_UNSUPPORTED,
                        "\"%s\" chooses among answers; only predictions about texts are explained", s->model);
    if (s->tolerance < 0) return wfi_fail(err, WF_E_ARG, "the tolerance must be positive, such as 0.01");
    e->classes = e->t.head->classes;
    e->H = e->t.base->model->config.hidden_size;
    if (e->t.kind == WF_KIND_CLASSIFICATION && e->classes < 2)
        return wfi_fail(err, WF_E_UNSUPPORTED, "\"%s\" knows one label only: there is nothing to explain", s->model);
    WF_TRY(text_read(lab, e, s, err));
    e->T = (int64_t)e->tokens.count;
    e->readout = wfi_alloc((size_t)e->classes, sizeof *e->readout);
    if (!e->readout) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    return embeddings_make(e, err);
}

wf_status wfi_explain_open(wf_lab *lab, const wf_explain_spec *spec, wf_explain *e, wf_err *err) {
    *e = (wf_explain){0};
    if (!spec->model || !spec->text) return wfi_fail(err, WF_E_ARG, "which model, and which text? see: weft list");
    WF_TRY(model_open(lab, spec->model, &e->t, err));
    wf_status st = settle(lab, e, spec, err);
    if (st != WF_OK) wfi_explain_clear(e);
    return st;
}

wf_status wf_explain_text(wf_lab *lab, const wf_explain_spec *spec, char **json, wf_err *err) {
    wf_explain e = {0};
    json_t *j = NULL;
    wf_status st = wfi_explain_open(lab, spec, &e, err);
    if (st == WF_OK) st = explained(&e, spec, &j, err);
    if (st == WF_OK && !json_is_true(json_object_get(j, "complete")))
        wfi_lab_message(lab, "warning", "the tokens add up to %.4g, the difference is %.4g: take them with care",
                        json_number_value(json_object_get(j, "sum")),
                        json_number_value(json_object_get(j, "sum")) -
                            json_number_value(json_object_get(j, "residual")));
    if (st == WF_OK && empty_part(&e))
        wfi_lab_message(lab, "note", "%s is empty: explained is what the model says of no text at all",
                        spec->pair ? "one of the texts" : "the text");
    wfi_explain_clear(&e);
    return st == WF_OK ? wfi_lab_give(j, json, err) : st;
}
