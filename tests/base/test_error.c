/* tests/base/test_error.c - statuses and messages, clock, processor levels. */
#include "base/clock.h"
#include "base/cpu.h"
#include "base/error.h"
#include "check.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_every_status_has_its_sentence(void **state) {
#define ONE(name, number, sentence)                                                                                    \
    assert_int_equal(number, WF_##name);                                                                               \
    assert_string_equal(sentence, wf_status_text(WF_##name));
    WF_STATUS_LIST(ONE)
#undef ONE
    assert_string_equal("unknown status", wf_status_text((wf_status)999));
}

static void test_fail(void **state) {
    wf_err err = {.offset = 5, .subject = "old"};
    assert_int_equal(WF_E_DATA, wfi_fail(&err, WF_E_DATA, "%s is %d", "x", 3));
    assert_int_equal(WF_E_DATA, err.code);
    assert_string_equal("x is 3", err.text);
    assert_string_equal("", err.subject);
    assert_int_equal(-1, err.offset);
    assert_int_equal(WF_E_IO, wfi_fail_at(&err, WF_E_IO, "file", 17, "cannot"));
    assert_string_equal("file", err.subject);
    assert_int_equal(17, err.offset);
    wfi_fail_at(&err, WF_E_IO, NULL, -1, "cannot");
    assert_string_equal("", err.subject);
    assert_int_equal(WF_E_ARG, wfi_fail(NULL, WF_E_ARG, "nobody listens"));
    assert_int_equal(WF_E_ARG, wfi_fail_at(NULL, WF_E_ARG, "x", 1, "nobody listens"));
    assert_int_equal(WF_E_ARG, wfi_fail_in(NULL, WF_E_ARG, "nobody listens"));
}

static void test_long_texts_are_cut(void **state) {
    wf_err err = {0};
    char longer[2000];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    wfi_fail_at(&err, WF_E_DATA, longer, 0, "%s", longer);
    assert_int_equal(sizeof err.text - 1, strlen(err.text));
    assert_int_equal(sizeof err.subject - 1, strlen(err.subject));
    wfi_fail_in(&err, WF_E_DATA, "%s", "where"); /* the context stays, the end goes */
    assert_int_equal(0, strncmp("where: aaa", err.text, 10));
    assert_int_equal(sizeof err.text - 1, strlen(err.text));
    wfi_fail_in(&err, WF_E_DATA, "%s", longer);
    assert_int_equal(sizeof err.text - 1, strlen(err.text));
}

static void test_fail_in(void **state) {
    wf_err err = {0};
    wfi_fail_at(&err, WF_E_SHAPE, "w", 4, "too wide");
    assert_int_equal(WF_E_SHAPE, wfi_fail_in(&err, WF_E_IO, "layer %d", 3)); /* the first code counts */
    assert_string_equal("layer 3: too wide", err.text);
    assert_string_equal("w", err.subject);
    assert_int_equal(4, err.offset);
}

static wf_status thrice(int *calls, wf_status second) {
    (*calls)++;
    WF_TRY(WF_OK);
    (*calls)++;
    WF_TRY(second);
    (*calls)++;
    return WF_OK;
}

static void test_forwarding(void **state) {
    int calls = 0;
    assert_int_equal(WF_E_BUSY, thrice(&calls, WF_E_BUSY));
    assert_int_equal(2, calls);
    assert_int_equal(WF_OK, thrice(&calls, WF_OK));
    assert_int_equal(5, calls);
}

static void test_bug_aborts(void **state) {
    const pid_t child = fork();
    if (child == 0) {
        fclose(stderr);
        WF_BUG("a broken invariant");
    }
    int status = 0;
    assert_int_equal(child, waitpid(child, &status, 0));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void test_clock(void **state) {
    char text[24];
    const double wall = wfi_clock_seconds(), cpu = wfi_clock_cpu_seconds();
    volatile unsigned sum = 0;
    while (wfi_clock_cpu_seconds() == cpu) sum++;
    assert_true(wfi_clock_seconds() >= wall && wfi_clock_cpu_seconds() > cpu);
    assert_true(wfi_clock_peak_rss() > 1 << 18);
    wfi_clock_iso(text);
    int y, mo, d, h, mi, s, n = 0;
    assert_int_equal(6, sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2dZ%n", &y, &mo, &d, &h, &mi, &s, &n));
    assert_int_equal(20, n);
    assert_int_equal(20, strlen(text));
}

static void test_cpu(void **state) {
    const wf_cpu *c = wfi_cpu_get();
    assert_ptr_equal(c, wfi_cpu_get());
    assert_true(c->cores >= 1 && c->name[0]);
    if (c->isa != WF_ISA_AVX512) assert_false(c->bf16 || c->vnni || c->amx);
    assert_string_equal("scalar", wfi_isa_name(WF_ISA_SCALAR));
    assert_string_equal("avx2", wfi_isa_name(WF_ISA_AVX2));
    assert_string_equal("avx512", wfi_isa_name(WF_ISA_AVX512));
}

/* The level is probed once in a process: ask a fresh copy of this program. */
static int level_with(const char *limit) {
    int out[2], level = -1;
    assert_int_equal(0, pipe(out));
    const pid_t child = fork();
    if (child == 0) {
        char self[1024] = "", fd[16];
        if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) _exit(1);
        snprintf(fd, sizeof fd, "%d", out[1]);
        if (limit)
            setenv("WEFT_ISA", limit, 1);
        else
            unsetenv("WEFT_ISA");
        execl(self, self, "--level", fd, (char *)NULL);
        _exit(1);
    }
    close(out[1]);
    if (read(out[0], &level, sizeof level) != sizeof level) level = -1;
    close(out[0]);
    waitpid(child, NULL, 0);
    return level;
}

static void test_level_can_be_lowered(void **state) {
    const int best = level_with(NULL);
    assert_in_range(best, WF_ISA_SCALAR, WF_ISA_AVX512);
    assert_int_equal(WF_ISA_SCALAR, level_with("scalar"));
    assert_int_equal(best < WF_ISA_AVX2 ? best : WF_ISA_AVX2, level_with("avx2"));
    assert_int_equal(best, level_with("avx512"));
    assert_int_equal(best, level_with("nonsense"));
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "--level") == 0) {
        const int level = wfi_cpu_get()->isa;
        return write(atoi(argv[2]), &level, sizeof level) == sizeof level ? 0 : 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_status_has_its_sentence),
        cmocka_unit_test(test_fail),
        cmocka_unit_test(test_long_texts_are_cut),
        cmocka_unit_test(test_fail_in),
        cmocka_unit_test(test_forwarding),
        cmocka_unit_test(test_bug_aborts),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_cpu),
        cmocka_unit_test(test_level_can_be_lowered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
