"""From what was measured to the table of goals: no measuring here.

Results are {"setup": {...}, "rounds": [{"size", "round", "gemm": {TYPE: flop/s}, "rates": {"SIDE WORK": {"rate", "steps"}}}]}. setup holds
"works" {size: {WORK: {"dtype", "base_flop", "rest_flop"} or {"error"}}}, "agreement" {size: {key: {...}}}, "memory", "curves" {size: [as "growth" of
`weft bench`]}, "cold_start", and what the document tells of the machine."""
import statistics

import goals


def is_gradient(key):
    return "/train:" in key


def gradient_disagreement(found, dtype):
    if found is None:
        return "the gradient was not compared"
    limits = goals.GRADIENT_TOLERANCE[dtype]
    if found["cosine"] is None:
        return "the gradient is not finite"
    if found["only_one"]:
        return f"gradients of different parameters, such as {found['only_one'][0]}"
    if found["cosine"] < limits["cosine"]:
        return f"gradients differ: cosine {found['cosine']:.4f} in a layer"
    return None if abs(found["length"] - 1) <= limits["length"] else f"gradients differ: length {found['length']:.3f} of PyTorch's in a layer"


def disagreement(key, found, dtype):
    """None when outputs, or gradients, are as near as they must be, else what is wrong."""
    if is_gradient(key):
        return gradient_disagreement(found, dtype)
    if found is None:
        return "outputs were not compared"
    if dtype == "ids":
        return None if found.get("same") else "token ids differ"
    limits = goals.TOLERANCE[dtype]
    if found["error"] is None:
        return "outputs are not finite"
    if "error" in limits:
        return None if found["error"] <= limits["error"] else f"outputs differ by {found['error']:.1e} of the largest"
    for name in ("mean_cosine", "least_cosine"):
        if found[name] < limits[name]:
            return f"outputs differ: {name.replace('_', ' ')} {found[name]:.4f}"
    return None


def _dtype(setup, size, side, work):
    if side == "weft":
        return setup["works"].get(size, {}).get(work, {}).get("dtype")
    return work.split("@")[1] if "@" in work else "f32"


def refusal(setup, size, side, work):
    """Why no speed of this measurement may be told; None: nothing speaks against it."""
    told = setup["works"].get(size, {}).get(work, {}) if side == "weft" else {}
    if "error" in told:
        return "weft cannot run it: " + told["error"]
    for key, dtype in goals.agreements_of(side.split("-")[0], work, _dtype(setup, size, side, work)):
        wrong = disagreement(key, setup["agreement"].get(size, {}).get(key), dtype)
        if wrong:
            return f"{side}: {wrong}"
    return None


def _rate(round_, measurement):
    found = round_["rates"].get(" ".join(measurement))
    return found and found.get("rate")


def _spread(values):
    return {"value": statistics.median(values), "low": min(values), "high": max(values), "rounds": len(values)}


def _told(row, setup, rounds):
    """Whether there is something to tell of: a rate, or why there is none."""
    ours = row["ours"]
    return any(_rate(r, ours) for r in rounds) or "error" in setup["works"].get(row["size"], {}).get(ours[1], {})


def _ratio(row, setup, rounds):
    if not _told(row, setup, rounds):
        return {}
    refused = refusal(setup, row["size"], *row["ours"])
    theirs = [t for t in row["theirs"] if not refusal(setup, row["size"], *t)]
    if refused or not theirs:
        return {"refused": refused or refusal(setup, row["size"], *row["theirs"][0])}
    triples = []
    for r in rounds:
        ours, peers = _rate(r, row["ours"]), [x for x in (_rate(r, t) for t in theirs) if x]
        if ours and len(peers) == len(theirs):
            triples.append((ours, max(peers)))
    if not triples:
        return {}
    return {"mine": _spread([o for o, _ in triples]), "peer": _spread([p for _, p in triples]), "ratio": _spread([o / p for o, p in triples])}


def _growth(row, setup, rounds):
    for side, work in row["ours"]:
        told = setup["works"].get(row["size"], {}).get(work, {})
        if "error" in told:
            return {"refused": told["error"]}
    few, many = row["ours"]
    pairs = [(_rate(r, few), _rate(r, many)) for r in rounds]
    pairs = [(a, b) for a, b in pairs if a and b]
    if not pairs:
        return {}
    refused = refusal(setup, row["size"], *few) or refusal(setup, row["size"], *many)
    return {"refused": refused} if refused else {"mine": _spread([b for _, b in pairs]), "ratio": _spread([a / b for a, b in pairs])}


def _share(row, setup, rounds):
    if not _told(row, setup, rounds):
        return {}
    refused = refusal(setup, row["size"], *row["ours"])
    if refused:
        return {"refused": refused}
    work = setup["works"].get(row["size"], {}).get(row["ours"][1])
    rates = [_rate(r, row["ours"]) for r in rounds]
    kept = [(r["gemm"], rate) for r, rate in zip(rounds, rates) if rate and work and work["dtype"] in r["gemm"]]
    if not kept:
        return {}
    # The fastest products of any round: a round in which they were slow must not flatter the step.
    peak = {t: max(g[t] for g, _ in kept) for t in kept[0][0]}
    seconds = work["base_flop"] / peak[work["dtype"]] + work["rest_flop"] / peak["f32"]
    most = max(rate * seconds for _, rate in kept)
    if most > SHARE_MOST:
        return {"refused": f"{100 * most:.0f} % of the fastest products: either the arithmetic or the peak is not what it is taken for"}
    return {"mine": _spread([rate for _, rate in kept]), "ratio": _spread([rate * seconds for _, rate in kept])}


def _cold(row, setup, rounds):
    times = setup.get("cold_start") or []
    return {"mine": _spread(times), "ratio": _spread(times)} if times else {}


def _memory(row, setup, rounds):
    found = setup.get("memory", {}).get(row["size"], {})
    if not found.get("weft") or not found.get("torch"):
        return {}
    one = lambda v: {"value": v, "low": v, "high": v, "rounds": 1}
    return {"mine": one(found["weft"]), "peer": one(found["torch"]), "ratio": one(found["weft"] / found["torch"])}


# A share beyond the whole by more than measuring explains is a mistake in what it is made of.
SHARE_MOST = 1.05
KINDS = {"ratio": _ratio, "growth": _growth, "share": _share, "seconds": _cold, "memory": _memory}
LESS_IS_BETTER = ("seconds", "memory", "growth")


def judge(results):
    """[row with "mine", "peer", "ratio" (each value, low, high, rounds) and "verdict"], in the goals' order."""
    out = []
    for row in goals.rows():
        rounds = [r for r in results["rounds"] if r["size"] == row["size"]]
        found = KINDS[row["kind"]](row, results["setup"], rounds)
        row = {**row, **found}
        if "refused" in found:
            row["verdict"] = "refused"
        elif not found:
            row["verdict"] = "not measured"
        elif row["kind"] == "ratio" and row.get("least"):
            row["verdict"] = "reached" if found["mine"]["value"] >= row["least"] else "missed"
        elif row["goal"] is None:
            row["verdict"] = "-"
        else:
            value = found["ratio"]["value"]
            good = value <= row["goal"] if row["kind"] in LESS_IS_BETTER else value >= row["goal"]
            row["verdict"] = "reached" if good else "missed"
        out.append(row)
    return out


# ---- text ----

def _amount(row, spread):
    if spread is None:
        return "-"
    v = spread["value"]
    if row["kind"] == "seconds":
        return f"{1e3 * v:.0f} ms"
    if row["kind"] == "memory":
        return f"{v / 2**20:,.0f} MiB"
    if row.get("unit") == "MB/s":
        return f"{v / 1e6:.1f} MB/s"
    if "latency" in row["id"]:
        return f"{32e3 / v:.2f} ms"
    return f"{v:,.0f}"


def _ratio_text(row):
    r = row.get("ratio")
    if not r:
        return "-"
    if row["kind"] == "seconds":
        return f"{1e3 * r['low']:.0f} - {1e3 * r['high']:.0f} ms"
    if row["kind"] == "share":
        return f"{100 * r['value']:.0f} % ({100 * r['low']:.0f} - {100 * r['high']:.0f})"
    if r["rounds"] == 1:
        return f"{r['value']:.2f}"
    return f"{r['value']:.2f} ({r['low']:.2f} - {r['high']:.2f})"


def _goal_text(row):
    if row.get("least"):
        return f"at least {row['least'] / 1e6:.0f} MB/s"
    if row["goal"] is None:
        return "-"
    if row["kind"] == "seconds":
        return f"at most {1e3 * row['goal']:.0f} ms"
    if row["kind"] == "share":
        return f"at least {100 * row['goal']:.0f} %"
    if row["kind"] in LESS_IS_BETTER:
        return f"at most {row['goal']:g}"
    return f"at least {row['goal']:g}"


def _type_text(setup, row):
    ours = row.get("ours", [])
    side, work = ours[-1] if isinstance(ours, list) and ours else ours or ("", "")
    return _dtype(setup, row["size"], side, work) or "-" if side and work != "tokenize" else "-"


def markdown_table(results, reasons):
    """Lines of the table. A miss without a reason says so."""
    lines = []
    for size, title in goals.SIZES.items():
        lines += [f"### {title}", "", "| work | weft's type | against | goal | weft | peer | ratio: median (lowest - highest) | result |",
                  "| --- | --- | --- | ---: | ---: | ---: | ---: | --- |"]
        for row in judge(results):
            if row["size"] != size:
                continue
            verdict = row["verdict"]
            if verdict == "refused":
                verdict = f"no {'share' if row['kind'] == 'share' else 'speed'} told: " + row["refused"]
            elif verdict == "missed":
                verdict = "**missed**: " + reasons.get(row["id"], reasons.get(row["id"].split("/", 1)[1], "the reason is not known yet"))
            cells = [row["title"], _type_text(results["setup"], row), row["against"], _goal_text(row), _amount(row, row.get("mine")), _amount(row, row.get("peer")),
                     _ratio_text(row), verdict]
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    return lines


def agreement_table(results):
    lines = ["| size | what | largest difference | mean cosine | least cosine | within |", "| --- | --- | ---: | ---: | ---: | --- |"]
    for size, found in results["setup"]["agreement"].items():
        for key, a in found.items():
            if is_gradient(key):
                continue
            if key == "tokenize":
                lines.append(f"| {size} | `tokenize` | - | - | - | {'the same ids' if a.get('same') else '**no: ids differ**'} |")
                continue
            wrong = disagreement(key, a, key.split("@")[1])
            cells = ["-"] * 3 if a["error"] is None else [f"{a['error']:.1e}", f"{a['mean_cosine']:.6f}", f"{a['least_cosine']:.6f}"]
            lines.append(f"| {size} | `{key}` | {' | '.join(cells)} | {'yes' if wrong is None else '**no**'} |")
    return lines


def gradient_table(results):
    lines = ["| size | training | least cosine | length farthest from PyTorch's (= 1) | within |", "| --- | --- | ---: | ---: | --- |"]
    for size, found in results["setup"]["agreement"].items():
        for key, a in found.items():
            if not is_gradient(key):
                continue
            cells = ["-"] * 2 if a["cosine"] is None else [f"{a['cosine']:.6f}", f"{a['length']:.4f}"]
            lines.append(f"| {size} | `{key}` | {' | '.join(cells)} | {'yes' if disagreement(key, a, key.split('@')[1]) is None else '**no**'} |")
    return lines


def peaks_told(rounds):
    """The fastest products of any round; in int8 there are two makers, and a share is of the faster."""
    names = {"f32": "f32 (oneDNN)", "bf16": "bf16 (oneDNN)", "int8 by oneDNN": "int8 (oneDNN)", "int8 by weft": "int8 (weft's kernel, with its scales)"}
    peaks = {name: max((r["gemm"].get(key, 0) for r in rounds), default=0) for key, name in names.items()}
    told = ", ".join(f"{name} {v / 1e9:.0f} GFLOP/s" for name, v in peaks.items() if v)
    return ["- fastest matrix products: " + told] if told else []


CURVES = {"grow:threads": ("threads", "Training one adapter (`seq_bn`), by threads"),
          "grow:fuse": ("adapters", "Training a fusion, by its adapters"),
          "grow:length": ("tokens a text", "Training one adapter (`seq_bn`), by the length of texts; about as many tokens a step"),
          "grow:batch": ("texts a step", "Training one adapter (`seq_bn`), by texts a step")}


def curves_tables(setup):
    """Tables of the curves that `weft bench` measured; no lines where it did not."""
    lines = []
    for size, title in goals.SIZES.items():
        for growth in setup.get("curves", {}).get(size, []):
            axis, words = CURVES[growth["growth"]]
            threads = growth["growth"] == "grow:threads"
            lines += [f"### {title}: {words[0].lower() + words[1:]}", "",
                      f"| {axis} | tokens a second | step, ms | {'scaling efficiency' if threads else 'step, first = 1'} | share of the fastest products{', by as many threads' if threads else ''} | memory, MiB |",
                      "| ---: | ---: | ---: | ---: | ---: | ---: |"]
            for p in growth["points"]:
                share, memory = p.get("share_of_peak"), p.get("peak_rss_bytes")
                lines.append(f"| {p['x']} | {p['tokens_per_second']:,.0f} ({p['tokens_per_second_low']:,.0f} - {p['tokens_per_second_high']:,.0f}) | {1e3 * p['seconds_per_step']:,.0f} | "
                             f"{p['scaling_efficiency' if threads else 'step_ratio']:.2f} | {'-' if share is None else f'{100 * share:.0f} %'} | {'-' if memory is None else f'{memory / 2**20:,.0f}'} |")
            lines.append("")
    if not lines:
        return []
    return ["## Threads and growth", "", "By `weft bench`, once after the rounds, weft's own type of the base; the median of its rounds, with the lowest and the highest. Scaling efficiency: the rate over "
            "that of one thread times threads. Memory is that of a process doing this alone.", ""] + lines


def document(results, reasons, command):
    setup, rounds = results["setup"], results["rounds"]
    counts = {s: sum(r["size"] == s for r in rounds) for s in goals.SIZES}
    t, g = goals.TOLERANCE, goals.GRADIENT_TOLERANCE
    lines = ["# Performance", "", "Made by `make bench`; every number below comes from one run of it, but for what the reasons of misses tell of profiles and earlier runs.", "",
             "weft and the programs that do the same work take turns on one machine: a round measures each work once, weft and its peers one directly after the other, and "
             "the ratio is taken within the round. Rates are real tokens a second, padding not counted; weft never pads. \"Reference\" is PyTorch with the `adapters` library: "
             "batches padded to their longest text, unsorted (\"default padding\") or cut from sorted texts (\"sorted\"). It trains with the dropout that the base's own file names, as its users do; weft's default has none inside a frozen base, and "
             "rows that say so have none there either. weft's type is what the base is multiplied in, chosen by "
             "weft itself (`auto`) where the work does not name it; whatever is trained is kept in float32, and all else is multiplied in float32. The share of the fastest matrix products is the time that a step's products need at "
             "their peaks (the base's at that of its type, all others at float32's; the highest seen in any round) over the time it takes. A cold start is a process of its own, its files in the system's memory but for the first.", "",
             "![Ratios by work, with the goals as marks](performance.svg)", "", "## Machine and versions", ""]
    for name, value in setup["machine"].items():
        lines.append(f"- {name}: {value}")
    lines += [f"- {n}: {v}" for n, v in sorted(setup["versions"].items())]
    lines += peaks_told(rounds)
    lines += [f"- command: `{command}`; rounds: " + ", ".join(f"{goals.SIZES[s]} {n}" for s, n in counts.items()) + f"; finished {setup['finished']}",
              f"- texts: {setup['texts']}", "", "## Goals", ""]
    lines += markdown_table(results, reasons)
    lines += curves_tables(setup)
    lines += ["## Outputs compared", "",
              f"A speed is told only where the outputs of the first 64 texts agree with PyTorch's in float32 through the same weights, adapters and fusions: float32 to {t['f32']['error']:g} "
              f"of the largest value; bf16 by a cosine of at least {t['bf16']['mean_cosine']} on average and {t['bf16']['least_cosine']} for the worst text; int8 by {t['int8']['mean_cosine']} and "
              f"{t['int8']['least_cosine']}. A training stands on the inference of the same parts in the same type, and on its gradient, below.", ""]
    lines += agreement_table(results)
    lines += ["", "## Gradients compared", "",
              "The gradient of the loss of the first 16 texts by everything that a training trains, without dropout, against PyTorch's in float32 through the same parts. Each layer of the base, the "
              "embeddings and the head are compared by themselves, and the worst is told: the cosine must be at least " + ", ".join(f"{g[k]['cosine']:g} ({k})" for k in g)
              + ", the length no farther from PyTorch's than " + ", ".join(f"{100 * g[k]['length']:g} % ({k})" for k in g)
              + ". The optimiser's steps are compared with the library's by `make parity`, on the same kinds of parts.", ""]
    lines += gradient_table(results)
    return "\n".join(lines) + "\n"
