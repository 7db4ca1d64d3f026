/* fuzz/records_target.h - what the three targets on data files share. */
#ifndef WF_FUZZ_RECORDS_H
#define WF_FUZZ_RECORDS_H
#include "data/records.h"
#include "fuzz.h"
#include <string.h>

typedef struct records_seen {
    size_t rows;
    int64_t line;
} records_seen;

static wf_status records_note(void *user, const json_t *row, const char *place, int64_t line, wf_err *err) {
    records_seen *s = user;
    (void)err;
    WF_FUZZ_HOLDS(json_is_object(row) && strncmp(place, "fuzz:", 5) == 0);
    WF_FUZZ_HOLDS(line > s->line); /* each row stands behind the one before */
    s->line = line;
    s->rows++;
    return WF_OK;
}

static inline wf_status records_fuzz(const uint8_t *data, size_t size, const char *format, wf_err *err) {
    records_seen all = {0}, some = {0};
    const wf_status st = wfi_records_parse((const char *)data, size, format, "fuzz", 0, records_note, &all, err);
    if (st != WF_OK) return st;
    WF_FUZZ_HOLDS(wfi_records_parse((const char *)data, size, format, "fuzz", 2, records_note, &some, err) == WF_OK);
    WF_FUZZ_HOLDS(some.rows == (all.rows < 2 ? all.rows : 2));
    return WF_OK;
}
#endif
