/* base/clock.h - time and resource use. Layer 0. */
#ifndef WF_BASE_CLOCK_H
#define WF_BASE_CLOCK_H
#include <stdint.h>
double wfi_clock_seconds(void);     /* monotonic */
double wfi_clock_cpu_seconds(void); /* user + system of this process */
int64_t wfi_clock_peak_rss(void);   /* bytes */
/* Bytes of memory that can be had without swapping: what the system calls available, and no more than the control group
 * of this process leaves. */
int64_t wfi_clock_free_memory(void);
void wfi_clock_iso(char out[24]); /* UTC now, 2026-01-31T12:00:00Z */
#endif
