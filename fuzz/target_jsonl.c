/* fuzz/target_jsonl.c - rows of a .jsonl file. */
#include "records_target.h"

wf_status wf_fuzz_one(const uint8_t *data, size_t size, wf_err *err) {
    return records_fuzz(data, size, "jsonl", err);
}
