#!/usr/bin/env python3
"""Quality of weft's defaults beside the Python `adapters` library, on the same base, data, method (seq_bn) and seeds.

  tools/quality.py weft BASE DATA [--weft build/src/cli/weft] [--sets a,b] [--seeds 0,1,2] [--threads N]
  tools/quality.py reference BASE DATA [--sets a,b] [--seeds 0,1,2] [--threads N]    (needs torch, adapters, scikit-learn)
  tools/quality.py types BASE DATA [--method full] [--weft ...] [--sets a,b] [--seeds 0,1,2] [--rows 1500] [--steps 190] [--threads N]
  tools/quality.py table [--types [--method full]]

`types` trains with the base in float32, bf16 and int8 and judges each model in its own type; the one trained in float32 is judged in the other
types as well. With --method full the base itself is trained, in float32 and bf16. Of every model the test rows it has right are kept, so that differences are paired by row.
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
TYPES = {"seq_bn": ["f32", "bf16", "int8"], "full": ["f32", "bf16"]}  # by method
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
            said = subprocess.run([a.weft, "-C", lab, "--json", "--quiet", *threads, *words], check=True, stdout=subprocess.PIPE).stdout
            return [json.loads(line) for line in said.splitlines()] if words[0] == "predict" else json.loads(said)
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


def right_rows(weft, name, test):
    """Which rows of the test part the model has right, as a number in hexadecimal, the first row in its lowest bit."""
    with open(test, encoding="utf-8") as f:
        labels = [json.loads(line)["label"] for line in f]
    said = weft("predict", name, "--input", test)
    assert len(said) == len(labels), (name, len(said), len(labels))
    return f"{sum(1 << i for i, (p, label) in enumerate(zip(said, labels)) if p['results'][name]['label'] == label):x}"


def types_side(method):
    return "types" if method == "seq_bn" else "types-" + method


def types_run(a):
    types, side = TYPES[a.method], types_side(a.method)
    todo = missing(side, a)
    with weft_lab(a, todo) as weft:
        for s, seed in todo:
            cell = {"set": s, "seed": seed, "macro_f1": {}, "right": {}, "judged": {}}
            for t in types:
                name = f"{s}-{seed}-{t}"
                r = weft("train", s, "--method", a.method, "--seed", str(seed), "--name", name, "--base-dtype", t, "--rows", str(a.rows), "--steps", str(a.steps))
                cell["macro_f1"][t] = r["test"]["macro_f1"]
                cell["right"][t] = right_rows(weft, name, os.path.join(a.data, s, "test.jsonl"))
                cell.update(train_rows=r["train_rows"], steps=r["steps"], version=r["version"])
            for t in types[1:]:
                e = weft("eval", f"{s}-{seed}-f32", "--base-dtype", t)
                cell["rows"] = e["rows"]
                cell["judged"][t] = {**e["difference"]["accuracy"], "largest_output_difference": e["largest_output_difference"]}
            keep(side, cell)


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


def resampled(differences, resamples=2000):
    """Mean of differences[seed][row] and its 95 % interval, seeds and rows drawn anew each time."""
    draw, n = random.Random(0), len(differences[0])
    mean = statistics.mean(map(statistics.mean, differences))
    means = []
    for _ in range(resamples):
        rows = draw.choices(range(n), k=n)
        means.append(statistics.mean(sum(d[i] for i in rows) / n for d in draw.choices(differences, k=len(differences))))
    means.sort()
    return mean, means[int(0.025 * resamples)], means[int(0.975 * resamples) - 1]


def points(mean, low, high):
    return f"{100 * mean:+.2f} [{100 * low:+.2f}, {100 * high:+.2f}]"


def types_table(method):
    have, types, others = cells(types_side(method)), TYPES[method], TYPES[method][1:]
    print("| set | test rows | seeds | float32 | " + " | ".join(f"trained in {t}" for t in others) + " | " + " | ".join(f"only judged in {t}" for t in others) + " |")
    print("| --- | ---: | ---: | ---: |" + " ---: |" * (2 * len(others)))
    trained, judged = {t: [] for t in others}, {t: [] for t in others}  # of each set: mean, low, high
    for s in SETS:
        mine = [c for c in have if c["set"] == s]
        if not mine:
            continue
        n = mine[0]["rows"]
        bits = {t: [[int(c["right"][t], 16) >> i & 1 for i in range(n)] for c in mine] for t in types}
        for t in others:
            trained[t].append(resampled([[x - y for x, y in zip(p, q)] for p, q in zip(bits[t], bits["f32"])]))
            # one model each, judged on the same rows: the mean of the seeds' intervals is no surer than one of them
            judged[t].append(tuple(statistics.mean(c["judged"][t][key] for c in mine) for key in ("value", "low", "high")))
        print(f"| `{s}` | {n} | {len(mine)} | {spread([statistics.mean(b) for b in bits['f32']])} | " +
              " | ".join(points(*which[t][-1]) for which in (trained, judged) for t in others) + " |")
    overall = []
    for which in (trained, judged):
        for t in others:  # sets are independent: half widths add in squares
            mean, half = statistics.mean(x[0] for x in which[t]), sum(((x[2] - x[1]) / 2) ** 2 for x in which[t]) ** 0.5 / len(which[t])
            overall.append("**" + points(mean, mean - half, mean + half) + "**")
    print("| mean | | | | " + " | ".join(overall) + " |")


def table(a):
    if a.types:
        return types_table(a.method)
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
            q.add_argument("--method", choices=TYPES, default="seq_bn")
            q.add_argument("--rows", type=int, default=1500)
            q.add_argument("--steps", type=int, default=190)
        if name != "reference":
            q.add_argument("--weft", default=os.path.join(TOP, "build", "src", "cli", "weft"))
    q = sub.add_parser("table")
    q.add_argument("--types", action="store_true")
    q.add_argument("--method", choices=TYPES, default="seq_bn")
    a = p.parse_args()
    return {"weft": weft_run, "reference": reference_run, "types": types_run, "table": table}[a.what](a)


if __name__ == "__main__":
    sys.exit(main())
