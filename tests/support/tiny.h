/* tests/support/tiny.h - a tiny random BERT and a small separable task, written to a folder: enough to run everything
 * end to end in a second, with nothing from third parties. */
#ifndef WF_TESTS_TINY_H
#define WF_TESTS_TINY_H
#include "base/file.h"
#include "base/random.h"
#include "check.h"
#include "formats/safetensors.h"

enum { TINY_HIDDEN = 32, TINY_LAYERS = 2, TINY_HEADS = 4, TINY_FFN = 64, TINY_POSITIONS = 64 };

static const char *const TINY_WORDS[] = {"[PAD]", "[UNK]",  "[CLS]", "[SEP]", "[MASK]", "good", "great",
                                         "fine",  "lovely", "bad",   "awful", "poor",   "dull", "film",
                                         "book",  "song",   "the",   "a",     "was",    "is",   "very",
                                         "not",   "##ly",   "##s",   ".",     ",",      "so",   "and"};
enum { TINY_VOCAB = sizeof TINY_WORDS / sizeof *TINY_WORDS };

static inline void tiny_write(const char *dir, const char *name, const char *text) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    check_ok(wfi_file_write(path, text, strlen(text), err));
}

static inline void tiny_tensor(wf_tensor *tensors, size_t *count, const char *name, int64_t rows, int64_t cols,
                               float centre) {
    wf_tensor *t = &tensors[(*count)++];
    const int64_t n = rows * (cols ? cols : 1);
    float *data = malloc((size_t)n * sizeof *data);
    const uint64_t key = wfi_random_key(7, name, 0, 0);
    for (int64_t i = 0; i < n; i++) data[i] = centre + 0.08f * wfi_random_normal(key, (uint64_t)i);
    *t = (wf_tensor){
        .name = strdup(name), .dtype = WF_DTYPE_F32, .rank = cols ? 2 : 1, .shape = {rows, cols}, .data = data};
}

static inline void tiny_pair(wf_tensor *tensors, size_t *count, const char *stem, int64_t out, int64_t in) {
    char name[128];
    snprintf(name, sizeof name, "%s.weight", stem);
    tiny_tensor(tensors, count, name, out, in, in ? 0.0f : 1.0f);
    snprintf(name, sizeof name, "%s.bias", stem);
    tiny_tensor(tensors, count, name, out, 0, 0.0f);
}

/* A Hugging Face style folder. */
static inline void tiny_base(const char *dir) {
    wf_tensor tensors[128];
    size_t count = 0;
    char path[512], stem[96];
    check_ok(wfi_dir_make(dir, err));
    tiny_write(dir, "config.json",
               "{\"model_type\":\"bert\",\"hidden_size\":32,\"num_hidden_layers\":2,\"num_attention_heads\":4,"
               "\"intermediate_size\":64,\"vocab_size\":28,"
               "\"max_position_embeddings\":64,\"type_vocab_size\":2,\"layer_norm_eps\":1e-12,\"hidden_act\":\"gelu\","
               "\"hidden_dropout_prob\":0.1,"
               "\"attention_probs_dropout_prob\":0.1}");
    tiny_write(dir, "tokenizer_config.json", "{\"do_lower_case\": true}");
    char vocab[1024] = "";
    for (int i = 0; i < TINY_VOCAB; i++) strcat(strcat(vocab, TINY_WORDS[i]), "\n");
    tiny_write(dir, "vocab.txt", vocab);
    snprintf(path, sizeof path, "%s/1_Pooling", dir);
    check_ok(wfi_dir_make(path, err));
    tiny_write(dir, "1_Pooling/config.json", "{\"pooling_mode_mean_tokens\": true}");
    tiny_tensor(tensors, &count, "embeddings.word_embeddings.weight", TINY_VOCAB, TINY_HIDDEN, 0);
    tiny_tensor(tensors, &count, "embeddings.position_embeddings.weight", TINY_POSITIONS, TINY_HIDDEN, 0);
    tiny_tensor(tensors, &count, "embeddings.token_type_embeddings.weight", 2, TINY_HIDDEN, 0);
    tiny_pair(tensors, &count, "embeddings.LayerNorm", TINY_HIDDEN, 0);
    for (int i = 0; i < TINY_LAYERS; i++) {
        const struct {
            const char *name;
            int64_t out, in;
        } rows[] = {{"attention.self.query", TINY_HIDDEN, TINY_HIDDEN},
                    {"attention.self.key", TINY_HIDDEN, TINY_HIDDEN},
                    {"attention.self.value", TINY_HIDDEN, TINY_HIDDEN},
                    {"attention.output.dense", TINY_HIDDEN, TINY_HIDDEN},
                    {"attention.output.LayerNorm", TINY_HIDDEN, 0},
                    {"intermediate.dense", TINY_FFN, TINY_HIDDEN},
                    {"output.dense", TINY_HIDDEN, TINY_FFN},
                    {"output.LayerNorm", TINY_HIDDEN, 0}};
        for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
            snprintf(stem, sizeof stem, "encoder.layer.%d.%s", i, rows[k].name);
            tiny_pair(tensors, &count, stem, rows[k].out, rows[k].in);
        }
    }
    tiny_pair(tensors, &count, "pooler.dense", TINY_HIDDEN, TINY_HIDDEN);
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    check_ok(wfi_safetensors_write(path, tensors, count, err));
    for (size_t i = 0; i < count; i++) {
        free((void *)tensors[i].name);
        free((void *)tensors[i].data);
    }
}

/* DIR/{train,dev,test}.jsonl: short reviews whose label is the mood of their adjective; `salt` varies the sentences. */
static inline void tiny_task(const char *dir, uint64_t salt, int train, int dev, int test) {
    static const char *const good[] = {"good", "great", "fine", "lovely"},
                             *const bad[] = {"bad", "awful", "poor", "dull"}, *const nouns[] = {"film", "book", "song"},
                             *const middles[] = {"was", "is", "was very", "is so"};
    const int counts[] = {train, dev, test};
    const char *const names[] = {"train.jsonl", "dev.jsonl", "test.jsonl"};
    const uint64_t key = wfi_random_key(salt, "tiny task", 0, 0);
    uint64_t at = 0;
    check_ok(wfi_dir_make(dir, err));
    for (int part = 0; part < 3; part++) {
        char *text = calloc((size_t)counts[part] + 1, 128);
        size_t n = 0;
        for (int i = 0; i < counts[part]; i++) {
            const int positive = i % 2;
            const char *word = (positive ? good : bad)[wfi_random_below(key, at, 4)],
                       *noun = nouns[wfi_random_below(key, at + 1, 3)],
                       *middle = middles[wfi_random_below(key, at + 2, 4)];
            at += 4;
            n += (size_t)sprintf(text + n, "{\"text\": \"the %s %s %s %d\", \"label\": \"%s\"}\n", noun, middle, word,
                                 i, positive ? "positive" : "negative");
        }
        tiny_write(dir, names[part], text);
        free(text);
    }
}
#endif
