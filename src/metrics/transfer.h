/* metrics/transfer.h - how well what a source has learned fits a target's labels, without training. Layer 2. */
#ifndef WF_METRICS_TRANSFER_H
#define WF_METRICS_TRANSFER_H
#include "weft/status.h"
#include <stddef.h>
#include <stdint.h>

/* LEEP (Nguyen et al. 2020, equations 1 to 3): z [n,Z] are the source's probabilities on the target's rows, label [n]
 * in [0, classes). With P(y,z) = 1/n sum_i z_iz [y_i = y]:  mean over i of log sum_z P(y_i | z) z_iz, at most 0. */
wf_status wfi_leep(const float *z, size_t n, size_t Z, const int32_t *label, int32_t classes, double *out, wf_err *err);

/* Share of rows that their k nearest other rows vote right (cosine; the nearest decides a draw), averaged over the
 * classes, so that common classes do not flatter. x [n,p]. Features are compared after their mean was taken off. */
wf_status wfi_neighbours(const float *x, size_t n, size_t p, const int32_t *label, int32_t classes, size_t k,
                         double *out, wf_err *err);

/* Likeness of two tasks' Fisher embeddings (Task2Vec, Achille et al. 2019, 3.2): cosine of a/(a+b) and b/(a+b), after
 * both were brought to mean 1. a, b [n] >= 0; in [0,1]. NaN where one is all zeros. */
double wfi_fisher_likeness(const float *a, const float *b, size_t n);
#endif
