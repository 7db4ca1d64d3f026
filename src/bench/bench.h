/* bench/bench.h - what the files of this folder share: a bench, its works, and what a work runs on. Layer 11.
 *
 * A work is a name such as "train:fuse:8". Its rate is measured in rounds, in turn with all other works, so that a
 * machine that slows down meanwhile does so for all of them. What is timed is the trainer's own step and the
 * evaluation that predictions come from; nothing of them is repeated here. Memory is measured before that, each work in
 * a process of its own (apart.h). */
#ifndef WF_BENCH_BENCH_H
#define WF_BENCH_BENCH_H
#include "lab/job.h"

enum { BENCH_NAME = 64, BENCH_ROUNDS = 100, BENCH_TYPES = 3, BENCH_POOL = 64, BENCH_PEAKS = 4, BENCH_TEAMS = 16 };

typedef enum wf_bench_kind { BENCH_GEMM, BENCH_TRAIN, BENCH_INFER, BENCH_LATENCY } wf_bench_kind;
typedef enum wf_bench_parts { BENCH_PLAIN, BENCH_HEAD, BENCH_FULL, BENCH_ADAPTER, BENCH_FUSE } wf_bench_parts;

typedef struct wf_bench_work {
    char name[BENCH_NAME];
    wf_bench_kind kind;
    wf_bench_parts parts;
    char method[BENCH_NAME];    /* of BENCH_ADAPTER: "seq_bn", "lora[r=16]", ... */
    int64_t fused;              /* adapters of BENCH_FUSE */
    wf_dtype dtype;             /* of the frozen base */
    bool typed;                 /* the name says it: "train:lora@f32" */
    char growth[16];            /* "grow:fuse" ...: a point of that curve; "": a work of its own */
    int64_t x;                  /* its place on the curve */
    int64_t batch_rows, length; /* length 0: the texts as they are */
    int threads;
} wf_bench_work;

typedef struct wf_bench_subject { /* what a work runs; borrowed adapters are the bench's */
    wf_bert *full;
    wf_adapter *adapter; /* owned while training */
    wf_fusion *fusion;
    wf_head *head;
    wf_context *context;
    wf_pset *sets[3];
    size_t set_count;
    bool adapter_borrowed;
} wf_bench_subject;

typedef struct wf_bench_running { /* a work while it is measured */
    const wf_bench_work *work;
    wf_bench_subject subject;
    json_t *settings_json; /* of its training: the method's defaults */
    wf_settings settings;
    wf_encoded fixed;       /* sequences of one length; rows 0: none made */
    const wf_encoded *data; /* fixed, or the bench's texts */
    size_t next;            /* row the next inference batch begins at */
    int64_t calls;          /* of the trainer, for their seeds */
    int rounds;
    double rate[BENCH_ROUNDS], step[BENCH_ROUNDS]; /* tokens a second, seconds a step, by round */
    int64_t steps, tokens;                         /* timed ones */
    double *latency;                               /* seconds of each run */
    size_t latency_count, latency_cap;
    double base_flop, rest_flop; /* a token */
    int64_t trainable, peak_rss; /* peak_rss 0: could not be measured */
} wf_bench_running;

typedef struct wf_bench_random { /* a base of random numbers */
    float *values;
    wf_tensor *tensors;
    size_t count;
} wf_bench_random;

typedef struct wf_bench_peak { /* the fastest product of one maker in one type */
    wf_dtype dtype;
    bool own;     /* weft's kernel, with its scales; else oneDNN */
    double flops; /* a second; 0: not measured */
    int64_t m, k, n;
} wf_bench_peak;

typedef struct wf_bench_team { /* peaks by the number of threads */
    int threads;
    wf_bench_peak peaks[BENCH_PEAKS];
} wf_bench_team;

typedef struct wf_bench_state {
    wf_lab *lab; /* dir NULL: there is none */
    const wf_bench_spec *spec;
    const char *base_name;    /* of the lab, or the size of a random one */
    const wf_open_base *open; /* NULL: random */
    wf_bench_random random;
    wf_pooling pooling;
    wf_bert *models[BENCH_TYPES]; /* by bench_type_at; borrowed from the lab, or owned */
    wf_dtype dtype;               /* of works that name none */
    wf_dtype trained_dtype;       /* the same of full training */
    wf_adapter *pool[BENCH_POOL]; /* frozen adapters: --from first, random ones behind */
    size_t pool_count, from_count;
    wf_encoded texts;
    double mean_attended; /* positions that a token attends to, on average over tokens */
    wf_bench_work *works;
    size_t work_count;
    wf_bench_running *running;        /* [work_count] */
    wf_bench_team teams[BENCH_TEAMS]; /* first that of all threads */
    size_t team_count;                /* 0: none was asked for yet */
    int rounds;
    double slice; /* seconds of a work in a round */
    double began;
} wf_bench_state;

/* works.c: names to works. */
wf_status wfi_bench_works(wf_bench_state *b, wf_err *err);
/* base.c: opens the base and settles what "auto" stands for. No thread is started. */
wf_status wfi_bench_base_open(wf_bench_state *b, wf_err *err);
wf_status wfi_bench_base_types(wf_bench_state *b,
                               wf_err *err); /* settles each work's type, opens the base in all of them */
void wfi_bench_base_close(wf_bench_state *b);
int wfi_bench_type_at(wf_dtype t); /* index into models; -1: no type of a base */
/* data.c: the texts as tokens, real or random. */
wf_status wfi_bench_texts(wf_bench_state *b, wf_err *err);
/* `rows` sequences of exactly `length` tokens, cut out of the texts one after the other. */
wf_status wfi_bench_fixed(const wf_encoded *from, int64_t length, int64_t rows, wf_encoded *out, wf_err *err);
/* Rows first..first+n of `e`: a view that is valid as long as `e` is. */
wf_encoded wfi_bench_view(const wf_encoded *e, size_t first, size_t n);
double wfi_bench_attended(const wf_encoded *e);
/* subject.c */
wf_status wfi_bench_pool_need(wf_bench_state *b, size_t count, wf_err *err);
wf_status wfi_bench_open(wf_bench_state *b, const wf_bench_work *w, wf_bench_running *out, wf_err *err);
void wfi_bench_close(wf_bench_running *r);
/* run.c: one round; `slice` seconds or a little more. */
wf_status wfi_bench_round(wf_bench_state *b, wf_bench_running *r, double slice, wf_err *err);
/* gradient.c: of a training work's loss over the first `rows` texts, by all that it trains, as safetensors. */
wf_status wfi_bench_gradient(const wf_bench_state *b, wf_bench_running *r, int64_t rows, const char *path, wf_err *err);
/* memory.c: peak of each work in a process of its own. */
wf_status wfi_bench_memory(wf_bench_state *b, wf_err *err);
/* flops.c: multiplications and additions that a token truly needs. */
wf_status wfi_bench_flops(const wf_bench_state *b, wf_bench_running *r, wf_err *err);
/* peak.c: the fastest products, by all threads and by the teams that works ask for; each call is one more try. */
wf_status wfi_bench_peaks(wf_bench_state *b, wf_err *err);
const wf_bench_team *wfi_bench_team_of(const wf_bench_state *b, const wf_bench_work *w);
double wfi_bench_peak(const wf_bench_team *t, wf_dtype dtype); /* of the fastest maker; 0: none */
/* The share of the peaks that a rate in tokens a second is; NaN: a peak is not known, or the share is beyond 1 by more
 * than measuring explains: then the arithmetic or the peak is not what it is taken for. */
double wfi_bench_share(const wf_bench_state *b, const wf_bench_running *r, double rate, bool *beyond);
/* result.c */
json_t *wfi_bench_json(const wf_bench_state *b);
wf_status wfi_bench_outputs(wf_bench_state *b, const char *path, wf_err *err);
wf_status wfi_bench_parts(wf_bench_state *b, const char *dir, wf_err *err);
#endif
