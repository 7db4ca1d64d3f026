/* fuzz/target_csv.c - rows of a .csv file. */
#include "records_target.h"

wf_status wf_fuzz_one(const uint8_t *data, size_t size, wf_err *err) {
    return records_fuzz(data, size, "csv", err);
}
