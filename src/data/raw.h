/* data/raw.h - rows as they stand in files, before their kind is known. Private to data/. Layer 3. */
#ifndef WF_DATA_RAW_H
#define WF_DATA_RAW_H
#include "data/pool.h"
#include "data/task.h"

typedef enum wf_raw_label { WF_LABEL_NONE, WF_LABEL_TEXT, WF_LABEL_NUMBER, WF_LABEL_LIST } wf_raw_label;

typedef struct wf_raw {
    const char *text, *pair, *group, *together; /* together: rows of equal value stay on one side of a split */
    const char *const *choices;
    int32_t choice_count;
    wf_raw_label kind;
    const char *label;       /* the label as text (numbers too); NULL without label */
    double number;           /* NUMBER, or TEXT that reads as a number; else NaN */
    const char *const *list; /* LIST */
    int32_t list_count;
    const char *file, *label_field; /* for messages */
    int64_t line;
    bool lenient; /* as the options say */
} wf_raw;

typedef struct wf_raws {
    wf_raw *rows;
    size_t count, cap;
    wf_text_pool *pool;
} wf_raws;

typedef struct wf_fields { /* names of fields; "" when there is none of that role */
    char text[128], pair[128], choices[128], label[128], group[128], together[128];
    bool lenient;
} wf_fields;

/* Settles every role: the option's field must exist; others are looked for by the names of the known task's fields,
 * then by customary names; text and label then by what the fields hold. need_label: a file without label field is an
 * error; without it only the single field of texts is taken by content. */
wf_status wfi_fields_find(const char *path, const wf_task_options *o, const wf_task *known, bool need_label,
                          wf_fields *out, wf_err *err);
double wfi_label_number(const char *label); /* NaN when it does not read as one */
/* Appends the file's rows. */
wf_status wfi_raws_read(const char *path, const wf_fields *f, wf_raws *out, wf_err *err);
void wfi_raws_clear(wf_raws *r); /* drops the pool's share */
#endif
