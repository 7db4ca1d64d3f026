/* kernels/parallel_elementwise.c - the element-wise functions of kernels.h: cut into pieces, one a thread. Layer 2.
 * Each element is computed on its own, so results do not depend on the number of threads. */
#include "kernels/dispatch.h"

#include "base/random.h"

#include <math.h>
#include <omp.h>
#include <string.h>

/* Starting a team costs some microseconds: below these many elements a thread, run alone. */
enum { LEAST_CHEAP = 32768, LEAST_COSTLY = 8192, GRAIN = 64 };

static const struct {
    const char *name;
    wf_act act;
} act_names[] = {
    {"relu", WF_ACT_RELU},
    {"gelu", WF_ACT_GELU},
    {"gelu_new", WF_ACT_GELU_NEW},
    {"silu", WF_ACT_SILU},
    {"tanh", WF_ACT_TANH},
    {"leaky_relu", WF_ACT_LEAKY_RELU},
    {"sigmoid", WF_ACT_SIGMOID},
    {"relu6", WF_ACT_RELU6},
    {"relu2", WF_ACT_RELU2},
    {"mish", WF_ACT_MISH},
    {"quick_gelu", WF_ACT_QUICK_GELU},
    {"linear", WF_ACT_LINEAR},
    /* other spellings of the same functions, after the first WF_ACT_COUNT */
    {"swish", WF_ACT_SILU},
    {"leakyrelu", WF_ACT_LEAKY_RELU},
    {"gelu_python", WF_ACT_GELU},
    {"gelu_pytorch_tanh", WF_ACT_GELU_NEW},
    {"gelu_fast", WF_ACT_GELU_NEW},
};

bool wfi_act_parse(const char *name, wf_act *out) {
    if (!name) return false;
    for (size_t i = 0; i < sizeof act_names / sizeof *act_names; i++)
        if (strcmp(name, act_names[i].name) == 0) return *out = act_names[i].act, true;
    return false;
}

const char *wfi_act_name(wf_act a) {
    for (size_t i = 0; i < sizeof act_names / sizeof *act_names; i++)
        if (act_names[i].act == a) return act_names[i].name;
    return "unknown";
}

/* Runs `statement` on elements [lo, hi) of n in each thread of the team. */
#define IN_PIECES(n, least, statement)                                                                                 \
    do {                                                                                                               \
        int team_ = wfk_threads_for(n, least);                                                                         \
        if (team_ == 1) {                                                                                              \
            int64_t lo = 0, hi = (n);                                                                                  \
            if (hi > lo) statement;                                                                                    \
        } else {                                                                                                       \
            _Pragma("omp parallel num_threads(team_)") {                                                               \
                int64_t lo, hi;                                                                                        \
                wfk_split(n, GRAIN, omp_get_num_threads(), omp_get_thread_num(), &lo, &hi);                            \
                if (hi > lo) statement;                                                                                \
            }                                                                                                          \
        }                                                                                                              \
    } while (0)

void wfi_act_forward(wf_act a, int64_t n, const float *x, float *y) {
    const wfk_table *t = wfk_table_get();
    IN_PIECES(n, LEAST_COSTLY, t->act_forward(a, hi - lo, x + lo, y + lo));
}

void wfi_act_backward(wf_act a, int64_t n, const float *x, const float *dy, float *dx, bool add) {
    const wfk_table *t = wfk_table_get();
    IN_PIECES(n, LEAST_COSTLY, t->act_backward(a, hi - lo, x + lo, dy + lo, dx + lo, add));
}

void wfi_add(int64_t n, const float *a, const float *b, float *out) {
    const wfk_table *t = wfk_table_get();
    IN_PIECES(n, LEAST_CHEAP, t->add(hi - lo, a + lo, b + lo, out + lo));
}

void wfi_axpy(int64_t n, float alpha, const float *x, float *y) {
    const wfk_table *t = wfk_table_get();
    IN_PIECES(n, LEAST_CHEAP, t->axpy(hi - lo, alpha, x + lo, y + lo));
}

void wfi_scale(int64_t n, float alpha, float *x) {
    const wfk_table *t = wfk_table_get();
    IN_PIECES(n, LEAST_CHEAP, t->scale(hi - lo, alpha, x + lo));
}

void wfi_copy(int64_t n, const float *x, float *y) {
    if (x == y) return;
    IN_PIECES(n, LEAST_CHEAP, memcpy(y + lo, x + lo, (size_t)(hi - lo) * sizeof *y));
}

void wfi_zero(int64_t n, float *x) {
    IN_PIECES(n, LEAST_CHEAP, memset(x + lo, 0, (size_t)(hi - lo) * sizeof *x));
}

bool wfi_dropout_keep(uint64_t key, uint64_t i, float p) {
    return wfi_random_u32(key, i) >= wfk_dropout_limit(p);
}

void wfi_dropout(int64_t n, uint64_t key, float p, const float *x, float *y) {
    if (!(p > 0.0f)) {
        wfi_copy(n, x, y);
        return;
    }
    const wfk_table *t = wfk_table_get();
    IN_PIECES(n, LEAST_COSTLY, t->dropout((uint64_t)lo, hi - lo, key, p, x + lo, y + lo));
}

/* Rows that follow each other are cut anywhere, others between rows. */
#define ROUND_ROWS(round)                                                                                              \
    do {                                                                                                               \
        const wfk_table *t = wfk_table_get();                                                                          \
        if (ldx == H || T == 1)                                                                                        \
            IN_PIECES(T *H, LEAST_CHEAP, t->round(hi - lo, x + lo, y + lo));                                           \
        else                                                                                                           \
            for (int64_t i = 0; i < T; i++) t->round(H, x + i * ldx, y + i * H);                                       \
    } while (0)

void wfi_to_bf16(int64_t T, int64_t H, const float *x, int64_t ldx, uint16_t *y) {
    ROUND_ROWS(to_bf16);
}

void wfi_round_bf16(int64_t T, int64_t H, const float *x, int64_t ldx, float *y) {
    ROUND_ROWS(round_bf16);
}

/* A piece small enough that what is rounded is still in the first cache. */
enum { AT_ONCE = 1024 };

static void act_forward_bf16(const wfk_table *t, wf_act a, int64_t n, const float *x, uint16_t *y) {
    float result[AT_ONCE];
    for (int64_t i = 0; i < n; i += AT_ONCE) {
        const int64_t m = n - i < AT_ONCE ? n - i : AT_ONCE;
        t->act_forward(a, m, x + i, result);
        t->to_bf16(m, result, y + i);
    }
}

static void act_backward_bf16(const wfk_table *t, wf_act a, int64_t n, const float *x, const float *dy, uint16_t *dx) {
    float result[AT_ONCE];
    for (int64_t i = 0; i < n; i += AT_ONCE) {
        const int64_t m = n - i < AT_ONCE ? n - i : AT_ONCE;
        t->act_backward(a, m, x + i, dy + i, result, false);
        t->to_bf16(m, result, dx + i);
    }
}

void wfi_act_forward_bf16(wf_act a, int64_t n, const float *x, uint16_t *y) {
    const wfk_table *t = wfk_table_get();
    IN_PIECES(n, LEAST_COSTLY, act_forward_bf16(t, a, hi - lo, x + lo, y + lo));
}

void wfi_act_backward_bf16(wf_act a, int64_t n, const float *x, const float *dy, uint16_t *dx) {
    const wfk_table *t = wfk_table_get();
    IN_PIECES(n, LEAST_COSTLY, act_backward_bf16(t, a, hi - lo, x + lo, dy + lo, dx + lo));
}

/* A fixed number of partial sums, independent of the team, added in order. */
double wfi_sum_squares(int64_t n, const float *x) {
    enum { PARTS = 128 };
    const wfk_table *t = wfk_table_get();
    int team = wfk_threads_for(n, LEAST_CHEAP);
    double part[PARTS] = {0}, sum = 0.0;
#pragma omp parallel for num_threads(team) schedule(static) if (team > 1)
    for (int i = 0; i < PARTS; i++) {
        int64_t lo, hi;
        wfk_split(n, 1024, PARTS, i, &lo, &hi);
        if (hi > lo) part[i] = t->sum_squares(hi - lo, x + lo);
    }
    for (int i = 0; i < PARTS; i++) sum += part[i];
    return sum;
}

void wfi_adamw(int64_t n, float *p, const float *g, float *m, float *v, double lr, double b1, double b2, double eps,
               double decay, int64_t step) {
    const wfk_table *t = wfk_table_get();
    wfk_adamw c = {
        .keep = (float)(1.0 - lr * decay),
        .one_b1 = (float)(1.0 - b1),
        .b2 = (float)b2,
        .one_b2 = (float)(1.0 - b2),
        .step = (float)(lr / (1.0 - pow(b1, (double)step))),
        .root = (float)sqrt(1.0 - pow(b2, (double)step)),
        .eps = (float)eps,
    };
    IN_PIECES(n, LEAST_COSTLY, t->adamw(hi - lo, p + lo, g + lo, m + lo, v + lo, &c));
}
