"""The loop of a peer's process, and what the peers share: texts, batches, timing.

A worker answers a line of JSON with a line of JSON: {"do": "load", ...settings} once, then {"do": "run", "work": W, "seconds": S},
{"do": "outputs"}, and torch alone {"do": "gradient", "part": P, "gradient": FILE}. Between two lines it computes nothing, so that several can take turns on one machine. Standard output is the answers' alone;
what libraries print goes to standard error."""
import json
import os
import random
import statistics
import sys
import time

BATCHES_SORTED_AT_ONCE = 50
OUTPUT_ROWS = 64
GRADIENT_ROWS = 16
LATENCY_TOKENS = 32


def serve(peer):
    """peer: an object with load(settings) -> dict, run(work, seconds) -> dict, outputs() -> dict; torch's too gradient(part, file) -> dict."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            ask = json.loads(line)
            if ask["do"] == "load":
                answer = peer.load(ask)
            elif ask["do"] == "run":
                answer = peer.run(ask["work"], ask["seconds"])
            elif ask["do"] == "gradient":
                answer = peer.gradient(ask["part"], ask["gradient"])
            else:
                answer = peer.outputs()
        except Exception as e:  # told to the one who asked, who goes on with the others
            answer = {"error": f"{type(e).__name__}: {e}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def texts_read(path):
    with open(path, encoding="utf-8") as f:
        return f.read().split("\n")[:-1]


def batches_cut(ids, size, by_length, seed):
    """Lists of rows (each a list of ids): in their order, or of like length, as trainers do it: a stretch of 50 batches is sorted, cut, and drawn
    in random order."""
    if not by_length:
        return [ids[i:i + size] for i in range(0, len(ids), size)]
    stretch = BATCHES_SORTED_AT_ONCE * size
    stretches = [sorted(ids[i:i + stretch], key=len) for i in range(0, len(ids), stretch)]
    out = [s[i:i + size] for s in stretches for i in range(0, len(s), size)]
    random.Random(seed).shuffle(out)
    return out


def padded(rows, pad):
    """(ids, mask) as lists of equal length."""
    longest = max(map(len, rows))
    return [r + [pad] * (longest - len(r)) for r in rows], [[1] * len(r) + [0] * (longest - len(r)) for r in rows]


class Turns:
    """Batches one after the other, from the beginning again behind the last; each run goes on where the one before stopped."""

    def __init__(self, batches):
        self.batches, self.at = batches, 0

    def next(self):
        batch = self.batches[self.at]
        self.at = (self.at + 1) % len(self.batches)
        return batch


def timed(step, seconds):
    """Calls step() -> real tokens until `seconds` are over, at least once."""
    tokens = steps = 0
    begin = time.perf_counter()
    while True:
        tokens += step()
        steps += 1
        spent = time.perf_counter() - begin
        if spent >= seconds:
            return {"amount": tokens, "seconds": spent, "steps": steps}


def latency(call, tokens, seconds, least=20):
    """The median of single calls, as if all had taken that long."""
    for _ in range(3):
        call()
    times, begin = [], time.perf_counter()
    while len(times) < least or time.perf_counter() - begin < seconds:
        at = time.perf_counter()
        call()
        times.append(time.perf_counter() - at)
    return {"amount": tokens, "seconds": statistics.median(times), "steps": len(times)}


class Texts:
    """The benchmark's texts as ids, by the base's own tokenizer."""

    def __init__(self, settings):
        from tokenizers import Tokenizer
        tokenizer = Tokenizer.from_file(os.path.join(settings["model"], "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.enable_truncation(settings["max_length"])
        self.ids = [e.ids for e in tokenizer.encode_batch(texts_read(settings["texts"]))]
        self.pad = tokenizer.token_to_id("[PAD]") or 0
        self.seed = settings["seed"]
        self.one = [i for row in self.ids[:LATENCY_TOKENS] for i in row][:LATENCY_TOKENS]

    def turns(self, size, by_length, make):
        """make(ids, mask) -> a library's own form of a batch."""
        return Turns([(make(*padded(b, self.pad)), sum(map(len, b))) for b in batches_cut(self.ids, size, by_length, self.seed)])
