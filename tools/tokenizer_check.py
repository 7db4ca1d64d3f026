#!/usr/bin/env python3
"""Compares weft's tokenizer with the Rust `tokenizers` library, text by text: ids, types and places.

Texts: every text of every .jsonl file below --data (alone, and text with text_pair cut to 128 and to 24 tokens), and
--random strings of the generator in tokenizer_digests.py. --vocab opens the model folder's vocab.txt and
tokenizer_config.json instead of its tokenizer.json on weft's side.
Needs the Python package `tokenizers`. Exit code: 0 no text differs, 1 some do, 2 it could not compare.
Usage: tokenizer_check.py --program BUILD/tests/tokenizers/tokenizer_ids --model DIR [--data DIR] [--random N] [--vocab]
"""
import argparse
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading

from tokenizers import Tokenizer

from tokenizer_digests import bytes_before, ordered_characters, random_case, strings_of

BATCH = 2000
SHOWN = 10


class Weft:
    """The program tokenizer_ids: one answer a request."""

    def __init__(self, program, folder):
        self.process = subprocess.Popen([program, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def write(self, cases):
        for first, second, length in cases:
            a, b = first.encode(), None if second is None else second.encode()
            self.process.stdin.write(struct.pack("=IIi", length, len(a), -1 if b is None else len(b)) + a + (b or b""))
        self.process.stdin.flush()

    def read(self, count):
        data = self.process.stdout.read(count)
        if len(data) != count:
            raise OSError("tokenizer_ids ended early")
        return data

    def answer(self):
        (n,) = struct.unpack("=I", self.read(4))
        return None if n == 0xFFFFFFFF else struct.unpack(f"={n}i{n}B{n}i{n}i", self.read(13 * n))

    def answers(self, cases):
        writer = threading.Thread(target=self.write, args=(cases,))
        writer.start()
        out = [self.answer() for _ in cases]
        writer.join()
        return out

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


def places(encoding, first, second):
    """Byte ranges of the tokens, 0 0 for the template's own."""
    at = None if first.isascii() and (second or "").isascii() else (bytes_before(first), bytes_before(second or ""))
    starts, ends = [], []
    for (start, end), which in zip(encoding.offsets, encoding.sequence_ids):
        if which is None:
            start = end = 0
        elif at:
            start, end = at[which][start], at[which][end]
        starts.append(start)
        ends.append(end)
    return starts, ends


class Comparison:
    def __init__(self, weft, tokenizer):
        self.weft, self.tokenizer, self.odd = weft, tokenizer, ordered_characters()
        self.waiting, self.texts, self.differing = [], 0, 0

    def add(self, first, second=None, length=0):
        self.waiting.append((first, second, length))
        if len(self.waiting) >= BATCH:
            self.flush()

    def library(self, case):
        first, second, length = case
        if length:
            self.tokenizer.enable_truncation(length, strategy="longest_first")
        else:
            self.tokenizer.no_truncation()
        return self.tokenizer.encode(first) if second is None else self.tokenizer.encode(first, second)

    def flush(self):
        cases, self.waiting = self.waiting, []
        for case, got in zip(cases, self.weft.answers(cases)):
            first, second, _ = case
            want = self.library(case)
            n = len(want.ids)
            same = got is not None and len(got) == 4 * n and list(got[:n]) == want.ids and list(got[n:2 * n]) == want.type_ids
            if same and not self.odd & set(first + (second or "")):
                starts, ends = places(want, first, second)
                same = list(got[2 * n:3 * n]) == starts and list(got[3 * n:]) == ends
            self.texts += 1
            if not same:
                self.differing += 1
                if self.differing <= SHOWN:
                    print(f"differs: {case!r}: library {want.ids}, weft {got}", file=sys.stderr)


def data_texts(folder):
    for root, folders, names in sorted(os.walk(folder)):
        folders.sort()
        for name in sorted(n for n in names if n.endswith(".jsonl")):
            with open(os.path.join(root, name), encoding="utf-8", newline="\n") as lines:
                for line in lines:
                    row = json.loads(line)
                    for text in strings_of(row):
                        yield text, None, 0
                    if isinstance(row, dict) and "text_pair" in row:
                        yield row["text"], row["text_pair"], 128
                        yield row["text"], row["text_pair"], 24


def main():
    p = argparse.ArgumentParser(description="compares weft's tokenizer with the tokenizers library, text by text")
    p.add_argument("--program", required=True)
    p.add_argument("--model", required=True)
    p.add_argument("--data")
    p.add_argument("--random", type=int, default=0)
    p.add_argument("--first", type=int, default=0, help="number of the first random string")
    p.add_argument("--vocab", action="store_true")
    args = p.parse_args()
    tokenizer = Tokenizer.from_file(os.path.join(args.model, "tokenizer.json"))
    tokenizer.no_padding()
    with tempfile.TemporaryDirectory() as aside:
        folder = args.model
        if args.vocab:
            folder = aside
            for name in ("vocab.txt", "tokenizer_config.json"):
                shutil.copy(os.path.join(args.model, name), aside)
        weft = Weft(args.program, folder)
        c = Comparison(weft, tokenizer)
        for case in data_texts(args.data) if args.data else ():
            c.add(*case)
        c.flush()
        from_data = c.texts
        for i in range(args.first, args.first + args.random):
            c.add(*random_case(i))
        c.flush()
        code = weft.close()
    print(f"{c.texts} texts compared ({from_data} of the data sets, {c.texts - from_data} random), {c.differing} differ")
    if code or not c.texts:
        return 2
    return 1 if c.differing else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as e:
        print(f"tokenizer_check: {e}", file=sys.stderr)
        sys.exit(2)
