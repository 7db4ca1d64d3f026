/* nn/site.h - named attach points of a transformer, and what an engine may hook in there. Layer 4.
 * Models call these at every site and know nothing of adapters; adapters and fusion implement hooks and know nothing of
 * models. Letters as in maths.md: h = sub-layer output after its dropout, x = the residual the model would add, LN =
 * the frozen norm. */
#ifndef WF_NN_SITE_H
#define WF_NN_SITE_H
#include "tape/ops.h"

typedef enum wf_site {
    WF_SITE_ATTN_OUT, /* block site: after attention.output.dense */
    WF_SITE_FFN_OUT,  /* block site: after output.dense (also where parallel adapters act: their input is x) */
    WF_SITE_QUERY,
    WF_SITE_KEY,
    WF_SITE_VALUE,
    WF_SITE_ATTN_DENSE,
    WF_SITE_FFN_UP,
    WF_SITE_FFN_DOWN, /* linear sites */
    WF_SITE_COUNT
} wf_site;
const char *wfi_site_name(wf_site s);

typedef struct wf_pass { /* what every site of one forward pass shares */
    wf_tape *tape;
    int64_t S;
    const int64_t *offsets; /* [S+1] */
    uint64_t key;           /* random key of this step; sites derive theirs from it with layer and site */
} wf_pass;

typedef struct wf_hooks {
    void *self;
    /* Block site: returns y; NULL function or no interest: LN(h + x). */
    wf_value *(*block)(void *self, const wf_pass *pass, wf_site site, int layer, wf_value *h, wf_value *x,
                       const wf_norm *norm);
    /* Linear site: returns y; NULL function or no interest: W x + b. */
    wf_value *(*linear)(void *self, const wf_pass *pass, wf_site site, int layer, wf_value *x, const wf_linear *w);
    /* Sites that `block` or `linear` has an interest in; NULL function: all. */
    bool (*takes)(void *self, wf_site site, int layer);
} wf_hooks;

typedef struct wf_drop { /* a dropout that is still to be done; p 0: none */
    float p;
    uint64_t key;
} wf_drop;

/* The model's side: the hook's answer, or the plain computation when hooks is NULL. h comes before its dropout here, so
 * that the plain computation can do it on the way. */
wf_value *wfi_site_block(const wf_hooks *hooks, const wf_pass *pass, wf_site site, int layer, wf_value *h, wf_drop drop,
                         wf_value *x, const wf_norm *norm);
wf_value *wfi_site_linear(const wf_hooks *hooks, const wf_pass *pass, wf_site site, int layer, wf_value *x,
                          const wf_linear *w);
bool wfi_site_taken(const wf_hooks *hooks, wf_site site, int layer); /* a hook may answer there */
#endif
