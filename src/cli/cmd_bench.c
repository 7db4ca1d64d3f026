/* cli/cmd_bench.c - weft bench. */
#include "cli/cli.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void number_cell(cli_table *t, const char *format, double value) {
    if (isnan(value))
        cli_cell(t, true, "-");
    else
        cli_cell(t, true, format, value);
}

static void rates_cells(cli_table *t, const json_t *j) {
    char rate[16], low[16], high[16];
    cli_count(rate, cli_number(j, "tokens_per_second"));
    cli_count(low, cli_number(j, "tokens_per_second_low"));
    cli_count(high, cli_number(j, "tokens_per_second_high"));
    cli_cell(t, true, "%s", rate);
    cli_cell(t, true, "%s - %s", low, high);
    cli_cell(t, true, "%.2f", 1e3 * cli_number(j, "seconds_per_step"));
    number_cell(t, "%.0f", 100 * cli_number(j, "share_of_peak"));
}

static void heads_cells(cli_table *t) {
    cli_cell(t, true, "tokens/s");
    cli_cell(t, true, "lowest - highest");
    cli_cell(t, true, "ms/step");
    cli_cell(t, true, "%% of peak");
}

static void works_show(const json_t *works) {
    size_t i;
    const json_t *w;
    if (json_array_size(works) == 0) return;
    cli_table *t = cli_table_new();
    cli_cell(t, false, "work");
    cli_cell(t, false, "base");
    heads_cells(t);
    cli_cell(t, true, "MiB");
    cli_cell(t, true, "median ms");
    cli_cell(t, true, "p90 ms");
    cli_row(t);
    json_array_foreach(works, i, w) {
        cli_cell(t, false, "%s", cli_text(w, "work"));
        cli_cell(t, false, "%s", cli_text(w, "base_dtype"));
        rates_cells(t, w);
        number_cell(t, "%.0f", cli_number(w, "peak_rss_bytes") / 1048576);
        number_cell(t, "%.2f", cli_number(w, "median_ms"));
        number_cell(t, "%.2f", cli_number(w, "p90_ms"));
        cli_row(t);
    }
    cli_table_print(t);
}

static const char *axis(const char *growth) {
    static const char *const names[][2] = {{"grow:fuse", "adapters"},
                                           {"grow:length", "tokens a text"},
                                           {"grow:batch", "texts a step"},
                                           {"grow:threads", "threads"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(growth, names[i][0]) == 0) return names[i][1];
    return "";
}

static void growth_show(const json_t *g) {
    size_t i;
    const json_t *p;
    cli_table *t = cli_table_new();
    const bool threads = strcmp(cli_text(g, "growth"), "grow:threads") == 0;
    printf("\n%s: %s\n", cli_text(g, "growth"), cli_text(g, "work"));
    cli_cell(t, true, "%s", axis(cli_text(g, "growth")));
    heads_cells(t);
    cli_cell(t, true, "MiB");
    cli_cell(t, true, threads ? "efficiency" : "step, first = 1");
    cli_row(t);
    json_array_foreach(json_object_get(g, "points"), i, p) {
        cli_cell(t, true, "%.0f", cli_number(p, "x"));
        rates_cells(t, p);
        number_cell(t, "%.0f", cli_number(p, "peak_rss_bytes") / 1048576);
        cli_cell(t, true, "%.2f", cli_number(p, threads ? "scaling_efficiency" : "step_ratio"));
        cli_row(t);
    }
    cli_table_print(t);
}

static void bench_show(const json_t *j) {
    const json_t *machine = json_object_get(j, "machine"), *base = json_object_get(j, "base"), *g;
    size_t i;
    printf("%s, %s, %.0f threads; base %s%s: %.0f layers, width %.0f; %.0f tokens a text\n", cli_text(machine, "cpu"),
           cli_text(machine, "isa"), cli_number(machine, "threads"), cli_text(base, "name"),
           json_is_true(json_object_get(base, "random")) ? " (random weights)" : "", cli_number(base, "layers"),
           cli_number(base, "hidden_size"), cli_number(json_object_get(j, "texts"), "mean_tokens"));
    printf("fastest matrix products:");
    json_array_foreach(json_object_get(j, "gemm"), i, g)
        printf("%s %s%s %.0f GFLOP/s", i ? "," : "", cli_text(g, "dtype"),
               strcmp(cli_text(g, "by"), "weft") == 0 ? " (weft's kernel)" : "", cli_number(g, "gflops"));
    puts("");
    works_show(json_object_get(j, "works"));
    json_array_foreach(json_object_get(j, "growth"), i, g) growth_show(g);
    if (json_array_size(json_object_get(j, "growth")) == 0)
        puts("\nCurves over adapters, the length of texts, the batch and threads: --work grow:fuse,grow:length,"
             "grow:batch,grow:threads, or --work all");
}

/* A lab is optional: without one, and without a word about a base, random weights are measured. */
static int lab_open(const cli_args *a, wf_bench_spec *s, wf_lab **lab) {
    const bool asked = strcmp(a->lab, ".") != 0, there = access("weft.db", F_OK) == 0;
    if (asked || there) return cli_open(a, lab);
    if (s->base || s->from_count) return cli_open(a, lab); /* says that there is no lab */
    if (!s->size) s->size = "minilm";
    s->threads = (int)a->threads;
    s->progress = cli_progress();
    s->progress_user = (void *)(uintptr_t)a;
    return EXIT_DONE;
}

static int bench(const cli_args *a, wf_bench_spec *s) {
    wf_lab *lab = NULL;
    wf_err err = {0};
    char *text = NULL;
    const int code = lab_open(a, s, &lab);
    if (code != EXIT_DONE) return code;
    const wf_status st = wf_bench(lab, s, &text, &err);
    wf_lab_close(lab);
    return cli_finish(a, st, &err, text, bench_show);
}

static int run(const cli_args *a) {
    wf_bench_spec s = a->bench;
    if (a->rounds < 0 || a->rounds > 100) return cli_usage("--rounds must lie in [1, 100]");
    s.rounds = (int)a->rounds;
    char **works = a->works ? cli_list(a->works, ',', &s.work_count) : NULL,
         **from = a->from ? cli_list(a->from, ',', &s.from_count) : NULL;
    s.works = (const char *const *)works;
    s.from = (const char *const *)from;
    int code = EXIT_DONE;
    if ((a->works && !works) || (a->from && !from))
        code = cli_fail(WF_E_NOMEM, &(wf_err){.text = "out of memory"});
    else if ((works && !s.work_count) || (from && !s.from_count))
        code = cli_usage("%s names none", works && !s.work_count ? "--work" : "--from");
    else
        code = bench(a, &s);
    cli_list_free(works, s.work_count);
    cli_list_free(from, s.from_count);
    return code;
}

static const cli_option options[] = {
    {"--work", "LIST",
     "works to measure, such as gemm,train:seq_bn,train:fuse:8,infer:plain@f32,latency:plain,grow:fuse; or default, "
     "all",
     CLI_TEXT, CLI_AT(works)},
    {"--base", "NAME", "the base to run (default: the lab's only one)", CLI_TEXT, CLI_AT(bench.base)},
    {"--size", "S", "random weights instead of a base: minilm (default without a lab) or bert-base", CLI_TEXT,
     CLI_AT(bench.size)},
    {"--texts", "FILE", "real texts: JSONL, CSV or TSV, or a text a line (default: random tokens)", CLI_TEXT,
     CLI_AT(bench.texts)},
    {"--from", "A,B,...", "trained adapters to run and to fuse; random ones follow where there are too few", CLI_TEXT,
     CLI_AT(from)},
    {"--base-dtype", "T", "f32, bf16, int8 or auto: int8 or bf16 where this machine is faster with it (default)",
     CLI_TEXT, CLI_AT(bench.base_dtype)},
    {"--seconds", "S", "seconds of each work, all rounds together (default: 3)", CLI_AMOUNT, CLI_AT(bench.seconds)},
    {"--rounds", "R", "rounds; the median counts (default: 5)", CLI_COUNT, CLI_AT(rounds)},
    {"--batch-rows", "N", "texts a step (default: 32 in training, 64 in inference)", CLI_COUNT,
     CLI_AT(bench.batch_rows)},
    {"--outputs", "FILE", "write what the inference works make of the first 64 texts", CLI_TEXT, CLI_AT(bench.outputs)},
    {"--parts", "DIR", "write the adapters and fusions of the inference works, for other programs to load", CLI_TEXT,
     CLI_AT(bench.parts)},
    {NULL, NULL, NULL, CLI_FLAG, 0},
};

const cli_command cli_bench = {
    .name = "bench",
    .words = "",
    .options = options,
    .run = run,
    .summary = "measure the speed of training and inference on this machine",
    .text =
        "Works are measured in rounds, in turn, so that a machine that slows down does so for all. Tokens are real "
        "ones, without padding. The peak is\n"
        "that of the fastest matrix product in the type of each part, by as many threads. Memory is that of a process "
        "doing this work alone. Works are gemm, train:METHOD,\n"
        "train:head, train:full, train:fuse:N, infer:plain, infer:METHOD, infer:fuse:N, latency:plain, "
        "latency:METHOD, latency:fuse:N, grow:fuse,\n"
        "grow:length, grow:batch, grow:threads; @TYPE behind a work sets its base's type. grow:... are curves of "
        "training: over the adapters "
        "of a fusion, tokens a text, texts a step,\n"
        "threads. Without --work there are none of them; --work all has them, every method and every type, and takes "
        "some minutes. The result is kept\n"
        "for weft report.",
    .example = "weft bench --texts reviews.txt --work train:seq_bn,train:fuse:8,infer:fuse:8",
};
