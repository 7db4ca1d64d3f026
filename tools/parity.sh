#!/bin/sh
# Compares weft with the Python programs it follows, all made anew: adapters 1.3.0 (logits, layers, fusion attention, gradients, three
# optimiser steps, the last two also over a base in bf16 and int8; on a small random BERT and on a real base; and the other way
# round, folders that weft wrote opened there), the tokenizers library, scikit-learn, scipy and statsmodels, torch's optimiser and losses.
# Usage: tools/parity.sh
# Environment: BUILD        build folder (build), built when it lacks the programs
#              PARITY_VENV  Python environment (.cache/parity-venv), made with pip when absent; pip's own variables choose where torch
#                           comes from (its CPU build is enough)
#              PARITY_BASE  folder of a real BERT (config.json, model.safetensors, tokenizer.json); demo/base when that is there
#              PARITY_DATA  folder of .jsonl files whose texts go through both tokenizers; demo/data when that is there
#              PARITY_KEEP  a folder to work in and leave behind; else a temporary one
# Last line: "N passed, N failed". Exit code: 0 all passed, 1 something differs, 2 it could not compare.
set -u
cd "$(dirname "$0")/.." || exit 2
BUILD=${BUILD:-build}
VENV=${PARITY_VENV:-.cache/parity-venv}
BASE=${PARITY_BASE:-}
DATA=${PARITY_DATA:-}
[ -n "$BASE" ] || [ ! -f demo/base/model.safetensors ] || BASE=demo/base
[ -n "$DATA" ] || [ ! -d demo/data ] || DATA=demo/data
passed=0 failed=0
say() { printf '\n== %s\n' "$*"; }
stop() {
    echo "parity: $*" >&2
    exit 2
}

# ---- what is needed ----
if [ ! -x "$VENV/bin/python" ] || ! "$VENV/bin/python" -c 'import adapters, safetensors, scipy, sklearn, statsmodels, tokenizers, torch' 2>/dev/null; then
    say "making the Python environment $VENV"
    python3 -m venv "$VENV" || stop "no Python environment at $VENV"
    "$VENV/bin/python" -m pip --disable-pip-version-check install --quiet torch adapters==1.3.0 transformers==4.57.6 safetensors tokenizers \
        scikit-learn scipy statsmodels || stop "pip could not install the Python libraries"
fi
python=$VENV/bin/python
"$python" -c 'import adapters, tokenizers, torch, transformers, sklearn, scipy, statsmodels
for m in (adapters, transformers, torch, tokenizers, sklearn, scipy, statsmodels): print(m.__name__, m.__version__)'
[ -f "$BUILD/build.ninja" ] || meson setup "$BUILD" >/dev/null || stop "no build folder $BUILD"
ninja -C "$BUILD" tests/test_engine_parity tests/test_engine_parity_types tests/test_metrics tests/test_statistics tests/test_optim_optim tests/test_tape_torch tests/test_tokenizers_differential \
    tests/tokenizers/tokenizer_ids >/dev/null || stop "the build in $BUILD failed"

if [ -n "${PARITY_KEEP:-}" ]; then
    work=$PARITY_KEEP
    mkdir -p "$work" || stop "cannot make $work"
else
    work=$(mktemp -d) || stop "no temporary folder"
    trap 'rm -rf "$work"' EXIT
    trap 'exit 2' INT TERM
fi

count() { # NAME STATUS
    if [ "$2" -eq 0 ]; then
        passed=$((passed + 1))
        echo "$1: same"
    else
        failed=$((failed + 1))
        echo "$1: DIFFERS"
    fi
}

# ---- adapters ----
types_compare() { # FOLDER OF CASES [LEVEL]: gradients and steps over a frozen base in bf16 and int8, counted by case
    log=$work/types.log
    WEFT_ISA=${2:-avx512} WEFT_PARITY=$1 "$BUILD/tests/test_engine_parity_types" >"$log" 2>&1
    status=$?
    good=$(grep -c '^\[       OK \]' "$log")
    bad=$(grep -c '^\[  FAILED  \] [a-z]' "$log")
    bad=$((bad / 2))
    [ "$status" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
    grep -E ' cosine |rror' "$log"
    echo "training over a base in bf16 and int8 against the library's float32: $good passed, $bad failed"
    passed=$((passed + good)) failed=$((failed + bad))
}

compare() { # FOLDER OF CASES [LEVEL]: the C comparison, counted by case, and its parts handed over to the library
    log=$work/compare.log
    rm -rf "$1-written"
    WEFT_ISA=${2:-avx512} WEFT_PARITY=$1 WEFT_PARITY_VERBOSE=1 WEFT_PARITY_WRITE=$1-written "$BUILD/tests/test_engine_parity" >"$log" 2>&1
    status=$?
    good=$(grep -c '^\[       OK \]' "$log")
    bad=$(grep -c '^\[  FAILED  \] [a-z]' "$log")
    bad=$((bad / 2)) # said once at its place, once in the summary
    [ "$status" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
    grep -E ' off by |should be|rror|elements' "$log"
    awk '$2 == "logits" {
             for (i = 2; i < NF; i += 2) if ($(i + 1) + 0 > worst[$i] + 0) { worst[$i] = $(i + 1); at[$i] = $1 }
         }
         END { for (g in worst) printf "  worst %-9s %s (%s)\n", g, worst[g], at[g] }' "$log" | sort
    echo "weft against the library: $good passed, $bad failed"
    passed=$((passed + good)) failed=$((failed + bad))
    "$python" tools/parity_golden.py "$1-written" --check >"$log" 2>&1
    status=$?
    grep -E 'logits|rror' "$log"
    good=$(sed -n 's/^folders written by weft: \([0-9]*\) passed.*/\1/p' "$log")
    bad=$(sed -n 's/^folders written by weft: .* \([0-9]*\) failed.*/\1/p' "$log")
    [ "$status" -eq 0 ] || [ "${bad:-0}" -gt 0 ] || bad=1
    passed=$((passed + ${good:-0})) failed=$((failed + ${bad:-0}))
    types_compare "$@"
}

say "adapters on a small random BERT"
if "$python" tools/parity_golden.py "$work/small" >"$work/make.log" 2>&1; then
    compare "$work/small"
else
    tail -n 5 "$work/make.log"
    count "making the small cases" 1
fi
if [ -z "$BASE" ]; then
    say "adapters on a real base: SKIPPED, no base (set PARITY_BASE, or run the demo once)"
elif [ ! -f "$BASE/model.safetensors" ]; then
    stop "$BASE has no model.safetensors"
else
    say "adapters on $BASE"
    if "$python" tools/parity_golden.py "$work/real" --model "$BASE" >"$work/make.log" 2>&1; then
        compare "$work/real"
        if grep -qs avx512f /proc/cpuinfo; then
            say "adapters on $BASE, with AVX2"
            compare "$work/real" avx2
        fi
    else
        tail -n 5 "$work/make.log"
        count "making the cases of $BASE" 1
    fi
fi

# ---- the other libraries: what is stored is what they say today, and weft agrees with what is stored ----
say "tokenizers"
mkdir -p "$work/golden"
cp tests/golden/tokenizer_digests.json "$work/golden/"
"$python" tools/tokenizer_digests.py "$work/golden" && "$python" - "$work/golden/tokenizer_digests.json" tests/golden/tokenizer_digests.json <<'PY'
import json, sys
new, old = (json.load(open(p)) for p in sys.argv[1:])
for d in (new, old):
    d.pop("made_with")
sys.exit(new != old)
PY
count "digests of every code point and of random texts" $?
WEFT_TEST_DATA=$PWD/tests "$BUILD/tests/test_tokenizers_differential" >"$work/make.log" 2>&1
count "weft's tokenizer against the digests" $?
if [ -n "$BASE" ] && [ -f "$BASE/tokenizer.json" ]; then
    "$python" tools/tokenizer_check.py --program "$BUILD/tests/tokenizers/tokenizer_ids" --model "$BASE" ${DATA:+--data "$DATA"} --random 20000
    count "ids and places, text by text" $?
else
    echo "text by text with a real vocabulary: SKIPPED, no base with a tokenizer.json (set PARITY_BASE)"
fi

same_numbers() { # SCRIPT HEADER: the script's output holds the header's numbers but for the last digits
    "$python" "tests/golden/$1" >"$work/numbers.h" && "$python" - "$work/numbers.h" "tests/golden/$2" <<'PY'
import math, re, sys
number = re.compile(r"(?<![\w.])-?\d+\.?\d*(?:[eE][-+]?\d+)?")
new, old = ([float(x) for x in number.findall(re.sub(r"/\*.*?\*/", "", open(p).read(), flags=re.S))] for p in sys.argv[1:])
sys.exit(not (new and len(new) == len(old) and all(math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12) for a, b in zip(new, old))))
PY
}
say "metrics"
same_numbers make_metrics_sklearn.py metrics_sklearn.h
count "scikit-learn's and scipy's numbers" $?
"$BUILD/tests/test_metrics" >"$work/make.log" 2>&1
count "weft's metrics against them" $?
say "statistics"
same_numbers make_statistics.py statistics_scipy.h
count "scipy's, scikit-learn's and statsmodels' numbers" $?
"$BUILD/tests/test_statistics" >"$work/make.log" 2>&1
count "weft's statistics against them" $?
say "torch's losses, operations, optimiser and schedules"
same_numbers make_training_torch.py training_torch.h
count "torch's and transformers' numbers" $?
"$BUILD/tests/test_tape_torch" >"$work/make.log" 2>&1 && "$BUILD/tests/test_optim_optim" >>"$work/make.log" 2>&1
count "weft's against them" $?

say "result"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
