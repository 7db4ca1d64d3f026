"""What `make bench` measures and what it has to reach. Data only: run.py measures, table.py judges.

A measurement is (side, work): who does it, and what. Sides: "weft"; "torch" (PyTorch with the adapters library, batches of unsorted texts padded
to their longest), "torch-sorted" (its batches cut from sorted texts), "torch-still" (these, and no dropout inside the base, as weft's own default has it); "onnx" (ONNX Runtime) and "ct2" (CTranslate2), both with sorted batches;
"tokenizers". Works are named as `weft bench` names them; "@f32" and "@int8" behind a work set the type of the frozen base, none is weft's own
choice ("auto")."""

SIZES = {"minilm": "MiniLM", "bert-base": "BERT-base size, random weights"}

TRAINED = ["seq_bn", "lora", "fuse:4", "fuse:8", "fuse:16", "full"]
IN_FLOAT32 = ["seq_bn", "lora", "fuse:16"]
STILL = ["seq_bn", "fuse:8"]
GROWTH = [2, 64]
CURVES = ["grow:threads", "grow:fuse", "grow:length", "grow:batch"]  # by `weft bench`, once a size

# Outputs of the same texts through the same weights: the mean of the last hidden states, 64 texts. float32 may differ from PyTorch by this share of
# the largest value; lower precision is judged by the cosine with PyTorch's float32, on average and for the worst text.
TOLERANCE = {"f32": {"error": 1e-4}, "bf16": {"mean_cosine": 0.999, "least_cosine": 0.995}, "int8": {"mean_cosine": 0.98, "least_cosine": 0.93}}
# Gradient of the loss of 16 texts by all that a training trains, against PyTorch's in float32, layer by layer of the base (embeddings and head too): the
# cosine at least, and how far the quotient of lengths may be from 1. Seen on MiniLM: float32 1 - 2e-12 and 2e-7, bf16 1 - 7e-4 and 0.002, int8 1 - 4e-3
# and 0.012; a tenth too little in one product a layer on the way back makes 0.1 of length.
GRADIENT_TOLERANCE = {"f32": {"cosine": 0.999999, "length": 1e-4}, "bf16": {"cosine": 0.995, "length": 0.02}, "int8": {"cosine": 0.98, "length": 0.05}}


def measurements(size):
    """[(side, work)] of a round in their order: those that are compared stand side by side."""
    out = []
    for part in TRAINED:
        work = "train:" + part
        out += [("weft", work), ("torch", work), ("torch-sorted", work)]
        if part in STILL:
            out.append(("torch-still", work))
        if part in IN_FLOAT32:
            out.append(("weft", work + "@f32"))
    out += [("weft", f"train:fuse:{n}") for n in GROWTH]
    out += [("weft", "infer:fuse:8"), ("torch", "infer:fuse:8"), ("torch-sorted", "infer:fuse:8")]
    out += [("weft", "infer:plain@f32"), ("onnx", "infer:plain@f32"), ("ct2", "infer:plain@f32")]
    out += [("weft", "infer:plain@int8"), ("onnx", "infer:plain@int8"), ("ct2", "infer:plain@int8")]
    out += [("weft", "latency:fuse:8"), ("torch", "latency:fuse:8"), ("onnx", "latency:plain@f32")]
    if size == "minilm":  # its tokenizer is the other's
        out += [("weft", "tokenize"), ("tokenizers", "tokenize")]
    return out


def _against(rows, name, title, size, work, peers, **more):
    for side, words, goal in peers:
        sides = [side] if isinstance(side, str) else side
        their_work = more.get("their_work", work.split("@")[0] if work.startswith("train") else work)
        rows.append({"id": f"{size}/{name}/{'+'.join(sides)}", "kind": "ratio", "size": size, "title": title, "against": words, "goal": goal,
                     "ours": ("weft", work), "theirs": [(s, their_work) for s in sides]})


def rows():
    """The goals, in the table's order. kind "ratio": weft's rate over the fastest of `theirs`, at least `goal`; None: told, no goal."""
    out = []
    for size in SIZES:
        both = lambda default, by_length: [("torch", "reference, default padding", default), ("torch-sorted", "reference, sorted", by_length)]
        still = [("torch-still", "reference, sorted, no dropout in the base", None)]
        for part, words in (("seq_bn", "one adapter (`seq_bn`)"), ("lora", "one adapter (`lora`)")):
            _against(out, "train-" + part, "training " + words, size, "train:" + part, both(5, 3) + (still if part in STILL else []))
        for n, default, by_length in ((4, 7, 4), (8, 10, 6), (16, 15, 9)):
            _against(out, f"train-fuse-{n}", f"training a fusion of {n}", size, f"train:fuse:{n}", both(default, by_length) + (still if f"fuse:{n}" in STILL else []))
        _against(out, "train-full", "full fine-tuning", size, "train:full", both(3, 1.5))
        for part, words in (("seq_bn", "one adapter (`seq_bn`)"), ("lora", "one adapter (`lora`)")):
            _against(out, f"train-{part}-f32", f"training {words}, float32 throughout", size, f"train:{part}@f32", both(2.5, 1.3))
        _against(out, "train-fuse-16-f32", "training a fusion of 16, float32 throughout", size, "train:fuse:16@f32", both(8, 5))
        _against(out, "infer-fuse-8", "inference, 8 fused adapters, 64 texts a batch", size, "infer:fuse:8", both(8, None))
        _against(out, "infer-plain-f32", "inference, plain encoder, float32", size, "infer:plain@f32",
                 [("onnx", "ONNX Runtime, sorted", 1.0), ("ct2", "CTranslate2, sorted", None)])
        _against(out, "infer-plain-int8", "inference, plain encoder, int8", size, "infer:plain@int8",
                 [(["onnx", "ct2"], "ONNX Runtime and CTranslate2 int8, the faster", 1.0)])
        _against(out, "latency", "latency of a text of 32 tokens, 8 fused", size, "latency:fuse:8", [("torch", "reference, 8 fused", 8)])
        _against(out, "latency", "latency of a text of 32 tokens, 8 fused", size, "latency:fuse:8",
                 [("onnx", "ONNX Runtime, plain encoder, float32", 1.0)], their_work="latency:plain@f32")
        if size == "minilm":
            out.append({"id": "minilm/cold-start", "kind": "seconds", "size": size, "title": "`weft predict`, whole process from a cold start", "against": "-",
                        "goal": 0.060})
        out.append({"id": f"{size}/memory", "kind": "memory", "size": size, "title": "peak memory, training a fusion of 16", "against": "reference", "goal": 0.25})
        out.append({"id": f"{size}/growth", "kind": "growth", "size": size, "title": "growth: a step with 64 fused over one with 2", "against": "-", "goal": 2.5,
                    "ours": [("weft", f"train:fuse:{n}") for n in GROWTH]})
        for part in TRAINED:
            out.append({"id": f"{size}/share-{part}", "kind": "share", "size": size, "title": f"share of the fastest matrix products, training `{part}`", "against": "their peak",
                        "goal": 0.65, "ours": ("weft", "train:" + part)})
        if size == "minilm":
            out.append({"id": "minilm/tokenize", "kind": "ratio", "size": size, "title": "tokenisation, one core", "against": "`tokenizers`, one core", "goal": None,
                        "ours": ("weft", "tokenize"), "theirs": [("tokenizers", "tokenize")], "least": 20e6, "unit": "MB/s"})
    return out


def agreements_of(side, work, dtype):
    """[(key, type)] of the agreements that a measurement stands on: the inference of the same parts in the same type, and of a training its gradient."""
    if work == "tokenize":
        return [("tokenize", "ids")]
    if side.startswith("torch"):
        return []  # what the others are compared with
    kind, part = work.split("@")[0].split(":", 1)
    forward = "plain" if part == "full" else part  # the same weights, before they move
    gradient = [(f"{side}/train:{part}@{dtype}", dtype)] if kind == "train" else []
    return [(f"{side}/{forward}@{dtype}", dtype)] + gradient
