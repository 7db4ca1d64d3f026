/* weft plan: loops and names, each step once, failures, and a plan that is broken off by a signal or by death. */
#include "program.h"
#include <signal.h>
#include <unistd.h>

static const char TRAIN[] = "train reviews --name r --epochs 30 --lr 5e-3 --patience -1";

/* A plan file: tasks and base, then `steps`. */
static void plan_write(const char *file, const char *let, const char *steps) {
    char text[4000];
    snprintf(text, sizeof text,
             "{\"let\": {\"both\": [\"reviews\", \"notes\"]%s},\n\"steps\": [\"base add tiny base\", {\"for\": {\"t\": "
             "\"both\"}, \"run\": [\"task\", \"add\", \"{t}\", \"{t}\"]}%s]}",
             let, steps);
    tiny_write(top, file, text);
}

static size_t in_state(const json_t *plan, const char *status) {
    size_t i, n = 0;
    const json_t *step;
    json_array_foreach(json_object_get(plan, "steps"), i, step) n +=
        strcmp(json_string_value(json_object_get(step, "status")), status) == 0;
    return n;
}

/* The models of the plan are those that the commands by hand give; a second call runs nothing; a new step is run alone.
 */
static void test_runs_each_once(void **state) {
    (void)state;
    static const char loops[] =
        ", {\"about\": \"sources\", \"for\": {\"t\": \"both\", \"s\": [0, 1]}, \"run\": \"train {t} "
        "--name {t}-{s} --seed {s} --epochs 1\"}";
    char steps[1500];
    plan_write("p.json", "", loops);
    json_t *j = weft_json("-C once --threads 1 plan p.json");
    assert_int_equal(7, json_array_size(json_object_get(j, "steps")));
    assert_int_equal(7, in_state(j, "done"));
    assert_int_equal(7, json_integer_value(json_object_get(j, "done")));
    assert_string_equal("p", json_string_value(json_object_get(j, "plan")));
    const json_t *last = json_array_get(json_object_get(j, "steps"), 6);
    assert_string_equal("notes-1", json_string_value(json_object_get(json_object_get(last, "result"), "name")));
    json_decref(j);
    lab_make("hand");
    free(weft_ok("-C hand --threads 1 train notes --name notes-1 --seed 1 --epochs 1"));
    char *a = model_hash("once", "notes-1"), *b = model_hash("hand", "notes-1");
    assert_string_equal(a, b);
    free(a);
    free(b);
    snprintf(steps, sizeof steps, "%s, \"fuse notes --from {sources} --epochs 1 --name f\"", loops);
    plan_write("p.json", ", \"sources\": [\"reviews-0\", \"notes-0\"]", steps);
    ran r = weft("-C once --threads 1 plan p.json");
    assert_int_equal(0, r.code);
    assert_non_null(strstr(r.err, "[8/8] fuse notes --from reviews-0,notes-0"));
    assert_null(strstr(r.err, "[7/8]"));
    assert_non_null(strstr(r.out, "plan p: 8 of 8 steps done, 0 failed"));
    ran_clear(&r);
    r = weft("-C once plan p.json");
    assert_int_equal(0, r.code);
    assert_string_equal("", r.err);
    ran_clear(&r);
}

/* Without --keep-going nothing behind a step that failed runs, and the step's exit code is the plan's. */
static void test_failures(void **state) {
    (void)state;
    plan_write("bad.json", "",
               ", \"train reviews --name r --epochs 1 --rows 100000\", \"train notes --name n --epochs 1\"");
    ran r = weft("-C bad --json plan bad.json");
    assert_int_equal(2, r.code);
    json_t *j = json_loads(r.out, 0, NULL);
    assert_int_equal(3, in_state(j, "done"));
    assert_int_equal(1, in_state(j, "failed"));
    assert_int_equal(1, in_state(j, "open"));
    assert_non_null(strstr(r.err, "training rows"));
    json_decref(j);
    ran_clear(&r);
    r = weft("-C bad --json plan --keep-going bad.json");
    assert_int_equal(2, r.code);
    j = json_loads(r.out, 0, NULL);
    assert_int_equal(4, in_state(j, "done"));
    assert_int_equal(1, in_state(j, "failed"));
    json_decref(j);
    ran_clear(&r);
    char *text = weft_ok("-C bad plan --list bad.json");
    assert_non_null(strstr(text, "failed"));
    assert_non_null(strstr(text, "plan bad: 4 of 5 steps done, 1 failed"));
    free(text);
}

static void same_end(const char *lab) {
    char *a = model_hash("calm", "r"), *b = model_hash(lab, "r");
    assert_string_equal(a, b);
    free(a);
    free(b);
}

/* SIGTERM to the plan alone ends its step gently; SIGKILL of the plan ends it too. Either way
 * the training goes on where it was, and ends with the bits of an unbroken one. */
static void test_broken_off(void **state) {
    (void)state;
    char steps[300], path[300];
    snprintf(steps, sizeof steps, ", \"%s\"", TRAIN);
    plan_write("long.json", "", steps);
    free(weft_ok("-C calm --threads 1 plan long.json"));
    static const int signals[] = {SIGTERM, SIGKILL};
    for (int k = 0; k < 2; k++) {
        snprintf(path, sizeof path, "cut%d", k);
        const pid_t pid = weft_start("-C %s --threads 1 plan long.json", path);
        file_await(in_top("%s/runs/1/log.txt", path));
        kill(pid, signals[k]);
        const int code = weft_wait(pid, NULL);
        assert_true(k ? code == -1 : code == 1 || code == 0); /* 0: the training was faster */
        if (k) {                                              /* the step ends a little later */
            char *list = NULL;
            for (int i = 0; i < 600 && (!list || strstr(list, "running")); i++, nap(100)) {
                free(list);
                list = weft_ok("-C %s list", path);
            }
            free(list);
        }
        ran r = weft("-C %s --threads 1 plan long.json", path);
        assert_int_equal(0, r.code);
        if (code != 0 && !strstr(r.err, "(goes on)") && !strstr(r.err, "(had ended)"))
            fail_msg("does not go on: %s", r.err);
        ran_clear(&r);
        same_end(path);
    }
}

/* A step that ended well when its plan had been killed: its result counts, and it is not run again. */
static void test_ended_alone(void **state) {
    (void)state;
    plan_write("alone.json", "", ", \"train notes --name n --epochs 1\"");
    char *first = weft_ok("-C alone --json plan alone.json"), *text = file_text(in_top("alone/plans/alone.jsonl"));
    json_t *report = json_loads(first, 0, NULL), *steps = json_object_get(report, "steps"),
           *last = json_array_get(steps, json_array_size(steps) - 1), *trained = json_object_get(last, "result");
    assert_true(json_is_object(trained));
    assert_int_not_equal(0, access(in_top("alone/plans/alone.out"), F_OK));
    char *ended = text + strlen(text) - 1; /* its last event, "done", was never written */
    while (ended > text && ended[-1] != '\n') ended--;
    *ended = 0;
    char *result = json_dumps(trained, 0);
    for (int whole = 0; whole < 2; whole++) {
        tiny_write(in_top("alone/plans"), "alone.jsonl", text);
        if (!whole) result[strlen(result) - 1] = ' '; /* cut off: it is run again, and finds its own name taken */
        tiny_write(in_top("alone/plans"), "alone.out", result);
        if (!whole) result[strlen(result) - 1] = '}';
        ran r = weft("-C alone --json plan alone.json");
        assert_int_equal(whole ? 0 : 2, r.code);
        assert_int_equal(whole, strstr(r.err, "(had ended)") != NULL);
        json_t *again = json_loads(r.out, 0, NULL),
               *step = json_array_get(json_object_get(again, "steps"), json_array_size(steps) - 1);
        if (whole) assert_true(json_equal(trained, json_object_get(step, "result")));
        assert_int_not_equal(0, access(in_top("alone/plans/alone.out"), F_OK));
        json_decref(again);
        ran_clear(&r);
    }
    json_decref(report);
    free(first);
    free(text);
    free(result);
}

/* A line of the state that a crash cut off is passed over, and the next one begins on its own line. */
static void test_state_cut_off(void **state) {
    (void)state;
    plan_write("s.json", "", "");
    free(weft_ok("-C torn plan s.json"));
    char *text = file_text(in_top("torn/plans/s.jsonl"));
    text[strlen(text) - 20] = 0; /* the last event: notes added, done */
    tiny_write(in_top("torn/plans"), "s.jsonl", text);
    free(text);
    ran r = weft("-C torn plan s.json");
    assert_int_equal(2, r.code); /* it is in the lab already, and that is said */
    assert_non_null(strstr(r.err, "\"notes\" is in this lab already"));
    ran_clear(&r);
    free(weft_ok("-C torn rm notes"));
    free(weft_ok("-C torn plan s.json"));
}

static void test_mistakes(void **state) {
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"{", "m.json: line 1: "},
        {"{\"stepps\": []}", "needs {\"steps\": [...]}"},
        {"{\"steps\": []}", "at least one"},
        {"{\"steps\": [\"list\"], \"tasks\": 1}", "there is no key tasks"},
        {"{\"plan\": \"a/b\", \"steps\": [\"list\"]}", "a plan's name"},
        {"{\"let\": {\"a-b\": 1}, \"steps\": [\"list\"]}", "not so: a-b"},
        {"{\"let\": {\"a\": [[1]]}, \"steps\": [\"list\"]}", "not so: a"},
        {"{\"steps\": [1]}", "step 1: needs \"run\""},
        {"{\"steps\": [[[\"list\"]]]}", "step 1: \"run\" holds something that is no word"},
        {"{\"steps\": [\"list\", {\"run\": \"list\", \"four\": 1}]}", "step 2: there is no key four"},
        {"{\"steps\": [{\"for\": {\"t\": []}, \"run\": \"list\"}]}", "step 1: \"for\" needs a list of values for t"},
        {"{\"steps\": [{\"for\": {\"t\": \"all\"}, \"run\": \"list\"}]}", "does not have: all"},
        {"{\"steps\": [{\"for\": [1], \"run\": \"list\"}]}", "\"for\" must be"},
        {"{\"steps\": [\"train {task}\"]}", "step 1: nothing is called task"},
        {"{\"steps\": [\"trian reviews\"]}", "expanded step 1 is no command of weft: trian reviews"},
        {"{\"steps\": [\"\"]}", "expanded step 1 is no command"},
        {"{\"steps\": [\"plan m.json\"]}", "expanded step 1 is no command"},
        {"{\"steps\": [\"train\"]}", "expanded step 1 needs: weft train TASK"},
        {"{\"steps\": [\"train a --epoch 3\"]}", "did you mean --epochs?"},
        {"{\"steps\": [\"-C other list\"]}", "is no command of weft"},
        {"{\"steps\": [\"list -C other\"]}", "belong to weft plan itself"},
        {"{\"steps\": [\"list\", \"train em --method nosuch\"]}", "expanded step 2: method \"nosuch\" is not known"},
        {"{\"steps\": [\"list\", \"train em --method seq_bn[reduction=8]\"]}", "has no setting \"reduction\""},
        {"{\"steps\": [\"list\", \"train em --label-smoothing 2\"]}", "label smoothing is 2"},
        {"{\"steps\": [\"list\", \"train em --schedule up\"]}", "use one of linear, cosine, constant"},
        {"{\"steps\": [\"list\", \"train em --base-dtype f8\"]}", "f8"},
        {"{\"steps\": [\"list\", \"fuse em\"]}", "which adapters?"},
        {"{\"steps\": [\"list\", \"fuse em --from a,b --config sideways\"]}", "sideways"},
        {"{\"steps\": [\"list\", \"joint a,b --sampling often\"]}", "often"},
        {"{\"steps\": [\"list\", \"joint a,b --loss-weights heavy\"]}", "heavy"},
        {"{\"steps\": [\"list\", \"joint a,b --method head\"]}", "tasks cannot share method head"},
        {"{\"steps\": [\"list\", \"compare em --methods head,nosuch\"]}", "method \"nosuch\" is not known"},
        {"{\"steps\": [\"list\", \"compare em --methods seq_bn@lr=1e-3,nosuch@lr=1e-3\"]}",
         "method \"nosuch\" is not known"},
        {"{\"steps\": [\"list\", \"compare em --methods fuse:\"]}", "fuse:"},
        {"{\"steps\": [\"list\", \"list\"]}", "expanded step 2 stands twice: list"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tiny_write(top, "m.json", cases[i].text);
        ran r = weft("-C none plan m.json");
        if (r.code != 2 || !strstr(r.err, cases[i].says)) fail_msg("%s: %d, %s", cases[i].text, r.code, r.err);
        assert_string_equal("", r.out);
        ran_clear(&r);
    }
    assert_int_not_equal(0, access(in_top("none"), F_OK)); /* nothing was made */
    weft_says(2, "-C none plan absent.json", "absent.json: cannot be read", (char *)NULL);
    plan_write("good.json", "", "");
    weft_says(2, "-C none plan --list good.json", "none is no lab yet", (char *)NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_runs_each_once), cmocka_unit_test(test_failures),
                                       cmocka_unit_test(test_broken_off),     cmocka_unit_test(test_ended_alone),
                                       cmocka_unit_test(test_state_cut_off),  cmocka_unit_test(test_mistakes)};
    return cmocka_run_group_tests(tests, top_make, top_remove);
}
