#!/usr/bin/env python3
"""Digests of what the Rust `tokenizers` library makes of many texts, for tests/tokenizers/test_differential.c.

Writes tests/golden/tokenizer_digests.json and the artificial vocabulary tests/golden/tokenizer_small/ it is made with.
Four parts: every code point through normaliser and pre-tokeniser; the lengths two texts are cut to; random strings (the
generator stands in tests/tokenizers/cases.c as well) with the artificial vocabulary under several settings; and, with
--model and --data, every text of the data sets and the random strings with a real vocabulary (only digests are stored,
no text). A run without them keeps the stored digests of the last part.
Needs the Python package `tokenizers`.
Usage: tokenizer_digests.py GOLDEN_DIR [--model DIR --data DIR]
"""
import argparse
import hashlib
import json
import os
import re
import struct
import sys

import tokenizers
from tokenizers import Tokenizer, normalizers, pre_tokenizers

COUNT, BLOCK = 100000, 500
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
MASK64 = (1 << 64) - 1
HERE = os.path.dirname(os.path.abspath(__file__))

# Settings that are tried; the C test edits the small tokenizer.json in the same way.
NORMALIZERS = {
    "uncased": {"clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
    "cased": {"clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": False},
    "accents": {"clean_text": True, "handle_chinese_chars": False, "strip_accents": False, "lowercase": True},
    "bare": {"clean_text": False, "handle_chinese_chars": False, "strip_accents": True, "lowercase": False},
}
ADDED = [
    {"content": "Ab C", "single_word": False, "lstrip": True, "rstrip": False, "normalized": True, "special": False},
    {"content": "\u00c9e", "single_word": True, "lstrip": False, "rstrip": False, "normalized": True, "special": False},
    {"content": "xy", "single_word": True, "lstrip": False, "rstrip": True, "normalized": False, "special": False},
]


class Random:
    """splitmix64."""

    def __init__(self, seed):
        self.state = (seed * 0x9E3779B97F4A7C15 + 0x123456789) & MASK64

    def below(self, n):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK64
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK64
        return (z ^ (z >> 31)) % n


# (weight of 64, first code point, last code point); tests/tokenizers/cases.c has the same table.
RANGES = [
    (16, 0x61, 0x7A), (4, 0x41, 0x5A), (3, 0x00, 0x7F), (4, 0x80, 0x24F), (4, 0x300, 0x36F), (3, 0x370, 0x52F),
    (3, 0x530, 0x1CFF), (3, 0x1D00, 0x1FFF), (3, 0x2000, 0x2BFF), (3, 0x2C00, 0xABFF), (2, 0xAC00, 0xD7A3),
    (1, 0xD7A4, 0xD7FF), (1, 0xE000, 0xF8FF), (2, 0x4E00, 0x9FFF), (2, 0xF900, 0xFFFF), (3, 0x10000, 0x1D0FF), (2, 0x1D100, 0x1EFFF), (2, 0x1F000, 0x1FAFF),
    (1, 0x20000, 0x323AF), (1, 0xE0000, 0xE01EF), (1, 0x1D165, 0x1D172),
]
SPACES = [0x20, 0x20, 0x20, 0x09, 0x0A, 0x0D, 0x0B, 0x85, 0xA0, 0x1680, 0x2003, 0x2028, 0x202F, 0x3000, 0x200B, 0xFEFF]
LITERALS = ["[MASK]", "[SEP]", "[CLS]", "[UNK]", "[PAD]", "[mask]", "##", "ab c", "AB  C", "\u00e9E", "xy", " xy  "]


def random_text(r):
    out = []
    for _ in range(r.below(6)):
        kind = r.below(16)
        if kind == 0:
            out.append(LITERALS[r.below(len(LITERALS))])
        length = 90 + r.below(20) if kind == 1 and r.below(8) == 0 else r.below(9)
        one = r.below(4) == 0
        pick = r.below(64)
        for _ in range(length):
            if not one:
                pick = r.below(64)
            at = pick
            for weight, low, high in RANGES:
                if at < weight:
                    break
                at -= weight
            out.append(chr(low + r.below(high - low + 1)))
        if r.below(4):
            out.append(chr(SPACES[r.below(len(SPACES))]))
    return "".join(out)


def random_case(i):
    r = Random(i)
    first = random_text(r)
    if r.below(3):
        return first, None, 0
    return first, random_text(r), 3 + r.below(30)


def ordered_characters():
    """Characters the library reorders and keeps: their byte ranges follow the library's places, not their own."""
    text = open(os.path.join(HERE, "..", "src", "tokenizers", "unicode_table.inc"), encoding="ascii").read()
    return {chr(int(x, 16)) for x in re.findall(r"\{0x([0-9A-F]+), \d+\}", text.split("unicode_order[]")[1])}


def small_vocabulary():
    keep = [chr(c) for c in range(0x21, 0x7F) if not 0x41 <= c <= 0x5A]
    keep += [chr(c) for low, high in ((0x3B1, 0x3CA), (0x430, 0x450), (0x5D0, 0x5EB), (0x628, 0x64B), (0x905, 0x93A),
                                      (0x1100, 0x1113), (0x1161, 0x1176), (0x11A8, 0x11C3), (0x3042, 0x3097))
             for c in range(low, high)]
    keep += sorted(ordered_characters()) + list("ABCDEFGHIJKLMNOPQRSTUVWXYZ\u00c9\u00e9\u00df\u0131\u0307\u4e00\u4e8c\u4e09\u3164\u1e9b")
    tokens = list(SPECIALS)
    for c in keep:
        tokens += [c, "##" + c]
    r = Random(COUNT)
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    while len(tokens) < 2400:
        piece = "".join(letters[min(r.below(26), r.below(26))] for _ in range(2 + r.below(4)))
        token = piece if r.below(2) else "##" + piece
        if token not in tokens:
            tokens.append(token)
    if len(set(tokens)) != len(tokens):
        sys.exit("a token is there twice")
    return tokens


def small_json(tokens, normalizer, added):
    ids = {t: i for i, t in enumerate(tokens)}
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    listed = [dict(plain, id=ids[t], content=t) for t in SPECIALS]
    listed += [dict(a, id=len(tokens) + i) for i, a in enumerate(added)]

    def special(name, type_id):
        return {"SpecialToken": {"id": name, "type_id": type_id}}

    def text(name, type_id):
        return {"Sequence": {"id": name, "type_id": type_id}}

    single = [special("[CLS]", 0), text("A", 0), special("[SEP]", 0)]
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": listed,
        "normalizer": dict(type="BertNormalizer", **normalizer), "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing", "single": single, "pair": single + [text("B", 1), special("[SEP]", 1)],
            "special_tokens": {t: {"id": t, "ids": [ids[t]], "tokens": [t]} for t in ("[CLS]", "[SEP]")}},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": ids},
    }


def bytes_before(text):
    at = [0]
    for c in text:
        at.append(at[-1] + len(c.encode()))
    return at


def packed(encoding, first, second, with_places=True):
    """What the C test feeds into its hash for one encoding: count, ids, types, and byte ranges."""
    n = len(encoding.ids)
    out = struct.pack(f"<I{n}i{n}B", n, *encoding.ids, *encoding.type_ids)
    if with_places:
        ascii_only = first.isascii() and (second or "").isascii()
        at = None if ascii_only else (bytes_before(first), bytes_before(second or ""))
        for (start, end), which in zip(encoding.offsets, encoding.sequence_ids):
            if which is None:
                start = end = 0
            elif at:
                start, end = at[which][start], at[which][end]
            out += struct.pack("<ii", start, end)
    return out


def sweep_digests(settings):
    """Blocks of 4096 code points: words that "a" + c + "b" becomes."""
    normalize = normalizers.BertNormalizer(**settings).normalize_str
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    out = []
    for block in range(0, 0x110000, 0x1000):
        h = hashlib.sha256()
        for i in range(block, block + 0x1000):
            if 0xD800 <= i < 0xE000:
                continue
            words = split(normalize("a" + chr(i) + "b"))
            h.update(("\n".join(w for w, _ in words) + "\n\n").encode())
        out.append(h.hexdigest()[:16])
    return out


def truncation_table(tokenizer):
    """Tokens left of two texts of a and b words in `length` places, two digits each: a, b from 0 to 6, length from 3 to 12."""
    out = []
    for length in range(3, 13):
        tokenizer.enable_truncation(length, strategy="longest_first")
        for a in range(7):
            for b in range(7):
                sides = tokenizer.encode(" ".join("x" * a), " ".join("y" * b)).sequence_ids
                out.append(f"{sides.count(0)}{sides.count(1)}")
    tokenizer.no_truncation()
    return "".join(out)


def random_digests(tokenizer, odd):
    out, h = [], None
    for i in range(COUNT):
        if i % BLOCK == 0:
            h = hashlib.sha256()
        first, second, length = random_case(i)
        if length:
            tokenizer.enable_truncation(length, strategy="longest_first")
        else:
            tokenizer.no_truncation()
        encoding = tokenizer.encode(first) if second is None else tokenizer.encode(first, second)
        h.update(packed(encoding, first, second, not (odd & set(first + (second or "")))))
        if i % BLOCK == BLOCK - 1:
            out.append(h.hexdigest()[:16])
    return out


def strings_of(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for v in value:
            yield from strings_of(v)
    elif isinstance(value, dict):
        for v in value.values():
            yield from strings_of(v)


def file_digest(tokenizer, path):
    """Every text of every row on its own, and text with text_pair cut to 128 tokens."""
    h = hashlib.sha256()
    with open(path, encoding="utf-8", newline="\n") as lines:
        for line in lines:
            row = json.loads(line)
            texts = list(strings_of(row))
            tokenizer.no_truncation()
            for text, encoding in zip(texts, tokenizer.encode_batch(texts)):
                h.update(packed(encoding, text, None))
            if isinstance(row, dict) and "text_pair" in row:
                tokenizer.enable_truncation(128, strategy="longest_first")
                pair = row["text"], row["text_pair"]
                h.update(packed(tokenizer.encode(*pair), *pair))
    return h.hexdigest()[:32]


def data_digests(model, data, odd):
    tokenizer = Tokenizer.from_file(os.path.join(model, "tokenizer.json"))
    tokenizer.no_padding()
    files = {}
    for folder in sorted(os.listdir(data)):
        path = os.path.join(data, folder)
        if os.path.isdir(path):
            for name in sorted(n for n in os.listdir(path) if n.endswith(".jsonl")):
                files[f"{folder}/{name}"] = file_digest(tokenizer, os.path.join(path, name))
    vocab = hashlib.sha256(open(os.path.join(model, "vocab.txt"), "rb").read()).hexdigest()
    return {"vocab_sha256": vocab, "files": files, "random": random_digests(tokenizer, odd)}


def main():
    p = argparse.ArgumentParser(description="digests of the tokenizers library's results")
    p.add_argument("golden")
    p.add_argument("--model")
    p.add_argument("--data")
    args = p.parse_args()
    small = os.path.join(args.golden, "tokenizer_small")
    path = os.path.join(args.golden, "tokenizer_digests.json")
    os.makedirs(small, exist_ok=True)
    tokens, odd = small_vocabulary(), ordered_characters()
    before = json.load(open(path)) if os.path.exists(path) else {}
    with open(os.path.join(small, "tokenizer.json"), "w", encoding="utf-8") as out:
        json.dump(small_json(tokens, NORMALIZERS["uncased"], []), out, ensure_ascii=False, indent=0)
    with open(os.path.join(small, "vocab.txt"), "w", encoding="utf-8", newline="\n") as out:
        out.write("".join(t + "\n" for t in tokens))
    with open(os.path.join(small, "tokenizer_config.json"), "w", encoding="utf-8") as out:
        out.write('{"do_lower_case": true, "tokenizer_class": "BertTokenizer"}\n')
    result = {"made_with": "tokenizers " + tokenizers.__version__, "sweep": {}, "random": {}, "count": COUNT, "block": BLOCK}
    for name, settings in NORMALIZERS.items():
        result["sweep"][name] = sweep_digests(settings)
        t = Tokenizer.from_str(json.dumps(small_json(tokens, settings, [])))
        result["random"][name] = random_digests(t, odd)
    result["truncation"] = truncation_table(Tokenizer.from_str(json.dumps(small_json(tokens, NORMALIZERS["uncased"], []))))
    t = Tokenizer.from_str(json.dumps(small_json(tokens, NORMALIZERS["uncased"], ADDED)))
    result["random"]["added"] = random_digests(t, odd)
    if args.model and args.data:
        result["data"] = data_digests(args.model, args.data, odd)
    elif "data" in before:
        result["data"] = before["data"]
    with open(path, "w", encoding="ascii") as out:
        json.dump(result, out, indent=1, sort_keys=True)
        out.write("\n")


if __name__ == "__main__":
    main()
