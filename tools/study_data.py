#!/usr/bin/env python3
"""Cuts data sets to what a study on two cores can afford: the first rows of each part, fields as they are.

  tools/study_data.py DATA OUT [--train 4000] [--dev 400] [--test 1000] SET...

DATA holds a folder a set with train.jsonl, dev.jsonl and test.jsonl. Their rows are in random order at the source; where they are not,
--shuffle SEED orders them by a hash of the row first."""
import argparse
import hashlib
import os
import sys


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("data")
    p.add_argument("out")
    p.add_argument("sets", nargs="+", metavar="SET")
    p.add_argument("--train", type=int, default=4000)
    p.add_argument("--dev", type=int, default=400)
    p.add_argument("--test", type=int, default=1000)
    p.add_argument("--shuffle", metavar="SEED")
    a = p.parse_args()
    for s in a.sets:
        os.makedirs(os.path.join(a.out, s), exist_ok=True)
        for part, most in (("train", a.train), ("dev", a.dev), ("test", a.test)):
            with open(os.path.join(a.data, s, part + ".jsonl"), encoding="utf-8") as f:
                rows = f.readlines()
            if a.shuffle is not None:
                rows.sort(key=lambda row: hashlib.sha256((a.shuffle + row).encode()).digest())
            with open(os.path.join(a.out, s, part + ".jsonl"), "w", encoding="utf-8") as g:
                g.writelines(rows[:most])
        print(s, flush=True)


if __name__ == "__main__":
    sys.exit(main())
