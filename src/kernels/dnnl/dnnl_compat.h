/* kernels/dnnl/dnnl_compat.h - the few calls in which oneDNN 2.x and 3.x differ, under one spelling. Layer 2.
 * In 2.x a memory descriptor is a plain struct, in 3.x an owned handle. All are matrices. Private to kernels/dnnl/. */
#ifndef WF_KERNELS_DNNL_COMPAT_H
#define WF_KERNELS_DNNL_COMPAT_H
#include <dnnl.h>
#include <string.h>

typedef struct shape_desc { /* zeroed: none */
    dnnl_memory_desc_t md;
} shape_desc;

/* Before each use of oneDNN, whatever its status (gemm_dnnl.c). */
dnnl_status_t wfk_dnnl_ready(dnnl_engine_t *out);

#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t md_arg;
static inline md_arg desc_arg(const shape_desc *d) {
    return d ? d->md : NULL;
}
static inline dnnl_status_t desc_strided(shape_desc *d, dnnl_data_type_t type, const dnnl_dims_t dims,
                                         const dnnl_dims_t strides) {
    return dnnl_memory_desc_create_with_strides(&d->md, 2, dims, type, strides);
}
static inline dnnl_status_t desc_any(shape_desc *d, dnnl_data_type_t type, const dnnl_dims_t dims) {
    return dnnl_memory_desc_create_with_tag(&d->md, 2, dims, type, dnnl_format_tag_any);
}
static inline dnnl_status_t desc_copy(shape_desc *d, md_arg from) {
    return dnnl_memory_desc_clone(&d->md, from);
}
static inline void desc_clear(shape_desc *d) {
    if (d->md) dnnl_memory_desc_destroy(d->md);
    d->md = NULL;
}
static inline dnnl_status_t matmul_desc(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, md_arg a, md_arg b,
                                        md_arg bias, md_arg c, const_dnnl_primitive_attr_t attr) {
    return dnnl_matmul_primitive_desc_create(pd, engine, a, b, bias, c, attr);
}
static inline dnnl_status_t append_sum(dnnl_post_ops_t ops) {
    return dnnl_post_ops_append_sum(ops, 1.0f, 0, dnnl_data_type_undef);
}
#else
typedef const dnnl_memory_desc_t *md_arg;
static inline md_arg desc_arg(const shape_desc *d) {
    return d ? &d->md : NULL;
}
static inline dnnl_status_t desc_strided(shape_desc *d, dnnl_data_type_t type, const dnnl_dims_t dims,
                                         const dnnl_dims_t strides) {
    return dnnl_memory_desc_init_by_strides(&d->md, 2, dims, type, strides);
}
static inline dnnl_status_t desc_any(shape_desc *d, dnnl_data_type_t type, const dnnl_dims_t dims) {
    return dnnl_memory_desc_init_by_tag(&d->md, 2, dims, type, dnnl_format_tag_any);
}
static inline dnnl_status_t desc_copy(shape_desc *d, md_arg from) {
    d->md = *from;
    return dnnl_success;
}
static inline void desc_clear(shape_desc *d) {
    memset(d, 0, sizeof *d);
}
static inline dnnl_status_t matmul_desc(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, md_arg a, md_arg b,
                                        md_arg bias, md_arg c, const_dnnl_primitive_attr_t attr) {
    dnnl_matmul_desc_t op;
    dnnl_status_t st = dnnl_matmul_desc_init(&op, a, b, bias, c);
    return st == dnnl_success ? dnnl_primitive_desc_create(pd, &op, attr, engine, NULL) : st;
}
static inline dnnl_status_t append_sum(dnnl_post_ops_t ops) {
    return dnnl_post_ops_append_sum(ops, 1.0f);
}
#endif
#endif
