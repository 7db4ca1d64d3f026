/* kernels/avx512/kernels_avx512.c - all of vector/ at this level, and its line in the dispatch. Layer 2.
 * Holds no code of its own; only this file is compiled with the level's flags, so no other code can need them. */
#include "kernels/dispatch.h"

#include <math.h>

#include "kernels/avx512/vec_avx512.h"

#include "kernels/vector/math_vec.h"
#include "kernels/vector/philox_vec.h"

#include "kernels/vector/elementwise_vec.h"
#include "kernels/vector/int8_vec.h"
#include "kernels/vector/rows_vec.h"
#include "kernels/vector/segments_vec.h"

#include "kernels/vector/product_vec.h"

#include "kernels/vector/attention_vec.h"

void wfk_table_fill_avx512(wfk_table *t) {
    t->act_forward = act_forward;
    t->act_backward = act_backward;
    t->add = add;
    t->axpy = axpy;
    t->scale = scale;
    t->sum_squares = sum_squares;
    t->dropout = dropout;
    t->adamw = adamw;
    t->to_bf16 = to_bf16;
    t->round_bf16 = round_bf16;
    t->bias_add = bias_add;
    t->column_sum = column_sum;
    t->layernorm_forward = layernorm_forward;
    t->layernorm_dx = layernorm_dx;
    t->layernorm_dparams = layernorm_dparams;
    t->softmax = softmax;
    t->segments_dot = segments_dot;
    t->segments_scale = segments_scale;
    t->segments_mix = segments_mix;
    t->range = range;
    t->quantise = quantise;
    narrower_forward = t->attention_forward;
    narrower_backward = t->attention_backward;
    t->attention_forward = attention_forward;
    t->attention_backward = attention_backward;
}
