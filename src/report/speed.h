/* report/speed.h - what weft bench measured last, as table and figures. Layer 11. */
#ifndef WF_REPORT_SPEED_H
#define WF_REPORT_SPEED_H
#include "lab/handle.h"

/* The section of the page; the lab's file bench.json may be absent. */
void wfi_speed_write(wf_lab *lab, wf_buffer *b);
#endif
