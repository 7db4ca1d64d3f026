#!/bin/sh
# clang-tidy over every source file, by the checks in .clang-tidy; fails on any finding. BUILD: a build folder (build).
set -eu
cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
[ -f "$BUILD/compile_commands.json" ] || { echo "$BUILD is no build folder: run make build first" >&2; exit 1; }
# Only what this build compiles: another processor's kernels have no command line here.
for file in ${*:-$(git ls-files 'src/*.c')}; do
    if grep -q "$file\"" "$BUILD/compile_commands.json"; then echo "$file"; fi
done | xargs -P "$(getconf _NPROCESSORS_ONLN)" -n 4 clang-tidy -p "$BUILD" --quiet 2>/dev/null || { echo "lint: clang-tidy has findings" >&2; exit 1; }
echo "lint: clang-tidy finds nothing"
