#!/usr/bin/env python3
"""Holds every #include of src/ and include/ to the table in tools/layers.toml.

usage: check_layers.py [TOP]          prints each wrong include as file:line: what is wrong; exit status 1 when there is one
       check_layers.py --self-test    shows on small trees that each kind of wrong include is found
"""
import re
import sys
import tempfile
import tomllib
from pathlib import Path

INCLUDE = re.compile(r'^[ \t]*#[ \t]*(?:include|embed)[ \t]*(.*?)[ \t]*(?://.*|/\*.*)?$', re.M)
NAMED = re.compile(r'^(?:"([^"]+)"|<([^>]+)>)$')
KEYS = {"layer", "may", "public", "libraries"}


class Table:
    def __init__(self, path):
        text = tomllib.loads(path.read_text())
        self.libc, self.rows = set(text["libc"]), text["folders"]

    def folder(self, file):
        """The row of a file of src/ ("kernels/ref/x.c"), or None: the folder itself has to be named."""
        folder = file.rpartition("/")[0]
        return folder if folder in self.rows else None

    def mistakes(self, src):
        """What is wrong with the table itself."""
        for name, row in self.rows.items():
            for key in row.keys() - KEYS:
                yield f'folder "{name}": unknown key "{key}"'
            for target in row["may"]:
                folder = target if target in self.rows else self.folder(target)
                if folder is None or (target not in self.rows and not (src / target).is_file()):
                    yield f'folder "{name}": "{target}" is neither a folder of the table nor a file of one'
                elif not self.below(folder, name):
                    yield f'folder "{name}" (layer {row["layer"]}): "{target}" (layer {self.rows[folder]["layer"]}) does not lie below it'

    def below(self, folder, name):
        if self.rows[folder]["layer"] < self.rows[name]["layer"]:
            return True
        # kernels/avx2 uses kernels/kernels.h and kernels/vector; the outer folder names no inner one.
        inside = name.partition("/")[0]
        return "/" in name and folder.partition("/")[0] == inside and folder != name

    def wrong(self, folder, header, is_file):
        """Why `folder` may not include `header`, or None."""
        row = self.rows[folder]
        if header.startswith("weft/"):
            allowed = row.get("public", ["weft/status.h"])
            return None if header in allowed else f'public headers allowed here: {", ".join(allowed)}'
        if header in self.libc or header in row.get("libraries", []):
            return None
        if not is_file:
            owners = [name for name, other in self.rows.items() if header in other.get("libraries", [])]
            return f'only {", ".join(owners)} may include it' if owners else "neither the C library's, nor a file of src/, nor one of the row's libraries"
        target = self.folder(header)
        if target == folder or target in row["may"] or header in row["may"]:
            return None
        if target is None:
            return "it lies in a folder without a row"
        return f'{folder} (layer {row["layer"]}) may not include {target} (layer {self.rows[target]["layer"]})'


def includes(path):
    text = path.read_text()
    for match in INCLUDE.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match.group(1)


def check(top):
    src, public = top / "src", top / "include"
    table = Table(top / "tools/layers.toml")
    found = [f"tools/layers.toml: {mistake}" for mistake in table.mistakes(src)]
    for path in sorted(src.rglob("*")):
        if not path.is_file() or path.name == "meson.build":
            continue
        file = path.relative_to(src).as_posix()
        folder = table.folder(file)
        if folder is None:
            found.append(f"src/{file}: its folder has no row in tools/layers.toml")
            continue
        for line, words in includes(path):
            named = NAMED.match(words)
            if not named:
                found.append(f"src/{file}:{line}: #include {words}: write the name of a file")
                continue
            header = named.group(1) or named.group(2)
            why = table.wrong(folder, header, (src / header).is_file())
            if why:
                found.append(f"src/{file}:{line}: {header}: {why}")
    for path in sorted(public.rglob("*.h")):
        for line, words in includes(path):
            header = words.strip('"<>')
            if header not in table.libc and not (header.startswith("weft/") and (public / header).is_file()):
                found.append(f"{path.relative_to(top)}:{line}: {header}: public headers include the C library and each other only")
    return found


def self_test():
    table = """libc = ["string.h"]
[folders.base]
layer = 0
may = []
libraries = ["jansson.h"]
[folders.tape]
layer = 1
may = ["base"]
[folders.data]
layer = 1
may = ["base"]
[folders."tape/fast"]
layer = 1
may = ["tape/tape.h"]
[folders.cli]
layer = 2
may = []
public = ["weft/weft.h"]
"""
    good = {"tools/layers.toml": table, "include/weft/weft.h": '#include "weft/status.h"\n', "include/weft/status.h": "#include <string.h>\n",
            "src/base/a.h": '#include <jansson.h>\n#include "weft/status.h"\n', "src/base/b.c": '#include "base/a.h"\n', "src/tape/tape.h": "", "src/data/data.h": "",
            "src/tape/t.c": '#  include "base/a.h" /* below */\n#include <string.h>\n', "src/tape/fast/f.c": '#include "tape/tape.h"\n', "src/cli/main.c": "#include <weft/weft.h>\n"}
    bad = {"an upward edge": {"src/base/b.c": '#include "tape/tape.h"\n'}, "a sideways edge": {"src/tape/t.c": '#include "data/data.h"\n'},
           "a folder without a row": {"src/odd/o.c": ""}, "a file outside folders": {"src/o.c": ""}, "an internal header in the command line": {"src/cli/main.c": '#include "base/a.h"\n'},
           "another public header": {"src/cli/main.c": "#include <weft/status.h>\n"}, "a library outside its folder": {"src/tape/t.c": "#include <jansson.h>\n"},
           "an unknown header": {"src/tape/t.c": "#include <nobody.h>\n"}, "a name without its folder": {"src/tape/t.c": '#include "tape.h"\n'},
           "an include by a macro": {"src/tape/t.c": "#include HEADER\n"}, "a path that climbs": {"src/tape/t.c": '#include "../data/data.h"\n'},
           "an outer folder that includes an inner one": {"src/tape/fast/f.h": "", "src/tape/t.c": '#include "tape/fast/f.h"\n'},
           "an include after a comment": {"src/base/b.c": '/* a */\n#include "tape/tape.h" // why\n'},
           "an internal header in a public one": {"include/weft/status.h": '#include "base/a.h"\n'},
           "a row that points upward": {"tools/layers.toml": table.replace('may = []\nlibraries', 'may = ["tape"]\nlibraries')},
           "a row that points sideways": {"tools/layers.toml": table.replace('[folders.data]\nlayer = 1\nmay = ["base"]', '[folders.data]\nlayer = 1\nmay = ["tape"]')},
           "a row of an unknown folder": {"tools/layers.toml": table.replace('"tape/tape.h"', '"nowhere"')}, "a mistyped key": {"tools/layers.toml": table.replace("public", "publik")}}
    failed = 0
    for name, change in {"nothing wrong": {}, **bad}.items():
        with tempfile.TemporaryDirectory() as folder:
            for file, text in {**good, **change}.items():
                path = Path(folder, file)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            found = check(Path(folder))
        if bool(found) != bool(change):
            failed += 1
            print(f"self-test: {name}: found {found}")
    print(f"self-test: {len(bad) + 1} trees, {failed} judged wrongly")
    return 1 if failed else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    found = check(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent)
    print("\n".join(found) if found else "layers: every include is allowed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
