/* cli/training.h - option rows of the settings that train, fuse and compare share; used inside their option tables.
 * Layer 13. */
#ifndef WF_CLI_TRAINING_H
#define WF_CLI_TRAINING_H
#include "cli/cli.h"

#define CLI_TRAINING_OPTIONS                                                                                           \
    {"--base", "NAME", "the base to train on (default: that of the fused adapters, else the lab's only one)",          \
     CLI_TEXT, CLI_AT(train.base)},                                                                                    \
        {"--base-dtype", "T",                                                                                          \
         "f32, bf16, int8 or auto: int8 or bf16 where this machine is faster with it (default); a base that is "       \
         "trained itself has no int8",                                                                                 \
         CLI_TEXT, CLI_AT(train.base_dtype)},                                                                          \
        {"--epochs", "E", "passes over the data (default: 5 to 30, about 600 steps)", CLI_AMOUNT,                      \
         CLI_AT(train.epochs)},                                                                                        \
        {"--steps", "N", "train for about N optimiser steps instead", CLI_COUNT, CLI_AT(train.steps)},                 \
        {"--lr", "R", "learning rate (default: the method's)", CLI_AMOUNT, CLI_AT(train.lr)},                          \
        {"--schedule", "S", "linear (default), cosine or constant", CLI_TEXT, CLI_AT(train.schedule)},                 \
        {"--warmup", "SHARE", "share of the steps that warm up (default: 0.1; 0: none)", CLI_NONE,                     \
         CLI_AT(train.warmup)},                                                                                        \
        {"--weight-decay", "D", "AdamW's decay (default: 0)", CLI_REAL, CLI_AT(train.weight_decay)},                   \
        {"--max-grad-norm", "N", "clip gradients at this norm (default: 1; 0: never)", CLI_NONE,                       \
         CLI_AT(train.max_grad_norm)},                                                                                 \
        {"--label-smoothing", "P", "smoothing of the targets (default: 0)", CLI_REAL, CLI_AT(train.label_smoothing)},  \
        {"--stochastic-depth", "P",                                                                                    \
         "leave an adapter's or fusion's output out of a text with this chance (default: 0)", CLI_REAL,                \
         CLI_AT(train.stochastic_depth)},                                                                              \
        {"--mixout", "P", "each trained value is that of the start with this chance for a step (default: 0)",          \
         CLI_REAL, CLI_AT(train.mixout)},                                                                              \
        {"--rdrop", "A", "weight of the disagreement of two draws of dropout, R-Drop (default: 0)", CLI_REAL,          \
         CLI_AT(train.rdrop)},                                                                                         \
        {"--focal", "G", "gamma of the focal loss (default: 0, cross-entropy)", CLI_REAL, CLI_AT(train.focal)},        \
        {"--class-sampling", "S", "rows of each class: natural (default), sqrt or balanced", CLI_TEXT,                 \
         CLI_AT(train.class_sampling)},                                                                                \
        {"--head-dropout", "P", "dropout in the head (default: 0.1; 0: none)", CLI_NONE, CLI_AT(train.head_dropout)},  \
        {"--base-dropout", "P",                                                                                        \
         "1: dropout inside the base as it was trained, 0: none (default: 1 with full, else 0)", CLI_NONE,             \
         CLI_AT(train.base_dropout)},                                                                                  \
        {"--average", "D",                                                                                             \
         "judge and keep a running mean of the trained values with this decay (default: 0.99, with full none; 0: "     \
         "none)",                                                                                                      \
         CLI_NONE, CLI_AT(train.average)},                                                                             \
        {"--class-weights", "W", "auto (default: sqrt where classes are uneven), sqrt, balanced, none", CLI_TEXT,      \
         CLI_AT(train.class_weights)},                                                                                 \
        {"--pooling", "P", "mean, cls or pooler (default: the base's own)", CLI_TEXT, CLI_AT(train.pooling)},          \
        {"--head-layers", "N", "layers of the head, 1 or 2 (default: 2)", CLI_COUNT, CLI_AT(head_layers)},             \
        {"--max-length", "N", "tokens a text is cut at (default: 256)", CLI_COUNT, CLI_AT(train.max_length)},          \
        {"--batch-rows", "N", "rows a batch at most (default: 32)", CLI_COUNT, CLI_AT(train.batch_rows)},              \
        {"--batch-tokens", "T", "tokens a batch at most (default: 8192)", CLI_COUNT, CLI_AT(train.batch_tokens)},      \
        {"--accumulate", "N", "batches an optimiser step (default: 1)", CLI_COUNT, CLI_AT(train.accumulate)},          \
        {"--cache-memory", "MIB",                                                                                      \
         "memory for what the frozen layers make of the rows, kept between epochs, on disk beyond (default: a "        \
         "quarter of what is free, 1024 at most; 0: none)",                                                            \
         CLI_SIZE, CLI_AT(cache_memory)},                                                                              \
    {                                                                                                                  \
        "--patience", "P",                                                                                             \
            "stop when more than P evaluations on dev in a row bring no better score (default: 5; -1: never)",         \
            CLI_LIMIT, CLI_AT(patience)                                                                                \
    }

#define CLI_ONE_RUN_OPTIONS(otherwise)                                                                                 \
    {"--name", "A", "what to call it (default: " otherwise ")", CLI_TEXT, CLI_AT(train.name)},                         \
        {"--rows", "N", "training rows to use, a stratified sample by the seed (default: all)", CLI_COUNT,             \
         CLI_AT(train.rows)},                                                                                          \
    {                                                                                                                  \
        "--seed", "S", "of all randomness; the same seed and threads give the same bits (default: 0)", CLI_SEED,       \
            CLI_AT(train.seed)                                                                                         \
    }
#endif
