/* lab/task_embedding.c - see task_embedding.h. */
#include "lab/task_embedding.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "lab/probe_rows.h"
#include "lab/tokens.h"
#include "metrics/probe.h"
#include "trainer/trainer.h"
#include <math.h>
#include <string.h>

enum { FISHER_TOKENS = 64, PROBE_SEED = 1 };
static const double PROBE_C = 1.0;

typedef struct probe { /* the small model */
    wf_adapter *adapter;
    wf_head *head;
    wf_context *context;
    wf_encoded e;
} probe;

static void probe_clear(probe *p) {
    wfi_encoded_clear(&p->e);
    wfi_context_free(p->context);
    wfi_head_free(p->head);
    wfi_adapter_free(p->adapter);
}

static wf_status probe_make(wf_open_base *base, const wf_probe_rows *rows, probe *p, wf_err *err) {
    const wf_base_shape shape = wfi_context_shape(base->model);
    const char *pooling = json_string_value(json_object_get(base->info, "pooling"));
    const wf_head_spec spec = {.kind = WF_KIND_CLASSIFICATION,
                               .classes = rows->classes,
                               .layers = 1,
                               .pooling = pooling && strcmp(pooling, "mean") == 0 ? WF_POOL_MEAN : WF_POOL_CLS,
                               .hidden_size = base->model->config.hidden_size};
    WF_TRY(wfi_bert_pack(base->model, true, base->dtype, err));
    WF_TRY(wfi_adapter_new("probe", "seq_bn", &shape, PROBE_SEED, &p->adapter, err));
    WF_TRY(wfi_head_make("probe", &spec, &p->head, err));
    WF_TRY(wfi_context_new(base->model, &p->context, err));
    p->context->adapter = p->adapter;
    p->context->head = p->head;
    const size_t length =
        base->model->config.max_positions < FISHER_TOKENS ? (size_t)base->model->config.max_positions : FISHER_TOKENS;
    return wfi_tokens_encode(base->cache, base->tokenizer, &rows->rows, &rows->as, length, &p->e, err);
}

/* The head as a logistic regression on the features. */
static wf_status head_fit(probe *p, const wf_probe_rows *rows, wf_err *err) {
    const size_t width = (size_t)p->head->hidden_size, classes = (size_t)rows->classes;
    double *w = wfi_alloc(classes * (width + 1), sizeof *w);
    if (!w) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    wf_status st = wfi_features_make(p->context, &p->e, err);
    if (st == WF_OK)
        st = wfi_probe_fit(p->e.pooled, rows->rows.count, width, rows->label, rows->classes, PROBE_C, w, err);
    for (size_t c = 0; st == WF_OK && c < classes; c++) {
        for (size_t k = 0; k < width; k++) p->head->out.weight->data[c * width + k] = (float)w[c * (width + 1) + k];
        p->head->out.bias->data[c] = (float)w[c * (width + 1) + width];
    }
    wfi_free(p->e.pooled); /* the gradient has to go through the adapter */
    p->e.pooled = NULL;
    wfi_free(w);
    return st;
}

/* A class drawn from the softmax of the logits. */
static int32_t draw(const wf_value *logits, int32_t classes, float u) {
    double most = -INFINITY, sum = 0, upto = 0;
    for (int32_t c = 0; c < classes; c++) most = fmax(most, (double)logits->data[c]);
    for (int32_t c = 0; c < classes; c++) sum += exp((double)logits->data[c] - most);
    for (int32_t c = 0; c < classes; c++)
        if ((double)u * sum < (upto += exp((double)logits->data[c] - most))) return c;
    return classes - 1;
}

static size_t units(const wf_pset *s) {
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++) n += s->params[i]->rank == 2 ? (size_t)s->params[i]->shape[0] : 0;
    return (n + 15) / 16 * 16; /* a cached entry ends with such zeros */
}

/* Squared gradients of one row, by unit. */
static void squares_add(const wf_pset *s, float *to) {
    for (size_t i = 0; i < s->count; i++) {
        const wf_param *p = s->params[i];
        if (p->rank != 2) continue;
        for (int64_t u = 0; u < p->shape[0]; u++) {
            double sum = 0;
            for (int64_t k = 0; k < p->shape[1]; k++) {
                const double g = (double)p->grad[u * p->shape[1] + k];
                sum += g * g;
            }
            *to++ += (float)sum;
        }
    }
}

static wf_status fisher(probe *p, int32_t classes, uint64_t seed, float *to, wf_err *err) {
    wf_batch b = {0};
    wf_pset *s = &p->adapter->params;
    wf_status st = wfi_pset_trainable(s, true, err);
    const uint64_t key = wfi_random_key(seed, "fisher", 0, 0);
    for (int64_t i = 0; st == WF_OK && i < (int64_t)p->e.rows; i++) {
        memset(s->grad, 0, (size_t)s->total * sizeof *s->grad);
        st = wfi_batch_fill(&b, &p->e, &i, 1, err);
        wf_value *logits = st == WF_OK ? wfi_context_forward(p->context, &b, true, 0, NULL, err) : NULL;
        if (st == WF_OK && !logits)
            st = wfi_tape_status(p->context->tape, NULL) != WF_OK ? wfi_tape_status(p->context->tape, NULL)
                                                                  : WF_E_LIBRARY;
        if (st != WF_OK) break;
        b.label[0] = draw(logits, classes, wfi_random_uniform(key, (uint64_t)i));
        const wf_pass pass = {.tape = p->context->tape, .S = b.S, .offsets = b.offsets};
        wf_value *loss = wfi_head_loss(p->head, &pass, logits, &b, &(wf_loss_options){0});
        st = wfi_tape_status(p->context->tape, err);
        if (st == WF_OK) st = wfi_tape_backward(p->context->tape, loss, 1.0f, err);
        if (st == WF_OK) squares_add(s, to);
    }
    wfi_batch_clear(&b);
    return st;
}

static wf_status key_make(const wf_open_base *base, const char *task_hash, size_t most, uint64_t seed,
                          char key[WF_HASH_HEX], wf_err *err) {
    wf_buffer b = {0};
    wfi_buffer_printf(&b, "fisher 1|%s|%s|%zu|%d|%llu|%s", base->hash, task_hash, most, FISHER_TOKENS,
                      (unsigned long long)seed, wf_version());
    wf_status st = b.failed ? wfi_fail(err, WF_E_NOMEM, "out of memory") : wfi_hash_bytes(b.data, b.len, key, err);
    wfi_buffer_clear(&b);
    return st;
}

static bool kept(const wf_open_base *base, const char *key, float **out, size_t *n) {
    wf_cached c = {0};
    if (!wfi_cache_get(base->cache, "fisher", key, &c)) return false;
    *n = c.size / sizeof(float);
    *out = wfi_alloc(*n + 1, sizeof **out);
    if (*out) memcpy(*out, c.data, *n * sizeof **out);
    wfi_cached_clear(&c);
    return *out != NULL;
}

wf_status wfi_task_embedding(wf_lab *lab, wf_open_base *base, const wf_task *task, const char *task_hash, size_t most,
                             uint64_t seed, float **out, size_t *n, wf_err *err) {
    char key[WF_HASH_HEX];
    wf_probe_rows rows = {0};
    probe p = {0};
    float *to = NULL;
    if (most > WF_FISHER_ROWS) most = WF_FISHER_ROWS;
    WF_TRY(key_make(base, task_hash, most, seed, key, err));
    if (kept(base, key, out, n)) return WF_OK;
    wf_status st = wfi_probe_rows(task, most, seed, &rows, err);
    if (st == WF_OK) st = probe_make(base, &rows, &p, err);
    if (st == WF_OK) st = head_fit(&p, &rows, err);
    const size_t count = st == WF_OK ? units(&p.adapter->params) : 0;
    if (st == WF_OK && !(to = wfi_alloc(count + 1, sizeof *to))) st = wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = fisher(&p, rows.classes, seed, to, err);
    probe_clear(&p);
    wfi_probe_rows_clear(&rows);
    if (st != WF_OK) {
        wfi_free(to);
        return st;
    }
    const wf_file_part part = {.data = to, .size = count * sizeof *to};
    wfi_cache_put(base->cache, "fisher", key, &part, 1, WF_CACHE_BYTES);
    *out = to;
    *n = count;
    return WF_OK;
}
