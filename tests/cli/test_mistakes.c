/* What the program says when something is wrong: exit code, one line on standard error that names what and where,
 * nothing on standard output. */
#include "program.h"
#include <sys/stat.h>
#include <unistd.h>

static int setup(void **state) {
    top_make(state);
    lab_make("lab");
    free(weft_ok("-C lab train reviews --name rev --epochs 1"));
    free(weft_ok("-C lab train notes --name noted --method head --epochs 1"));
    free(weft_ok("-C lab gate set reviews"));
    setenv("WEFT_LAB", "lab", 1);
    return 0;
}

static void config_edit(const char *base, const char *what, const char *with) {
    char *text = file_text(in_top("%s/config.json", base)), *at = text ? strstr(text, what) : NULL, edited[1000];
    assert_non_null(at);
    snprintf(edited, sizeof edited, "%.*s%s%s", (int)(at - text), text, with, at + strlen(what));
    tiny_write(in_top("%s", base), "config.json", edited);
    free(text);
}

static void test_words_and_options(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {"trian reviews", "no command \"trian\"", "did you mean train?"},
        {"lsit", "no command \"lsit\"", "did you mean list?"}, /* init is as near by single letters */
        {"fues target", "no command \"fues\"", "did you mean fuse?"},
        {"train reviews --epohcs 3", "no option --epohcs", "did you mean --epochs?"},
        {"lists", "no command \"lists\"", "did you mean list?"},
        {"xyzzy", "no command \"xyzzy\"", "weft --help"},
        {"base", "weft base add", "weft base check"},
        {"task remove", "weft task add", "weft task list"},
        {"help trian", "no command \"trian\"", "train"},
        {"__man trian", "no manual page", "trian"},
        {"train reviews --eporchs 3", "no option --eporchs (did you mean --epochs?)", "weft train --help"},
        {"list --output=3", "no option --output=3", "weft list --help"},
        {"train", "too few words", "weft train TASK"},
        {"base add tiny", "too few words", "weft base add NAME PATH"},
        {"train reviews notes", "what is \"notes\"?", "weft train TASK"},
        {"report page.html", "what is \"page.html\"?", "usage: weft report\n"},
        {"bench --work speed", "work \"speed\" is not known", "train:fuse:N"},
        {"bench --work ''", "--work needs a value (LIST), not an empty one", ""},
        {"bench --work ,", "--work names none", ""},
        {"study robust rev --kinds ,", "--kinds names none", ""},
        {"study robust rev --sets ''", "--sets needs a value", ""},
        {"compare target --methods ''", "--methods needs a value", ""},
        {"compare target --methods head --rows ,", "--rows names no number", ""},
        {"report -o ''", "-o needs a value (FILE), not an empty one", ""},
        {"-C '' list", "-C needs a value", ""},
        {"--lsit", "no option --lsit", "see: weft --help"},
        {"eval rev --resamples 1", "resamples must lie in [100, 1000000]", ""},
        {"eval rev --resamples 4294967396", "must lie in [100, 1000000]", ""},
        {"task add n nul.jsonl", "nul.jsonl:1: not valid JSON", "a text with a NUL (\\u0000)"},
        {"task add n lists.jsonl", "a file that begins with '[' is one array of objects", "lists.jsonl: line 2"},
        {"rm task:rev", "no task \"rev\"", ""},
        {"base add other decoder", "decoder/config.json: is_decoder is true", ""},
        {"base add other shapes",
         "shapes/model.safetensors: tensor \"embeddings.position_embeddings.weight\" has shape", "[64"},
        {"base add other wordy", "the tokenizer has 29 tokens, the model only 28", ""},
        {"bench --rounds 0.5", "--rounds needs a whole number", ""},
        {"bench --rounds -1", "--rounds needs a whole number from 1", ""},
        {"bench --size minilm --base tiny", "not both", ""},
        {"bench --from absent --work infer:fuse:2", "absent", ""},
        {"train reviews --epochs", "--epochs needs a value", ""},
        {"train reviews --epochs many", "--epochs needs a number, not \"many\"", ""},
        {"train reviews --lr nan", "--lr needs a number, not \"nan\"", ""},
        {"train reviews --lr=inf", "learning rate is inf", "[0, 10]"},
        {"train reviews --rows 1.5", "--rows needs a whole number, not \"1.5\"", ""},
        {"train reviews --rows 99999999999999999999", "--rows needs a whole number", ""},
        {"train reviews --seed -1", "--seed needs a whole number from 0", ""},
        {"train reviews --quiet=1", "--quiet takes no value", ""},
        {"--threads x list", "--threads needs a whole number", ""},
        {"--threads 99999 list", "--threads must lie in", ""},
        {"-C", "-C needs a value", ""},
        {"train reviews --epochs -4", "--epochs needs a number above 0", "--epochs needs a number above 0"},
        {"train reviews --base-dropout 0.5", "base dropout is 0.5", "1 is dropout as the base was trained with it"},
        {"train reviews --max-grad-norm -2", "--max-grad-norm needs a number from 0 (0: none), not \"-2\"", ""},
        {"train reviews --warmup -0.5", "--warmup needs a number from 0", ""},
        {"train reviews --warmup 1.5", "warm-up share is 1.5; it must lie in [0, 1]", ""},
        {"joint reviews,notes --average -2", "--average needs a number from 0", ""},
        {"fuse target --from rev --head-dropout -2", "--head-dropout needs a number from 0", ""},
        {"compare target --methods head --patience -2", "--patience needs a whole number from 1, or -1 for no limit",
         ""},
        {"train reviews --patience 0", "--patience needs a whole number from 1, or -1 for no limit, not \"0\"", ""},
        {"train reviews --cache-memory -1", "--cache-memory needs a whole number from 0, not \"-1\"", ""},
        {"train reviews --cache-memory -2", "--cache-memory needs a whole number from 0, not \"-2\"", ""},
        {"train reviews --weight-decay -1", "--weight-decay needs a number from 0", ""},
        {"train reviews --head-layers 3", "head layers is 3; it must lie in [1, 2]", ""},
        {"train reviews --head-layers 99999999999", "it must lie in [1, 2]", ""},
        {"--threads -1 list", "--threads needs a whole number from 0", ""},
        {"study robust rev --rows 0", "--rows needs a whole number from 1, or -1 for no limit, not \"0\"", ""},
        {"study fair rev --rows 0", "--rows needs a whole number from 1", ""},
        {"study failures rev --rows -2", "--rows needs a whole number from 1", ""},
        {"study interact rev --rows 0", "--rows needs a whole number from 1", ""},
        {"study interact rev --margin 0", "--margin needs a number above 0", ""},
        {"study fair rev --resamples 0", "--resamples needs a whole number from 1", ""},
        {"study fair rev --resamples 20", "--resamples must lie in [100, 1000000]", ""},
        {"explain rev text --tolerance -2", "--tolerance needs a number above 0", ""},
        {"gate set reviews --tolerance -2", "--tolerance needs a number from 0", ""},
        {"train reviews --epochs 1 --epochs 2", "--epochs stands twice", ""},
        {"task add n reviews --text text --text label", "--text stands twice", ""},
        {"task add n reviews --text label", "which field is the label?", "--label"},
        {"rank reviews --base-dtype f9", "base type \"f9\"", "f32, bf16, int8, auto"},
        {"train reviews --method full --base-dtype int8", "int8 is for frozen ones", ""},
        {"train reviews --method full[foo=1]", "method full has no settings in brackets", "[foo=1]"},
        {"train reviews --method head[foo=1]", "method head has no settings in brackets", "[foo=1]"},
        {"compare target --methods head[foo=1]", "method head has no settings in brackets", ""},
        {"joint reviews,notes --method multihead[foo=1]", "multihead", ""},
        {"train reviews --method seq_bn[leave_out=[7]]", "leave_out is [7]; the base has the layers 0 to 1", ""},
        {"compare target --methods seq_bn[leave_out=2]", "leave_out is [2]; the base has the layers 0 to 1", ""},
        {"joint reviews,notes --method lora[leave_out=[0,2]]", "the base has the layers 0 to 1", ""},
        {"train reviews --method lora[r=2,r=4]", "setting \"r\" stands twice", ""},
        {"fuse target --from rev --config dynamic[key=true,key=false]", "setting \"key\" stands twice", ""},
        {"train reviews --rows 100000", "has 200 training rows", "100000"},
        {"train reviews --max-length 1", "max length is 1; it must be at least 3", "2 special tokens"},
        {"compare target --methods head --max-length 2", "max length is 2; it must be at least 3", ""},
        {"train reviews --schedule square", "linear, cosine, constant", "square"},
        {"train reviews --class-weights maybe", "auto, sqrt, balanced, none", "maybe"},
        {"train reviews --method seq_b", "method \"seq_b\" is not known", "lora"},
        {"train reviews --method seq_bn[reduction=2]", "no setting \"reduction\"", ""},
        {"train reviews --name a.b", "model name \"a.b\"", "letters"},
        {"train reviews --name rev", "\"rev\" is in this lab already", "weft rm rev"},
        {"train revews", "no task \"revews\"", "did you mean \"reviews\"?"},
        {"train reviews --base big", "no base \"big\"", "weft base list"},
        {"fuse target", "which adapters?", "--from"},
        {"fuse target --from ,", "--from needs at least one", ""},
        {"fuse target --from rev,absent", "no model \"absent\"", "rev"},
        {"fuse target --from rev,rev", "\"rev\" stands twice", ""},
        {"eval rew", "no model \"rew\"", "did you mean \"rev\"?"},
        {"eval rev --split middle", "split \"middle\"", "train, dev or test"},
        {"eval rev --split dev --data rows.csv", "exclude each other", ""},
        {"eval rev --resamples -1", "--resamples", ""},
        {"predict", "which model?", "--all"},
        {"predict , text", "names none", "weft list"},
        {"predict rew text", "no model \"rew\"", "rev"},
        {"predict rev text --input rows.txt", "exclude each other", ""},
        {"predict rev --input rows.txt --pair x", "--pair goes with texts", ""},
        {"predict rev --input absent.txt", "absent.txt", "No such file"},
        {"compare target", "which methods?", "--methods"},
        {"compare target --methods head --rows 1,x", "whole numbers", "\"x\""},
        {"compare target --methods head --rows 1000", "120 training rows", "1000"},
        {"compare target --methods head --tune-lr 1e-3", "two rates or more", ""},
        {"compare target --methods head --tune-lr 1e-3,x", "numbers above 0", "\"x\""},
        {"compare target --methods head --tune-lr 1e-3,0", "numbers above 0", "\"0\""},
        {"compare target --methods head --tune-lr 1e-3,1e-3", "0.001 stands twice", ""},
        {"compare target --methods head --tune-lr 1e-3,1e-2 --lr 1e-3", "exclude each other", ""},
        {"compare target --methods head@lr=fast", "such as @lr=5e-4", ""},
        {"compare target --methods head --seeds -2", "--seeds needs a whole number from 1", ""},
        {"study robust rev --kinds magic", "there is no disturbance \"magic\"", "typo"},
        {"study robust rev --strengths 0..9", "--strengths needs 1 to 5", "0..9"},
        {"study robust rev --strengths 1,,2", "--strengths needs 1 to 5", "1,,2"},
        {"study robust rev --kinds synonym", "--wordnet", "wordnet-base"},
        {"study robust rev,rev", "named twice", "rev"},
        {"study fair rev --positive no", "has no label \"no\"", "positive"},
        {"study fair rev --terms absent.json", "absent.json", ""},
        {"card rew", "no model \"rew\"", "rev"},
        {"explain rev", "too few words", "NAME TEXT"},
        {"explain rev text --label neither", "no label \"neither\"", "rev"},
        {"study interact rev", "\"rev\" is no fusion", "weft fuse"},
        {"compare target --methods fuse:rew", "no model \"rew\"", "rev"},
        {"compare target --methods head,lora,head", "method \"head\" stands twice", ""},
        {"compare target --methods 'fuse:rev;fusion:rev@dynamic'", "\"fuse:rev\" and \"fusion:rev@dynamic\"",
         "are the same"},
        {"compare target --methods head --rows 10,20,10", "--rows 10 stands twice", ""},
        {"inspect absent", "nothing named \"absent\"", "weft list"},
        {"rm absent", "nothing named \"absent\"", "weft list"},
        {"rm reviews-x", "nothing named", ""},
        {"rm tiny", "cannot be removed", "model \"rev\""},
        {"log x", "a run is a number", "weft list"},
        {"log 99", "no run 99", "weft list"},
        {"resume 0", "a run is a number", "weft list"},
        {"resume 99", "no run 99", "weft list"},
        {"resume 1", "run 1 is done", "nothing to resume"},
        {"base check huge", "no base \"huge\"", ""},
        {"base add tiny base", "base \"tiny\" is in this lab already", ""},
        {"base add a/b base", "base name \"a/b\"", "letters"},
        {"base add other absent", "absent does not exist", ""},
        {"base add other reviews/train.jsonl", "neither a folder nor a zip archive", "config.json"},
        {"base add other pipe", "pipe is no regular file, but a pipe", ""},
        {"task add reviews reviews", "task \"reviews\" is in this lab already", "weft rm reviews"},
        {"task add n absent", "absent does not exist", ""},
        {"task add n /dev/null", "/dev/null is no regular file, but a device", ""},
        {"task add n pipe", "pipe is no regular file, but a pipe", ""},
        {"task add n pipes", "pipes/dev.csv is no regular file, but a pipe", ""},
        {"task add n base/vocab.txt", "base/vocab.txt: weft reads .jsonl, .json, .csv and .tsv files", ""},
        {"task add n base", "train.jsonl", ""},
        {"task add n reviews --kind odd", "kind \"odd\"", "classification"},
        {"task add n reviews --label mood", "no field \"mood\"", "reviews/train.jsonl:1"},
        {"task add n reviews --metric odd", "metric \"odd\"", "accuracy"},
        {"task add n reviews --text label --label label", "--text and --label name the same field \"label\"", ""},
        {"task add n reviews --pair text --text text", "--text and --pair name the same field \"text\"", ""},
        {"task add n blank.csv", "the text of every training row is empty", "--text"},
        {"task add n reviews --dev-share 0", "--dev-share needs a number above 0", "\"0\""},
        {"train target --steps 0", "--steps needs a whole number from 1", ""},
        {"train target --lr -1", "--lr needs a number above 0", ""},
        {"predict rev --input nul.txt", "nul.txt:2: a text with a NUL byte", ""},
        {"predict rev --input latin.txt", "latin.txt: row 1: text is not valid UTF-8", ""},
        {"base add other broken", "broken/config.json", ""},
        {"init lab", "lab is a lab already", ""},
        {"init blank.csv", "cannot make folder blank.csv", "no folder stands there"},
        {"init blank.csv/lab", "cannot make folder blank.csv", "no folder stands there"},
        {"init ''", "a lab needs a folder", ""},
        {"gate target", "task \"target\" has no gate", "weft gate set target"},
        {"gate revews", "no task \"revews\"", "did you mean \"reviews\"?"},
        {"gate reviews=0.5x", "no model \"0.5x\"", ""},
        {"gate reviews=raw", "no model \"raw\"", ""},
        {"gate reviews=noted", "model \"noted\" answers task \"notes\"", "not \"reviews\""},
        {"gate reviews=rev:notes", "of task \"reviews\", not of \"notes\"", ""},
        {"gate reviews=", "needs a name", ""},
        {"gate set reviews --tolerance x", "--tolerance needs a number", "\"x\""},
        {"gate set reviews --tolerance 101", "must lie in [0, 100]", ""},
        {"task add -- -x reviews", "task name \"-x\"", "the first no '-'"},
        {"base add -- -x base", "base name \"-x\"", "the first no '-'"},
        {"train target --name=-x", "model name \"-x\"", "the first no '-'"},
        {"fuse target --from rev --name=-x", "model name \"-x\"", "the first no '-'"},
        {"joint reviews,notes --name=-x", "model name \"-x\"", "the first no '-'"},
        {"-C absent list", "absent is no lab", "weft init absent"},
        {"report -o absent/page.html", "absent/page.html", "No such file"},
        {"report -o reviews", "reviews is a folder", ""},
    };
    tiny_write(top, "blank.csv", "text,label\n ,a\n ,b\n ,a\n ,b\n ,a\n ,b\n ,a\n ,b\n");
    tiny_write(top, "latin.txt", "caf\xe9\n");
    FILE *nul = fopen(in_top("nul.txt"), "wb");
    assert_non_null(nul);
    assert_int_equal(8, fwrite("good\na\0b", 1, 8, nul));
    assert_int_equal(0, fclose(nul));
    tiny_write(top, "nul.jsonl", "{\"text\": \"a\\u0000\", \"label\": \"x\"}\n");
    tiny_write(top, "lists.jsonl", "[\"a\", \"x\"]\n[\"b\", \"y\"]\n");
    tiny_base(in_top("decoder"));
    config_edit("decoder", "\"hidden_act\"", "\"is_decoder\":true,\"hidden_act\"");
    tiny_base(in_top("shapes"));
    config_edit("shapes", "\"max_position_embeddings\":64", "\"max_position_embeddings\":63");
    tiny_base(in_top("wordy"));
    FILE *vocab = fopen(in_top("wordy/vocab.txt"), "a");
    assert_non_null(vocab);
    fputs("more\n", vocab);
    assert_int_equal(0, fclose(vocab));
    assert_int_equal(0, mkdir(in_top("broken"), 0700));
    tiny_write(in_top("broken"), "config.json", "{");
    tiny_write(in_top("broken"), "model.safetensors", "x");
    tiny_write(in_top("broken"), "vocab.txt", "[PAD]\n");
    assert_int_equal(0, mkfifo(in_top("pipe"), 0600));
    assert_int_equal(0, mkdir(in_top("pipes"), 0700));
    assert_int_equal(0, mkfifo(in_top("pipes/dev.csv"), 0600));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        weft_says(2, cases[i][0], cases[i][1], cases[i][2], (char *)NULL);
    weft_says(1, "init /proc/x", "cannot make folder /proc/x", "the system makes none there", (char *)NULL);
    ran r = weft("%s", ""); /* no command: help, as wrong usage */
    assert_int_equal(2, r.code);
    assert_non_null(strstr(r.out, "usage: weft"));
    ran_clear(&r);
}

/* A broken data file: its name and line, for whoever reads it. */
static void test_broken_data(void **state) {
    (void)state;
    static const char *const cases[][4] = {
        {"end.jsonl", "{\"text\":\"a\",\"label\":\"positive\"}\n{\"text\":\"b\",\"label\":\n", ":2", "JSON"},
        {"list.jsonl", "{\"text\":\"a\",\"label\":\"positive\"}\n[1]\n", ":2", "object"},
        {"latin.jsonl", "{\"text\":\"a\",\"label\":\"positive\"}\n{\"text\":\"\xff\",\"label\":\"positive\"}\n", ":2",
         ""},
        {"label.jsonl", "{\"text\":\"a\",\"label\":\"positive\"}\n{\"text\":\"b\"}\n", ":2", "label"},
        {"quote.csv", "text,label\na,positive\n\"b,negative\n", ":3", "quote"},
        {"short.csv", "text,label\na,positive\nb\n", ":3", "2 columns"},
        {"label.csv", "text,label\na,positive\nb,\n", ":3", "label"},
        {"long.tsv", "text\tlabel\na\tpositive\nb\tnegative\tz\n", ":3", "2 columns"},
        {"empty.csv", "", "empty.csv", "no rows"},
        {"header.csv", "text,label\n", "header.csv", "no rows"},
        {"table.xyz", "text,label\na,positive\n", "table.xyz", ".csv"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char command[128];
        tiny_write(top, cases[i][0], cases[i][1]);
        snprintf(command, sizeof command, "task add n %s", cases[i][0]);
        weft_says(2, command, cases[i][0], cases[i][2], cases[i][3], (char *)NULL);
        snprintf(command, sizeof command, "eval rev --data %s", cases[i][0]);
        weft_says(2, command, cases[i][0], cases[i][2], (char *)NULL);
    }
    weft_says(2, "predict rev --input end.jsonl", "end.jsonl:2", (char *)NULL);
    program_input = "fine\n\xff\xfe\n";
    weft_says(2, "predict rev", "standard input:2", "UTF-8", (char *)NULL);
    char lines[1000] = "";
    for (int i = 0; i < 99; i++) strcat(lines, "fine\n");
    program_input = strcat(lines, "\xff\n"); /* behind the first texts that are answered together */
    ran late = weft("predict rev");
    assert_int_equal(2, late.code);
    assert_non_null(strstr(late.err, "standard input:100: a text that is not UTF-8"));
    ran_clear(&late);
    program_input = NULL;
    program_input_file = "nul.txt";
    weft_says(2, "predict rev", "standard input:2: a text with a NUL byte", (char *)NULL);
    program_input_file = NULL;
    char *tasks = weft_ok("task list"); /* nothing of all this was kept */
    assert_null(strstr(tasks, "task n:"));
    free(tasks);
}

static void test_broken_bases(void **state) {
    (void)state;
    static const char *const files[] = {"config.json", "vocab.txt", "model.safetensors"};
    for (int i = 0; i < 3; i++) {
        char dir[32], command[64];
        snprintf(dir, sizeof dir, "base%d", i);
        snprintf(command, sizeof command, "base add broken %s", dir);
        tiny_base(in_top("%s", dir));
        assert_int_equal(0, truncate(in_top("%s/%s", dir, files[i]), i == 1 ? 5 : 40));
        weft_says(2, command, files[i], (char *)NULL);
        assert_int_equal(0, unlink(in_top("%s/%s", dir, files[i])));
        weft_says(2, command, files[i], (char *)NULL);
    }
    char *bases = weft_ok("base list");
    assert_null(strstr(bases, "broken"));
    free(bases);
}

/* verify and base check: code 3, with --json the document all the same. */
static void test_changed_files(void **state) {
    (void)state;
    free(weft_ok("init damaged"));
    free(weft_ok("-C damaged base add tiny base"));
    char **names = NULL;
    size_t count = 0;
    check_ok(wfi_dir_list(in_top("damaged/bases"), &names, &count, err));
    assert_int_equal(1, count);
    const char *vocab = in_top("damaged/bases/%s/vocab.txt", names[0]);
    wfi_names_free(names, count);
    FILE *f = fopen(vocab, "a");
    assert_non_null(f);
    fputs("more\n", f);
    fclose(f);
    static const char *const both[] = {"verify", "base check"}, *const says[] = {
                                                                    "base tiny: base \"tiny\": file vocab.txt changed",
                                                                    "tiny: files differ from what was imported"};
    for (int i = 0; i < 2; i++) {
        ran r = weft("-C damaged %s", both[i]);
        assert_int_equal(3, r.code);
        assert_non_null(strstr(r.out, says[i]));
        ran_clear(&r);
        r = weft("-C damaged --json %s", both[i]);
        assert_int_equal(3, r.code);
        json_t *j = json_loads(r.out, 0, NULL);
        has_keys(j, "ok checked failures");
        assert_int_equal(1, json_array_size(json_object_get(j, "failures")));
        json_decref(j);
        ran_clear(&r);
    }
}

/* Where nothing can be written: code 1, and the reason. */
static void test_nowhere_to_write(void **state) {
    (void)state;
    static const char *const commands[] = {"list",  "--json list", "--help",           "train --help", "--version",
                                           "__man", "__complete",  "predict rev text", "init third"};
    struct stat full;
    if (stat("/dev/full", &full) != 0 || !S_ISCHR(full.st_mode)) skip();
    program_output = "/dev/full";
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        weft_says(1, commands[i], "cannot write to standard output", (char *)NULL);
    program_output = NULL;
    weft_says(1, "report -o /dev/full", "/dev/full", "No space left", (char *)NULL);
    assert_int_equal(0, stat("/dev/full", &full));
    assert_true(S_ISCHR(full.st_mode)); /* written into, not replaced by a file */
    if (geteuid() == 0) return;         /* permissions do not hold root back */
    assert_int_equal(0, mkdir(in_top("closed"), 0500));
    weft_says(1, "report -o closed/page.html", "Permission denied", (char *)NULL);
}

/* A reader that has seen enough ends the program quietly: no message, no other harm. */
static void test_reader_that_stops(void **state) {
    (void)state;
    char command[1024], line[64] = "";
    snprintf(command, sizeof command,
             "cd %s && yes 'the film was great' | head -5000 | %s predict rev 2>err.txt | head -1", top,
             getenv("WEFT_PROGRAM"));
    FILE *f = popen(command, "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));
    assert_int_equal(0, pclose(f));
    assert_string_equal("the film was great\n", line);
    char *said = file_text(in_top("err.txt"));
    assert_string_equal("", said);
    free(said);
    free(weft_ok("verify"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_and_options), cmocka_unit_test(test_broken_data),
        cmocka_unit_test(test_broken_bases),      cmocka_unit_test(test_changed_files),
        cmocka_unit_test(test_nowhere_to_write),  cmocka_unit_test(test_reader_that_stops)};
    return cmocka_run_group_tests(tests, setup, top_remove);
}
