/* cli/complete.c - bash completion: commands and options out of the tables, values that are words of a list, and what
 * the lab holds, which the script asks this program for (weft __names KIND). */
#include "cli/cli.h"
#include <stdio.h>
#include <string.h>

/* What may stand behind an option: words, and "@KIND" for names of the lab. command NULL: of any command. */
static const struct {
    const char *command, *option, *words;
} values[] = {
    {"joint", "--method", "adapter multihead seq_bn double_seq_bn par_bn scaled_par_bn adapter_plus lora"},
    {NULL, "--method", "seq_bn double_seq_bn par_bn scaled_par_bn adapter_plus lora head full"},
    {NULL, "--methods",
     "head full seq_bn double_seq_bn par_bn scaled_par_bn adapter_plus lora fuse: average: weighted: best: joint: "
     "multihead: mtfuse:"},
    {NULL, "--base", "@base"},
    {NULL, "--from", "auto @model"},
    {NULL, "--task", "@task"},
    {NULL, "--model", "@model"},
    {NULL, "--base-dtype", "f32 bf16 int8 auto"},
    {NULL, "--schedule", "linear cosine constant"},
    {NULL, "--class-weights", "auto sqrt balanced none"},
    {NULL, "--class-sampling", "natural sqrt balanced"},
    {NULL, "--pooling", "mean cls pooler"},
    {NULL, "--config", "dynamic static"},
    {NULL, "--sampling", "proportional equal sqrt temperature: annealed dynamic"},
    {NULL, "--loss-weights", "uniform uncertainty gradnorm pcgrad"},
    {"gate set", "--split", "test dev"},
    {NULL, "--split", "test dev train"},
    {NULL, "--kind", "classification pair regression multiple_choice multilabel"},
    {"prune", "--by", "leave-one-out attention"},
    {"rank", "--by", "all leep neighbours fisher"},
    {NULL, "--kinds", "typo drop swap case punctuation accents words contraction prefix synonym"},
    {NULL, "--size", "minilm bert-base"},
};

static const char *words_of(const char *command, const char *option) {
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (strcmp(values[i].option, option) == 0 && (!values[i].command || strcmp(values[i].command, command) == 0))
            return values[i].words;
    return NULL;
}

static void names_print(const cli_option *options) {
    for (size_t i = 0; options && options[i].name; i++) printf("%s ", options[i].name);
}

/* A pattern of the case over the word before: what comes behind it. A text may be a file. */
static void values_print(const char *command, const cli_option *options) {
    for (size_t i = 0; options && options[i].name; i++) {
        const char *words = words_of(command, options[i].name), *kind = words ? strchr(words, '@') : NULL;
        const bool text = options[i].type == CLI_TEXT || options[i].type == CLI_ANY;
        if (!options[i].value) continue;
        if (!words) words = "";
        printf("        %s) value=1 words=\"%.*s\" kind=%s ;;\n", options[i].name,
               kind ? (int)(kind - words) : (int)strlen(words), words,
               kind              ? kind + 1
               : *words || !text ? "none"
                                 : "");
    }
}

/* The second words of the commands that begin with `first`. */
static void group_print(const char *first, size_t n) {
    for (size_t i = 0; cli_commands[i]; i++)
        if (strncmp(cli_commands[i]->name, first, n) == 0 && cli_commands[i]->name[n] == ' ')
            printf("%s ", cli_commands[i]->name + n + 1);
}

static void command_print(const cli_command *c) {
    printf("    \"%s \"*)\n        options=\"", c->name);
    names_print(c->options);
    names_print(cli_globals);
    printf("\" kind=%s\n", c->names ? c->names : "");
    if (!strchr(c->name, ' ')) {
        fputs("        [ -z \"$second\" ] && words=\"", stdout);
        group_print(c->name, strlen(c->name));
        puts("\"");
    }
    puts("        case $before in");
    values_print(c->name, c->options);
    values_print(c->name, cli_globals);
    puts("        esac ;;");
}

static bool first_of_its_word(size_t i) {
    const size_t n = strcspn(cli_commands[i]->name, " ");
    for (size_t k = 0; k < i; k++)
        if (strncmp(cli_commands[k]->name, cli_commands[i]->name, n) == 0 && strchr(" ", cli_commands[k]->name[n]))
            return false;
    return true;
}

static const char head[] =
    "# bash completion for weft\n"
    "_weft() {\n"
    "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command= second= i\n"
    "    local options= words= kind= value= begun=\n"
    "    local -a lab=()\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        case ${COMP_WORDS[i]} in\n"
    "        -C) ((i++)); lab=(-C \"${COMP_WORDS[i]/#\\~/$HOME}\") ;;\n"
    "        --threads) ((i++)) ;;\n"
    "        -*) ;;\n"
    "        *) if [ -z \"$command\" ]; then command=${COMP_WORDS[i]}; elif [ -z \"$second\" ]; then "
    "second=${COMP_WORDS[i]}; fi ;;\n"
    "        esac\n"
    "    done\n"
    "    case \"$command $second \" in";

static const char tail[] =
    "    esac\n"
    "    [[ $word == *,* ]] && begun=${word%,*},\n"
    "    case $kind in\n"
    "    '' | none) ;;\n"
    "    *) words=\"$words $(\"${COMP_WORDS[0]}\" ${lab[@]+\"${lab[@]}\"} __names \"$kind\" 2>/dev/null)\" ;;\n"
    "    esac\n"
    "    [ -z \"$value\" ] && [[ -z $word || $word == -* ]] && words=\"$words $options\"\n"
    "    COMPREPLY=($(compgen -P \"$begun\" -W \"$words\" -- \"${word#\"$begun\"}\"))\n"
    "    [ -z \"$kind\" ] && [ -n \"$command\" ] && [[ $word != -* ]] && COMPREPLY+=($(compgen -f -- \"$word\"))\n"
    "    return 0\n"
    "}\n"
    "complete -o filenames -F _weft weft";

int cli_complete_bash(void) {
    puts(head);
    for (int two = 1; two >= 0; two--) /* "gate set " before "gate " */
        for (size_t i = 0; cli_commands[i]; i++)
            if ((strchr(cli_commands[i]->name, ' ') != NULL) == two) command_print(cli_commands[i]);
    for (size_t i = 0; cli_commands[i]; i++) { /* "base", which is no command by itself */
        const int n = (int)strcspn(cli_commands[i]->name, " ");
        if (!cli_commands[i]->name[n] || !first_of_its_word(i)) continue;
        printf("    \"%.*s  \") kind=none words=\"", n, cli_commands[i]->name);
        group_print(cli_commands[i]->name, (size_t)n);
        puts("--help\" ;;");
    }
    fputs("    \"  \" | \"help  \") kind=none words=\"help ", stdout);
    for (size_t i = 0; cli_commands[i]; i++)
        if (first_of_its_word(i)) printf("%.*s ", (int)strcspn(cli_commands[i]->name, " "), cli_commands[i]->name);
    fputs("\" options=\"", stdout);
    names_print(cli_globals);
    puts("--version\"\n        case $before in\n        -C) value=1 words= kind= command=-C ;;\n        esac ;;");
    puts(tail);
    return EXIT_DONE;
}

int cli_names(const cli_args *a, const char *kind) {
    static const char *const lists[][2] = {{"base", "bases"}, {"task", "tasks"}, {"model", "models"}, {"run", "runs"}};
    wf_lab *lab = NULL;
    wf_err err = {0};
    char *text = NULL;
    const int code = cli_open(a, &lab);
    if (code != EXIT_DONE) return code;
    const wf_status st = wf_list(lab, &text, &err);
    json_t *all = st == WF_OK ? json_loads(text, 0, NULL) : NULL, *one;
    for (size_t k = 0, i; k < 4; k++) {
        if (strcmp(kind, lists[k][0]) != 0 && (strcmp(kind, "any") != 0 || k == 3)) continue;
        json_array_foreach(json_object_get(all, lists[k][1]), i, one) {
            if (k == 3)
                printf("%.0f\n", cli_number(one, "run"));
            else
                puts(cli_text(one, "name"));
        }
    }
    json_decref(all);
    wf_free(text);
    wf_lab_close(lab);
    return st == WF_OK ? EXIT_DONE : cli_fail(st, &err);
}
