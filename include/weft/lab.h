/* weft/lab.h - the whole of weft for C programs: a lab, its bases, tasks and trained models.
 *
 * The command line is a thin user of it.
 * A lab is a folder with weft.db (SQLite) and artefacts named by their hash. Results are JSON texts with documented
 * keys (docs/json.md); the caller frees them with wf_free. Strings passed in are borrowed for the call. Options are
 * structs with a defaults initialiser; zero or NULL fields mean "default". Threads: one lab handle belongs to one
 * thread at a time; several handles and processes may use one folder.
 */
#ifndef WEFT_LAB_H
#define WEFT_LAB_H
#include "weft/status.h"
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct wf_lab wf_lab;

WF_API const char *wf_version(void);
WF_API void wf_free(void *p); /* for every text weft returned; NULL is fine */

/* Makes a lab in DIR (made when absent). WF_E_EXISTS when it is one already. */
WF_API wf_status wf_lab_init(const char *dir, wf_err *err);
WF_API wf_status wf_lab_open(const char *dir, wf_lab **out, wf_err *err); /* WF_E_NOTFOUND when DIR is no lab */
WF_API void wf_lab_close(wf_lab *lab);
WF_API void wf_lab_threads(wf_lab *lab, int threads); /* 0: all cores */
/* What wf_eval and predictors opened from now on multiply bases in: "f32", "bf16", "int8"; NULL or "auto" (at first):
 * for each model the type that it was trained in. A model that trained the base itself (method full) has no int8:
 * WF_E_ARG when it is opened. */
WF_API wf_status wf_lab_base_dtype(wf_lab *lab, const char *type, wf_err *err);

/* Progress of long work, called about ten times a second at most, on the calling thread. Return nonzero to cancel: the
 * run keeps its checkpoint and can be resumed. A program that cancels on a signal should take it in a thread of its own
 * (sigwait) or on a stack of its own (SA_ONSTACK): a handler on the stack of a computing thread may overwrite what a
 * matrix product keeps below that stack's end. */
typedef struct wf_progress {
    const char *stage;     /* "train fusion", "evaluate dev", "import base", ... */
    const char *name;      /* what is being made */
    int64_t done, total;   /* steps (or rows, bytes); total 0: unknown */
    double loss;           /* running training loss; NaN when none */
    double rate;           /* units a second (tokens while training) */
    const char *rate_unit; /* "tokens/s" ... */
    double seconds_left;   /* < 0: unknown */
    const char *note;      /* e.g. "epoch 3, dev macro_f1 71.2 (best)"; may be NULL */
} wf_progress;
typedef int (*wf_progress_fn)(const wf_progress *p, void *user);
WF_API void wf_lab_progress(wf_lab *lab, wf_progress_fn fn, void *user);
/* One-line messages for people (warnings, notes such as "classes are uneven"). level: "note" or "warning". */
typedef void (*wf_message_fn)(const char *level, const char *text, void *user);
WF_API void wf_lab_messages(wf_lab *lab, wf_message_fn fn, void *user);

/* Bases: a Hugging Face style folder, or a zip archive (a Python wheel) that holds one.
 * {"name","hash","model_type","layers","hidden_size","vocab_size","pooling","parameters"} */
WF_API wf_status wf_base_add(wf_lab *lab, const char *name, const char *path, char **json, wf_err *err);
WF_API wf_status wf_base_list(wf_lab *lab, char **json, wf_err *err); /* {"bases":[...]} */
WF_API wf_status wf_base_check(wf_lab *lab, const char *name, char **json,
                               wf_err *err); /* re-hashes; WF_E_CHECK when changed; name NULL: all */

/* Tasks: PATH is a folder with train/dev/test files or one file that is split. */
typedef struct wf_task_spec {
    const char *name, *path;
    const char *kind, *text, *pair, *label, *group, *metric, *split_group; /* NULL: detect */
    uint64_t seed;
    double dev_share, test_share;
} wf_task_spec;
WF_API wf_status wf_task_add(wf_lab *lab, const wf_task_spec *spec, char **json, wf_err *err);
WF_API wf_status wf_task_list(wf_lab *lab, char **json, wf_err *err); /* {"tasks":[...]} */

/* Training of one thing: an adapter, a head alone, everything (full), or a fusion of adapters. Zero or NULL: the
 * method's default. */
typedef struct wf_train_spec {
    const char *task;
    const char *method;      /* "seq_bn" (default), "double_seq_bn", "par_bn", "scaled_par_bn", "adapter_plus", "lora",
                                "head", "full",      "fusion"; presets take overrides: "seq_bn[reduction_factor=8]" */
    const char *name;        /* default: TASK-METHOD or, for a fusion, TASK-fusion */
    const char *base;        /* default: that of the adapters in `from`, else the lab's only base */
    const char *base_dtype;  /* what the base is multiplied in: "f32", "bf16", "int8", "auto" (default: int8 or bf16
                                where this machine is faster with it, else f32); method full: not int8 */
    const char *const *from; /* fusion: names of trained adapters, in order; "auto" or "auto:K" among them stands for
                                the 3 or K best ranked of other tasks (weft/guard.h) */
    size_t from_count;
    const char *config; /* fusion: "dynamic" (default), "static", with overrides */
    int64_t rows;       /* training rows used (stratified sample by seed); 0: all */
    int64_t steps;      /* train for about this many optimiser steps (whole epochs); epochs wins over it; 0: default */
    double epochs, lr, weight_decay, warmup, max_grad_norm, label_smoothing, head_dropout, base_dropout,
        average;                                   /* < 0 or 0 as documented in docs/training.md; 0: default */
    double stochastic_depth, mixout, rdrop, focal; /* against overfitting (docs/training.md); 0: none */
    const char *class_sampling; /* "natural" (default), "sqrt", "balanced": how often rows of each class are drawn */
    const char *schedule;       /* "linear" (default), "cosine", "constant" */
    const char *pooling;        /* "mean", "cls", "pooler"; default: the base's own */
    const char *class_weights;  /* "auto" (sqrt when uneven; default), "sqrt", "balanced", "none" */
    int head_layers;            /* 1 or 2 */
    int64_t batch_tokens, batch_rows, accumulate, max_length;
    int64_t cache_memory; /* MiB for what the frozen layers below the lowest trained part make of the rows, kept from
                             epoch to epoch; on disk beyond; 0: a quarter of the free memory, 1024 at most, -1: none */
    int patience;         /* epochs without a better dev score; 0: default, -1: never stop early */
    uint64_t seed;
    int train_adapters; /* fusion: also train the fused adapters' copies (they become part of the fusion) */
    int keep_fusion;    /* fusion: keep it without measuring the task's own adapter. Else that one (the lab's best on as
                           many rows, or trained now) is scored beside it, and the better one on dev gets the name */
} wf_train_spec;
/* {"name","task","method","seed","dev":{},"test":{},"trainable_params","steps","tokens","tokens_per_second","wall_seconds",
 * "peak_rss_bytes","run",...}, for a fusion that was measured also "benefit": what was kept and why. WF_E_EXISTS when
 * the name is taken. */
WF_API wf_status wf_train(wf_lab *lab, const wf_train_spec *spec, char **json, wf_err *err);

/* Several tasks trained together: one shared part and a head for each. Used head by head as NAME:TASK. */
typedef struct wf_joint_spec {
    const char *const *tasks;
    size_t task_count;
    const char *method;       /* what is shared: "adapter" (default: seq_bn), an adapter method, or "multihead": the
                                 whole base */
    const char *sampling;     /* how often each task is drawn: "proportional" (default), "equal", "sqrt",
                                 "temperature:T", "annealed", "dynamic" */
    const char *loss_weights; /* "uniform" (default), "uncertainty", "gradnorm[:ALPHA]", "pcgrad" */
    wf_train_spec train;      /* all other settings (task, method, from, config ignored); rows: of each task */
} wf_joint_spec;
/* As wf_train, with "task" naming all, "tasks":[], scores that are means over the tasks, and
 * "heads":{TASK:{"dev","test","metric","train_rows","batches","loss_weight",...}}. */
WF_API wf_status wf_train_joint(wf_lab *lab, const wf_joint_spec *spec, char **json, wf_err *err);

/* What can be told of a training without its lab, so before what it names is there: methods and the names of their
 * settings, words, ranges. WF_OK does not promise that it will run. */
WF_API wf_status wf_train_check(const wf_train_spec *spec, wf_err *err);
WF_API wf_status wf_joint_check(const wf_joint_spec *spec, wf_err *err);

WF_API wf_status wf_resume(wf_lab *lab, int64_t run, char **json,
                           wf_err *err); /* goes on with an unfinished run; same bits as unbroken */

typedef struct wf_eval_spec {
    const char *name, *data, *split;
    int resamples;
} wf_eval_spec; /* split default "test"; resamples default 1000, at least 100 */
/* name: of what was trained jointly NAME:TASK, or NAME for {"name","heads":[...]}, each head's result. Scores of the
 * task's own rows are recorded ("run"), the newest of each model, head, split and type of the base. */
WF_API wf_status wf_eval(wf_lab *lab, const wf_eval_spec *spec, char **json, wf_err *err);

/* Several trained models on the same input. Loads once; predicts many times. What was trained jointly: NAME:TASK, or
 * NAME for all its heads. */
typedef struct wf_predictor wf_predictor;
WF_API wf_status wf_predictor_open(wf_lab *lab, const char *const *names, size_t count, wf_predictor **out,
                                   wf_err *err); /* count 0: all */
/* texts[n], pairs[n] or NULL. json: {"rows":[{"text","results":{NAME:{"label","probs":{}}}}]} (regression: {"value"}).
 */
WF_API wf_status wf_predictor_run(wf_predictor *p, const char *const *texts, const char *const *pairs, size_t n,
                                  char **json, wf_err *err);
/* Rows of a JSONL, CSV or TSV file, or of plain lines (any other extension): calls emit once a row with one line of
 * JSON. */
typedef int (*wf_line_fn)(const char *json_line, void *user);
WF_API wf_status wf_predictor_file(wf_predictor *p, const char *path, wf_line_fn emit, void *user, wf_err *err);
WF_API void wf_predictor_close(wf_predictor *p);

/* Trains and scores several methods over seeds and sizes; resumable. methods: "head","full","seq_bn",...; of adapters
 * of the lab "fuse:A,B[@CONFIG]" (among them "own": trained on the same rows; "auto[:K]": the K best by wf_rank,
 * default 3, asked of just the rows of that training, never of dev or test), "average:A,B", "weighted:A,B" (by dev),
 * "best:A,B" (on dev); of other tasks "joint:T,U[@METHOD]", "multihead:T,U", "mtfuse:T,U[@CONFIG]": all rows of these
 * help, whatever `rows` says of the task. Behind any of them "@lr=R", its own learning rate. */
typedef struct wf_compare_spec {
    const char *task, *base;
    const char *const *methods;
    size_t method_count;
    const int64_t *rows;
    size_t rows_count;     /* none: all rows */
    int seeds;             /* default 3 */
    const double *tune_lr; /* learning rates of which each method gets the best on dev at each size, by a training with
                              seed 0 for each; test is not looked at; methods with "@lr=R" keep theirs */
    size_t tune_lr_count;  /* none: each method's default, or train.lr */
    wf_train_spec train;   /* settings common to all (task, name, method, from, rows, seed ignored) */
} wf_compare_spec;
/* {"task","rows":[{"method","train_rows","seed","metrics","trainable_params","wall_seconds"}],"summary":[...],
 * "tests":[...],"tuning":[...]} */
WF_API wf_status wf_compare(wf_lab *lab, const wf_compare_spec *spec, char **json, wf_err *err);
/* As wf_train_check, for every method. */
WF_API wf_status wf_compare_check(const wf_compare_spec *spec, wf_err *err);

/* Speed on this machine. Works are measured in rounds, in turn, and compared with the fastest matrix products of their
 * type: "gemm" (these alone), "train:METHOD", "train:head", "train:full", "train:fuse:N", "infer:plain",
 * "infer:METHOD", "infer:fuse:N", "latency:plain", "latency:METHOD", "latency:fuse:N" (one text of 32 tokens),
 * "grow:fuse", "grow:length", "grow:batch", "grow:threads", "default", "all". A type of the base may stand behind a
 * work: "train:lora@f32". */
typedef struct wf_bench_spec {
    const char *base;         /* default: the lab's only base */
    const char *size;         /* instead of a base: random weights, "minilm" or "bert-base" */
    const char *const *works; /* default: what ends in about a minute on a small base */
    size_t work_count;
    const char *texts; /* file of texts (JSONL, CSV, TSV, or one a line); default: random tokens, 8 to 56 a text */
    const char *const
        *from; /* adapters of the lab that are fused, and run where a work takes one; random ones follow */
    size_t from_count;
    const char *base_dtype; /* as in wf_train_spec */
    double seconds;         /* a work, all rounds together; default 3 */
    int rounds;             /* default 5 */
    int64_t batch_rows;     /* default: 32 in training, 64 in inference */
    const char *outputs;    /* file: what the inference works make of the first 64 texts, before the head */
    const char *parts;      /* folder: the adapters and fusions of the inference works, for other programs to load */
    int threads;            /* these three where lab is NULL */
    wf_progress_fn progress;
    void *progress_user;
} wf_bench_spec;
/* lab NULL: only with a size. The result (docs/json.md) is kept in the lab for its report. Memory of each work is
 * measured in a process of its own, which needs that this one has no other threads; else it is null. */
WF_API wf_status wf_bench(wf_lab *lab, const wf_bench_spec *spec, char **json, wf_err *err);

WF_API wf_status wf_report(wf_lab *lab, const char *path, char **json, wf_err *err); /* one self-contained HTML file */
/* A model card, from what the lab has recorded about the model and the studies it was in: Markdown, or HTML where the
 * file ends in .html. What has no record is said to be not measured. path NULL: NAME-card.md. {"card","name","format"}
 */
WF_API wf_status wf_card_write(wf_lab *lab, const char *name, const char *path, char **json, wf_err *err);
/* name of these two: NAME or, where several objects have it, KIND:NAME (model:, task:, base:). */
WF_API wf_status wf_inspect(wf_lab *lab, const char *name, char **json, wf_err *err);
WF_API wf_status wf_verify(wf_lab *lab, char **json,
                           wf_err *err); /* {"ok","checked","failures":[]}; WF_E_CHECK (json still set) when not ok */
WF_API wf_status wf_list(wf_lab *lab, char **json, wf_err *err); /* {"bases":[],"tasks":[],"models":[],"runs":[]} */
WF_API wf_status wf_remove(wf_lab *lab, const char *name, char **json,
                           wf_err *err); /* WF_E_BUSY names what depends on it; WF_E_ARG when several are named so */
WF_API wf_status wf_log(wf_lab *lab, int64_t run, char **json, wf_err *err); /* {"run",...,"lines":[...]} */

#ifdef __cplusplus
}
#endif
#endif
