/* base/clock.c - see clock.h. */
#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

double wfi_clock_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double wfi_clock_cpu_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int64_t wfi_clock_peak_rss(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (int64_t)u.ru_maxrss * 1024;
}

/* The number behind `field` ("" : the file's first word), -1 when it is not there. */
static int64_t file_number(const char *path, const char *field) {
    char line[128], *end = NULL;
    const size_t n = strlen(field);
    int64_t value = -1;
    FILE *f = fopen(path, "r");
    while (f && value < 0 && fgets(line, sizeof line, f)) {
        if (strncmp(line, field, n) != 0) continue;
        const long long v = strtoll(line + n, &end, 10);
        if (end != line + n) value = v;
    }
    if (f) fclose(f);
    return value;
}

int64_t wfi_clock_free_memory(void) {
    const int64_t available = file_number("/proc/meminfo", "MemAvailable:"),
                  limit = file_number("/sys/fs/cgroup/memory.max", ""),
                  used = file_number("/sys/fs/cgroup/memory.current", ""),
                  cached = file_number("/sys/fs/cgroup/memory.stat", "inactive_file ");
    int64_t bytes = available >= 0 ? available * 1024 : (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / 2;
    const int64_t left = limit - used + (cached > 0 ? cached : 0);
    if (limit >= 0 && used >= 0 && left < bytes) bytes = left;
    return bytes > 0 ? bytes : 0;
}

void wfi_clock_iso(char out[24]) {
    const time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(out, 24, "%Y-%m-%dT%H:%M:%SZ", &tm);
}
