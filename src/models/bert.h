/* models/bert.h - the BERT family (BERT, MiniLM) as a list of blocks with sites. Layer 5. Knows nothing of adapters.
 * Follows Devlin et al. 2019 as the transformers library computes it: post-LayerNorm blocks, exact or tanh GELU,
 * absolute positions. Threads: a model is immutable after opening and packing; any number of tapes may run over it. */
#ifndef WF_MODELS_BERT_H
#define WF_MODELS_BERT_H
#include "base/file.h"
#include "nn/site.h"
#include "tensor/source.h"

typedef struct wf_bert_config {
    int layers;
    int64_t hidden_size, intermediate_size, heads, vocab_size, max_positions, type_vocab_size;
    float layer_norm_eps, hidden_dropout, attention_dropout;
    float head_dropout; /* of heads that do not name their own: classifier_dropout, else hidden_dropout */
    wf_act act;
} wf_bert_config;

typedef struct wf_bert_layer {
    wf_linear query, key, value, attention_dense, up, down;
    wf_norm attention_norm, output_norm;
} wf_bert_layer;

typedef struct wf_bert {
    wf_bert_config config;
    wf_pset params;    /* names without "bert." prefix; borrowed from the mapped file, or owned in a copy */
    wf_source source;  /* keeps the mapping alive; zeroed in a copy */
    float **converted; /* float32 copies of tensors stored in half precision; NULL entries otherwise */
    wf_param *word, *position, *type;
    wf_norm embedding_norm;
    wf_linear pooler; /* weight NULL when the file has none */
    wf_bert_layer *layers;
    bool packed;
    wf_dtype packed_dtype; /* when packed */
} wf_bert;

/* DIR/config.json and DIR/model.safetensors. Weights stay in the mapped file, read-only. */
wf_status wfi_bert_open(const char *dir, wf_bert **out, wf_err *err);
/* The same from a configuration and its named weights; the source is taken over, also on failure. */
wf_status wfi_bert_from_source(const wf_bert_config *config, wf_source *source, wf_bert **out, wf_err *err);
/* A copy whose weights (all but the pooler's) are owned and may be trained (wfi_pset_trainable). `from` must outlive it
 * (the pooler is shared). dtype: WF_DTYPE_F32, or WF_DTYPE_BF16: what the layers' matrices are multiplied in, forward
 * and for both gradients (wfi_gemm_bf16); the weights themselves, their gradients and all else stay float32. Others are
 * WF_E_UNSUPPORTED. */
wf_status wfi_bert_copy(const wf_bert *from, wf_dtype dtype, wf_bert **out, wf_err *err);
/* Re-lays out the frozen matrices of the layers for fast products; backward: also for input gradients. Call before
 * forward passes; a second call adds only what is missing. dtype: WF_DTYPE_F32, WF_DTYPE_BF16 or WF_DTYPE_I8
 * (kernels/gemm.h says what these compute), for input gradients as for forward passes; a model is packed in one type,
 * another one in a second call is WF_E_ARG. All else of the model stays float32. */
wf_status wfi_bert_pack(wf_bert *m, bool backward, wf_dtype dtype, wf_err *err);
/* The matrices of the layers in a fixed order, six a layer; NULL behind the last. */
wf_linear *wfi_bert_linear_at(const wf_bert *m, size_t i);
/* For keeping what was packed for forward passes. Each: the matrices in a fixed order, NULL behind the last. Over:
 * packs a model that is not packed yet with such matrices' bytes one after the other, each from a multiple of 64 on;
 * they must outlive the model. Errors of wfi_packed_over; the model is as it was then. */
const struct wf_packed *wfi_bert_packed_each(const wf_bert *m, size_t i);
wf_status wfi_bert_pack_over(wf_bert *m, wf_dtype dtype, const unsigned char *bytes, size_t size, wf_err *err);
void wfi_bert_free(wf_bert *m);

/* The pass in pieces, four a layer: the attention up to its output projection; the block site behind it; the
 * feed-forward products; the block site behind those. In front of a layer and of its feed-forward products x flows; in
 * front of a block site the sub-layer's output h and the residual x. */
enum { WF_BERT_PIECES = 4 };
typedef struct wf_bert_flow {
    wf_value *h, *x; /* [T,H]; h NULL where only x flows */
} wf_bert_flow;
int wfi_bert_piece(int layer, wf_site site); /* the one a site belongs to */
bool wfi_bert_flows_twice(int piece);        /* h and x flow in front of it */

/* ids, positions [T], types [T] -> rows [T,H], what flows in front of piece 0. dropout: apply the base's own dropout
 * rates while training. */
wf_value *wfi_bert_embed(const wf_bert *m, const wf_pass *pass, int64_t T, const int32_t *ids, const int32_t *positions,
                         const uint8_t *types, bool dropout);
/* Pieces from..to-1 on what flows. each (may be NULL): [layers + 1], receives every finished layer's output at layer+1.
 */
void wfi_bert_pieces(const wf_bert *m, const wf_hooks *hooks, const wf_pass *pass, int from, int to, bool dropout,
                     wf_bert_flow *flow, wf_value **each);
/* The whole pass: rows [T,H] of the last layer. each[0] receives the embedding output. */
wf_value *wfi_bert_forward(const wf_bert *m, const wf_hooks *hooks, const wf_pass *pass, int64_t T, const int32_t *ids,
                           const int32_t *positions, const uint8_t *types, bool dropout, wf_value **each);
#endif
