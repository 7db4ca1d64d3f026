#!/bin/sh
# Runs each fuzz target for SECONDS (60) under libFuzzer with address and undefined-behaviour sanitizers, from its committed seeds.
# One line a target, then "N passed, N failed". What it finds stays in BUILD/found/TARGET; new corpus in BUILD/corpus/TARGET.
# Usage: tools/fuzz.sh [SECONDS] [TARGET...]     BUILD: $WEFT_FUZZ_BUILD, else build-fuzz
set -eu
cd "$(dirname "$0")/.."
build=${WEFT_FUZZ_BUILD:-build-fuzz}
seconds=${1:-60}
case $seconds in *[!0-9]* | '') echo "fuzz.sh: SECONDS must be a number, not \"$seconds\"" >&2; exit 2 ;; esac
[ $# -gt 0 ] && shift
if [ ! -f "$build/build.ninja" ]; then
    CC=clang meson setup "$build" -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false -Dc_args=-fsanitize=fuzzer-no-link \
        -Dbuildtype=debugoptimized > "$build.log" 2>&1 || { cat "$build.log" >&2; rm -f "$build.log"; exit 2; }
    rm -f "$build.log"
fi
targets=${*:-$(ls fuzz/seeds)}
# shellcheck disable=SC2086
ninja -C "$build" $(for t in $targets; do echo "fuzz/fuzz_$t"; done) > "$build/ninja.log" 2>&1 || { tail -40 "$build/ninja.log" >&2; exit 2; }
TMPDIR=$(mktemp -d)
export TMPDIR OMP_NUM_THREADS=1
export ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
trap 'rm -rf "$TMPDIR"' EXIT INT TERM
passed=0 failed=0
for t in $targets; do
    mkdir -p "$build/corpus/$t" "$build/found/$t"
    log=$build/found/$t.log
    if "$build/fuzz/fuzz_$t" -max_total_time="$seconds" -max_len=8192 -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=1024 -print_final_stats=1 \
        -artifact_prefix="$build/found/$t/" "$build/corpus/$t" "fuzz/seeds/$t" > "$log" 2>&1; then
        result=passed passed=$((passed + 1))
    else
        result=FAILED failed=$((failed + 1))
    fi
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    covered=$(sed -n 's/.* cov: \([0-9]*\).*/\1/p' "$log" | tail -1)
    echo "$t: $result, ${runs:-?} inputs, ${covered:-?} edges$([ $result = FAILED ] && grep -m1 -E 'ERROR|SUMMARY|does not hold|runtime error' "$log" | sed 's/^/: /' || true)"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
