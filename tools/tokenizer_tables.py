#!/usr/bin/env python3
"""Makes src/tokenizers/unicode_table.inc: what the Rust `tokenizers` library does with every single code point.

The library mixes tables of several Unicode versions (old ones for categories, the compiler's for lower case), so the
table is measured, not derived: each code point goes through each of the library's parts alone.
Needs the Python packages `tokenizers` and the C library utf8proc (only to list where its mappings differ).
Usage: tokenizer_tables.py OUT.inc
"""
import ctypes
import ctypes.util
import sys

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

FLAGS = ["DROP", "SPACE", "CJK", "PUNCT", "MARK", "NFD", "LOWER", "WORD", "ORDER"]
BIT = {name: 1 << i for i, name in enumerate(FLAGS)}


def bert(**on):
    settings = {"clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False}
    settings.update(on)
    return normalizers.BertNormalizer(**settings).normalize_str


CLEAN, CJK = bert(clean_text=True), bert(handle_chinese_chars=True)
STRIP, LOWER = bert(strip_accents=True), bert(lowercase=True)
NFD = normalizers.NFD().normalize_str
SPLIT = pre_tokenizers.BertPreTokenizer().pre_tokenize_str


def word_test():
    """True when the code point counts as a part of a word for single_word added tokens."""
    t = Tokenizer(models.WordPiece({"[UNK]": 0, "Q": 1}, unk_token="[UNK]"))
    t.add_tokens([AddedToken("Q", single_word=True, normalized=False)])
    return lambda c: len(t.encode("Q" + c).ids) < 1 or t.encode("Q" + c).ids[0] != 1


def combining_class(c, probes):
    """The library's canonical combining class, found by watching it reorder c around marks of known class."""
    for k, p in probes:
        before, after = "a" + p + c, "a" + c + p
        if NFD(before) == before and NFD(after) == after:
            return k
    return 0


def known_classes():
    """One code point of each class, old enough that the library knows it: U+0334 has class 1, U+0345 class 240."""
    import unicodedata
    low, high = "\u0334", "\u0345"
    seen = {1: low, 240: high}
    for c in map(chr, range(0x300, 0x1F000)):
        k = unicodedata.combining(c)
        if k and k not in seen and NFD("a" + c + low) == "a" + low + c and NFD("a" + high + c) == "a" + c + high:
            seen[k] = c
    return sorted(seen.items())


def measure():
    is_word, probes = word_test(), known_classes()
    low, high = probes[0][1], probes[-1][1]
    flags, lower, nfd, order = {}, {}, {}, {}
    for i in range(0x110000):
        if 0xD800 <= i < 0xE000:
            continue
        c, f = chr(i), 0
        s = CLEAN("a" + c + "b")
        if s == "ab":
            f |= BIT["DROP"]
        elif s not in ("a" + c + "b", "a b"):
            sys.exit(f"unexpected cleaning of U+{i:04X}: {s!r}")
        if CJK(c) != c:
            f |= BIT["CJK"]
        pieces = SPLIT("a" + c + "b")
        f |= {1: 0, 2: BIT["SPACE"], 3: BIT["PUNCT"]}[len(pieces)]
        if (s == "a b") != (len(pieces) == 2) and not f & BIT["DROP"]:
            sys.exit(f"two opinions about space at U+{i:04X}")
        d = NFD(c)
        if d != c:
            f |= BIT["NFD"]
            nfd[i] = d
        elif STRIP("a" + c) == "a":
            f |= BIT["MARK"]
        if d == c and (NFD("a" + high + c) != "a" + high + c or NFD("a" + c + low) != "a" + c + low):
            f |= BIT["ORDER"]
            if not f & BIT["MARK"]:
                order[i] = combining_class(c, probes)
                if not order[i]:
                    sys.exit(f"combining class of U+{i:04X} not found")
        if LOWER(c) != c:
            f |= BIT["LOWER"]
            lower[i] = LOWER(c)
        if is_word(c):
            f |= BIT["WORD"]
        flags[i] = f
    return flags, lower, nfd, order


def utf8proc():
    lib = ctypes.CDLL(ctypes.util.find_library("utf8proc") or "libutf8proc.so.2")
    lib.utf8proc_tolower.restype = ctypes.c_int32
    lib.utf8proc_decompose_char.restype = ctypes.c_ssize_t
    lib.utf8proc_version.restype = ctypes.c_char_p
    buf, last = (ctypes.c_int32 * 32)(), ctypes.c_int(0)

    def decompose(i):
        last.value = 0
        n = lib.utf8proc_decompose_char(ctypes.c_int32(i), buf, ctypes.c_ssize_t(32), 2 | 16, ctypes.byref(last))
        return "".join(map(chr, buf[:n]))
    return lib, decompose


def rows(items, width=116):
    line, out = "   ", []
    for item in items:
        if len(line) + len(item) + 2 > width:
            out.append(line)
            line = "   "
        line += " " + item + ","
    return "\n".join(out + [line])


def main():
    flags, lower, nfd, order = measure()
    lib, decompose = utf8proc()
    runs, last = [], None
    for i in range(0x110000):
        f = flags.get(i, 0)
        if f != last:
            runs.append((i, f))
            last = f
    special = []
    for i, s in sorted(lower.items()):
        if s != chr(lib.utf8proc_tolower(ctypes.c_int32(i))):
            special.append((i, "LOWER", s))
    for i, s in sorted(nfd.items()):
        if s != decompose(i):
            special.append((i, "NFD", s))
    special.sort(key=lambda row: (row[0], BIT[row[1]]))
    most = max(len(s) for _, _, s in special)
    longest = max(len(s) for s in list(nfd.values()) + list(lower.values()))
    with open(sys.argv[1], "w", encoding="ascii") as out:
        out.write(f"/* Made by tools/tokenizer_tables.py with tokenizers {tokenizers.__version__} and utf8proc "
                  f"{lib.utf8proc_version().decode()}; do not edit.\n"
                  " * What the Rust library does with each code point. */\n")
        out.write("".join(f'_Static_assert(WFI_CH_{n} == {b}, "flags of unicode.h");\n' for n, b in BIT.items()))
        out.write(f"enum {{ UNICODE_SPECIAL_MAX = {most}, UNICODE_MAPPING_MAX = {longest} }};\n\n")
        out.write("/* First code point << 9 | flags; each run ends where the next begins. */\n")
        out.write("static const uint32_t unicode_runs[] = {\n" + rows(f"0x{i << 9 | f:X}" for i, f in runs) + "\n};\n\n")
        out.write("/* Mappings the library has and this utf8proc has otherwise: code point, flag, count, result. */\n")
        out.write("static const struct { uint32_t cp; uint16_t flag, count; uint32_t to[UNICODE_SPECIAL_MAX]; } "
                  "unicode_special[] = {\n")
        out.write(rows("{0x%X, WFI_CH_%s, %d, {%s}}" % (i, k, len(s), ", ".join(f"0x{ord(c):X}" for c in s))
                       for i, k, s in special) + "\n};\n\n")
        out.write("/* Canonical combining classes of code points that stay when accents are stripped. */\n")
        out.write("static const struct { uint32_t cp; uint32_t ccc; } unicode_order[] = {\n")
        out.write(rows(f"{{0x{i:X}, {k}}}" for i, k in sorted(order.items())) + "\n};\n")
    print(f"{len(runs)} runs, {len(special)} special mappings, {len(order)} classes, {len(nfd)} decompositions, "
          f"{len(lower)} lower-case mappings")


main()
