#!/usr/bin/env python3
"""Every command that `weft --help` lists has a manual page that names it and that groff takes without a warning; completion is valid bash.

usage: test_man.py WEFT FOLDER
"""
import re
import shutil
import subprocess
import sys
from pathlib import Path

weft, folder = sys.argv[1], Path(sys.argv[2])
wrong = []
text = subprocess.run([weft, "--help"], check=True, capture_output=True, text=True).stdout
commands = re.findall(r"^  ([a-z]+(?: [a-z]+)?) {2,}\S", text.split("commands:")[1].split("\n\n")[0], re.M)
if len(commands) < 5:
    wrong.append(f"weft --help lists {commands}")
want = {"weft.1"} | {f"weft-{name.replace(' ', '-')}.1" for name in commands}
have = {path.name for path in folder.glob("*.1")}
wrong += [f"no page {name}" for name in sorted(want - have)] + [f"page {name} is of no command" for name in sorted(have - want)]
for name in sorted(want & have):
    page = folder / name
    if f".TH {name[:-2].upper()} 1" not in page.read_text():
        wrong.append(f"{name} has another title")
    if shutil.which("groff"):
        said = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", page], capture_output=True, text=True).stderr
        wrong += [line for line in said.splitlines() if "weft" in line]
bash = shutil.which("bash")
if bash:
    script = 'set -eu; source "$1"; COMP_WORDS=(weft "$2"); COMP_CWORD=1; _weft || true; echo "${COMPREPLY[*]}"'
    for begun, word in (("pre", "predict"), ("ver", "verify"), ("--js", "--json")):
        said = subprocess.run([bash, "-c", script, "bash", folder / "weft", begun], capture_output=True, text=True)
        if said.returncode or word not in said.stdout.split():
            wrong.append(f"completion of {begun}: {said.stdout}{said.stderr}")
print("\n".join(wrong) if wrong else f"{len(want)} pages, completion")
sys.exit(1 if wrong else 0)
