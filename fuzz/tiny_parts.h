/* fuzz/tiny_parts.h - weights of a base of 2 layers and 8 wide, and its shape. */
#ifndef WF_FUZZ_TINY_PARTS_H
#define WF_FUZZ_TINY_PARTS_H
#include "adapters/adapter.h"
#include "formats/safetensors.h"
#include "fuzz.h"
#include <stdio.h>

enum { TINY_HIDDEN = 8, TINY_LAYERS = 2, TINY_FFN = 16, TINY_WORDS = 10, TINY_POSITIONS = 12 };
static const wf_base_shape tiny_shape = {
    .layers = TINY_LAYERS, .hidden_size = TINY_HIDDEN, .intermediate_size = TINY_FFN};

static inline void tiny_base_weights(void) {
    static const float values[TINY_FFN * TINY_HIDDEN];
    static const struct {
        const char *name;
        int64_t rows, cols;
    } top[] = {{"embeddings.word_embeddings.weight", TINY_WORDS, TINY_HIDDEN},
               {"embeddings.position_embeddings.weight", TINY_POSITIONS, TINY_HIDDEN},
               {"embeddings.token_type_embeddings.weight", 2, TINY_HIDDEN},
               {"embeddings.LayerNorm.weight", TINY_HIDDEN, 0},
               {"embeddings.LayerNorm.bias", TINY_HIDDEN, 0}};
    static const struct {
        const char *name;
        int64_t out, in;
    } linear[] = {{"attention.self.query", TINY_HIDDEN, TINY_HIDDEN},
                  {"attention.self.key", TINY_HIDDEN, TINY_HIDDEN},
                  {"attention.self.value", TINY_HIDDEN, TINY_HIDDEN},
                  {"attention.output.dense", TINY_HIDDEN, TINY_HIDDEN},
                  {"attention.output.LayerNorm", TINY_HIDDEN, 0},
                  {"intermediate.dense", TINY_FFN, TINY_HIDDEN},
                  {"output.dense", TINY_HIDDEN, TINY_FFN},
                  {"output.LayerNorm", TINY_HIDDEN, 0}};
    static char names[64][96];
    static wf_tensor tensors[64];
    size_t n = 0;
    for (size_t i = 0; i < sizeof top / sizeof *top; i++) {
        snprintf(names[n], sizeof names[n], "%s", top[i].name);
        tensors[n] = (wf_tensor){
            .name = names[n], .rank = top[i].cols ? 2 : 1, .shape = {top[i].rows, top[i].cols}, .data = values};
        n++;
    }
    for (int layer = 0; layer < TINY_LAYERS; layer++)
        for (size_t i = 0; i < 2 * (sizeof linear / sizeof *linear); i++) {
            const int bias = i % 2;
            const int64_t out = linear[i / 2].out, in = bias ? 0 : linear[i / 2].in;
            snprintf(names[n], sizeof names[n], "encoder.layer.%d.%s.%s", layer, linear[i / 2].name,
                     bias ? "bias" : "weight");
            tensors[n] = (wf_tensor){.name = names[n], .rank = in ? 2 : 1, .shape = {out, in}, .data = values};
            n++;
        }
    WF_FUZZ_HOLDS(wfi_safetensors_write(wf_fuzz_path("model.safetensors"), tensors, n, NULL) == WF_OK);
}
#endif
