/* tape/ops.h - the coarse operations, one file each (tape/op_NAME.c), forward and backward side by side. Layer 3.
 * Shapes: T tokens (rows of all sequences, no padding), S sequences, H hidden width, C classes. `offsets` [S+1]: rows
 * of sequence s are offsets[s]..offsets[s+1]; it must outlive the step. Dropout is applied only while training and p >
 * 0. */
#ifndef WF_TAPE_OPS_H
#define WF_TAPE_OPS_H
#include "kernels/kernels.h"
#include "tape/tape.h"

/* word[ids] + position[positions] + type[types] -> [T,H]; ids checked against the tables' sizes. */
wf_value *wfi_op_embed(wf_tape *t, wf_param *word, wf_param *position, wf_param *type, int64_t T, const int32_t *ids,
                       const int32_t *positions, const uint8_t *types);
wf_value *wfi_op_linear(wf_tape *t, wf_value *x, const wf_linear *w); /* [T,in] -> [T,out] */
wf_value *wfi_op_act(wf_tape *t, wf_value *x, wf_act act);
/* down(act(up(x))) for matrices that are frozen and packed: keeps up(x) only, and nothing in a pass without gradients.
 */
wf_value *wfi_op_ffn(wf_tape *t, wf_value *x, const wf_linear *up, const wf_linear *down, wf_act act);
bool wfi_op_ffn_takes(const wf_value *x, const wf_linear *up, const wf_linear *down); /* x may be NULL: false */
wf_value *wfi_op_add(wf_tape *t, int n, wf_value *const *x);                          /* sum of n (1..8) equal shapes */
wf_value *wfi_op_norm(wf_tape *t, int n, wf_value *const *x,
                      const wf_norm *norm); /* LayerNorm of the sum of n addends */
/* The same with dropout of the first addend on the way, in one pass over memory. */
wf_value *wfi_op_norm_dropped(wf_tape *t, int n, wf_value *const *x, float p, uint64_t key, const wf_norm *norm);
wf_value *wfi_op_dropout(wf_tape *t, wf_value *x, float p, uint64_t key);
wf_value *wfi_op_attention(wf_tape *t, wf_value *q, wf_value *k, wf_value *v, int64_t S, const int64_t *offsets,
                           int64_t heads, float p, uint64_t key);   /* scale 1/sqrt(H/heads) */
wf_value *wfi_op_scale(wf_tape *t, wf_value *x, float alpha);       /* alpha * x */
wf_value *wfi_op_scale_param(wf_tape *t, wf_value *x, wf_param *s); /* s has 1 element, or H: per channel */
/* o * g, g = mean over the sequence's tokens of sigmoid(z . w + b), one scalar a sequence (maths.md 1.0 step 5). gate:
 * (1,H) linear. */
wf_value *wfi_op_gate(wf_tape *t, wf_value *o, wf_value *z, const wf_linear *gate, int64_t S, const int64_t *offsets);
/* Stochastic depth: whole sequences of x are zeroed with probability p, survivors scaled by 1/(1-p) (row mode). */
wf_value *wfi_op_drop_path(wf_tape *t, wf_value *x, float p, uint64_t key, int64_t S, const int64_t *offsets);
/* Bottleneck up(act(down z)) without residual: two linears and the activation with one record. */
wf_value *wfi_op_bottleneck(wf_tape *t, wf_value *z, const wf_linear *down, const wf_linear *up, wf_act act);
/* y + scale * (drop(x) A^T) B^T; A (r,in), B (out,r). */
wf_value *wfi_op_lora(wf_tape *t, wf_value *y, wf_value *x, wf_param *A, wf_param *B, float scale, float p,
                      uint64_t key);
typedef enum wf_pooling { WF_POOL_CLS, WF_POOL_MEAN } wf_pooling;
wf_value *wfi_op_pool(wf_tape *t, wf_value *x, wf_pooling kind, int64_t S, const int64_t *offsets); /* [T,H] -> [S,H] */
wf_value *wfi_op_reshape(wf_tape *t, wf_value *x, int64_t rows,
                         int64_t cols); /* same elements, other shape; shares data */

/* A column of ragged groups as rows: x [sum counts,1] -> [rows, largest count], the rest 0 (multiple choice). */
wf_value *wfi_op_spread(wf_tape *t, wf_value *x, int64_t rows, const int32_t *counts);

/* Losses, [1,1]. Mean over rows weighted by the row's class weight (as torch's CrossEntropyLoss: sum w l / sum w). */
/* label -1: row ignored. weights [C] or NULL. smoothing as torch. ragged: row r uses the first counts[r] classes only
 * (NULL: all). */
wf_value *wfi_op_cross_entropy(wf_tape *t, wf_value *logits, const int32_t *label, const float *weights,
                               float smoothing, const int32_t *counts);
/* The same with (1 - p)^gamma before each row's loss (op_focal.c). */
wf_value *wfi_op_focal(wf_tape *t, wf_value *logits, const int32_t *label, const float *weights, float gamma,
                       const int32_t *counts);
/* logits [2R,C], row r twice (at r and R + r): mean symmetric KL divergence of the two (op_agree.c). */
wf_value *wfi_op_agree(wf_tape *t, wf_value *logits, const int32_t *counts);
wf_value *wfi_op_mse(wf_tape *t, wf_value *x, const float *target); /* [S,1] */
wf_value *wfi_op_bce(wf_tape *t, wf_value *logits, const uint8_t *target,
                     const float *weights); /* mean over S*C, multi-label; weights [C] multiply positives */
/* The sum of x o w, w [rows,cols] constant and borrowed for the step. */
wf_value *wfi_op_dot(wf_tape *t, wf_value *x, const float *w);
/* strength * || I - W ||_F^2 for a square parameter (AdapterFusion's pull of W_v). */
wf_value *wfi_op_identity_pull(wf_tape *t, wf_param *w, float strength);
#endif
