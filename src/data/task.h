/* data/task.h - labelled rows: reading JSONL, CSV, TSV; kinds; splits; the checks a user is told about. Layer 3.
 * Readers take hostile files: UTF-8 is validated, sizes and depth are bounded, errors name file, line and field. */
#ifndef WF_DATA_TASK_H
#define WF_DATA_TASK_H
#include "weft/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t;

typedef enum wf_kind {
    WF_KIND_CLASSIFICATION,
    WF_KIND_REGRESSION,
    WF_KIND_MULTIPLE_CHOICE,
    WF_KIND_MULTILABEL
} wf_kind;
bool wfi_kind_parse(const char *name, wf_kind *out); /* "classification", "pair" (classification of pairs),
                                                        "regression", "multiple_choice", "multilabel" */
const char *wfi_kind_name(wf_kind k);

typedef struct wf_row {         /* strings borrowed from the rows' own memory, NUL-terminated UTF-8 */
    const char *text, *pair;    /* pair NULL: single text */
    const char *const *choices; /* multiple choice; else NULL */
    int32_t choice_count;
    int32_t label;         /* class index or index of the right choice; -1: not given */
    double target;         /* regression */
    const uint8_t *labels; /* multi-label: [label_count] of 0/1; else NULL */
    const char *group;     /* NULL when absent */
    int64_t line;          /* in the file it came from, from 1 */
} wf_row;

typedef struct wf_rows {
    wf_row *rows;
    size_t count;
    struct wf_text_pool *pool; /* owns the strings */
} wf_rows;

typedef struct wf_task {
    char *name;
    wf_kind kind;
    char *kind_why; /* what the detected kind was read from; NULL: it was asked for, or the task comes from its lab */
    bool has_pair;
    char *
        *labels; /* class names sorted bytewise (all-numeric names by value); NULL for regression and multiple choice */
    int32_t label_count; /* classes; 1 for regression; largest choice count for multiple choice */
    char *metric;        /* the one that selects the best state: "accuracy", "macro_f1", "pearson", "mcc", ... */
    char *text_field, *pair_field, *label_field; /* what the training file calls them; NULL: not known, or none */
    wf_rows train, dev, test;                    /* test may be empty */
} wf_task;

typedef struct wf_task_options { /* NULL strings: detect */
    const char *kind, *text, *pair, *label, *group, *metric;
    uint64_t seed;                /* of the split, when PATH is one file or a part is missing */
    double dev_share, test_share; /* 0: 0.1 and 0.2 of a single file; dev 0.1 of train when only dev is missing */
    bool lenient;                 /* rows without the second text that others have are read, with pair NULL */
    const char *split_group;      /* field whose equal values stay on one side of a split; NULL: none */
} wf_task_options;

/* PATH: a folder with train/dev(or validation)/test .jsonl|.csv|.tsv, or one such file that is split (stratified by
 * label; rows with the same `group_split` key or identical text stay together). Kind detected: "choices" field ->
 * multiple choice; list labels
 * -> multi-label; numeric labels with more than 20 different values or any fraction -> regression; else classification.
 * Text field detected among text, sentence, sentence1, premise, question, query, review, comment, tweet...; pair among
 * text_pair, sentence2, hypothesis, ...; label among label, class, category, target, score, sentiment, intent. Where
 * no name fits, by content: the text is by far the longest field, the label the only one of few different values. The
 * metric default: accuracy; macro_f1 when the largest class has over 3 times the smallest's rows (or multi-label);
 * pearson for regression. */
wf_status wfi_task_read(const char *name, const char *path, const wf_task_options *options, wf_task **out, wf_err *err);
/* The lab's own copy: DIR/task.json, train.jsonl, dev.jsonl, test.jsonl in canonical form; and back, exactly. */
wf_status wfi_task_save(const wf_task *task, const char *dir, wf_err *err);
wf_status wfi_task_open(const char *dir, wf_task **out, wf_err *err);
void wfi_task_free(wf_task *task);
/* The names of a task's fields, out of {"text","pair","label"} (each a text or null; NULL: none are known). */
wf_status wfi_task_fields_set(wf_task *task, const struct json_t *fields, wf_err *err);
struct json_t *wfi_task_fields_json(const wf_task *task); /* the same object, new */
void wfi_task_fields_clear(wf_task *task);
/* What a user should know, as JSON text (wfi_free):
 * {"name","kind","kind_why","metric","pair":bool,"fields":{"text","pair","label"},"labels":[..],"rows":{"train","dev","test"},
 * "balance":{"label":{"train","dev","test"}},"majority_share","imbalance","mean_words","duplicates":{part: rows
 * repeated inside}, "shared":{"train_dev","train_test","dev_test"},"groups":{name:rows},"warnings":["..."]}. */
enum { WF_UNEVEN = 3 }; /* the largest class has more than so many times the smallest's rows: macro_f1, class weights */
wf_status wfi_task_describe(const wf_task *task, char **json, wf_err *err);
/* A single data file read with a known task's kind, labels and names of fields, where the file has these (for
 * eval --data, predict --input). need_label: rows
 * without a label are WF_E_DATA, and so are labels the task does not know. */
wf_status wfi_rows_read(const char *path, const wf_task *task, const wf_task_options *options, bool need_label,
                        wf_rows *out, wf_err *err);
/* n rows of `from`, stratified by label, nested in n (the first 100 of 300 are the 100), fixed by the seed; indices
 * sorted by draw order. */
wf_status wfi_rows_sample(const wf_rows *from, const wf_task *task, size_t n, uint64_t seed, int64_t **indices,
                          wf_err *err);
/* A view of the chosen rows (strings still belong to `from`). */
wf_status wfi_rows_pick(const wf_rows *from, const int64_t *indices, size_t n, wf_rows *out, wf_err *err);
void wfi_rows_clear(wf_rows *rows);
#endif
