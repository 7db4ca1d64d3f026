/* The report: its structure, that nothing of the lab's own words becomes markup, that nothing is fetched, and what it
 * says of fusions. */
#include "base/json.h"
#include "report/chart.h"
#include "report/comparison.h"
#include "report/html.h"
#include "report/scores.h"
#include "tiny.h"
#include "weft/weft.h"
#include <math.h>

static void has(const char *page, const char *want) {
    assert_non_null(page);
    if (!strstr(page, want)) fail_msg("\"%s\" is not in: %.3000s", want, page);
}

static void lacks(const char *page, const char *word) {
    const char *at = strstr(page, word);
    if (at) fail_msg("\"%s\" is there: %.200s", word, at);
}

/* Every element that is opened is closed, in order; those that HTML closes by itself are left out. */
static void balanced(const char *page) {
    static const char *const alone[] = {"meta", "link",   "tr",   "wbr",      "path",
                                        "line", "circle", "rect", "polyline", "!doctype"};
    char open[64][16];
    int depth = 0;
    for (const char *p = page; (p = strchr(p, '<')); p++) {
        char name[16] = "";
        const bool closes = p[1] == '/';
        const char *word = p + 1 + closes;
        const size_t n = strcspn(word, " >/\n");
        assert_true(n > 0 && n < sizeof name);
        memcpy(name, word, n);
        size_t i = 0;
        while (i < sizeof alone / sizeof *alone && strcmp(alone[i], name) != 0) i++;
        if (i < sizeof alone / sizeof *alone) continue;
        if (!closes) {
            assert_true(depth < 64);
            memcpy(open[depth++], name, sizeof name);
        } else if (depth == 0 || strcmp(open[--depth], name) != 0) {
            fail_msg("</%s> closes <%s>: %.120s", name, depth >= 0 ? open[depth] : "nothing", p);
        }
    }
    assert_int_equal(0, depth);
}

static size_t count_of(const char *page, const char *word) {
    size_t n = 0;
    for (const char *p = page; (p = strstr(p, word)); p++) n++;
    return n;
}

/* ---- a comparison in words ---- */

static json_t *result_make(const char *fusion_first, const double (*scores)[2], size_t sizes,
                           size_t seeds) { /* [size*seed] {fusion, other} */
    json_t *rows = json_array(), *summary = json_array();
    const char *const methods[] = {fusion_first, "seq_bn"};
    for (size_t s = 0; s < sizes; s++)
        for (int m = 0; m < 2; m++) {
            double sum = 0;
            for (size_t k = 0; k < seeds; k++) {
                const double v = scores[s * seeds + k][m];
                sum += v;
                json_array_append_new(rows,
                                      json_pack("{s:s, s:I, s:I, s:s, s:{s:f, s:f}}", "method", methods[m],
                                                "train_rows", (json_int_t)(100 * (s + 1)), "seed", (json_int_t)k,
                                                "metric", "accuracy", "metrics", "accuracy", v, "macro_f1", v / 2));
            }
            json_array_append_new(summary,
                                  json_pack("{s:s, s:I, s:I, s:{s:f, s:f}, s:{s:f, s:n}, s:I, s:f}", "method",
                                            methods[m], "train_rows", (json_int_t)(100 * (s + 1)), "seeds",
                                            (json_int_t)seeds, "mean", "accuracy", sum / (double)seeds, "macro_f1",
                                            sum / 2 / (double)seeds, "sd", "accuracy", 0.01, "macro_f1",
                                            "trainable_params", (json_int_t)1000, "wall_seconds", 1.5));
        }
    return json_pack("{s:s, s:o, s:o}", "task", "t", "rows", rows, "summary", summary);
}

static char *words_of(const double (*scores)[2], size_t sizes, size_t seeds) {
    wf_buffer b = {0};
    json_t *j = result_make("fuse:a,b", scores, sizes, seeds);
    wfi_comparison_write(&b, "t <1>", j);
    json_decref(j);
    assert_false(b.failed);
    balanced(b.data);
    has(b.data, "<h3>t &lt;1&gt;</h3>");
    char *text = strdup(b.data);
    wfi_buffer_clear(&b);
    return text;
}

/* What nothing beats in both stands on the front; a difference is claimed only with a winner. */
static void test_cost_and_claims(void **state) {
    (void)state;
    static const wf_point points[] = {{"cheap", 10, 70}, {"dear <b>", 100, 80}, {"worse", 50, 65}, {"twin", 10, 70}};
    static const bool front[] = {true, true, false, true};
    for (size_t i = 0; i < 4; i++) assert_true(wfi_chart_on_front(points, 4, i) == front[i]);
    json_t *j = json_pack(
        "{s:s, s:[{s:s, s:i, s:{s:f}, s:f, s:i}, {s:s, s:i, s:{s:f}, s:f, s:i}], s:[{s:i, s:s, s:s, s:s, s:f, s:f, "
        "s:f, s:f, s:f, s:n}, {s:i, s:s, s:s, s:s, s:f, s:f, s:f, s:f, s:f, s:s}]}",
        "task", "t", "summary", "method", "a<", "train_rows", 8, "mean", "accuracy", 0.7, "wall_seconds", 1.5,
        "trainable_params", 1000, "method", "b", "train_rows", 8, "mean", "accuracy", 0.6, "wall_seconds", 1.25,
        "trainable_params", 2000, "tests", "train_rows", 8, "a", "a<", "b", "b", "metric", "accuracy", "difference",
        0.1, "low", -0.05, "high", 0.2, "p", 0.2, "p_holm", 0.4, "better", "train_rows", 8, "a", "a<", "b", "c",
        "metric", "accuracy", "difference", 0.2, "low", 0.1, "high", 0.3, "p", 0.001, "p_holm", 0.002, "better", "a<");
    wf_buffer b = {0};
    assert_non_null(j);
    wfi_comparison_tests(&b, j);
    wfi_comparison_pareto(&b, j, "accuracy");
    balanced(b.data);
    has(b.data, "+10.0");
    has(b.data, "-5.0 to +20.0");
    has(b.data, "not told apart");
    has(b.data, "a&lt;: 70 at 1.5 (on the front). b: 60 at 1.25 (on the front). ");
    has(b.data, "a&lt;: 70 at 1000 (on the front). b: 60 at 2000. ");
    has(b.data, "on test over the seconds a training takes");
    has(b.data, "on test over the number of trained parameters");
    wfi_buffer_clear(&b);
    json_decref(j);
}

/* What a training held, its rate and how that was chosen, and that a model gives one answer only, are said; nothing of
 * it where nothing was recorded. */
static void test_rates_and_memory(void **state) {
    (void)state;
    static const char RESULT[] =
        "{\"task\":\"t\",\"rows\":[{\"metric\":\"accuracy\"}],\"summary\":["
        "{\"method\":\"new\",\"train_rows\":8,\"seeds\":3,\"mean\":{\"accuracy\":0.5},\"sd\":{\"accuracy\":0.1},"
        "\"trainable_params\":10,\"wall_seconds\":2,\"tokens\":77,\"memory_bytes\":3407872,\"lr\":0.0005,"
        "\"one_answer\":2},"
        "{\"method\":\"old\",\"train_rows\":8,\"seeds\":3,\"mean\":{\"accuracy\":0.5},\"sd\":{\"accuracy\":0.1},"
        "\"trainable_params\":10,\"wall_seconds\":2}],\"tuning\":[{\"method\":\"new\",\"train_rows\":8,\"part\":"
        "\"own\","
        "\"metric\":\"accuracy\",\"lr\":0.0005,\"wall_seconds\":4.25,\"tokens\":12345,\"trials\":["
        "{\"lr\":0.0005,\"dev\":0.75},{\"lr\":9,\"dev\":null}]}]}";
    json_t *j = NULL;
    wf_buffer b = {0};
    check_ok(wfi_json_parse(RESULT, strlen(RESULT), "result", &j, err));
    wfi_comparison_write(&b, "t", j);
    balanced(b.data);
    has(b.data, "new (!)");
    has(b.data, "(!) new with 8 rows: 2 of 3 seeds give (nearly) all test rows one answer.");
    assert_int_equal(0, count_of(b.data, "old (!)"));
    has(b.data, ">3.2<"); /* MiB; 3.25, and half to even */
    has(b.data, ">0.0005<");
    has(b.data, "75.0 at 0.0005, – at 9");
    has(b.data, ">12345<");
    has(b.data, ">own<");
    wfi_buffer_clear(&b);
    json_decref(j);
}

static void test_verdicts(void **state) {
    (void)state;
    /* ahead by 5.0 points +- 0.1 at the first size, behind at the second, undecided at the third; 4 seeds */
    static const double scores[][2] = {{.851, .800}, {.850, .800}, {.849, .800}, {.850, .800}, {.70, .750}, {.70, .751},
                                       {.70, .749},  {.70, .750},  {.80, .70},   {.70, .80},   {.80, .70},  {.70, .79}};
    char *text = words_of(scores, 3, 4);
    has(text, "Fusion is ahead of the best other method at 1 of 3 sizes (ahead at 1, behind at 1, undecided at 1)");
    has(text, "100 rows: fuse:a,b has accuracy 85.0, the best other method (seq_bn) 80.0; difference +5.0 points, 95 % "
              "interval over 4 paired seeds +4.9 to +5.1: <strong>fusion is ahead</strong>.");
    has(text, "200 rows: fuse:a,b has accuracy 70.0, the best other method (seq_bn) 75.0; difference -5.0 points");
    has(text, "<strong>fusion does worse</strong>");
    has(text, "the interval holds zero, so <strong>the seeds do not tell them apart</strong>");
    lacks(text, "few seeds");
    has(text, "<desc>fuse:a,b: 85 at 100, 70 at 200, 75 at 300. seq_bn:");
    has(text, "on test by training rows");
    has(text, "85.0\u00a0±\u00a01.0");
    free(text);
    text = words_of(scores + 4, 1, 4); /* only the size where it is behind */
    has(text, "<strong>Fusion does not win here</strong>");
    lacks(text, "on test by training rows"); /* one size is no curve */
    free(text);
    text = words_of(scores, 1, 2); /* two seeds: no verdict, however alike they are */
    has(text, "on 2 seeds only: <strong>nothing can be concluded</strong>");
    lacks(text, "fusion is ahead");
    free(text);
    text = words_of(scores, 1, 3);
    has(text, "few seeds: a hint");
    free(text);
    /* the same seeds with the pair's test, which knows the rows too: it decides */
    static const char *const better[] = {NULL, "fuse:a,b", "seq_bn"};
    static const char *const says[] = {"<strong>not told apart</strong>", "<strong>fusion is ahead</strong>",
                                       "<strong>fusion does worse</strong>"};
    for (int i = 0; i < 3; i++) {
        json_t *j = result_make("fuse:a,b", scores, 1, 3);
        wf_buffer b = {0};
        json_object_set_new(j, "tests",
                            json_pack("[{s:i, s:s, s:s, s:s, s:f, s:f, s:f, s:f, s:f, s:s?}]", "train_rows", 100, "a",
                                      "fuse:a,b", "b", "seq_bn", "metric", "accuracy", "difference", 0.05, "low",
                                      -0.021, "high", 0.1, "p", 0.1, "p_holm", 0.262, "better", better[i]));
        wfi_comparison_write(&b, "t", j);
        has(b.data, "95 % interval over test rows and 3 seeds -2.1 to +10.0, p 0.262 with Holm's correction: ");
        has(b.data, says[i]);
        for (int k = 0; k < 3; k++)
            if (k != i) lacks(strstr(b.data, "<li>100 rows"), k ? says[k] : "not told apart</strong>");
        has(b.data, i == 1 ? "at 1 of 1 sizes" : "<strong>Fusion does not win here</strong>");
        wfi_buffer_clear(&b);
        json_decref(j);
    }
    text = words_of(scores, 2, 1);
    has(text, "Too few seeds: whether fusion helps cannot be said");
    has(text, "nothing can be concluded");
    lacks(text, "fusion is ahead");
    free(text);
    json_t *j = result_make("lora", scores, 2, 2); /* no fusion: nothing is said of it */
    wf_buffer b = {0};
    wfi_comparison_write(&b, "t", j);
    lacks(b.data, "usion");
    wfi_buffer_clear(&b);
    json_decref(j);
}

/* Against scipy.stats.t.interval(0.95, 4, mean, sem) of these five. */
static void test_paired_interval(void **state) {
    (void)state;
    static const double d[] = {1.0, 2.0, 0.5, 3.0, 1.5};
    wf_paired p = wfi_report_paired(d, 5);
    assert_true(fabs(p.mean - 1.6) < 1e-12 && fabs(p.low - 0.405764) < 1e-3 && fabs(p.high - 2.794236) < 1e-3);
    p = wfi_report_paired(d, 1);
    assert_true(p.mean == 1.0 && isnan(p.low) && isnan(p.high));
    p = wfi_report_paired(d, 0);
    assert_true(p.n == 0 && isnan(p.mean));
}

static void test_scores(void **state) {
    (void)state;
    static const struct {
        const char *metric;
        double value;
        const char *want;
    } cases[] = {{"accuracy", 0.873, "87.3"},
                 {"pearson", 0.873, "0.873"},
                 {"mae", 1.5, "1.500"},
                 {"accuracy", NAN, "–"},
                 {"unheard", 0.5, "0.500"}};
    char text[24];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wfi_report_score(text, cases[i].metric, cases[i].value);
        assert_string_equal(cases[i].want, text);
    }
    assert_string_equal("0.012", wfi_report_p(text, 0.0123));
    assert_string_equal("0.001", wfi_report_p(text, 0.0006));
    assert_string_equal("< 0.001", wfi_report_p(text, 0));
    assert_string_equal("–", wfi_report_p(text, NAN));
    assert_true(wfi_report_lower_is_better("mae") && !wfi_report_lower_is_better("accuracy") &&
                !wfi_report_lower_is_better("unheard"));
}

static void test_charts(void **state) {
    (void)state;
    static const double x[] = {100, 300, 1000}, y[] = {50, NAN, 70}, sd[] = {1, NAN, NAN}, same[] = {5, 5, 5},
                        values[] = {0, 0.25, 0.75, 1};
    static const char *const names[] = {"a<b", "\"c\""};
    const wf_series series[] = {{.name = "one & two", .count = 3, .x = x, .y = y, .spread = sd},
                                {.name = "flat", .count = 3, .x = x, .y = same}};
    wf_buffer b = {0};
    wfi_chart_lines(&b, "title <x>", "rows", "score", series, 2);
    wfi_chart_lines(&b, "nothing", "rows", "score", series, 0);
    wfi_chart_lines(&b, "one point", "rows", "score", &(wf_series){.name = "s", .count = 1, .x = x, .y = y}, 1);
    wfi_chart_heat(&b, "heat", names, 2, names, 2, values, 0, 1);
    balanced(b.data);
    assert_int_equal(4, count_of(b.data, "role=\"img\" aria-label=\""));
    assert_int_equal(4, count_of(b.data, "<figcaption>"));
    has(b.data, "one &amp; two");
    has(b.data, "a&lt;b");
    lacks(b.data, "nan,");
    lacks(b.data, ",nan");
    lacks(b.data, "\"inf");
    wfi_buffer_clear(&b);
}

/* Base and task, two adapters of them, a fusion of these: the fusion's lines to base and task say nothing new. */
static void test_graph(void **state) {
    (void)state;
    static const size_t given[] = {0, 1}, all[] = {2, 0, 1, 3};
    static const wf_graph_node nodes[] = {
        {.name = "base", .kind = "base", .colour = 7},
        {.name = "task <1>", .kind = "task", .colour = 2},
        {.name = "a name of more than twenty-two letters", .kind = "model", .parents = given, .parent_count = 2},
        {.name = "b", .kind = "model", .parents = given, .parent_count = 2},
        {.name = "f", .kind = "model", .parents = all, .parent_count = 4}};
    wf_buffer b = {0};
    wfi_chart_graph(&b, "made from", nodes, 5);
    balanced(b.data);
    assert_int_equal(5, count_of(b.data, "<rect"));
    assert_int_equal(6,
                     count_of(b.data, "<path")); /* two adapters with two parents each, the fusion with two of four */
    has(b.data, "model f from a name of more than twenty-two letters, base, task &lt;1&gt;, b. ");
    has(b.data, ">a name of more than tw…<title>a name of more than twenty-two letters</title></text>");
    has(b.data, ">given</text>");
    has(b.data, ">made of these</text>");
    wfi_buffer_clear(&b);
    wfi_chart_graph(&b, "nothing", nodes, 0);
    assert_true(b.len == 0 && !b.failed);
    static const struct {
        double value;
        const char *text;
    } ticks[] = {{0.25, "0.25"},    {-40, "-40"},    {840.2, "840"},   {9000, "9000"},
                 {12345, "12.3 k"}, {999600, "1 M"}, {2.5e6, "2.5 M"}, {3e9, "3 G"}};
    for (size_t i = 0; i < sizeof ticks / sizeof *ticks; i++) {
        char text[24];
        wfi_chart_tick(text, ticks[i].value);
        assert_string_equal(ticks[i].text, text);
    }
}

/* Numbers of points that lie on one another stand apart, and off the points. */
static void test_points_apart(void **state) {
    (void)state;
    static const wf_point points[] = {{"a", 10, 70}, {"b", 10, 70}, {"c", 10, 70.1}, {"d", 20, 60}};
    double x[4], y[4], cx, cy;
    wf_buffer b = {0};
    wfi_chart_points(&b, "t", "x", "y", points, 4);
    const char *p = b.data;
    for (int i = 0; i < 4; i++) {
        p = strstr(p, "</title><circle cx=");
        assert_non_null(p);
        p = strstr(p, "<text class=\"small\"");
        assert_non_null(p);
        assert_int_equal(2, sscanf(p, "<text class=\"small\" x=\"%lf\" y=\"%lf\"", &x[i], &y[i]));
    }
    p = strstr(b.data, "</title><circle cx=");
    assert_int_equal(2, sscanf(p, "</title><circle cx=\"%lf\" cy=\"%lf\"", &cx, &cy));
    for (int i = 0; i < 3; i++) {
        assert_true(fabs(x[i] - cx) > 10 || fabs(y[i] - 4 - cy) > 10);
        for (int k = 0; k < i; k++) assert_true(fabs(x[i] - x[k]) > 12 || fabs(y[i] - y[k]) > 10);
    }
    wfi_buffer_clear(&b);
}

/* ---- the page of a lab ---- */

static char top[256];

static const char *at(const char *name) {
    static char path[4][400];
    static int k;
    k = (k + 1) % 4;
    snprintf(path[k], sizeof path[k], "%s/%s", top, name);
    return path[k];
}

static char *page_of(wf_lab *lab) {
    char *bytes = NULL, *text;
    size_t size = 0;
    check_ok(wf_report(lab, at("page.html"), NULL, err));
    check_ok(wfi_file_read(at("page.html"), 1 << 26, &bytes, &size, err));
    text = strdup(bytes);
    wf_free(bytes);
    balanced(text);
    /* nothing is fetched: no addresses but fragments and the empty icon, no scripts, no imports */
    for (const char *p = text; (p = strstr(p, "href=\"")); p++)
        assert_true(p[6] == '#' || strncmp(p + 6, "data:,\"", 7) == 0);
    static const char *const never[] = {
        "<script", " src=\"", "url(", "@import", "http:", "https:", "<iframe", "<img", "onload", "<base"};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) lacks(text, never[i]);
    static const char *const always[] = {"<!doctype html>",
                                         "<html lang=\"en\">",
                                         "<meta charset=\"utf-8\">",
                                         "name=\"viewport\"",
                                         "prefers-color-scheme:dark",
                                         "@media print",
                                         "id=\"tasks\"",
                                         "id=\"models\"",
                                         "id=\"lineage\"",
                                         "id=\"comparisons\"",
                                         "id=\"attention\"",
                                         "id=\"speed\"",
                                         "id=\"runs\""};
    for (size_t i = 0; i < sizeof always / sizeof *always; i++) has(text, always[i]);
    return text;
}

/* The last bench: bars of the works that have rates, all of them in the table, a curve; text of others is only text. */
static void test_speed(void **state) {
    (void)state;
    static const char bench[] =
        "{\"finished\":\"2026-01-31T12:00:00Z\",\"machine\":{\"cpu\":\"a <b> c\",\"threads\":2},"
        "\"base\":{\"name\":\"tiny\",\"random\":true,\"layers\":2,\"hidden_size\":32},"
        "\"texts\":{\"mean_tokens\":12.4},\"gemm\":[{\"dtype\":\"f32\",\"by\":\"oneDNN\",\"gflops\":222.3},"
        "{\"dtype\":\"int8\",\"by\":\"weft\",\"gflops\":333.3}],\"works\":["
        "{\"work\":\"train:fuse:4\",\"base_dtype\":\"bf16\",\"tokens_per_second\":3187.4,\"tokens_per_second_low\":"
        "2555,"
        "\"tokens_per_second_high\":3202,\"seconds_per_step\":0.2572,\"share_of_peak\":0.541,\"peak_rss_bytes\":"
        "10485760},"
        "{\"work\":\"latency:plain\",\"base_dtype\":\"f32\",\"tokens_per_second\":5844,\"tokens_per_second_low\":5340,"
        "\"tokens_per_second_high\":9441,\"seconds_per_step\":0.00548,\"share_of_peak\":0.29,\"peak_rss_bytes\":null,"
        "\"median_ms\":4.301,\"p90_ms\":7.624}],"
        "\"growth\":[{\"growth\":\"grow:fuse\",\"points\":[{\"x\":2,\"tokens_per_second\":100,"
        "\"peak_rss_bytes\":5242880},{\"x\":4,\"tokens_per_second\":90,\"peak_rss_bytes\":7340032}]}]}";
    wf_lab *lab = NULL;
    snprintf(top, sizeof top, "%s", check_temp_dir());
    check_ok(wf_lab_init(at("lab"), err));
    check_ok(wf_lab_open(at("lab"), &lab, err));
    char *text = page_of(lab);
    has(text, "Not measured yet");
    free(text);
    tiny_write(at("lab"), "bench.json", bench);
    text = page_of(lab);
    has(text,
        "2026-01-31T12:00:00Z on a &lt;b&gt; c, 2 threads, with base tiny, random weights (2 layers, width 32), 12 "
        "tokens a text");
    has(text, "f32 222 GFLOP/s, int8 (weft's kernel) 333 GFLOP/s");
    has(text, "<desc>train:fuse:4: 3187. </desc>");
    has(text, "<td>train:fuse:4</td><td>bf16</td><td class=\"n\">3187</td><td class=\"n\">2555</td>");
    has(text, "<td class=\"n\">257.20</td><td class=\"n\">54</td><td class=\"n\">10</td>");
    has(text, "<td class=\"n\">–</td><td class=\"n\">4.30</td><td class=\"n\">7.62</td>");
    has(text, "tokens a second: 100 at 2, 90 at 4.");
    has(text, "MiB: 5 at 2, 7 at 4.");
    assert_int_equal(3, count_of(text, "role=\"img\""));
    lacks(text, ">nan<");
    free(text);
    tiny_write(at("lab"), "bench.json", "{");
    text = page_of(lab);
    has(text, "class=\"warn\"");
    has(text, "bench.json");
    free(text);
    wf_lab_close(lab);
    check_ok(wfi_tree_remove(top, err));
}

static void test_page(void **state) {
    (void)state;
    wf_lab *lab = NULL;
    snprintf(top, sizeof top, "%s", check_temp_dir());
    tiny_base(at("base"));
    tiny_task(at("notes"), 2, 60, 12, 12);
    tiny_write(top, "evil.csv",
               "text,label\ngood film,<script>alert(1)</script>\nbad film,\"\"\"><img src=x>\"\na "
               "film,<script>alert(1)</script>\nthe film,\"\"\"><img src=x>\"\n"
               "fine film,<script>alert(1)</script>\nawful film,\"\"\"><img src=x>\"\n");
    check_ok(wf_lab_init(at("lab"), err));
    check_ok(wf_lab_open(at("lab"), &lab, err));
    free(page_of(lab)); /* an empty lab has a page too */
    check_ok(wf_base_add(lab, "tiny", at("base"), NULL, err));
    check_ok(wf_task_add(lab, &(wf_task_spec){.name = "notes", .path = at("notes")}, NULL, err));
    check_ok(wf_task_add(lab,
                         &(wf_task_spec){.name = "evil", .path = at("evil.csv"), .dev_share = 0.34, .test_share = 0.34},
                         NULL, err));
    check_ok(wf_train(lab, &(wf_train_spec){.task = "notes", .name = "a", .epochs = 1}, NULL, err));
    check_ok(wf_train(lab, &(wf_train_spec){.task = "notes", .name = "b", .epochs = 1, .seed = 1}, NULL, err));
    const char *from[] = {"a", "b"};
    check_ok(wf_train(lab,
                      &(wf_train_spec){.task = "notes",
                                       .method = "fusion",
                                       .name = "f",
                                       .epochs = 1,
                                       .from = from,
                                       .from_count = 2,
                                       .keep_fusion = 1},
                      NULL, err));
    const char *methods[] = {"head", "fuse:a,b"};
    const int64_t sizes[] = {16, 32};
    check_ok(wf_compare(lab,
                        &(wf_compare_spec){.task = "notes",
                                           .methods = methods,
                                           .method_count = 2,
                                           .rows = sizes,
                                           .rows_count = 2,
                                           .seeds = 2,
                                           .train = {.epochs = 1}},
                        NULL, err));
    char *text = page_of(lab);
    has(text, "&lt;script&gt;alert(1)&lt;/script&gt;");
    has(text, "&quot;&gt;&lt;img src=x");
    has(text, "notes (run 4, ");
    has(text, "16 rows: fuse:a,b has accuracy");
    has(text, "f: mean attention per layer and adapter");
    has(text, "<td>a, b</td>");
    has(text, "base tiny. task notes. task evil. model a from ");
    /* two curves, quality over seconds and over parameters, one heat map, lineage */
    assert_int_equal(6, count_of(text, "role=\"img\""));
    free(text);
    check_status(WF_E_ARG, wf_report(lab, top, NULL, err));
    check_status(WF_E_NOTFOUND, wf_report(lab, at("absent/page.html"), NULL, err));
    wf_lab_close(lab);
    check_ok(wfi_tree_remove(top, err));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_verdicts),
                                       cmocka_unit_test(test_cost_and_claims),
                                       cmocka_unit_test(test_rates_and_memory),
                                       cmocka_unit_test(test_paired_interval),
                                       cmocka_unit_test(test_scores),
                                       cmocka_unit_test(test_charts),
                                       cmocka_unit_test(test_graph),
                                       cmocka_unit_test(test_points_apart),
                                       cmocka_unit_test(test_speed),
                                       cmocka_unit_test(test_page)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
