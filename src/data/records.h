/* data/records.h - rows of a JSONL, JSON, CSV or TSV file, one after the other, as JSON objects. Private to data/.
 * Layer 3. CSV follows RFC 4180 (quotes, doubled quotes, line breaks inside quotes); TSV has no quotes. Both need a
 * header line. */
#ifndef WF_DATA_RECORDS_H
#define WF_DATA_RECORDS_H
#include "base/json.h"

/* row: borrowed for the call. place: "file:line" for messages. */
typedef wf_status (*wf_record_fn)(void *user, const json_t *row, const char *place, int64_t line, wf_err *err);
/* limit: rows to read at most; 0: all. UTF-8 byte order marks, \r\n and blank lines are accepted. */
wf_status wfi_records_each(const char *path, size_t limit, wf_record_fn fn, void *user, wf_err *err);
bool wfi_records_extension(const char *path); /* .jsonl .json .csv .tsv */
/* The same over bytes; format is an extension without its dot (fuzzing, tests). */
wf_status wfi_records_parse(const char *data, size_t size, const char *format, const char *name, size_t limit,
                            wf_record_fn fn, void *user, wf_err *err);
#endif
