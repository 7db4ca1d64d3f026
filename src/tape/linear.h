/* tape/linear.h - the three products of a wf_linear and the checks that ops share. For op files here and above.
 * Layer 3. y = x W^T + b with W (out, in). Packed forms are used for frozen weights only. No tape is touched by the
 * products. */
#ifndef WF_TAPE_LINEAR_H
#define WF_TAPE_LINEAR_H
#include "tape/tape.h"

wf_status wfi_linear_forward(const wf_linear *w, int64_t T, const float *x, float *y,
                             wf_err *err); /* x [T,in] -> y [T,out] */
wf_status wfi_linear_input_grad(const wf_linear *w, int64_t T, const float *dy, float *dx, bool add,
                                wf_err *err); /* dx (+)= dy W */
/* W.grad += dy^T x, b.grad += column sums of dy; each only when it has a gradient buffer. */
wf_status wfi_linear_param_grad(const wf_linear *w, int64_t T, const float *x, const float *dy, wf_err *err);
bool wfi_linear_wants(const wf_tape *t, const wf_linear *w); /* weight or bias is trained in this pass */

/* Checks; false: noted in the tape with the op's name and both shapes. */
bool wfi_op_fits_linear(wf_tape *t, const char *op, const wf_value *x, const wf_linear *w);
bool wfi_op_same_shape(wf_tape *t, const char *op, const wf_value *a, const wf_value *b);
bool wfi_op_offsets(wf_tape *t, const char *op, const wf_value *x, int64_t S, const int64_t *offsets,
                    bool empty_allowed);
bool wfi_op_rate(wf_tape *t, const char *op, float p);                      /* a dropout rate: 0 <= p < 1 */
void *wfi_op_copy(wf_tape *t, const void *data, size_t count, size_t size); /* into the step's arena; NULL: noted */
wf_value *wfi_op_scalar(wf_tape *t, const char *op, double loss); /* [1,1]; WF_E_NONFINITE when it is not finite */
int wfi_op_threads(int64_t work); /* threads for a loop over `work` elements: as many as set, one for little work */
/* log softmax of x [n] into out [C], 0 behind the n; a NaN stays one. */
void wfi_op_logs(const float *x, int64_t n, int64_t C, double *out);
#endif
