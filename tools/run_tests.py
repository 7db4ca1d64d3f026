#!/usr/bin/env python3
"""Builds and tests build folders with Meson, then says in one last line how many test cases passed, failed and were skipped.

A cmocka program counts by its cases; any other test, or a program that ended before it reported, counts as one.
usage: run_tests.py [--no-suite NAME] FOLDER...
"""
import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

CASE = re.compile(r"^\[\s+(OK|FAILED|SKIPPED)\s+\] (?!\d+ test)(\S+)", re.M)
KINDS = {"OK": "passed", "FAILED": "failed", "SKIPPED": "skipped"}
PROGRAM = {"OK": "passed", "EXPECTEDFAIL": "passed", "SKIP": "skipped"}


def cases(test):
    """{case: passed, failed or skipped} of one line of testlog.json."""
    found = {name: KINDS[word] for word, name in CASE.findall((test.get("stdout") or "") + "\n" + (test.get("stderr") or ""))}
    result = PROGRAM.get(test["result"], "failed")
    if not found or (result == "failed" and "failed" not in found.values()):
        found[test["name"]] = result
    return found


def run(folder, arguments, environment):
    if subprocess.run(["ninja", "-C", folder]).returncode:
        print(f"{folder}: the build failed")
        return {"passed": 0, "failed": 1, "skipped": 0}, [f"{folder}: build"]
    log = Path(folder, "meson-logs", "testlog.json")
    log.unlink(missing_ok=True)
    command = ["meson", "test", "-C", folder, "--no-rebuild", "--print-errorlogs", *arguments]
    code = subprocess.run(command, env=environment).returncode
    totals, failures = {"passed": 0, "failed": 0, "skipped": 0}, []
    for line in log.read_text().splitlines() if log.exists() else []:
        test = json.loads(line)
        for name, kind in cases(test).items():
            totals[kind] += 1
            if kind == "failed":
                failures.append(f"{folder}: {test['name']}" + (f": {name}" if name != test["name"] else ""))
    if code and not totals["failed"] or not sum(totals.values()):
        totals["failed"] += 1
        failures.append(f"{folder}: meson test ended with {code}")
    return totals, failures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--no-suite", action="append", default=[])
    parser.add_argument("folders", nargs="+")
    options = parser.parse_args()
    environment = dict(os.environ, LSAN_OPTIONS="print_suppressions=0", ASAN_OPTIONS="detect_leaks=1",
                       UBSAN_OPTIONS="print_stacktrace=1")
    arguments = [word for name in options.no_suite for word in ("--no-suite", name)]
    totals, failures = {"passed": 0, "failed": 0, "skipped": 0}, []
    for folder in options.folders:
        some, names = run(folder, arguments, environment)
        failures += names
        for kind, count in some.items():
            totals[kind] += count
    for name in failures:
        print("failed:", name)
    line = f"{totals['passed']} passed, {totals['failed']} failed"
    print(line + (f", {totals['skipped']} skipped" if totals["skipped"] else ""), flush=True)
    return 1 if totals["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
