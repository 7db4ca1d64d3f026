#!/bin/sh
# weft beside its peers (PyTorch with adapters 1.3.0, ONNX Runtime, CTranslate2, tokenizers) in one interleaved run; writes docs/performance.md and
# docs/performance.svg from the rounds in docs/bench/. About 20 minutes on two cores, with nothing else running.
# Usage: tools/bench_peers.sh [run.py's options, such as --quick, --only train:seq_bn, --sizes minilm, --table]
# Environment: BUILD          build folder (build)
#              BENCH_VENV     Python environment of the peers (.cache/bench-venv), made with pip when absent; pip's own variables choose where torch
#                             comes from (its CPU build is enough)
#              BENCH_WORK     folder for what is made once: models in the peers' forms, a lab (.cache/bench)
#              BENCH_BASE     folder of a small BERT (config.json, model.safetensors, tokenizer.json); demo/base, which `make demo` leaves, otherwise
#              BENCH_DATA     folder whose sst2/train.jsonl holds the texts; or BENCH_TEXTS, a file of texts: JSONL, CSV or TSV with a field "text", or
#                             a text a line. Without either: ../shared/data, else the film snippets of `make demo`
#              BENCH_ROUNDS (5), BENCH_SECONDS (2, of each work in a round), BENCH_THREADS (all cores)
set -eu
cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
VENV=${BENCH_VENV:-.cache/bench-venv}
WORK=${BENCH_WORK:-.cache/bench}
BASE=${BENCH_BASE:-demo/base}
stop() {
    echo "bench: $*" >&2
    exit 2
}

if [ -n "${BENCH_TEXTS:-}" ]; then
    texts=$BENCH_TEXTS
elif [ -n "${BENCH_DATA:-}" ]; then
    texts=$BENCH_DATA/sst2/train.jsonl
else
    texts=../shared/data/sst2/train.jsonl
    [ -f "$texts" ] || texts=demo/data/movies.tsv
fi
[ -f "$texts" ] || stop "no texts at $texts: set BENCH_DATA or BENCH_TEXTS, or run make demo once"
[ -f "$BASE/model.safetensors" ] || stop "no base at $BASE: set BENCH_BASE, or run make demo once"

modules='adapters, ctranslate2, numpy, onnx, onnxruntime, tokenizers, torch'
if [ ! -x "$VENV/bin/python" ] || ! "$VENV/bin/python" -c "import $modules" 2>/dev/null; then
    echo "making the Python environment $VENV"
    mkdir -p "$(dirname "$VENV")"
    python3 -m venv "$VENV" || stop "no Python environment at $VENV"
    "$VENV/bin/python" -m pip --disable-pip-version-check install --quiet torch adapters==1.3.0 transformers==4.57.6 safetensors tokenizers onnx \
        onnxruntime ctranslate2 || stop "pip could not install the peers"
fi
[ -f "$BUILD/build.ninja" ] || meson setup "$BUILD" >/dev/null || stop "no build folder $BUILD"
ninja -C "$BUILD" src/cli/weft bench/bench_worker >/dev/null || stop "the build in $BUILD failed"

exec python3 bench/peers/run.py --python "$VENV/bin/python" --build "$BUILD" --model "$BASE" --texts "$texts" --work "$WORK" \
    ${BENCH_ROUNDS:+--rounds "$BENCH_ROUNDS"} ${BENCH_SECONDS:+--seconds "$BENCH_SECONDS"} ${BENCH_THREADS:+--threads "$BENCH_THREADS"} "$@"
