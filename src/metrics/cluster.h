/* metrics/cluster.h - rows grouped by how close they are. Layer 2. */
#ifndef WF_METRICS_CLUSTER_H
#define WF_METRICS_CLUSTER_H
#include "weft/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* k means of x [n,p] (Lloyd 1982), 1 <= k <= n. centres [k,p]: where it starts when `given`, else by k-means++ (Arthur
 * & Vassilvitskii 2007) with the seed; on return the means. member [n]; *spread: sum of squared distances to them. */
wf_status wfi_kmeans(const float *x, size_t n, size_t p, size_t k, bool given, uint64_t seed, double *centres,
                     int32_t *member, double *spread, wf_err *err);
#endif
