/* fusion/fusion_watch.c - memory of the attention read-out. See fusion.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "fusion/fusion.h"

wf_status wfi_fusion_watch_on(wf_fusion *f, wf_err *err) {
    const size_t blocks = wfi_fusion_blocks(f);
    wf_fusion_watch *w = wfi_alloc(1, sizeof *w);
    if (w) {
        *w = (wf_fusion_watch){.blocks = blocks, .adapters = f->count};
        w->sum = wfi_alloc(blocks * f->count, sizeof *w->sum);
        w->entropy = wfi_alloc(blocks, sizeof *w->entropy);
    }
    if (!w || !w->sum || !w->entropy) {
        if (w) {
            wfi_free(w->sum);
            wfi_free(w->entropy);
        }
        wfi_free(w);
        return wfi_fail(err, WF_E_NOMEM, "out of memory");
    }
    wfi_fusion_watch_off(f);
    f->watch = w;
    return WF_OK;
}

void wfi_fusion_watch_off(wf_fusion *f) {
    if (!f->watch) return;
    wfi_free(f->watch->sum);
    wfi_free(f->watch->entropy);
    wfi_free(f->watch);
    f->watch = NULL;
}
