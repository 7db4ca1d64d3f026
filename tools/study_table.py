#!/usr/bin/env python3
"""The studies of docs/study as Markdown.

  tools/study_table.py keep LAB PLAN [--weft build/src/cli/weft]    writes what the plan's finished steps gave to docs/study/NAME.jsonl, NAME the plan's
  tools/study_table.py table fusion|safeguards|joint

fusion: a row is a target and a number of training rows: test scores, mean over the seeds; what the fusion that includes the target's own adapter has
more than that adapter alone, with the recorded test's interval and p value; and whether a difference may be claimed.
safeguards: a row is a setting and a set: test scores, mean over the seeds, and the difference from the same
trainings without it, paired by seed.
joint: a row is how tasks were drawn or weighed: test scores of each task, mean over the seeds, and their mean."""
import json
import math
import os
import statistics
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGETS_LEAST = 5
# Pfeiffer et al. 2021, table 1: BERT-base, all training rows, dev accuracy: one adapter, fusion of the 16 tasks' adapters (own among them)
PAPER = {"cb": (86.07, 92.14), "rte": (71.04, 76.82), "mrpc": (85.16, 90.29), "sick_e": (86.20, 87.28)}
T975 = {2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262, 10: 2.228, 11: 2.201, 12: 2.179}  # by degrees of freedom


def kept(name):
    return os.path.join(TOP, "docs", "study", name + ".jsonl")


def lines_of(name):
    with open(kept(name)) as f:
        return [json.loads(line) for line in f]


def compared(step, r):
    if "--seeds" in step["words"] and len(r["summary"]) == 1:  # one method: its trainings
        return {"task": r["task"], "words": step["words"], "metric": r["rows"][0]["metric"],
                "rows": [{"seed": x["seed"], "test": x["metrics"]} for x in r["rows"]]}
    return {"target": r["task"], "metric": r["rows"][0]["metric"], "summary": r["summary"], "tests": r["tests"]}


def keep(lab, plan, weft):
    name = os.path.splitext(os.path.basename(plan))[0]
    said = json.loads(subprocess.run([weft, "-C", lab, "--json", "plan", "--list", plan], check=True, stdout=subprocess.PIPE).stdout)
    with open(kept(name), "w") as f:
        for step in said["steps"]:
            r = step.get("result")
            if step["status"] != "done" or not r:
                continue
            if step["words"][0] == "train":
                line = {"source": r["task"], "name": r["name"], "metric": r["metric"], "test": r["test"], "train_rows": r["train_rows"], "steps": r["steps"]}
            elif step["words"][0] == "compare":
                line = compared(step, r)
            elif step["words"][0] == "joint":
                line = {"joint": r["name"], "sampling": r["sampling"], "loss_weights": r["loss_weights"], "seed": r["seed"], "seconds": r["wall_seconds"],
                        "steps": r["steps"], "heads": {t: {"metric": h["metric"], "test": h["test"], "batches": h["batches"]} for t, h in r["heads"].items()}}
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


def settings_of(words):
    """What a comparison sets beside what all of the study have."""
    common = {"--rows", "--seeds", "--steps", "--max-length", "--base-dtype"}
    rest, k = [], 2
    while k < len(words):
        if words[k] == "--methods":
            if words[k + 1] != "seq_bn":
                rest.append(words[k + 1])
        elif words[k] not in common:
            rest += words[k:k + 2]
        k += 2
    return " ".join(rest)


def over_seeds(values, sign=True):
    mean = statistics.mean(values)
    text = f"{mean:+.1f}" if sign else f"{mean:.1f}"
    return text + (f" +- {statistics.stdev(values):.1f}" if len(values) > 1 else "")


def table_safeguards():
    lines = lines_of("safeguards")
    plain = {x["task"]: x for x in lines if not settings_of(x["words"])}
    print("| setting | set | macro-F1 | difference, paired by seed | accuracy | difference |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for x in lines:
        base = {r["seed"]: r for r in plain[x["task"]]["rows"]}
        setting = settings_of(x["words"])
        cells = []
        for metric in ("macro_f1", "accuracy"):
            cells.append(over_seeds([100 * r["test"][metric] for r in x["rows"]], False))
            cells.append(over_seeds([100 * (r["test"][metric] - base[r["seed"]]["test"][metric]) for r in x["rows"]]) if setting else "")
        print(f"| {f'`{setting}`' if setting else 'the defaults'} | `{x['task']}` | " + " | ".join(cells) + " |")


def table_joint():
    lines = lines_of("joint")
    tasks = list(next(x for x in lines if "joint" in x)["heads"])
    groups = {}
    for x in lines:
        if "joint" in x:
            name = x["sampling"] if x["loss_weights"] == "uniform" else f"{x['sampling']}, {x['loss_weights']}"
            groups.setdefault(name, []).append({"score": {t: 100 * h["test"][h["metric"]] for t, h in x["heads"].items()}, "seconds": x["seconds"]})
    alone = [x for x in lines if "source" in x]
    metric = {x["source"]: x["metric"] for x in alone}
    print("| drawn, weighed | " + " | ".join(f"`{t}`" + (f", {metric[t]}" if t in metric else "") for t in tasks) + " | mean | seconds |")
    print("| --- |" + " ---: |" * (len(tasks) + 2))
    for name, runs in groups.items():
        means = [statistics.mean(r["score"].values()) for r in runs]
        print(f"| {name} | " + " | ".join(f"{statistics.mean(r['score'][t] for r in runs):.1f}" for t in tasks) +
              f" | {over_seeds(means, False)} | {statistics.mean(r['seconds'] for r in runs):.0f} |")
    if alone:
        own = {t: [100 * x["test"][x["metric"]] for x in alone if x["source"] == t] for t in tasks}
        print("| an adapter of its own each | " + " | ".join(f"{statistics.mean(own[t]):.1f}" for t in tasks) +
              f" | {statistics.mean(statistics.mean(v) for v in own.values()):.1f} | |")


def table_paper(lines):
    print("\nBeside the paper, accuracy:\n")
    print("| target | paper: one adapter | fusion with own | difference | here, rows | one adapter | fusion with own | difference |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for x in (x for x in lines if x.get("target") in PAPER):
        rows = max(s["train_rows"] for s in x["summary"])
        mean = {short(s["method"]): 100 * s["mean"]["accuracy"] for s in x["summary"] if s["train_rows"] == rows}
        adapter, fused = PAPER[x["target"]]
        print(f"| `{x['target']}` | {adapter:.1f} | {fused:.1f} | {fused - adapter:+.1f} | {rows} | {mean['seq_bn']:.1f} | {mean['own']:.1f} | "
              f"{mean['own'] - mean['seq_bn']:+.1f} |")


def table_fusion():
    lines = lines_of("fusion")
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
    table_paper(lines)


def main(words):
    if len(words) >= 3 and words[0] == "keep":
        return keep(words[1], words[2], words[4] if words[3:4] == ["--weft"] else os.path.join(TOP, "build", "src", "cli", "weft"))
    tables = {"fusion": table_fusion, "safeguards": table_safeguards, "joint": table_joint}
    if len(words) == 2 and words[0] == "table" and words[1] in tables:
        return tables[words[1]]()
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
