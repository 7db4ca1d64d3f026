#!/usr/bin/env python3
"""weft beside its peers, in turns on one machine: rounds to files, then docs/performance.md and docs/performance.svg.
Started by tools/bench_peers.sh, which makes the Python environment of the peers.

  run.py --python PEERS_PYTHON --build BUILD --model BASE --texts FILE [--rounds 5] [--seconds 2] [--threads N] [--sizes minilm,bert-base]
         [--only WORD,...] [--quick] [--fresh] [--prepare] [--table]

A round is one file below the results' folder; a run that was interrupted goes on behind the last whole round as long as the programs, texts and
settings are the same. --quick: one round of half a second, MiniLM and few works unless --only or --sizes say more, written beside the build and never
into docs/. --prepare: what is made once and the comparison of outputs, no measuring. --table: no measuring, only the document from the rounds that are there."""
import argparse
import hashlib
import json
import math
import os
import platform
import random
import shutil
import subprocess
import sys
import time

import figure
import goals
import table
from worker import GRADIENT_ROWS

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
SEED, TEXTS, MAX_LENGTH = 0, 4096, 256
COLD_STARTS = 20
QUICK = ["train:seq_bn", "train:fuse:8", "infer:plain", "infer:fuse:8", "latency", "tokenize"]
PEERS = {"torch": "torch_worker.py", "onnx": "onnx_worker.py", "ct2": "ct2_worker.py", "tokenizers": "tokenizers_worker.py"}


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def json_read(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def json_write(path, value):
    with open(path + ".new", "w", encoding="utf-8") as f:
        json.dump(value, f, indent=1, sort_keys=True)
        f.write("\n")
    os.replace(path + ".new", path)


class Worker:
    """A peer's process; see worker.py for what it is asked."""

    def __init__(self, command, log, threads):
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads), HF_HUB_OFFLINE="1")
        self.name, self.log = command[-1], log
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(log, "a"), env=environment, text=True)

    def ask(self, **question):
        try:
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise SystemExit(f"bench: {self.name} ended; see {self.log}")
        return json.loads(line)

    def sure(self, **question):
        answer = self.ask(**question)
        if "error" in answer:
            raise SystemExit(f"bench: {self.name}: {answer['error']}")
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait()


# ---- what is prepared once ----

def texts_make(source, out):
    """The texts of a JSONL, CSV or TSV file with a field "text", or the lines of any other, in an order drawn by the seed: one a line."""
    ending = os.path.splitext(source)[1]
    with open(source, encoding="utf-8", newline="") as f:
        if ending in (".jsonl", ".ndjson"):
            rows = [json.loads(line)["text"] for line in f]
        elif ending in (".csv", ".tsv"):
            import csv
            rows = [r["text"] for r in csv.DictReader(f, delimiter="\t" if ending == ".tsv" else ",")]
        else:
            rows = f.read().splitlines()
    rows = [t for t in (" ".join(r.split()) for r in rows) if t]
    random.Random(SEED).shuffle(rows)
    with open(out, "w", encoding="utf-8") as f:
        f.write("".join(r + "\n" for r in rows[:TEXTS]))
    return len(rows[:TEXTS])


def models_make(a, size):
    """(model folder, onnx folder, ct2 folder) of a size; made when absent."""
    make = lambda *words: subprocess.run([a.python, os.path.join(HERE, "models.py"), *words], check=True, stdout=sys.stderr, stderr=open(os.path.join(a.work, "models.log"), "a"))
    model = a.model
    if size == "bert-base":
        model = os.path.join(a.work, "bert-base")
        if not os.path.isdir(model):
            say("making random weights of BERT-base's size")
            make("random", model, a.model, str(SEED))
    made = [model]
    for kind in ("onnx", "ct2"):
        made.append(os.path.join(a.work, f"{size}-{kind}"))
        if not os.path.isdir(made[-1]):
            say(f"making {made[-1]}")
            make(kind, model, made[-1])
    return made


def weft(a, *words, **more):
    command = [a.weft, "-C", os.path.join(a.work, "lab"), "--quiet", "--threads", str(a.threads), *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, **more).stdout


def lab_make(a, models):
    """A lab with the bases, and a small model for the cold start."""
    shutil.rmtree(os.path.join(a.work, "lab"), ignore_errors=True)
    weft(a, "init")
    for size, model in models.items():
        weft(a, "base", "add", size, model[0])
    with open(a.lines, encoding="utf-8") as f, open(os.path.join(a.work, "cold.jsonl"), "w", encoding="utf-8") as out:
        for i, line in zip(range(200), f):
            out.write(json.dumps({"text": line.strip(), "label": ["odd", "even"][i % 2]}) + "\n")
    if "minilm" in models:
        weft(a, "task", "add", "cold", os.path.join(a.work, "cold.jsonl"))
        weft(a, "train", "cold", "--base", "minilm", "--name", "cold", "--epochs", "1")


# ---- outputs ----

def agreement(right, found):
    """Of two lists of vectors: the largest difference over the largest value, and the cosines. None where a number is not finite."""
    if not all(math.isfinite(x) for row in found for x in row):
        return {"error": None}
    most = max(abs(x) for row in right for x in row)
    error = max(abs(x - y) for a, b in zip(right, found) for x, y in zip(a, b)) / most
    norm = lambda v: math.sqrt(sum(x * x for x in v)) or 1.0
    cosines = [sum(x * y for x, y in zip(a, b)) / (norm(a) * norm(b)) for a, b in zip(right, found)]
    return {"error": error, "mean_cosine": sum(cosines) / len(cosines), "least_cosine": min(cosines)}


def weft_outputs(a, size, worker, loaded, wanted, parts):
    """Writes the parts that the library loads; {part@type: outputs} of all that a measured work of weft stands on, and a digest of token ids."""
    works = set()
    for side, work in wanted:
        told = loaded["works"].get(work, {})
        if side == "weft" and "dtype" in told:
            works |= {"infer:" + key.split("/", 1)[1] for key, _ in goals.agreements_of("weft", work, told["dtype"]) if not table.is_gradient(key)}
    shutil.rmtree(parts, ignore_errors=True)
    for folder in ("", "adapters", "fusions"):
        os.makedirs(os.path.join(parts, folder), exist_ok=True)
    file = os.path.join(a.work, size + "-outputs.json")
    told = worker.sure(do="outputs", works=sorted(works), outputs=file, parts=parts)
    return {w.split(":", 1)[1]: o["values"] for w, o in json_read(file)["works"].items()}, told["tokenize"]


def gradients_compare(a, size, weft_worker, torch, loaded, wanted):
    """{key: how it agrees} of all trainings of weft that are measured, one file after the other."""
    found, file = {}, os.path.join(a.work, size + "-gradient.safetensors")
    for side, work in wanted:
        told = loaded["works"].get(work, {})
        for key, _ in goals.agreements_of("weft", work, told["dtype"]) if side == "weft" and "dtype" in told else []:
            if table.is_gradient(key) and key not in found:
                weft_worker.sure(do="gradient", work=work, rows=GRADIENT_ROWS, gradient=file)
                found[key] = torch.sure(do="gradient", part=work.split("@")[0].split(":", 1)[1], gradient=file)
    if found:
        os.remove(file)
    return found


def outputs_compare(workers, torch, ours, our_ids):
    found = {}
    right = torch.sure(do="outputs")["outputs"]
    for part, rows in sorted(ours.items()):
        if part.split("@")[0] in right:
            found["weft/" + part] = agreement(right[part.split("@")[0]], rows)
    for side in ("onnx", "ct2"):
        if side in workers:
            for part, rows in workers[side].sure(do="outputs")["outputs"].items():
                found[f"{side}/{part}"] = agreement(right["plain"], rows)
    if "tokenizers" in workers:
        found["tokenize"] = {"same": workers["tokenizers"].sure(do="outputs")["outputs"]["tokenize"] == our_ids}
    return found


# ---- measuring ----

def keys_of(loaded, wanted):
    """What the wanted works stand on, of those that weft can run."""
    keys = set()
    for side, work in wanted:
        told = loaded["works"].get(work, {}) if side == "weft" else {}
        if "error" not in told:
            keys |= {key for key, _ in goals.agreements_of(side.split("-")[0], work, told.get("dtype") or (work + "@f32").split("@")[1])}
    return keys


def load(a, size, models, wanted, agreed):
    """Starts what a size needs: {side: worker}, what weft says of its works, how outputs agree (`agreed`, where that is known already), versions."""
    say(f"{size}: loading")
    log = os.path.join(a.work, "workers.log")
    workers = {"weft": Worker([os.path.join(a.build, "bench", "bench_worker")], log, a.threads)}
    works = sorted({w for s, w in wanted if s == "weft" and w != "tokenize"})
    loaded = workers["weft"].sure(do="load", lab=os.path.join(a.work, "lab"), base=size, texts=a.lines, threads=a.threads, works=works)
    parts = os.path.join(a.work, size + "-parts")
    known = keys_of(loaded, wanted) <= set(agreed) and os.path.isdir(parts)
    ours, our_ids = ({}, "") if known else weft_outputs(a, size, workers["weft"], loaded, wanted, parts)
    versions = dict(loaded["versions"])
    settings = {"model": models[0], "onnx": models[1], "ct2": models[2], "texts": a.lines, "parts": parts, "threads": a.threads, "seed": SEED, "max_length": MAX_LENGTH}
    sides = {s.split("-")[0] for s, _ in wanted} - {"weft"}
    for side in [s for s in PEERS if s in sides]:
        theirs = {w for s, w in wanted if s.split("-")[0] == side}
        workers[side] = Worker([a.python, os.path.join(HERE, PEERS[side])], log, a.threads)
        versions.update(workers[side].sure(do="load", works=sorted(theirs), **settings)["versions"])
    if not known:
        say(f"{size}: comparing outputs and gradients")
        # In a process of its own, which holds parts that none has to run beside weft.
        torch = Worker([a.python, os.path.join(HERE, PEERS["torch"])], log, a.threads)
        versions.update(torch.sure(do="load", works=sorted({"infer:" + part.split("@")[0] for part in ours} | {"infer:plain"}), **settings)["versions"])
        agreed = {**agreed, **outputs_compare(workers, torch, ours, our_ids), **gradients_compare(a, size, workers["weft"], torch, loaded, wanted)}
        torch.close()
    return workers, loaded["works"], agreed, versions, settings


def round_run(a, size, number, workers, wanted, works):
    """Each work once. A work that weft cannot run is left out."""
    rates = {}
    gemm = workers["weft"].ask(do="run", work="gemm", seconds=0)
    for side, work in wanted:
        if side == "weft" and "error" in works.get(work, {}):
            continue
        name = work + "".join("/" + how for how in side.split("-")[1:])
        answer = workers[side.split("-")[0]].ask(do="run", work=name, seconds=a.seconds)
        if "error" in answer:
            say(f"{size}: {side} {work}: {answer['error']}")
            continue
        rate = answer["amount"] / answer["seconds"]
        rates[f"{side} {work}"] = {"rate": rate, "steps": answer["steps"]}
        say(f"{size} round {number}: {side:13} {work:22} {rate:12,.0f}  ({answer['steps']} steps)")
    gemm.pop("error", None)
    return {"size": size, "round": number, "gemm": gemm, "rates": rates}


def peak_of(command, threads):
    """Largest memory of a whole process."""
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
    pid = os.posix_spawn(command[0], command, environment, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
    _, status, usage = os.wait4(pid, 0)
    return 1024 * usage.ru_maxrss if status == 0 else None


def memory_measure(a, size, settings):
    """Training a fusion of 16, each side in a process that does nothing else."""
    say(f"{size}: memory")
    command = [a.weft, "-C", os.path.join(a.work, "lab"), "--json", "--quiet", "--threads", str(a.threads), "bench", "--base", size, "--texts", a.lines, "--work", "train:fuse:16",
               "--rounds", "1", "--seconds", "1"]
    ours = peak_of(command, a.threads)
    torch = Worker([a.python, os.path.join(HERE, PEERS["torch"]), "--memory"], os.path.join(a.work, "workers.log"), a.threads)
    torch.sure(do="load", works=["train:fuse:16"], **settings)
    theirs = torch.sure(do="run", work="train:fuse:16", seconds=0)["peak_rss_bytes"]
    torch.close()
    return {"weft": ours, "torch": theirs}


def curves_measure(a, size):
    """Training over threads, adapters and lengths, as `weft bench` itself measures them."""
    say(f"{size}: threads and growth")
    told = weft(a, "--json", "bench", "--base", size, "--texts", a.lines, "--work", ",".join(goals.CURVES), "--rounds", "1" if a.quick else "3", "--seconds", "0.5" if a.quick else "1.5")
    return json.loads(told)["growth"]


def cold_measure(a):
    say("cold start")
    times = []
    for _ in range(3 if a.quick else COLD_STARTS):
        begin = time.perf_counter()
        weft(a, "predict", "cold", "The council's plan is honest, generous and good for everyone.")
        times.append(time.perf_counter() - begin)
    return times


# ---- what is told of the machine ----

def first_line(*command):
    try:
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=TOP).stdout.split("\n")[0].strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def machine(a):
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        info = dict(line.split(":", 1) for line in f.read().split("\n\n")[0].split("\n") if ":" in line)
    info = {k.strip(): v.strip() for k, v in info.items()}
    kinds = [k for k in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8") if k in info.get("flags", "").split()]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"processor": f"{info.get('model name', platform.machine())} (family {info.get('cpu family', '?')}, model {info.get('model', '?')}), {os.cpu_count()} cores; {', '.join(kinds)}",
            "memory": f"{memory:.0f} GiB", "system": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}", "threads of each program": str(a.threads),
            "weft's revision": first_line("git", "describe", "--always", "--dirty") or "-"}


def fingerprint(a):
    """Rounds of one table have this in common."""
    h = hashlib.sha256(json.dumps([a.threads, 0 if a.quick else a.seconds, a.model]).encode())
    for path in (os.path.join(a.build, "bench", "bench_worker"), a.lines):
        with open(path, "rb") as f:
            h.update(f.read())
    return h.hexdigest()[:16]


def results_read(folder):
    rounds = [json_read(os.path.join(folder, f)) for f in sorted(os.listdir(folder)) if "-round-" in f and f.endswith(".json")]
    return {"setup": json_read(os.path.join(folder, "setup.json")), "rounds": rounds}


def document_write(a):
    reasons = {}
    if os.path.exists(os.path.join(TOP, "docs", "bench", "reasons.json")):
        reasons = json_read(os.path.join(TOP, "docs", "bench", "reasons.json"))
    results = results_read(a.results)
    out = a.results if a.quick else os.path.join(TOP, "docs")
    with open(os.path.join(out, "performance.md"), "w", encoding="utf-8") as f:
        f.write(table.document(results, reasons, results["setup"]["command"]))
    with open(os.path.join(out, "performance.svg"), "w", encoding="utf-8") as f:
        f.write(figure.svg(table.judge(results)))
    say(f"wrote {os.path.join(out, 'performance.md')}")
    for row in table.judge(results):
        if row["verdict"] == "not measured" and a.quick:
            continue
        ratio = f"{row['ratio']['value']:.3g}" if "ratio" in row else "-"
        print(f"{row['size']:9} {row['verdict']:12} {ratio:>7} {row['title']} / {row['against']}")


# ---- the whole ----

def wanted_of(a, size):
    return [m for m in goals.measurements(size) if not a.only or any(m[1] == w or m[1].startswith((w + "@", w + ":")) for w in a.only)]


def size_run(a, size, models, setup):
    done = {r["round"] for r in results_read(a.results)["rounds"] if r["size"] == size}
    missing = [n for n in range(1, a.rounds + 1) if n not in done]
    wanted = wanted_of(a, size)
    memory = not a.only and size not in setup["memory"]
    curves = (not a.only or "grow" in a.only) and size not in setup["curves"]
    if not missing and not memory and not curves:
        return
    if a.prepare:
        missing, memory, curves = [], False, False
    settings = None
    # Every round has processes of its own: the larger size's would otherwise not fit into memory beside each other for long.
    for n in missing or [0] * (memory or a.prepare):
        workers, setup["works"][size], setup["agreement"][size], versions, settings = load(a, size, models, wanted, setup["agreement"].get(size, {}))
        setup["versions"].update(versions)
        json_write(os.path.join(a.results, "setup.json"), setup)
        if n:
            json_write(os.path.join(a.results, f"{size}-round-{n:02}.json"), round_run(a, size, n, workers, wanted, setup["works"][size]))
        for worker in workers.values():
            worker.close()
    if memory:
        setup["memory"][size] = memory_measure(a, size, settings)
    if curves:
        setup["curves"][size] = curves_measure(a, size)


def options_read():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--python", "--build", "--model", "--texts"):
        p.add_argument(name, required=True)
    p.add_argument("--work", required=True, help="folder for what is made once")
    p.add_argument("--rounds", type=int)
    p.add_argument("--seconds", type=float, help="least time of a work in a round; one batch at least")
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--sizes")
    p.add_argument("--only", default="", help="works, such as train:seq_bn,infer,latency; grow: threads and growth")
    for name in ("--quick", "--fresh", "--prepare", "--table"):
        p.add_argument(name, action="store_true")
    a = p.parse_args()
    a.rounds = a.rounds or (1 if a.quick else 5)
    a.seconds = a.seconds or (0.5 if a.quick else 2.0)
    a.sizes = (a.sizes or ("minilm" if a.quick else ",".join(goals.SIZES))).split(",")
    a.only = [w for w in a.only.split(",") if w] or (QUICK if a.quick else [])
    for name in ("build", "model", "texts", "work"):
        setattr(a, name, os.path.abspath(getattr(a, name)))
    a.weft = os.path.join(a.build, "src", "cli", "weft")
    a.lines = os.path.join(a.work, "texts.txt")
    # An own choice of works or sizes is a look, not the benchmark: it stays out of docs/.
    a.quick = a.quick or bool(a.only) or a.sizes != list(goals.SIZES)
    a.results = os.path.join(a.work, "quick") if a.quick else os.path.join(TOP, "docs", "bench")
    return a


def main():
    a = options_read()
    os.makedirs(a.work, exist_ok=True)
    os.makedirs(a.results, exist_ok=True)
    if a.table:
        return document_write(a)
    count = texts_make(a.texts, a.lines)
    mark, path = fingerprint(a), os.path.join(a.results, "setup.json")
    same = not a.fresh and os.path.exists(path) and json_read(path)["fingerprint"] == mark
    for f in os.listdir(a.results):
        if "-round-" in f and (a.quick or not same):
            os.remove(os.path.join(a.results, f))
    if not same:
        command = "make bench" + "".join(f" {k}={os.environ[k]}" for k in ("BENCH_ROUNDS", "BENCH_SECONDS", "BENCH_THREADS") if os.environ.get(k))
        setup = {"fingerprint": mark, "machine": machine(a), "versions": {}, "works": {}, "agreement": {}, "memory": {}, "curves": {}, "command": command, "finished": "",
                 "texts": f"{count} of {os.path.join(*a.texts.split(os.sep)[-2:])}, order drawn with seed {SEED}; batches of 32 in training, 64 in inference; the programs' own "
                          f"tokenizer files; at most {MAX_LENGTH} tokens a text"}
        json_write(path, setup)
    setup = json_read(path)
    setup.setdefault("curves", {})
    models = {size: models_make(a, size) for size in a.sizes}
    if set(models) - set(setup["agreement"]) or not os.path.exists(os.path.join(a.work, "lab", "weft.db")):
        lab_make(a, models)
    for size in a.sizes:
        size_run(a, size, models[size], setup)
        json_write(path, setup)
    if a.prepare:
        return
    if "cold_start" not in setup and "minilm" in a.sizes and not a.only:
        setup["cold_start"] = cold_measure(a)
    setup["finished"] = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    json_write(path, setup)
    document_write(a)


if __name__ == "__main__":
    main()
