/* base/cpu.h - what this processor can do, probed once. Layer 0.
 * WEFT_ISA=scalar|avx2|avx512 in the environment lowers the level (never raises it). Threads: safe. */
#ifndef WF_BASE_CPU_H
#define WF_BASE_CPU_H
#include <stdbool.h>
typedef enum wf_isa { WF_ISA_SCALAR = 0, WF_ISA_AVX2 = 1, WF_ISA_AVX512 = 2 } wf_isa;
typedef struct wf_cpu {
    wf_isa isa;           /* AVX2 means AVX2+FMA+F16C; AVX512 means F, BW, DQ, VL */
    bool vnni, bf16, amx; /* AVX512_VNNI or AVX_VNNI; AVX512_BF16; AMX tiles */
    int cores;            /* processors this process may run on */
    char name[64];        /* brand string or "unknown" */
} wf_cpu;
const wf_cpu *wfi_cpu_get(void);
const char *wfi_isa_name(wf_isa isa);
#endif
