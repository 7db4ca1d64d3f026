/* tests/support/in_lab.h - a test's own folder, paths below it, and results as JSON, for tests that go through the lab.
 */
#ifndef WF_TESTS_IN_LAB_H
#define WF_TESTS_IN_LAB_H
#include "base/json.h"
#include "tiny.h"
#include "weft/weft.h"

static char top[256]; /* this test's folder */

static inline const char *at(const char *relative) { /* path below it, one of four */
    static char path[4][512];
    static int k;
    k = (k + 1) % 4;
    snprintf(path[k], sizeof path[k], "%s/%s", top, relative);
    return path[k];
}

static inline json_t *parsed(char *text) { /* frees the text */
    json_t *j = NULL;
    assert_non_null(text);
    check_ok(wfi_json_parse(text, strlen(text), "result", &j, err));
    wf_free(text);
    return j;
}
#endif
