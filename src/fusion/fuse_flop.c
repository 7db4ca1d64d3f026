/* fusion/fuse_flop.c - the arithmetic of op_fuse.c and fuse_compact.c, form by form. See op_fuse.h.
 *
 * Over T rows of width d, M and N as of the stack, K = M + N, n of W_q, W_k and W_v in use; every product [a,b] x [b,c]
 * takes 2abc.
 *   all forms   down [T,d,M], back [T,M,d] where z is live
 *   bottleneck  scores and mix [T,d,K]; back e and, where a query is live or trained, dt. Each matrix [T,d,d], for its
 *               gradient once more and for its input's once more (W_q: where q is live; W_k: where its input is)
 *   full        as bottleneck, but up [T,M,d] once each way instead of the products with K, and scores and mix take
 *               [T,d,N] each way, by loops
 *   compact     scores and mix [T,d,K]; back e, where q is live dt, and dG, dV. Each matrix [K,d,d], its gradient once
 *               more, and W_q, where dP is wanted, again */
#include "fusion/op_fuse.h"

static double product(int64_t a, int64_t b, int64_t c) {
    return 2.0 * (double)a * (double)b * (double)c;
}

/* W_q, W_k and W_v over all rows. */
static double matrices(const wf_fuse *f, bool training, bool live, int64_t T) {
    const double one = product(T, f->stack->d, f->stack->d),
                 n = (f->query != NULL) + (f->key != NULL) + (f->value != NULL);
    if (!training) return n * one;
    return n * one                                                                             /* forward */
           + n * one                                                                           /* gradients */
           + one * ((f->value != NULL) + (f->key && (live || f->query)) + (f->query && live)); /* inputs' */
}

static double compact(const wf_fuse *f, bool training, bool live, int64_t T) {
    const int64_t K = f->stack->M + f->stack->N, d = f->stack->d;
    const double over = product(T, d, K), one = product(K, d, d),
                 n = (f->query != NULL) + (f->key != NULL) + (f->value != NULL);
    if (!training) return 2 * over + (f->frozen ? 0 : n * one);
    return (2 + 1 + live + 2) * over + n * one + n * one + (f->query ? one : 0);
}

double wfi_fuse_flop(const wf_fuse *f, bool residual, bool training, bool live, int64_t T) {
    const wf_fuse_stack *k = f->stack;
    const double down = product(T, k->d, k->M) * (1 + (training && live)), over = product(T, k->d, k->M + k->N),
                 each = product(T, k->d, k->N), up = product(T, k->M, k->d);
    const bool dt = live || f->query || f->key;
    switch (wfi_fuse_form_of(f, residual, training, T)) {
    case WF_FUSE_COMPACT:
        return down + compact(f, training, live, T);
    case WF_FUSE_FULL:
        return down + matrices(f, training, live, T) + up * (1 + (training && live)) + each * (training ? 3 + dt : 2);
    default:
        return down + matrices(f, training, live, T) + over * (training ? 3 + dt : 2);
    }
}
