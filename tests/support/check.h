/* tests/support/check.h - what every test includes: cmocka and a few checks of our own. */
#ifndef WF_TESTS_CHECK_H
#define WF_TESTS_CHECK_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "weft/status.h"

/* Fails with the error's text when a call does not return WF_OK. */
#define check_ok(call)                                                                                                 \
    do {                                                                                                               \
        wf_err check_err_ = {0};                                                                                       \
        wf_err *err = &check_err_;                                                                                     \
        if ((call) != WF_OK) fail_msg("%s: %s", #call, check_err_.text);                                               \
    } while (0)
/* Use as check_status(WF_E_DATA, call(..., err)): the call must fail with that code and say something. */
#define check_status(want, call)                                                                                       \
    do {                                                                                                               \
        wf_err check_err_ = {0};                                                                                       \
        wf_err *err = &check_err_;                                                                                     \
        assert_int_equal(want, (call));                                                                                \
        assert_int_not_equal(0, check_err_.text[0]);                                                                   \
    } while (0)

/* A fresh folder below $TMPDIR or /tmp, removed by nobody but the test. Static storage, one at a time. */
static inline const char *check_temp_dir(void) {
    static char path[256];
    const char *top = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/weft-test-XXXXXX", top ? top : "/tmp");
    if (!mkdtemp(path)) fail_msg("mkdtemp failed");
    return path;
}
#endif
