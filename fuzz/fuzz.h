/* fuzz/fuzz.h - one fuzz target: bytes from anywhere go in at one door of weft. Each target_NAME.c defines wf_fuzz_one;
 * entry.c runs it under libFuzzer, replay.c over the committed seeds in the ordinary test suite (seeds/NAME/: ok_* must
 * be accepted, bad_* refused with a message, any_* only survived). A crash that fuzzing finds becomes a seed here and a
 * test with a name. */
#ifndef WF_FUZZ_H
#define WF_FUZZ_H
#include "weft/status.h"
#include <stddef.h>
#include <stdint.h>

/* Feeds the bytes to the target; checks what must hold of an accepted input with WF_FUZZ_HOLDS. */
wf_status wf_fuzz_one(const uint8_t *data, size_t size, wf_err *err);

#define WF_FUZZ_HOLDS(condition)                                                                                       \
    do {                                                                                                               \
        if (!(condition)) wf_fuzz_broken(__FILE__, __LINE__, #condition);                                              \
    } while (0)
_Noreturn void wf_fuzz_broken(const char *file, int line, const char *condition);

/* For doors that open files: a folder below $TMPDIR that is gone when the process ends normally. */
const char *wf_fuzz_dir(void);
const char *wf_fuzz_path(const char *name); /* static storage, one at a time */
void wf_fuzz_write(const char *name, const uint8_t *data,
                   size_t n); /* no fsync: this runs thousands of times a second */
#endif
