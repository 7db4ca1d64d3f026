/* A lab that cannot be written, being somebody else's or on a full disk: what only reads works, and what writes says
 * why it cannot. */
#define _GNU_SOURCE /* unshare */
#include "program.h"
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static int setup(void **state) {
    top_make(state);
    lab_make("lab");
    free(weft_ok("-C lab train reviews --name rev --epochs 1"));
    free(weft_ok("-C lab gate set reviews"));
    setenv("WEFT_LAB", "lab", 1);
    return 0;
}

/* Somebody else's lab: everything that only reads works, and what writes says why it cannot. */
static void readers_use(void) {
    static const char *const readers[] = {"list",        "base list",        "task list", "base check",
                                          "inspect rev", "predict rev good", "verify",    "eval rev",
                                          "log 1",       "report -o p.html", "gate"};
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) free(weft_ok("%s", readers[i]));
}

static void read_only_use(void) {
    static const char *const writers[] = {"train reviews --name other", "task add other reviews", "rm rev",
                                          "base add other base"};
    readers_use();
    for (size_t i = 0; i < sizeof writers / sizeof *writers; i++) weft_says(1, writers[i], "lab", (char *)NULL);
    weft_says(1, "task add other closed", "closed/train.jsonl: Permission denied", (char *)NULL);
    weft_says(1, "train reviews --name other", "weft.db: the lab is read-only", (char *)NULL);
}

static void test_read_only_lab(void **state) {
    (void)state;
    enum { NOBODY = 65534, SKIPPED = 77, FINE = 42 };
    char closed[700];
    snprintf(closed, sizeof closed, "find %s -type d -exec chmod 0555 {} + && find %s -type f -exec chmod 0444 {} +",
             in_top("lab"), in_top("lab"));
    assert_int_equal(0, system(closed));
    assert_int_equal(0, chmod(top, 0777));
    assert_true(mkdir(in_top("closed"), 0) == 0 || chmod(in_top("closed"), 0) == 0);
    unlink(in_top(".out"));
    unlink(in_top(".err"));
    const pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && setuid(NOBODY) != 0) _exit(1);
        if (access(getenv("WEFT_PROGRAM"), X_OK) != 0) _exit(SKIPPED);
        read_only_use(); /* a failed check ends the child with another code */
        _exit(FINE);
    }
    const int code = weft_wait(child, NULL);
    snprintf(closed, sizeof closed, "chmod -R u+rwX %s", in_top("lab"));
    assert_int_equal(0, system(closed));
    unlink(in_top(".out"));
    unlink(in_top(".err"));
    if (code == SKIPPED) skip(); /* the program lies where another user cannot reach it */
    assert_int_equal(FINE, code);
}

/* The lab on a small disk of its own that is full to the last byte. */
static void full_disk_use(void) {
    char command[1600];
    snprintf(command, sizeof command, "cp -r %s %s && ! dd if=/dev/zero of=%s bs=4k 2>/dev/null", in_top("lab"),
             in_top("full/lab"), in_top("full/fill"));
    assert_int_equal(0, system(command));
    setenv("WEFT_LAB", "full/lab", 1);
    readers_use();
    weft_says(1, "train reviews --name more", "weft.db: beginning a transaction failed: no space is left on its disk",
              "it can only be read", (char *)NULL);
    weft_says(1, "rm rev", "no space is left on its disk", (char *)NULL);
    weft_says(1, "task add more reviews", "No space left", (char *)NULL);
    assert_int_equal(0, unlink(in_top("full/fill")));
    free(weft_ok("rm rev")); /* there is room again */
}

static bool text_put(const char *path, const char *text) {
    const int fd = open(path, O_WRONLY);
    const bool put = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return put;
}

/* From here on this process is root of a world of its own, where it may mount. */
static bool own_mounts(void) {
    char users[32], groups[32];
    snprintf(users, sizeof users, "0 %u 1", (unsigned)geteuid());
    snprintf(groups, sizeof groups, "0 %u 1", (unsigned)getegid());
    return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && text_put("/proc/self/uid_map", users) &&
           text_put("/proc/self/setgroups", "deny") && text_put("/proc/self/gid_map", groups) &&
           mount("none", in_top("full"), "tmpfs", 0, "size=4m") == 0;
}

static void test_full_disk(void **state) {
    (void)state;
    enum { SKIPPED = 77, FINE = 42 };
    assert_int_equal(0, mkdir(in_top("full"), 0700));
    const pid_t child = fork();
    if (child == 0) {
        if (!own_mounts()) _exit(SKIPPED);
        full_disk_use(); /* a failed check ends the child with another code */
        _exit(FINE);
    }
    const int code = weft_wait(child, NULL);
    if (code == SKIPPED) skip(); /* this system lets no user mount one */
    assert_int_equal(FINE, code);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_full_disk), cmocka_unit_test(test_read_only_lab)};
    return cmocka_run_group_tests(tests, setup, top_remove);
}
