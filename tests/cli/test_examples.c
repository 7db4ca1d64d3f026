/* The example of every command's help runs as it stands. */
#include "program.h"

/* What must be there before an example, and what makes it short. */
static const struct {
    const char *command, *before[6], *options;
} steps[] = {
    {"init", {0}, ""},
    {"base add", {0}, ""},
    {"base list", {0}, ""},
    {"base check", {0}, ""},
    {"task add", {0}, ""},
    {"task list",
     {"task add reviews reviews", "task add editorials editorials", "task add amazon reviews", "task add movies notes",
      "task add tweets target", "task add comments comments.csv"},
     ""},
    {"train", {"train comments --name comments --epochs 1"}, "--epochs 1"},
    {"rank",
     {"train amazon --name amazon --epochs 1", "train movies --name movies --epochs 1",
      "train tweets --name tweets --epochs 1"},
     ""},
    {"fuse", {0}, "--epochs 1 --keep-fusion"},
    {"prune", {"fuse editorials --from amazon,movies --name editorials --epochs 1 --keep-fusion"}, ""},
    {"joint", {0}, "--epochs 1"},
    {"eval", {0}, ""},
    {"predict", {0}, ""},
    {"explain", {0}, ""},
    {"compare", {0}, "--epochs 1"},
    {"gate set", {0}, ""},
    {"gate rm", {0}, ""},
    {"gate", {"gate set reviews --model reviews --tolerance 100", "train reviews --name reviews-new --epochs 1"}, ""},
    {"study robust", {"train editorials --method head --epochs 1"}, ""},
    {"study failures", {0}, ""},
    {"study interact", {0}, ""},
    {"study fair", {0}, ""},
    {"plan", {0}, ""},
    {"report", {0}, ""},
    {"card", {0}, ""},
    {"bench", {0}, "--seconds 0.01 --rounds 1"},
    {"inspect", {0}, ""},
    {"verify", {0}, ""},
    {"list", {0}, ""},
    {"rm", {"train reviews --method lora --epochs 1"}, ""},
    {"log", {0}, ""},
    {"resume", {0}, ""},
};
enum { STEPS = sizeof steps / sizeof *steps };

static int setup(void **state) {
    char rows[40000] = "subject,team\n", *at;
    top_make(state);
    tiny_base(in_top("all-MiniLM-L6-v2"));
    tiny_task(in_top("editorials"), 4, 1000, 40, 60);
    for (int i = 0; i < 60; i++) snprintf(rows + strlen(rows), 64, "the film %d,%s\n", i, i % 2 ? "sales" : "support");
    tiny_write(top, "tickets.csv", rows);
    at = rows + sprintf(rows, "text,label,group\n");
    for (int i = 0; i < 200; i++)
        at += sprintf(at, "he was %s %d,%s,%s\n", i % 3 ? "good" : "bad", i, i % 3 ? "fine" : "toxic",
                      i % 2 ? "young" : "old");
    tiny_write(top, "comments.csv", rows);
    at = rows;
    for (int i = 0; i < 100; i++)
        at += sprintf(at, "{\"text\": \"she was %s %d\", \"label\": \"%s\", \"group\": \"%s\"}\n",
                      i % 3 ? "good" : "bad", i, i % 3 ? "fine" : "toxic", i % 2 ? "young" : "old");
    tiny_write(top, "madlibs.jsonl", rows);
    tiny_write(top, "contrast.jsonl",
               "{\"text\": \"not good\", \"label\": \"negative\"}\n{\"text\": \"not bad\", \"label\": \"positive\"}\n");
    tiny_write(top, "reviews.txt", "the film was great\nthe book was dull\n");
    tiny_write(top, "study.json", "{\"steps\": [\"task list\"]}");
    setenv("WEFT_LAB", "reviews-lab", 1);
    return 0;
}

/* The last line of the help, without the program's name, its quotes single. */
static void example_of(const char *command, char out[400]) {
    char *help = weft_ok("%s --help", command), *at = strstr(help, "\nexample:\n  weft ");
    if (!at) fail_msg("%s --help has no example: %s", command, help);
    snprintf(out, 400, "%s", at + strlen("\nexample:\n  weft "));
    out[strcspn(out, "\n")] = 0;
    for (char *c = out; *c; c++)
        if (*c == '"') *c = '\'';
    free(help);
}

static void test_examples(void **state) {
    (void)state;
    char example[400];
    for (int i = 0; i < STEPS; i++) {
        for (int k = 0; k < 6 && steps[i].before[k]; k++) free(weft_ok("%s", steps[i].before[k]));
        example_of(steps[i].command, example);
        if (strncmp(example, steps[i].command, strlen(steps[i].command)) != 0)
            fail_msg("%s: its example is \"%s\"", steps[i].command, example);
        if (strcmp(steps[i].command, "resume") == 0)
            weft_says(2, example, "is done", "nothing to resume", (char *)NULL);
        else
            free(weft_ok("%s %s", example, steps[i].options));
    }
}

/* None is forgotten above. */
static void test_all_commands(void **state) {
    (void)state;
    char *help = weft_ok("--help"), *at = strstr(help, "\ncommands:\n"), name[64];
    size_t count = 0;
    assert_non_null(at);
    for (at += strlen("\ncommands:\n"); *at == ' '; at = strchr(at, '\n') + 1) {
        snprintf(name, sizeof name, "%.*s", (int)(strstr(at + 2, "  ") - at - 2), at + 2);
        if (!strstr(at + 2, "  ")) fail_msg("what is %s", at);
        bool found = false;
        for (int i = 0; i < STEPS; i++) found |= strcmp(steps[i].command, name) == 0;
        if (!found) fail_msg("the example of \"%s\" is not run", name);
        count++;
    }
    assert_int_equal(STEPS, count);
    free(help);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_commands), cmocka_unit_test(test_examples)};
    return cmocka_run_group_tests(tests, setup, top_remove);
}
