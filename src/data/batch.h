/* data/batch.h - rows to token ids, and token ids to packed batches. Layer 3.
 * A batch holds real tokens only: ids [T] of all its sequences one after the other, and offsets [S+1]. A row is one
 * sequence, or one a choice. */
#ifndef WF_DATA_BATCH_H
#define WF_DATA_BATCH_H
#include "data/stem.h"
#include "data/task.h"
#include "tokenizers/tokenizer.h"

typedef struct wf_encoded { /* every row of a part, tokenised once */
    size_t rows, sequences;
    int32_t *ids;     /* [total] */
    uint8_t *types;   /* [total] */
    int64_t *offsets; /* [sequences+1] into ids */
    int64_t *first;   /* [rows+1] first sequence of each row */
    int32_t *label;   /* [rows] */
    float *target;    /* [rows] */
    uint8_t *labels;  /* [rows, label_count] multi-label, else NULL */
    int32_t label_count;
    float *pooled; /* [sequences, pooled_width] what a frozen base makes of each sequence, when it was run beforehand;
                      else NULL */
    int64_t pooled_width;
    wf_stem *stem; /* owned: what a frozen base makes of each row up to a cut, when it was run beforehand; else NULL */
} wf_encoded;

/* max_length: tokens a sequence at most. Multiple choice: sequence c is (text, choice c), or (text, pair + " " + choice
 * c) when there is a second text; when text alone holds one "_" (winogrande) it is the pair (text up to "_" + choice,
 * text behind it). Parallel over rows. */
wf_status wfi_encode(const wf_tokenizer *tok, const wf_rows *rows, const wf_task *task, size_t max_length,
                     wf_encoded *out, wf_err *err);
void wfi_encoded_clear(wf_encoded *e);
/* The same without tokenising: the tokens are known, sequence after sequence as wfi_encode gives them. WF_E_DATA: they
 * do not fit the rows, or an id is not below `vocab`. */
typedef struct wf_tokens {
    size_t sequences, total;
    const int32_t *lengths; /* [sequences] */
    const int32_t *ids;     /* [total] */
    const uint8_t *types;   /* [total] */
} wf_tokens;
wf_status wfi_encode_known(const wf_tokens *tokens, int32_t vocab, const wf_rows *rows, const wf_task *task,
                           wf_encoded *out, wf_err *err);

typedef struct wf_batches { /* a cut of rows into batches */
    int64_t *order;         /* [rows] row indices */
    int64_t *first;         /* [count+1] batch b is order[first[b]..first[b+1]) */
    int64_t count;
} wf_batches;
/* Cuts into batches of at most max_rows rows and at most max_tokens tokens (a single longer row is its own batch).
 * shuffle: rows are permuted by key and not grouped by length: packed batches have no padding to save, and mixed
 * lengths make better gradients (the same few batches would come back every epoch of a small set). Else rows are sorted
 * by length (stable). Pure function of its arguments. */
wf_status wfi_batches_make(const wf_encoded *e, int64_t max_rows, int64_t max_tokens, bool shuffle, uint64_t key,
                           wf_batches *out, wf_err *err);
/* As many rows as there are, drawn by class into order [rows]: a class's share is its rows^(1 - evenness) over the sum
 * (0: as they are; 1: every class the same). Rows of rare classes come several times, of common ones not all. */
wf_status wfi_rows_by_class(const wf_encoded *e, double evenness, uint64_t key, int64_t *order, wf_err *err);
/* wfi_batches_make with rows drawn by class instead of permuted. */
wf_status wfi_batches_by_class(const wf_encoded *e, int64_t max_rows, int64_t max_tokens, double evenness, uint64_t key,
                               wf_batches *out, wf_err *err);
void wfi_batches_clear(wf_batches *b);

typedef struct wf_batch { /* packed; arrays belong to the batch and are reused: wfi_batch_fill grows them only when it
                             must */
    int64_t T, S, rows;
    int32_t *ids, *positions; /* [T] */
    uint8_t *types;           /* [T] */
    int64_t *offsets;         /* [S+1] */
    int32_t *row_counts;      /* [rows] sequences of each row */
    int64_t *row_index;       /* [rows] index in the encoded part */
    int32_t *label;           /* [rows] */
    float *target;            /* [rows] */
    uint8_t *labels;          /* [rows, label_count] or NULL */
    float *pooled;            /* [S, width] of the encoded part, or NULL */
    const wf_stem *stem;      /* borrowed from the encoded part, by row_index; or NULL */
    size_t cap_tokens, cap_sequences, cap_rows, cap_pooled;
} wf_batch;
wf_status wfi_batch_fill(wf_batch *b, const wf_encoded *e, const int64_t *rows, int64_t n, wf_err *err);
void wfi_batch_clear(wf_batch *b);
#endif
