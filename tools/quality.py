#!/usr/bin/env python3
"""Quality of weft's defaults beside the Python `adapters` library, on the same base, data, method (seq_bn) and seeds.

  tools/quality.py weft BASE DATA [--weft build/src/cli/weft] [--sets a,b] [--seeds 0,1,2] [--threads N]
  tools/quality.py reference BASE DATA [--sets a,b] [--seeds 0,1,2] [--threads N]    (needs torch, adapters, scikit-learn)
  tools/quality.py types BASE DATA [--weft ...] [--sets a,b] [--seeds 0] [--rows 600] [--steps 40] [--threads N]
  tools/quality.py table [--types]

`types` trains in float32 and evaluates that model over the base in bf16 and int8, with each difference's paired bootstrap interval.
BASE is a model folder, DATA holds a folder a set with train.jsonl, dev.jsonl and test.jsonl. Finished cells stand in docs/quality/*.jsonl, one line
each, and are not run again; `table` prints them as Markdown."""
import argparse
import contextlib
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SETS = ["sst2", "trec", "mrpc", "subj", "tweet_emotion", "financial_phrasebank"]
TYPES = ["bf16", "int8"]
TRAIN_ROWS = 6000  # both take the first ones of a larger set


def file_of(side):
    return os.path.join(TOP, "docs", "quality", side + ".jsonl")


def cells(side):
    try:
        with open(file_of(side)) as f:
            return [json.loads(line) for line in f]
    except FileNotFoundError:
        return []


def missing(side, a):
    done = {(c["set"], c["seed"]) for c in cells(side)}
    return [(s, seed) for seed in a.seeds for s in a.sets if (s, seed) not in done]


def keep(side, cell):
    os.makedirs(os.path.dirname(file_of(side)), exist_ok=True)
    with open(file_of(side), "a") as f:
        f.write(json.dumps(cell) + "\n")
    print(json.dumps(cell), flush=True)


@contextlib.contextmanager
def weft_lab(a, todo):
    """A lab with the base and the tasks of `todo`, as a function that runs one command in it."""
    with tempfile.TemporaryDirectory() as lab:
        def weft(*words):
            threads = ["--threads", str(a.threads)] if a.threads else []
            return json.loads(subprocess.run([a.weft, "-C", lab, "--json", "--quiet", *threads, *words], check=True, stdout=subprocess.PIPE).stdout)
        weft("init")
        weft("base", "add", "base", a.base)
        for s in sorted({s for s, _ in todo}):
            folder = os.path.join(lab, "data", s)  # the same rows as the reference
            os.makedirs(folder)
            for part in ("train", "dev", "test"):
                with open(os.path.join(a.data, s, part + ".jsonl"), encoding="utf-8") as f, open(os.path.join(folder, part + ".jsonl"), "w", encoding="utf-8") as g:
                    g.writelines(itertools.islice(f, TRAIN_ROWS if part == "train" else None))
            weft("task", "add", s, folder)
        yield weft


def weft_run(a):
    todo = missing("weft", a)
    with weft_lab(a, todo) as weft:
        for s, seed in todo:
            r = weft("train", s, "--seed", str(seed), "--name", f"{s}-{seed}")
            keep("weft", {"set": s, "seed": seed, "accuracy": r["test"]["accuracy"], "macro_f1": r["test"]["macro_f1"], "dev_accuracy": r["dev"]["accuracy"],
                          "train_rows": r["train_rows"], "epochs": r["epochs"], "lr": r["lr"], "base_dtype": r.get("base_dtype", "f32"),
                          "seconds": round(r["wall_seconds"]), "version": r["version"]})


def types_run(a):
    todo = missing("types", a)
    with weft_lab(a, todo) as weft:
        for s, seed in todo:
            name = f"{s}-{seed}"
            r = weft("train", s, "--seed", str(seed), "--name", name, "--base-dtype", "f32", "--rows", str(a.rows), "--steps", str(a.steps))
            own = weft("eval", name)
            cell = {"set": s, "seed": seed, "rows": own["rows"], "accuracy": own["metrics"]["accuracy"]["value"], "train_rows": r["train_rows"], "steps": r["steps"], "version": r["version"]}
            for t in TYPES:
                e = weft("eval", name, "--base-dtype", t)
                cell[t] = {**e["difference"]["accuracy"], "macro_f1": e["difference"]["macro_f1"]["value"], "largest_output_difference": e["largest_output_difference"]}
            keep("types", cell)


def reference_cell(a, s, seed, model_class, tokenizer, torch, f1_score, schedule):
    epochs, lr = 5, 5e-4
    random.seed(seed)
    torch.manual_seed(seed)
    rows = {part: [json.loads(line) for line in open(os.path.join(a.data, s, part + ".jsonl"))] for part in ("train", "dev", "test")}
    rows["train"] = rows["train"][:TRAIN_ROWS]
    ids = {label: i for i, label in enumerate(sorted({r["label"] for r in rows["train"]}))}
    data = {part: [(tokenizer(r["text"], r.get("text_pair"), truncation=True, max_length=256), ids[r["label"]]) for r in rows[part]] for part in rows}

    def batches(part, size, shuffle):
        order = list(range(len(part)))
        if shuffle:
            random.shuffle(order)
        windows = [sorted(order[i:i + 50 * size], key=lambda k: len(part[k][0]["input_ids"])) for i in range(0, len(order), 50 * size)]
        cut = [w[i:i + size] for w in windows for i in range(0, len(w), size)]
        if shuffle:
            random.shuffle(cut)
        for b in cut:
            yield tokenizer.pad([part[k][0] for k in b], return_tensors="pt"), torch.tensor([part[k][1] for k in b])

    model = model_class.from_pretrained(a.base)
    model.add_classification_head("head", num_labels=len(ids))
    model.add_adapter("own", config="seq_bn")
    model.train_adapter("own")
    model.active_head = "head"
    trained = [p for p in model.parameters() if p.requires_grad]
    steps = epochs * ((len(data["train"]) + 31) // 32)
    optimizer = torch.optim.AdamW(trained, lr=lr, weight_decay=0.0)
    scheduler = schedule(optimizer, steps // 10, steps)

    def evaluate(part):
        model.eval()
        said, truth = [], []
        with torch.no_grad():
            for x, y in batches(part, 64, False):
                said += model(**x).logits.argmax(-1).tolist()
                truth += y.tolist()
        return sum(u == v for u, v in zip(said, truth)) / len(truth), f1_score(truth, said, average="macro")

    best, state, started = -1.0, None, time.time()
    for _ in range(epochs):
        model.train()
        for x, y in batches(data["train"], 32, True):
            model(**x, labels=y).loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
        accuracy = evaluate(data["dev"])[0]
        if accuracy > best:
            best, state = accuracy, {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}
    model.load_state_dict(state, strict=False)
    accuracy, f1 = evaluate(data["test"])
    return {"set": s, "seed": seed, "accuracy": accuracy, "macro_f1": f1, "dev_accuracy": best, "train_rows": len(data["train"]), "epochs": epochs, "lr": lr,
            "seconds": round(time.time() - started)}


def reference_run(a):
    import adapters
    import torch
    from sklearn.metrics import f1_score
    from transformers import AutoTokenizer, get_linear_schedule_with_warmup
    if a.threads:
        torch.set_num_threads(a.threads)
    tokenizer = AutoTokenizer.from_pretrained(a.base)
    for s, seed in missing("reference", a):
        cell = reference_cell(a, s, seed, adapters.BertAdapterModel, tokenizer, torch, f1_score, get_linear_schedule_with_warmup)
        keep("reference", {**cell, "version": f"adapters {adapters.__version__}, torch {torch.__version__}"})


def spread(values):
    return f"{100 * statistics.mean(values):.1f}" + (f" +- {100 * statistics.stdev(values):.1f}" if len(values) > 1 else "")


def types_table():
    have = cells("types")
    print("| set | test rows | float32 | " + " | ".join(f"{t}: difference in points, 95 % interval" for t in TYPES) + " | seeds |")
    print("| --- | ---: | ---: |" + " ---: |" * len(TYPES) + " ---: |")
    means = {t: [] for t in TYPES}  # of each set: difference, half width
    for s in SETS:
        mine = [c for c in have if c["set"] == s]
        if not mine:
            continue
        row = [f"`{s}`", str(mine[0]["rows"]), spread([c["accuracy"] for c in mine])]
        for t in TYPES:  # the seeds' models are judged on the same rows: their mean is taken to be no surer than one of them
            d, low, high = (statistics.mean(c[t][key] for c in mine) for key in ("value", "low", "high"))
            means[t].append((d, (high - low) / 2))
            row.append(f"{100 * d:+.2f} [{100 * low:+.2f}, {100 * high:+.2f}]")
        print("| " + " | ".join(row) + f" | {len(mine)} |")
    row = []
    for t in TYPES:
        d, half = statistics.mean(x for x, _ in means[t]), sum(h * h for _, h in means[t]) ** 0.5 / len(means[t])
        row.append(f"**{100 * d:+.2f}** [{100 * (d - half):+.2f}, {100 * (d + half):+.2f}]")
    print("| mean | | | " + " | ".join(row) + " | |")


def table(a):
    if a.types:
        return types_table()
    ours, theirs = cells("weft"), cells("reference")
    print("| set | adapters: accuracy | weft: accuracy | difference | adapters: macro-F1 | weft: macro-F1 | difference | seeds |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for s in SETS:
        seeds = sorted({c["seed"] for c in ours if c["set"] == s} & {c["seed"] for c in theirs if c["set"] == s})
        if not seeds:
            continue
        row = [f"`{s}`"]
        for metric in ("accuracy", "macro_f1"):
            x = [c[metric] for c in theirs if c["set"] == s and c["seed"] in seeds]
            y = [c[metric] for c in ours if c["set"] == s and c["seed"] in seeds]
            row += [spread(x), spread(y), f"{100 * (statistics.mean(y) - statistics.mean(x)):+.1f}"]
        print("| " + " | ".join(row) + f" | {len(seeds)} |")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = p.add_subparsers(dest="what", required=True)
    for name in ("weft", "reference", "types"):
        q = sub.add_parser(name)
        q.add_argument("base")
        q.add_argument("data")
        q.add_argument("--sets", type=lambda t: t.split(","), default=SETS)
        q.add_argument("--seeds", type=lambda t: [int(n) for n in t.split(",")], default=[0, 1, 2])
        q.add_argument("--threads", type=int, default=0)
        if name == "types":
            q.add_argument("--rows", type=int, default=600)
            q.add_argument("--steps", type=int, default=40)
        if name != "reference":
            q.add_argument("--weft", default=os.path.join(TOP, "build", "src", "cli", "weft"))
    sub.add_parser("table").add_argument("--types", action="store_true")
    a = p.parse_args()
    return {"weft": weft_run, "reference": reference_run, "types": types_run, "table": table}[a.what](a)


if __name__ == "__main__":
    sys.exit(main())
