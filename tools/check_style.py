#!/usr/bin/env python3
"""Finds calls that weft's code does not use, because a safer one does the same.

usage: check_style.py [TOP]           prints file:line: call: what to use; exit status 1 when there is one
       check_style.py --self-test     shows that it finds each of them, and only in code
"""
import re
import sys
import tempfile
from pathlib import Path

BANNED = {
    "strcpy": "snprintf or wfi_strdup", "strcat": "snprintf or base/buffer.h", "strncpy": "snprintf", "strncat": "snprintf", "sprintf": "snprintf",
    "vsprintf": "vsnprintf", "gets": "fgets", "strtok": "strtok_r or a loop", "atoi": "strtol", "atol": "strtol", "atof": "strtod",
    "localtime": "localtime_r", "gmtime": "gmtime_r", "ctime": "strftime", "asctime": "strftime", "rand": "base/random.h", "srand": "base/random.h",
    "alloca": "the arena or wfi_alloc", "tmpnam": "mkstemp", "mktemp": "mkstemp", "system": "nothing: weft starts no other program", "popen": "nothing: weft starts no other program",
}
LIBRARY = {  # in the library, the command line left out
    "malloc": "wfi_alloc", "calloc": "wfi_alloc", "realloc": "wfi_realloc", "free": "wfi_free", "aligned_alloc": "wfi_alloc_aligned", "strdup": "wfi_strdup",
    "strndup": "wfi_strndup", "exit": "a status", "abort": "a status, or WF_BUG", "assert": "a status, or WF_BUG", "perror": "a status with its text",
    "printf": "a status, or the log", "puts": "a status, or the log",
}
DOORS = {"src/base/alloc.c": {"calloc", "realloc", "free", "aligned_alloc"}, "src/base/error.c": {"abort"}}
# Comments and strings, in one pass so that neither hides in the other.
QUIET = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def code_only(text):
    return QUIET.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)


def check(top):
    found = []
    for folder in ("include", "src", "bench", "fuzz", "examples"):
        for path in sorted((top / folder).rglob("*")):
            if path.suffix not in (".c", ".h", ".inc"):
                continue
            file = path.relative_to(top).as_posix()
            names = dict(BANNED)
            if file.startswith("src/") and not file.startswith("src/cli/"):
                names.update(LIBRARY)
            for name in DOORS.get(file, ()):
                names.pop(name)
            call = re.compile(r"(?<![\w.>])(" + "|".join(names) + r")\s*\(")
            for number, line in enumerate(code_only(path.read_text()).split("\n"), 1):
                for match in call.finditer(line):
                    found.append(f"{file}:{number}: {match.group(1)}: use {names[match.group(1)]}")
    return found


def self_test():
    failed = 0
    quiet = '/* strcpy(a, b) */ // atoi(x)\nconst char *s = "rand() \\" free(p)"; wfi_free(p); x->free(p); my_atoi(s); snprintf(b, 1, "");\n'
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "src/tape/x.c")
        path.parent.mkdir(parents=True)
        for name in [None, *BANNED, *LIBRARY]:
            path.write_text(quiet + (f"    y = {name} (z);\n" if name else ""))
            found = check(Path(folder))
            want = [f"src/tape/x.c:3: {name}: use {({**BANNED, **LIBRARY})[name]}"] if name else []
            if found != want:
                failed += 1
                print(f"self-test: {name}: found {found}")
    print(f"self-test: {len(BANNED) + len(LIBRARY)} calls, {failed} judged wrongly")
    return 1 if failed else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    found = check(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent)
    print("\n".join(found) if found else "style: no banned call")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
