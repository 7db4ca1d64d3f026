/* bench/kernels/bench_ops.c - coarse operations of a training step whose loops lie outside the kernels: bottleneck,
 * LoRA and the fusion in each of its forms, forward, and forward with backward. Bound: their matrix products. */
#include "base/alloc.h"
#include "fusion/op_fuse.h"
#include "kernels/gemm.h"
#include "measure.h"
#include "tape/ops.h"

#include <stdio.h>
#include <stdlib.h>

enum { H = 384, BRANCHES = 16 };

typedef struct scene { /* inputs and a loss that needs all of the output's gradient */
    wf_tape *tape;
    int64_t T;
    float *x, *y, *weights;
    wf_pset frozen, trained;
} scene;

static wf_linear linear(wf_pset *s, int64_t in, int64_t out, bool bias) {
    wf_linear l = {.in = in, .out = out, .weight = wfi_pset_add(s, "weight", 2, (int64_t[]){out, in}, true)};
    if (bias) l.bias = wfi_pset_add(s, "bias", 1, &out, true);
    if (!l.weight || (bias && !l.bias)) exit(1);
    return l;
}

static void filled(wf_pset *s, bool trainable) {
    wf_err err = {0};
    measure_must(wfi_pset_commit(s, &err), &err);
    for (int64_t i = 0; i < s->total; i++) s->data[i] = 0.02f * (float)(i % 101 - 50) / 50.0f;
    if (trainable) measure_must(wfi_pset_trainable(s, true, &err), &err);
}

static void back(scene *s, wf_value *out) {
    wf_err err = {0};
    wf_value *loss = wfi_op_dot(s->tape, out, s->weights);
    measure_must(wfi_tape_status(s->tape, &err), &err);
    measure_must(wfi_tape_backward(s->tape, loss, 1, &err), &err);
}

static void bench_bottleneck(scene *s, int64_t m) {
    const wf_linear down = linear(&s->trained, H, m, true), up = linear(&s->trained, m, H, true);
    char shape[64];
    const double flop = 2.0 * (double)(s->T * H * m);
    filled(&s->trained, true);
    snprintf(shape, sizeof shape, "%lld x %d, %lld wide", (long long)s->T, H, (long long)m);
    MEASURE("bottleneck", shape, FLOPS(2 * flop),
            (wfi_tape_reset(s->tape, false),
             wfi_op_bottleneck(s->tape, wfi_tape_constant(s->tape, s->x, s->T, H), &down, &up, WF_ACT_RELU)));
    MEASURE("bottleneck with backward", shape, FLOPS(6 * flop),
            (wfi_tape_reset(s->tape, true),
             back(s, wfi_op_bottleneck(s->tape, wfi_tape_variable(s->tape, s->x, s->T, H), &down, &up, WF_ACT_RELU))));
    wfi_pset_clear(&s->trained);
}

static void bench_lora(scene *s, int64_t rank) {
    const wf_linear A = linear(&s->trained, H, rank, false), B = linear(&s->trained, rank, H, false);
    char shape[64];
    const double flop = 2.0 * (double)(s->T * H * rank);
    filled(&s->trained, true);
    snprintf(shape, sizeof shape, "%lld x %d, rank %lld", (long long)s->T, H, (long long)rank);
    MEASURE("LoRA", shape, FLOPS(2 * flop),
            (wfi_tape_reset(s->tape, false),
             wfi_op_lora(s->tape, wfi_tape_constant(s->tape, s->y, s->T, H), wfi_tape_constant(s->tape, s->x, s->T, H),
                         A.weight, B.weight, 1, 0, 1)));
    MEASURE("LoRA with backward", shape, FLOPS(6 * flop),
            (wfi_tape_reset(s->tape, true),
             back(s, wfi_op_lora(s->tape, wfi_tape_variable(s->tape, s->y, s->T, H),
                                 wfi_tape_variable(s->tape, s->x, s->T, H), A.weight, B.weight, 1, 0, 1))));
    wfi_pset_clear(&s->trained);
}

static void fuse_forms(scene *s, const wf_fuse *f, int64_t m) {
    static const struct {
        wf_fuse_form form;
        const char *name, *back;
    } forms[] = {{WF_FUSE_BOTTLENECK, "fuse bottleneck", "fuse bottleneck with backward"},
                 {WF_FUSE_COMPACT, "fuse compact", "fuse compact with backward"},
                 {WF_FUSE_FULL, "fuse full", "fuse full with backward"}};
    char shape[64];
    snprintf(shape, sizeof shape, "%lld x %d, %d of %lld", (long long)s->T, H, BRANCHES, (long long)m);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        wf_fuse one = *f;
        one.form = forms[i].form;
        MEASURE(forms[i].name, shape, FLOPS(wfi_fuse_flop(&one, false, false, false, s->T)),
                (wfi_tape_reset(s->tape, false), wfi_op_fuse(s->tape, &one, wfi_tape_constant(s->tape, s->x, s->T, H),
                                                             wfi_tape_constant(s->tape, s->y, s->T, H), NULL, NULL)));
        MEASURE(forms[i].back, shape, FLOPS(wfi_fuse_flop(&one, false, true, true, s->T)),
                (wfi_tape_reset(s->tape, true),
                 back(s, wfi_op_fuse(s->tape, &one, wfi_tape_variable(s->tape, s->x, s->T, H),
                                     wfi_tape_variable(s->tape, s->y, s->T, H), NULL, NULL))));
    }
}

static void bench_fuse(scene *s, int64_t m) {
    wf_bottleneck branch[BRANCHES];
    const wf_bottleneck *branches[BRANCHES];
    wf_fuse_stack stack;
    wf_err err = {0};
    size_t bytes = 0;
    for (int i = 0; i < BRANCHES; i++) {
        branch[i] = (wf_bottleneck){.m = m,
                                    .act = WF_ACT_RELU,
                                    .down = linear(&s->frozen, H, m, true),
                                    .up = linear(&s->frozen, m, H, true),
                                    .scale = 1};
        branches[i] = &branch[i];
    }
    filled(&s->frozen, false);
    const wf_linear query = linear(&s->trained, H, H, true), key = linear(&s->trained, H, H, true),
                    value = linear(&s->trained, H, H, false);
    filled(&s->trained, true);
    measure_must(wfi_stack_bytes(branches, BRANCHES, &bytes, &err), &err);
    void *memory = wfi_alloc_aligned(bytes);
    if (!memory) exit(1);
    wfi_stack_lay(&stack, branches, BRANCHES, memory);
    wfi_stack_fill(&stack);
    measure_must(wfi_stack_pack(&stack, false, true, &err), &err);
    fuse_forms(s, &(wf_fuse){.stack = &stack, .query = &query, .key = &key, .value = &value, .temperature = 1}, m);
    wfi_stack_unpack(&stack);
    wfi_free(memory);
    wfi_pset_clear(&s->trained);
    wfi_pset_clear(&s->frozen);
}

void bench_ops(int64_t rows) {
    scene s = {.T = rows,
               .x = measure_data(rows * H, -1, 1),
               .y = measure_data(rows * H, -1, 1),
               .weights = measure_data(rows * H, -1, 1)};
    wf_err err = {0};
    measure_must(wfi_tape_new(&s.tape, &err), &err);
    bench_bottleneck(&s, H / 16);
    bench_bottleneck(&s, H / 2);
    bench_lora(&s, 8);
    bench_fuse(&s, H / 16);
    wfi_tape_free(s.tape);
    wfi_free(s.x), wfi_free(s.y), wfi_free(s.weights);
}
