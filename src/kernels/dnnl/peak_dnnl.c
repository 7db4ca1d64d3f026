/* kernels/dnnl/peak_dnnl.c - see gemm_peak.h. Layer 2. The primitive is made once: only the product is to be timed. */
#include "base/alloc.h"
#include "base/error.h"
#include "kernels/dnnl/dnnl_compat.h"
#include "kernels/gemm_peak.h"

struct wf_byte_product {
    dnnl_engine_t engine; /* borrowed */
    shape_desc a, b, c;
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t primitive;
    dnnl_memory_t memory; /* of B, around data */
    dnnl_stream_t stream;
    void *data;
};

#define DNNL_TRY(call)                                                                                                 \
    do {                                                                                                               \
        dnnl_status_t try_status_ = (call);                                                                            \
        if (try_status_ != dnnl_success) return try_status_;                                                           \
    } while (0)

static wf_status failed(dnnl_status_t st, wf_err *err) {
    return wfi_fail(err,
                    st == dnnl_out_of_memory   ? WF_E_NOMEM
                    : st == dnnl_unimplemented ? WF_E_UNSUPPORTED
                                               : WF_E_LIBRARY,
                    "oneDNN product in 8 bits failed with status %d", (int)st);
}

static dnnl_status_t describe(wf_byte_product *p, int64_t m, int64_t k, int64_t n) {
    shape_desc any = {0};
    DNNL_TRY(wfk_dnnl_ready(&p->engine));
    DNNL_TRY(desc_strided(&p->a, dnnl_u8, (dnnl_dims_t){m, k}, (dnnl_dims_t){k, 1}));
    DNNL_TRY(desc_strided(&p->c, dnnl_s32, (dnnl_dims_t){m, n}, (dnnl_dims_t){n, 1}));
    DNNL_TRY(desc_any(&any, dnnl_s8, (dnnl_dims_t){k, n}));
    const dnnl_status_t st =
        matmul_desc(&p->pd, p->engine, desc_arg(&p->a), desc_arg(&any), NULL, desc_arg(&p->c), NULL);
    desc_clear(&any);
    DNNL_TRY(st);
    DNNL_TRY(desc_copy(&p->b, dnnl_primitive_desc_query_md(p->pd, dnnl_query_weights_md, 0)));
    DNNL_TRY(dnnl_primitive_create(&p->primitive, p->pd));
    return dnnl_stream_create(&p->stream, p->engine, dnnl_stream_default_flags);
}

/* b [k,n] into the layout that was chosen. */
static dnnl_status_t fill(const wf_byte_product *p, dnnl_memory_t from, md_arg plain) {
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_status_t st = dnnl_reorder_primitive_desc_create(&pd, plain, p->engine, desc_arg(&p->b), p->engine, NULL);
    if (st == dnnl_success) st = dnnl_primitive_create(&reorder, pd);
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, p->memory}};
    if (st == dnnl_success) st = dnnl_primitive_execute(reorder, p->stream, 2, args);
    if (st == dnnl_success) st = dnnl_stream_wait(p->stream);
    if (reorder) dnnl_primitive_destroy(reorder);
    if (pd) dnnl_primitive_desc_destroy(pd);
    return st;
}

static dnnl_status_t pack(wf_byte_product *p, int64_t k, int64_t n, const int8_t *b) {
    shape_desc plain = {0};
    dnnl_memory_t from = NULL;
    dnnl_status_t st = dnnl_memory_create(&p->memory, desc_arg(&p->b), p->engine, p->data);
    if (st == dnnl_success) st = desc_strided(&plain, dnnl_s8, (dnnl_dims_t){k, n}, (dnnl_dims_t){n, 1});
    if (st == dnnl_success) /* oneDNN's handles are not const; inputs are only read */
        st = dnnl_memory_create(&from, desc_arg(&plain), p->engine, (void *)(uintptr_t)b);
    if (st == dnnl_success) st = fill(p, from, desc_arg(&plain));
    if (from) dnnl_memory_destroy(from);
    desc_clear(&plain);
    return st;
}

wf_status wfi_byte_product_new(int64_t m, int64_t k, int64_t n, const int8_t *b, wf_byte_product **out, wf_err *err) {
    if (m < 1 || k < 1 || n < 1)
        return wfi_fail(err, WF_E_SHAPE, "product in 8 bits [%lld,%lld]x[%lld,%lld]", (long long)m, (long long)k,
                        (long long)k, (long long)n);
    wf_byte_product *p = wfi_alloc(1, sizeof *p);
    if (!p) return wfi_fail(err, WF_E_NOMEM, "no memory for a product in 8 bits");
    dnnl_status_t st = describe(p, m, k, n);
    if (st == dnnl_success && !(p->data = wfi_alloc_aligned(dnnl_memory_desc_get_size(desc_arg(&p->b)))))
        st = dnnl_out_of_memory;
    if (st == dnnl_success) st = pack(p, k, n, b);
    if (st != dnnl_success) return wfi_byte_product_free(p), failed(st, err);
    *out = p;
    return WF_OK;
}

wf_status wfi_byte_product_run(const wf_byte_product *p, const uint8_t *a, int32_t *c, wf_err *err) {
    dnnl_memory_t from = NULL, to = NULL;
    dnnl_engine_t engine;
    dnnl_status_t st = wfk_dnnl_ready(&engine);
    if (st == dnnl_success) st = dnnl_memory_create(&from, desc_arg(&p->a), p->engine, (void *)(uintptr_t)a);
    if (st == dnnl_success) st = dnnl_memory_create(&to, desc_arg(&p->c), p->engine, c);
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, from}, {DNNL_ARG_WEIGHTS, p->memory}, {DNNL_ARG_DST, to}};
    if (st == dnnl_success) st = dnnl_primitive_execute(p->primitive, p->stream, 3, args);
    if (st == dnnl_success) st = dnnl_stream_wait(p->stream);
    if (from) dnnl_memory_destroy(from);
    if (to) dnnl_memory_destroy(to);
    return st == dnnl_success ? WF_OK : failed(st, err);
}

void wfi_byte_product_free(wf_byte_product *p) {
    if (!p) return;
    if (p->memory) dnnl_memory_destroy(p->memory);
    if (p->primitive) dnnl_primitive_destroy(p->primitive);
    if (p->pd) dnnl_primitive_desc_destroy(p->pd);
    if (p->stream) dnnl_stream_destroy(p->stream);
    desc_clear(&p->a);
    desc_clear(&p->b);
    desc_clear(&p->c);
    wfi_free(p->data);
    wfi_free(p);
}
