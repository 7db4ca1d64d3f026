#!/bin/sh
# at_level.sh LEVEL PROGRAM...: runs a test with oneDNN and the kernels at a lower level, which oneDNN takes once a process. 77 (skipped) where
# the processor lacks the level, or has none above it.
case $1 in
avx2) grep -qs avx2 /proc/cpuinfo && grep -qs avx512vl /proc/cpuinfo || exit 77 ;;
scalar) grep -qs avx2 /proc/cpuinfo || exit 77 ;;
*) echo "at_level: level $1" >&2; exit 2 ;;
esac
WEFT_ISA=$1
export WEFT_ISA
shift
exec "$@"
