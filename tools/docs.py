#!/usr/bin/env python3
"""Makes docs/reference.md, the library's reference, from the comments in include/weft/*.h.

usage: docs.py             writes docs/reference.md
       docs.py --check     exit status 1 when the file differs from what the headers say, or docs/training.md lacks a setting
"""
import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
TARGET = TOP / "docs/reference.md"
TOKEN = re.compile(r"/\*.*?\*/|\n[ \t]*\n|#(?:[^\n\\]|\\\n|\\.)*|[^/#\n]+|\n|.", re.S)


def unwrap(comment):
    """The text of /* ... */ without its frame; line breaks stay where a line is indented or a paragraph ends."""
    lines = [re.sub(r"^\s*\* ?", "", line).rstrip() for line in comment[2:-2].strip().split("\n")]
    return "\n".join(line.strip() for line in lines).strip()


def pieces(text):
    """(comment before, declaration, comment on its line) of each declaration at the outer level, in order."""
    text = re.sub(r"\n#ifdef __cplusplus\n.*?#endif", "", text, flags=re.S)
    before, code, depth, started = "", "", 0, False
    for match in TOKEN.finditer(text):
        token = match.group(0)
        if token.startswith("#") and not code.strip():
            if "_LIST(" in token:
                yield before, token, ""
            before = ""
        elif token.startswith("/*") and not code.strip():
            if started and "\n" not in text[started:match.start()]:
                yield None, None, unwrap(token)  # it stands behind a finished declaration
            else:
                before = (before + "\n" + unwrap(token)).strip()
        elif re.fullmatch(r"\n[ \t]*\n", token) and not code.strip():
            before = ""
        else:
            code += token
            if not token.startswith("/*"):
                depth += token.count("{") - token.count("}")
            if depth == 0 and code.rstrip().endswith(";"):
                yield before, code.strip(), ""
                before, code, started = "", "", match.end()


def declarations(text):
    found = []
    for before, code, behind in pieces(text):
        if code is None:
            if found:
                found[-1][2] = (found[-1][2] + "\n" + behind).strip()
        else:
            found.append([before, code, behind])
    return found


def title(code):
    name = re.search(r"\b(WF_\w+_LIST)\(", code) or re.match(r"typedef .*?\(\*(\w+)\)", code) or re.match(r"typedef .*?\b(\w+);$", code, re.S) \
        or re.search(r"\b(wf_\w+)\(", code)
    return name.group(1) if name else code.split("\n")[0]


def section(path):
    text = path.read_text()
    top = re.match(r"/\*(.*?)\*/", text, re.S)
    head, _, about = unwrap(top.group(0)).partition("\n") if top else (path.name, "", "")
    out = [f"## {head}", "", about.strip(), ""]
    for before, code, behind in declarations(text[top.end() if top else 0:]):
        if code.startswith("typedef enum"):
            continue  # the list of codes stands above it
        if "_LIST(" in code:
            out += [f"### {title(code)}", "", before, "", "| code | number | meaning |", "| --- | --- | --- |"]
            out += [f"| `WF_{name}` | {number} | {words} |" for name, number, words in re.findall(r'X\((\w+), (\d+), "([^"]*)"\)', code)] + [""]
            continue
        code = re.sub(r"^WF_API ", "", code)
        out += [f"### {title(code)}", "", "```c", code, "```", ""] + [part + "\n" for part in (before, behind) if part]
    return "\n".join(out)


def reference():
    headers = sorted(path for path in (TOP / "include/weft").glob("*.h") if path.name != "weft.h")
    intro = ["# Library reference", "", "Made from the headers by `make docs`; not edited by hand. `#include <weft/weft.h>` gives all of it; link with "
             "`pkg-config --cflags --libs weft`. Results are JSON texts: [json.md](json.md) lists their keys.", ""]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(intro) + "\n" + "\n".join(section(path) for path in headers)).rstrip() + "\n"


def settings_unnamed():
    """Options of training commands that docs/training.md does not name."""
    said = (TOP / "docs/training.md").read_text()
    sources = [(TOP / "src/cli" / name).read_text() for name in ("training.h", "cmd_train.c", "cmd_fuse.c", "cmd_compare.c")]
    return [option for option in re.findall(r'\{"(--[a-z-]+)"', "".join(sources)) if f"`{option}`" not in said]


def main():
    text = reference()
    if sys.argv[1:] == ["--check"]:
        if settings_unnamed():
            print("docs: docs/training.md does not name", ", ".join(settings_unnamed()))
            return 1
        missing = [name for path in (TOP / "include/weft").glob("*.h") for name in re.findall(r"WF_API [^;]*?\b(wf_\w+)\(", path.read_text()) if f"### {name}\n" not in text]
        if missing:
            print("docs: not in the reference:", ", ".join(missing))
            return 1
        if not TARGET.exists() or TARGET.read_text() != text:
            print("docs: docs/reference.md is out of date; run: make docs")
            return 1
        print("docs: reference.md says what the headers say")
        return 0
    TARGET.write_text(text)
    print(f"wrote {TARGET.relative_to(TOP)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
