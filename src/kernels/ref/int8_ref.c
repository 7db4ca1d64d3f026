/* kernels/ref/int8_ref.c - products in 8 bits by their definition: the oracle and the fallback. See int8.h. Layer 2. */
#include "kernels/dispatch.h"
#include "kernels/int8.h"

#include <math.h>

static void range(int64_t n, const float *x, float *low, float *high) {
    *low = *high = 0.0f;
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(x[i])) {
            *low = *high = NAN;
            return;
        }
        if (x[i] < *low) *low = x[i];
        if (x[i] > *high) *high = x[i];
    }
}

static void quantise(int64_t n, const float *x, float inverse, float zero, uint8_t *q) {
    for (int64_t i = 0; i < n; i++) {
        const float r = rintf(x[i] * inverse) + zero;
        q[i] = (uint8_t)(r < 0.0f ? 0.0f : r > 255.0f ? 255.0f : r);
    }
}

static void int8_block(const wfk_int8_job *job, int64_t row, int64_t rows, int64_t panel) {
    const wfk_int8 *b = job->b;
    for (int64_t i = row; i < row + rows; i++)
        for (int64_t j = 0; j < WFK_INT8_PANEL && panel * WFK_INT8_PANEL + j < b->n; j++) {
            const int64_t column = panel * WFK_INT8_PANEL + j;
            const int8_t *w = b->data + panel * WFK_INT8_PANEL * b->K + j * 4;
            float *c = &job->c[i * job->ldc + column], sum = job->bias ? job->bias[column] : 0.0f;
            if (job->add) sum = *c + sum;
            for (int64_t g = 0; g < b->groups; g++) {
                const int64_t at = (panel * b->groups + g) * WFK_INT8_PANEL + j;
                int32_t dot = 0;
                for (int64_t l = g * WFK_INT8_GROUP; l < g * WFK_INT8_GROUP + wfk_int8_group_rows(b, g); l++)
                    dot +=
                        (job->q[i * b->K + l] - job->zero[i * b->groups + g]) * w[l / 4 * 4 * WFK_INT8_PANEL + l % 4];
                sum = fmaf((float)dot * job->scale[i * b->groups + g], b->scale[at], sum);
            }
            *c = sum;
        }
}

void wfk_table_fill_int8__ref(wfk_table *t) {
    t->range = range;
    t->quantise = quantise;
    t->int8_block = int8_block;
}
