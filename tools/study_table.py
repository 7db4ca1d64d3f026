#!/usr/bin/env python3
"""The study of fusion on many tasks as Markdown, from docs/study/fusion.jsonl.

  tools/study_table.py keep LAB PLAN [--weft build/src/cli/weft]    writes what the plan's finished steps gave to docs/study/fusion.jsonl
  tools/study_table.py table

A row is a target and a number of training rows: test scores, mean over the seeds; what the fusion that includes the target's own adapter has
more than that adapter alone, with the recorded test's interval and p value; and whether a difference may be claimed."""
import json
import math
import os
import statistics
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
KEPT = os.path.join(TOP, "docs", "study", "fusion.jsonl")
TARGETS_LEAST = 5
T975 = {2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262, 10: 2.228, 11: 2.201, 12: 2.179}  # by degrees of freedom


def keep(lab, plan, weft):
    said = json.loads(subprocess.run([weft, "-C", lab, "--json", "plan", "--list", plan], check=True, stdout=subprocess.PIPE).stdout)
    with open(KEPT, "w") as f:
        for step in said["steps"]:
            r = step.get("result")
            if step["status"] != "done" or not r:
                continue
            if step["words"][0] == "train":
                line = {"source": r["task"], "metric": r["metric"], "test": r["test"], "train_rows": r["train_rows"], "steps": r["steps"]}
            elif step["words"][0] == "compare":
                line = {"target": r["task"], "metric": r["rows"][0]["metric"], "summary": r["summary"], "tests": r["tests"]}
            else:
                continue
            f.write(json.dumps(line, sort_keys=True) + "\n")


def short(method):
    if not method.startswith("fuse:"):
        return method
    return "own" if method.endswith(",own") else "sources"


def mean_of_differences(values):
    n = len(values)
    mean = statistics.mean(values)
    half = T975[n - 1] * statistics.stdev(values) / math.sqrt(n) if n - 1 in T975 else math.nan
    return f"{mean:+.1f} [{mean - half:+.1f}, {mean + half:+.1f}]"


def table():
    with open(KEPT) as f:
        lines = [json.loads(line) for line in f]
    sources = [x for x in lines if "source" in x]
    print("Sources, test accuracy: " + ", ".join(f"`{x['source']}` {100 * x['test']['accuracy']:.1f}" for x in sources) + ".\n")
    print("| target | rows | metric | head alone | one adapter | fusion of the sources | fusion with own | with own less one adapter, 95 % interval | p (Holm) | claimed |")
    print("| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |")
    gains = {}
    for x in (x for x in lines if "target" in x):
        metric = x["metric"]
        for k, rows in enumerate(sorted({s["train_rows"] for s in x["summary"]})):
            mean = {short(s["method"]): 100 * s["mean"][metric] for s in x["summary"] if s["train_rows"] == rows}
            test = next(t for t in x["tests"] if t["train_rows"] == rows and short(t["a"]) == "own" and t["b"] == "seq_bn")
            claimed = "-" if not test["better"] else "fusion" if short(test["better"]) == "own" else "adapter"
            print(f"| `{x['target']}` | {rows} | {metric} | " + " | ".join(f"{mean[m]:.1f}" for m in ("head", "seq_bn", "sources", "own")) +
                  f" | {100 * test['difference']:+.1f} [{100 * test['low']:+.1f}, {100 * test['high']:+.1f}] | {test['p_holm']:.3f} | {claimed} |")
            for name, a, b in (("fusion with own less one adapter", "own", "seq_bn"), ("fusion of the sources less one adapter", "sources", "seq_bn"),
                               ("fusion with own less fusion of the sources", "own", "sources"), ("one adapter less head alone", "seq_bn", "head")):
                gains.setdefault((name, k), []).append(mean[a] - mean[b])
    if len(next(iter(gains.values()), [])) < TARGETS_LEAST:
        print("\nToo few targets yet for a mean over them.")
        return
    print("\nMean over the targets, points, 95 % interval (t, over targets):\n")
    print("| difference | fewer rows | more rows |\n| --- | ---: | ---: |")
    for name in dict.fromkeys(n for n, _ in gains):
        print(f"| {name} | " + " | ".join(mean_of_differences(gains[name, k]) for k in (0, 1)) + " |")


def main(words):
    if len(words) >= 3 and words[0] == "keep":
        return keep(words[1], words[2], words[4] if words[3:4] == ["--weft"] else os.path.join(TOP, "build", "src", "cli", "weft"))
    if words == ["table"]:
        return table()
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
