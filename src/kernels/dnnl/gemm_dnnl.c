/* kernels/dnnl/gemm_dnnl.c - matrix products through oneDNN (2.x and 3.x C interface). Layer 2.
 * The only room that knows oneDNN. Checks what oneDNN does not promise (empty sizes, k = 0, leading dimensions).
 *
 * Plain products go to dnnl_sgemm. Frozen matrices go to the matmul primitive, which takes the weights in the layout it
 * likes best and adds the bias on the way. Measured on two Zen 4 cores, K and N in {384, 768, 1536, 3072}, GFLOP/s:
 * at 200 to 2000 rows matmul with bias 214..234, sgemm without bias 190..233 (transposed B 130..224), matmul with a row
 * count known only at run time 203..231. Hence one primitive a row count; building one takes about 0.2 ms the first
 * time, then oneDNN's own cache gives it back in 4 us, so nothing is cached here.
 *
 * A matrix in bfloat16 is multiplied by the processor's own bfloat16 instructions where it has them; elsewhere the same
 * rounded numbers go through float32 (decision 4). One in 8 bits is kernels/int8.h's (decision 5), not oneDNN's.
 *
 * Threads: primitives are built and run in the calling thread, which oneDNN's thread-local scratch memory asks for. */
#include "base/alloc.h"
#include "base/error.h"
#include "kernels/dnnl/dnnl_compat.h"
#include "kernels/gemm.h"
#include "kernels/int8.h"
#include "kernels/kernels.h"
#include "kernels/scratch.h"

#include <omp.h>
#include <pthread.h>
#include <stdio.h>

typedef long long num; /* for messages */

static dnnl_engine_t engine;
static dnnl_status_t engine_status;
static pthread_once_t engine_once = PTHREAD_ONCE_INIT;

/* oneDNN follows WEFT_ISA too; it has no scalar level, SSE4.1 is its lowest. Must come before its first product. */
static void engine_start(void) {
#ifdef __x86_64__
    wf_isa isa = wfi_cpu_get()->isa;
    if (isa < WF_ISA_AVX512) dnnl_set_max_cpu_isa(isa == WF_ISA_AVX2 ? dnnl_cpu_isa_avx2 : dnnl_cpu_isa_sse41);
#endif
    engine_status = dnnl_engine_create(&engine, dnnl_cpu, 0);
}

static wf_status library_failed(wf_err *err, dnnl_status_t st, const char *what, int64_t m, int64_t n, int64_t k) {
    return wfi_fail(err, st == dnnl_out_of_memory ? WF_E_NOMEM : WF_E_LIBRARY,
                    "oneDNN %s failed with status %d (m %lld, n %lld, k %lld)", what, (int)st, (num)m, (num)n, (num)k);
}

/* Before each use of oneDNN. It asks OpenMP for the team size of the calling thread: keep that equal to weft's. */
static void ready(void) {
    pthread_once(&engine_once, engine_start);
    int n = wfi_threads_get();
    if (omp_get_max_threads() != n) omp_set_num_threads(n);
}

dnnl_status_t wfk_dnnl_ready(dnnl_engine_t *out) {
    ready();
    *out = engine;
    return engine_status;
}

/* C = beta C + bias, when there is nothing to multiply. */
static void without_product(int64_t m, int64_t n, float beta, const float *bias, float *c, int64_t ldc) {
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            c[i * ldc + j] = (beta == 0.0f ? 0.0f : beta * c[i * ldc + j]) + (bias ? bias[j] : 0.0f);
}

static wf_status sizes_check(bool ta, bool tb, int64_t m, int64_t n, int64_t k, int64_t lda, int64_t ldb, int64_t ldc,
                             wf_err *err) {
    if (m < 0 || n < 0 || k < 0)
        return wfi_fail(err, WF_E_SHAPE, "matrix product with a negative size: m %lld, n %lld, k %lld", (num)m, (num)n,
                        (num)k);
    if (m == 0 || n == 0) return WF_OK;
    if (ldc < n || (k > 0 && (lda < (ta ? m : k) || ldb < (tb ? k : n))))
        return wfi_fail(
            err, WF_E_SHAPE,
            "matrix product m %lld, n %lld, k %lld: a row stride is shorter than a row (lda %lld, ldb %lld, ldc %lld)",
            (num)m, (num)n, (num)k, (num)lda, (num)ldb, (num)ldc);
    return WF_OK;
}

wf_status wfi_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda,
                   const float *b, int64_t ldb, float beta, float *c, int64_t ldc, wf_err *err) {
    WF_TRY(sizes_check(ta, tb, m, n, k, lda, ldb, ldc, err));
    if (m == 0 || n == 0) return WF_OK;
    if (k == 0 || alpha == 0.0f) return without_product(m, n, beta, NULL, c, ldc), WF_OK;
    ready();
    dnnl_status_t st = dnnl_sgemm(ta ? 'T' : 'N', tb ? 'T' : 'N', m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    return st == dnnl_success ? WF_OK : library_failed(err, st, "sgemm", m, n, k);
}

struct wf_packed {
    int64_t k, n;
    wfk_int8 *int8;        /* of a matrix in 8 bits; all below is unused then */
    bool rounds;           /* asked for in bfloat16: rows are rounded before they are multiplied */
    dnnl_data_type_t type; /* of the elements as stored, and of the rows that are multiplied with them */
    shape_desc layout;     /* how oneDNN wanted it */
    dnnl_memory_t memory;  /* around data */
    void *data;
};

/* One product: descriptors, primitive and memories, all cleared by product_clear. */
typedef struct product {
    shape_desc a, b, bias, c; /* b: of a plain product */
    dnnl_primitive_attr_t attr;
    dnnl_post_ops_t ops;
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t primitive;
    dnnl_memory_t mem_a, mem_b, mem_bias, mem_c;
    dnnl_stream_t stream;
} product;

static void product_clear(product *r) {
    if (r->stream) dnnl_stream_destroy(r->stream);
    if (r->mem_a) dnnl_memory_destroy(r->mem_a);
    if (r->mem_b) dnnl_memory_destroy(r->mem_b);
    if (r->mem_bias) dnnl_memory_destroy(r->mem_bias);
    if (r->mem_c) dnnl_memory_destroy(r->mem_c);
    if (r->primitive) dnnl_primitive_destroy(r->primitive);
    if (r->pd) dnnl_primitive_desc_destroy(r->pd);
    if (r->ops) dnnl_post_ops_destroy(r->ops);
    if (r->attr) dnnl_primitive_attr_destroy(r->attr);
    desc_clear(&r->a), desc_clear(&r->b), desc_clear(&r->bias), desc_clear(&r->c);
}

#define DNNL_TRY(call)                                                                                                 \
    do {                                                                                                               \
        dnnl_status_t try_status_ = (call);                                                                            \
        if (try_status_ != dnnl_success) return try_status_;                                                           \
    } while (0)

/* Of r->a and b, which are set already; C and the bias are float32. */
static dnnl_status_t product_describe(product *r, const shape_desc *b, int64_t m, int64_t n, bool bias, bool add,
                                      int64_t ldc) {
    DNNL_TRY(desc_strided(&r->c, dnnl_f32, (dnnl_dims_t){m, n}, (dnnl_dims_t){ldc, 1}));
    if (bias) DNNL_TRY(desc_strided(&r->bias, dnnl_f32, (dnnl_dims_t){1, n}, (dnnl_dims_t){n, 1}));
    if (add) {
        DNNL_TRY(dnnl_primitive_attr_create(&r->attr));
        DNNL_TRY(dnnl_post_ops_create(&r->ops));
        DNNL_TRY(append_sum(r->ops));
        DNNL_TRY(dnnl_primitive_attr_set_post_ops(r->attr, r->ops));
    }
    return matmul_desc(&r->pd, engine, desc_arg(&r->a), desc_arg(b), bias ? desc_arg(&r->bias) : NULL, desc_arg(&r->c),
                       r->attr);
}

static dnnl_status_t product_run(product *r, const void *a, dnnl_memory_t b, const float *bias, float *c) {
    DNNL_TRY(dnnl_primitive_create(&r->primitive, r->pd));
    /* oneDNN's handles are not const; inputs are only read */
    DNNL_TRY(dnnl_memory_create(&r->mem_a, desc_arg(&r->a), engine, (void *)(uintptr_t)a));
    DNNL_TRY(dnnl_memory_create(&r->mem_c, desc_arg(&r->c), engine, c));
    if (bias) DNNL_TRY(dnnl_memory_create(&r->mem_bias, desc_arg(&r->bias), engine, (void *)(uintptr_t)bias));
    DNNL_TRY(dnnl_stream_create(&r->stream, engine, dnnl_stream_default_flags));
    dnnl_exec_arg_t args[4] = {
        {DNNL_ARG_SRC, r->mem_a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, r->mem_c}, {DNNL_ARG_BIAS, r->mem_bias}};
    DNNL_TRY(dnnl_primitive_execute(r->primitive, r->stream, bias ? 4 : 3, args));
    return dnnl_stream_wait(r->stream);
}

/* Rows [rows,cols] as bfloat16 or, for `wide`, as rounded float32; returns where the next ones go, on a cache line. */
static char *rows_round(bool wide, int64_t rows, int64_t cols, const float *x, int64_t ld, char *to) {
    if (wide)
        wfi_round_bf16(rows, cols, x, ld, (float *)(void *)to);
    else
        wfi_to_bf16(rows, cols, x, ld, (uint16_t *)(void *)to);
    const size_t bytes = (size_t)(rows * cols) * (wide ? sizeof(float) : sizeof(uint16_t));
    return to + ((bytes + 63) & ~(size_t)63);
}

/* Dense factors as they are stored; either size of A may be known only at run time. */
static dnnl_status_t factors_describe(product *r, bool ta, bool tb, int64_t m, int64_t n, int64_t k) {
    DNNL_TRY(desc_strided(&r->a, dnnl_bf16, (dnnl_dims_t){m, k}, (dnnl_dims_t){ta ? 1 : k, ta ? m : 1}));
    return desc_strided(&r->b, dnnl_bf16, (dnnl_dims_t){k, n}, (dnnl_dims_t){tb ? 1 : n, tb ? k : 1});
}

/* The stored rows of A are a batch's tokens, another number each time: one primitive serves them all. It is as fast as
 * one for a known number (400 to 450 GFLOP/s on two Zen 4 cores), which would take half a millisecond to build. */
static dnnl_status_t bf16_product(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const void *a, const void *b,
                                  const float *bias, bool add, float *c, int64_t ldc) {
    const int64_t any_m = ta ? m : DNNL_RUNTIME_DIM_VAL, any_k = ta ? DNNL_RUNTIME_DIM_VAL : k;
    product r = {0};
    dnnl_status_t st = factors_describe(&r, ta, tb, any_m, n, any_k);
    if (st == dnnl_success) st = product_describe(&r, &r.b, any_m, n, bias != NULL, add, ldc);
    desc_clear(&r.a), desc_clear(&r.b), desc_clear(&r.c);
    if (st == dnnl_success) st = factors_describe(&r, ta, tb, m, n, k);
    if (st == dnnl_success) st = desc_strided(&r.c, dnnl_f32, (dnnl_dims_t){m, n}, (dnnl_dims_t){ldc, 1});
    if (st == dnnl_success) st = dnnl_memory_create(&r.mem_b, desc_arg(&r.b), engine, (void *)(uintptr_t)b);
    if (st == dnnl_success) st = product_run(&r, a, r.mem_b, bias, c);
    product_clear(&r);
    return st;
}

wf_status wfi_gemm_bf16(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b,
                        int64_t ldb, const float *bias, float beta, float *c, int64_t ldc, wf_err *err) {
    WF_TRY(sizes_check(ta, tb, m, n, k, lda, ldb, ldc, err));
    if (beta != 0.0f && beta != 1.0f)
        return wfi_fail(err, WF_E_ARG, "product in bfloat16: beta %g is neither 0 nor 1", (double)beta);
    if (m == 0 || n == 0) return WF_OK;
    if (k == 0) return without_product(m, n, beta, bias, c, ldc), WF_OK;
    ready();
    const bool wide = !wfi_packed_native_bf16();
    int64_t count = 0, of_b = 0;
    char *rows = NULL;
    if (!__builtin_mul_overflow(m, k, &count) && !__builtin_mul_overflow(k, n, &of_b) &&
        !__builtin_add_overflow(count, of_b + 128, &count) && count <= PTRDIFF_MAX / (int64_t)sizeof(float))
        rows = wfk_scratch((size_t)count * (wide ? sizeof(float) : sizeof(uint16_t)));
    if (!rows)
        return wfi_fail(err, WF_E_NOMEM, "no memory for the rows of a product m %lld, n %lld, k %lld", (num)m, (num)n,
                        (num)k);
    char *of = rows_round(wide, ta ? k : m, ta ? m : k, a, lda, rows);
    rows_round(wide, tb ? n : k, tb ? k : n, b, ldb, of);
    dnnl_status_t st = engine_status;
    if (st == dnnl_success && !wide) {
        st = bf16_product(ta, tb, m, n, k, rows, of, bias, beta == 1.0f, c, ldc);
    } else if (st == dnnl_success) {
        st = dnnl_sgemm(ta ? 'T' : 'N', tb ? 'T' : 'N', m, n, k, 1.0f, (float *)(void *)rows, ta ? m : k,
                        (float *)(void *)of, tb ? k : n, beta, c, ldc);
        for (int64_t i = 0; bias && i < m; i++) wfi_bias_add(1, n, bias, c + i * ldc);
    }
    return st == dnnl_success ? WF_OK : library_failed(err, st, "matmul", m, n, k);
}

/* Brings b[k,n] (strides sk, sn) into p->layout, rounding it when that is bfloat16. */
static dnnl_status_t fill(wf_packed *p, const float *b, int64_t sk, int64_t sn) {
    product r = {0}; /* only some of its handles are used */
    dnnl_status_t st = desc_strided(&r.a, dnnl_f32, (dnnl_dims_t){p->k, p->n}, (dnnl_dims_t){sk, sn});
    if (st == dnnl_success) st = dnnl_memory_create(&r.mem_a, desc_arg(&r.a), engine, (void *)(uintptr_t)b);
    if (st == dnnl_success) st = dnnl_memory_create(&p->memory, desc_arg(&p->layout), engine, p->data);
    if (st == dnnl_success)
        st = dnnl_reorder_primitive_desc_create(&r.pd, desc_arg(&r.a), engine, desc_arg(&p->layout), engine, NULL);
    if (st == dnnl_success) st = dnnl_primitive_create(&r.primitive, r.pd);
    if (st == dnnl_success) st = dnnl_stream_create(&r.stream, engine, dnnl_stream_default_flags);
    dnnl_exec_arg_t args[2] = {{DNNL_ARG_FROM, r.mem_a}, {DNNL_ARG_TO, p->memory}};
    if (st == dnnl_success) st = dnnl_primitive_execute(r.primitive, r.stream, 2, args);
    if (st == dnnl_success) st = dnnl_stream_wait(r.stream);
    product_clear(&r);
    return st;
}

/* Asks which layout the matmul primitive likes, for a middling number of rows with bias. */
static dnnl_status_t choose_layout(wf_packed *p) {
    enum { TYPICAL_ROWS = 512 };
    product r = {0};
    shape_desc any = {0};
    dnnl_status_t st = desc_any(&any, p->type, (dnnl_dims_t){p->k, p->n});
    if (st == dnnl_success) st = desc_strided(&r.a, p->type, (dnnl_dims_t){TYPICAL_ROWS, p->k}, (dnnl_dims_t){p->k, 1});
    if (st == dnnl_success) st = product_describe(&r, &any, TYPICAL_ROWS, p->n, true, false, p->n);
    if (st == dnnl_success) st = desc_copy(&p->layout, dnnl_primitive_desc_query_md(r.pd, dnnl_query_weights_md, 0));
    desc_clear(&any);
    product_clear(&r);
    return st;
}

static wf_status no_memory(wf_err *err, int64_t k, int64_t n) {
    return wfi_fail(err, WF_E_NOMEM, "no memory for a packed matrix [%lld,%lld]", (num)k, (num)n);
}

/* b: [rows, cols] with stride ldb, which is p's matrix or, for tb, its transpose. */
static wf_status pack(wf_packed *p, bool tb, const float *b, int64_t ldb, wf_err *err) {
    ready();
    dnnl_status_t st = engine_status;
    if (st == dnnl_success) st = choose_layout(p);
    if (st != dnnl_success) return library_failed(err, st, "choice of a matrix layout", 0, p->n, p->k);
    p->data = wfi_alloc_unset(dnnl_memory_desc_get_size(desc_arg(&p->layout))); /* the reorder fills it, padding too */
    float *rounded = NULL;
    if (p->rounds && p->type == dnnl_f32) { /* oneDNN rounds only on the way to another type */
        const int64_t rows = tb ? p->n : p->k, cols = tb ? p->k : p->n;
        rounded = wfi_alloc_unset((size_t)(rows * cols) * sizeof *rounded);
        if (rounded) wfi_round_bf16(rows, cols, b, ldb, rounded);
        b = rounded, ldb = cols;
    }
    if (!p->data || !b) {
        wfi_free(rounded);
        return no_memory(err, p->k, p->n);
    }
    st = fill(p, b, tb ? 1 : ldb, tb ? ldb : 1);
    wfi_free(rounded);
    return st == dnnl_success ? WF_OK : library_failed(err, st, "packing of a matrix", 0, p->n, p->k);
}

bool wfi_packed_native_bf16(void) {
    return wfi_cpu_get()->bf16 && wfi_kernels_level() == WF_ISA_AVX512;
}

bool wfi_packed_native_int8(void) {
    return wfi_cpu_get()->vnni && wfi_kernels_level() == WF_ISA_AVX512;
}

wf_status wfi_packed_new(bool tb, int64_t k, int64_t n, const float *b, int64_t ldb, wf_dtype dtype, wf_packed **out,
                         wf_err *err) {
    if (dtype != WF_DTYPE_F32 && dtype != WF_DTYPE_BF16 && dtype != WF_DTYPE_I8)
        return wfi_fail(err, WF_E_UNSUPPORTED, "packed matrices of type %s are not supported; use F32, BF16 or I8",
                        wfi_dtype_name(dtype));
    if (k < 0 || n < 0 || ldb < (tb ? k : n))
        return wfi_fail(err, WF_E_SHAPE, "packed matrix [%lld,%lld] with row stride %lld", (num)k, (num)n, (num)ldb);
    if (n > 0 && k > (int64_t)(PTRDIFF_MAX / (ptrdiff_t)sizeof(float) / 2) / n) /* 2: room for padding */
        return wfi_fail(err, WF_E_NOMEM, "packed matrix [%lld,%lld] is too large", (num)k, (num)n);
    wf_packed *p = wfi_alloc(1, sizeof *p);
    if (!p) return no_memory(err, k, n);
    p->k = k, p->n = n;
    p->rounds = dtype == WF_DTYPE_BF16;
    p->type = p->rounds && wfi_packed_native_bf16() ? dnnl_bf16 : dnnl_f32;
    if (k > 0 && n > 0) {
        const wf_status st =
            dtype == WF_DTYPE_I8 ? wfk_int8_new(tb, k, n, b, ldb, &p->int8, err) : pack(p, tb, b, ldb, err);
        if (st != WF_OK) return wfi_packed_free(p), st;
    }
    *out = p;
    return WF_OK;
}

void wfi_packed_free(wf_packed *p) {
    if (!p) return;
    if (p->memory) dnnl_memory_destroy(p->memory);
    desc_clear(&p->layout);
    wfi_free(p->data);
    wfk_int8_free(p->int8);
    wfi_free(p);
}

const void *wfi_packed_bytes(const wf_packed *p, size_t *size) {
    if (p->int8) return *size = p->int8->size, p->int8->data;
    *size = p->memory ? dnnl_memory_desc_get_size(desc_arg(&p->layout)) : 0;
    void *bytes = NULL;
    return p->memory && dnnl_memory_get_data_handle(p->memory, &bytes) == dnnl_success ? bytes : NULL;
}

wf_status wfi_packed_over(int64_t k, int64_t n, const void *bytes, size_t most, wf_dtype dtype, wf_packed **out,
                          wf_err *err) {
    if ((dtype != WF_DTYPE_F32 && dtype != WF_DTYPE_BF16 && dtype != WF_DTYPE_I8) || k < 1 || n < 1)
        return wfi_fail(err, WF_E_UNSUPPORTED, "a packed matrix [%lld,%lld] of type %s is not kept", (num)k, (num)n,
                        wfi_dtype_name(dtype));
    wf_packed *p = wfi_alloc(1, sizeof *p);
    if (!p) return no_memory(err, k, n);
    p->k = k, p->n = n;
    p->rounds = dtype == WF_DTYPE_BF16;
    p->type = p->rounds && wfi_packed_native_bf16() ? dnnl_bf16 : dnnl_f32;
    if (dtype == WF_DTYPE_I8) {
        const wf_status st = wfk_int8_over(k, n, bytes, most, &p->int8, err);
        return st == WF_OK ? (*out = p, WF_OK) : (wfi_packed_free(p), st);
    }
    ready();
    dnnl_status_t st = engine_status;
    if (st == dnnl_success) st = choose_layout(p);
    const bool fits = st == dnnl_success && dnnl_memory_desc_get_size(desc_arg(&p->layout)) <= most;
    if (fits) /* oneDNN's handles are not const; a matrix is only read */
        st = dnnl_memory_create(&p->memory, desc_arg(&p->layout), engine, (void *)(uintptr_t)bytes);
    if (fits && st == dnnl_success) {
        *out = p;
        return WF_OK;
    }
    wfi_packed_free(p);
    return st == dnnl_success
               ? wfi_fail(err, WF_E_DATA, "%zu bytes are no packed matrix [%lld,%lld]", most, (num)k, (num)n)
               : library_failed(err, st, "use of a packed matrix", 0, n, k);
}

/* What oneDNN's choice of a layout can depend on, besides the shape. */
void wfi_packed_form(char text[WF_PACKED_FORM]) {
    ready();
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, WF_PACKED_FORM, "oneDNN %d.%d.%d %s, %d, %s, %s, %d threads", v->major, v->minor, v->patch, v->hash,
             (int)dnnl_get_effective_cpu_isa(), wfi_isa_name(wfi_kernels_level()), wfi_cpu_get()->name,
             wfi_threads_get());
}

/* The rows as p's product wants them: dense and rounded, in this thread's scratch. */
static const void *rounded_rows(const wf_packed *p, int64_t m, const float *a, int64_t lda) {
    const size_t size = p->type == dnnl_bf16 ? sizeof(uint16_t) : sizeof(float);
    size_t bytes;
    if (__builtin_mul_overflow((size_t)m, (size_t)p->k * size, &bytes)) return NULL;
    void *to = wfk_scratch(bytes);
    if (!to) return NULL;
    if (p->type == dnnl_bf16)
        wfi_to_bf16(m, p->k, a, lda, to);
    else
        wfi_round_bf16(m, p->k, a, lda, to);
    return to;
}

static wf_status packed_fits(const wf_packed *p, int64_t m, int64_t lda, float beta, int64_t ldc, wf_err *err) {
    if (beta != 0.0f && beta != 1.0f)
        return wfi_fail(err, WF_E_ARG, "packed product: beta %g is neither 0 nor 1", (double)beta);
    if (m < 0 || ldc < p->n || (p->k > 0 && lda < p->k))
        return wfi_fail(err, WF_E_SHAPE, "packed product [%lld,%lld]x[%lld,%lld]: row strides %lld and %lld", (num)m,
                        (num)p->k, (num)p->k, (num)p->n, (num)lda, (num)ldc);
    return WF_OK;
}

/* a: of p's type. */
static wf_status packed_product(const wf_packed *p, int64_t m, const void *a, int64_t lda, const float *bias,
                                float beta, float *c, int64_t ldc, wf_err *err) {
    product r = {0};
    dnnl_status_t st = desc_strided(&r.a, p->type, (dnnl_dims_t){m, p->k}, (dnnl_dims_t){lda, 1});
    if (st == dnnl_success) st = product_describe(&r, &p->layout, m, p->n, bias != NULL, beta == 1.0f, ldc);
    if (st == dnnl_success) st = product_run(&r, a, p->memory, bias, c);
    product_clear(&r);
    return st == dnnl_success ? WF_OK : library_failed(err, st, "matmul", m, p->n, p->k);
}

wf_status wfi_packed_gemm(const wf_packed *p, int64_t m, const float *a, int64_t lda, const float *bias, float beta,
                          float *c, int64_t ldc, wf_err *err) {
    WF_TRY(packed_fits(p, m, lda, beta, ldc, err));
    if (m == 0 || p->n == 0) return WF_OK;
    if (p->k == 0) return without_product(m, p->n, beta, bias, c, ldc), WF_OK;
    if (p->int8) {
        const wfk_int8_rows rows = {.act = WF_ACT_LINEAR, .x = a, .ld = lda};
        return wfk_int8_gemm(p->int8, m, &rows, bias, beta == 1.0f, c, ldc, err);
    }
    ready();
    const void *rows = p->rounds ? rounded_rows(p, m, a, lda) : a;
    if (!rows) return wfi_fail(err, WF_E_NOMEM, "no memory for %lld rows of a packed product", (num)m);
    return packed_product(p, m, rows, p->rounds ? p->k : lda, bias, beta, c, ldc, err);
}

bool wfi_packed_takes_act(const wf_packed *p) {
    return p && p->int8;
}

wf_status wfi_packed_gemm_act(const wf_packed *p, int64_t m, wf_act act, const float *x, const float *dy, int64_t lda,
                              const float *bias, float beta, float *c, int64_t ldc, wf_err *err) {
    WF_TRY(packed_fits(p, m, lda, beta, ldc, err));
    if (!p->int8) return wfi_fail(err, WF_E_ARG, "packed product: the matrix is not in 8 bits");
    if (m == 0) return WF_OK;
    const wfk_int8_rows rows = {.act = act, .x = x, .dy = dy, .ld = lda};
    return wfk_int8_gemm(p->int8, m, &rows, bias, beta == 1.0f, c, ldc, err);
}

bool wfi_packed_takes_bf16(const wf_packed *p) {
    return p && p->type == dnnl_bf16;
}

wf_status wfi_packed_gemm_bf16(const wf_packed *p, int64_t m, const uint16_t *a, int64_t lda, const float *bias,
                               float beta, float *c, int64_t ldc, wf_err *err) {
    WF_TRY(packed_fits(p, m, lda, beta, ldc, err));
    if (!wfi_packed_takes_bf16(p)) return wfi_fail(err, WF_E_ARG, "packed product: the matrix is not in bfloat16");
    if (m == 0 || p->n == 0) return WF_OK;
    if (p->k == 0) return without_product(m, p->n, beta, bias, c, ldc), WF_OK;
    ready();
    return packed_product(p, m, a, lda, bias, beta, c, ldc, err);
}
