/* fuzz/target_checkpoint.c - a checkpoint file, as it is and (so that a fuzzer gets past the hash) with its hash made
 * right. */
#include "base/hash.h"
#include "fuzz.h"
#include "trainer/checkpoint.h"
#include <stdlib.h>
#include <string.h>

static wf_pset set;
static wf_pset *const sets[] = {&set};
static wf_optim *optim;
static float best[12];
static float *const bests[] = {best};

static void setup(void) {
    const int64_t shape[] = {3, 4};
    WF_FUZZ_HOLDS(wfi_pset_add(&set, "w", 2, shape, true) != NULL);
    WF_FUZZ_HOLDS(wfi_pset_commit(&set, NULL) == WF_OK && wfi_pset_trainable(&set, true, NULL) == WF_OK);
    WF_FUZZ_HOLDS(wfi_optim_new(sets, 1, 0.01, &optim, NULL) == WF_OK);
}

static wf_status load(wf_err *err) {
    wf_train_state state = {0};
    bool found = false;
    const wf_status st =
        wfi_checkpoint_load(wf_fuzz_path("checkpoint"), "identity", &state, sets, 1, optim, bests, NULL, &found, err);
    WF_FUZZ_HOLDS(found == (st == WF_OK));
    return st;
}

wf_status wf_fuzz_one(const uint8_t *data, size_t size, wf_err *err) {
    wf_err unused = {0};
    char hex[WF_HASH_HEX];
    if (!optim) setup();
    wf_fuzz_write("checkpoint", data, size);
    const wf_status st = load(err);
    if (size < 64) return st;
    uint8_t *sealed = malloc(size);
    WF_FUZZ_HOLDS(sealed && wfi_hash_bytes(data, size - 64, hex, NULL) == WF_OK);
    memcpy(sealed, data, size - 64);
    memcpy(sealed + size - 64, hex, 64);
    wf_fuzz_write("checkpoint", sealed, size);
    if (load(&unused) != WF_OK) WF_FUZZ_HOLDS(unused.text[0]);
    free(sealed);
    return st;
}
