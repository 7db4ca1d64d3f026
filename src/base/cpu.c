/* base/cpu.c - see cpu.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include "base/cpu.h"
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

static wf_cpu cpu;
static pthread_once_t once = PTHREAD_ONCE_INIT;

const char *wfi_isa_name(wf_isa isa) {
    static const char *const names[] = {"scalar", "avx2", "avx512"};
    return names[isa];
}

#if defined(__x86_64__)
static void probe_x86(void) {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) cpu.isa = WF_ISA_AVX2;
    if (cpu.isa == WF_ISA_AVX2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        cpu.isa = WF_ISA_AVX512;
    unsigned a, b, c, d, brand[12];
    if (cpu.isa == WF_ISA_AVX512) {
        cpu.vnni = __builtin_cpu_supports("avx512vnni");
        if (__get_cpuid_count(7, 1, &a, &b, &c, &d)) cpu.bf16 = (a >> 5) & 1;
        if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) cpu.amx = (d >> 24) & 1;
    }
    if ((unsigned)__get_cpuid_max(0x80000000, NULL) < 0x80000004) return; /* clang declares it int */
    for (unsigned i = 0; i < 3; i++)
        __get_cpuid(0x80000002 + i, &brand[4 * i], &brand[4 * i + 1], &brand[4 * i + 2], &brand[4 * i + 3]);
    memcpy(cpu.name, brand, 48);
}
#endif

static void probe(void) {
    memcpy(cpu.name, "unknown", 8);
#if defined(__x86_64__)
    probe_x86();
#endif
    cpu_set_t set;
    cpu.cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    const char *limit = getenv("WEFT_ISA");
    for (int i = 0; limit && i < (int)cpu.isa; i++)
        if (strcmp(limit, wfi_isa_name((wf_isa)i)) == 0) cpu.isa = (wf_isa)i;
    if (cpu.isa != WF_ISA_AVX512) cpu.bf16 = cpu.vnni = cpu.amx = false;
}

const wf_cpu *wfi_cpu_get(void) {
    pthread_once(&once, probe);
    return &cpu;
}
