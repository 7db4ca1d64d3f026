#!/usr/bin/env python3
"""Every command that `weft --help` lists has a manual page that names it and that groff takes without a warning; completion
offers what there is.

usage: test_man.py WEFT FOLDER SOURCES
"""
import re
import shutil
import subprocess
import sys
import tempfile
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
def widest(page: Path) -> int:
    shown = subprocess.run(["groff", "-man", "-Tutf8", "-P-c", page], capture_output=True, text=True).stdout
    description = re.search(r"^DESCRIPTION\n(.*?)^OPTIONS", shown, re.M | re.S)
    return max((len(line) for line in description[1].splitlines()), default=0) if description else 0


bash = shutil.which("bash")
if shutil.which("groff"):
    wide = {name: widest(folder / name) for name in sorted(want & have)}
    wrong += [f"{name}: its description is {columns} columns wide" for name, columns in wide.items() if columns > 80]
if bash:
    script = 'set -eu; source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _weft || true; echo "${COMPREPLY[*]}"'
    lab = Path(tempfile.mkdtemp())
    (lab / "rows.csv").write_text("text,label\n" + "".join(f"the film {i},{'good' if i % 2 else 'bad'}\n" for i in range(40)))
    subprocess.run([weft, "init", lab / "lab"], check=True, capture_output=True)
    for name in ("reviews", "tweets"):
        subprocess.run([weft, "-C", lab / "lab", "task", "add", name, lab / "rows.csv"], check=True, capture_output=True)
    here = ["-C", str(lab / "lab")]
    for words, offered, not_offered in (
        (["pre"], "predict", "prune"),
        (["ver"], "verify", ""),
        (["--js"], "--json", ""),
        ([""], "base task study gate train", "add robust"),
        (["base", ""], "add list check", "train"),
        (["study", ""], "robust failures interact fair", "train"),
        (["study", "robust", "--k"], "--kinds", "--schedule"),
        (["gate", ""], "set rm", "robust"),
        (["gate", "set", "--s"], "--split", "--schedule"),
        ([*here, "gate", ""], "set rm reviews tweets", ""),
        ([*here, "train", ""], "reviews tweets --method", "good"),
        ([*here, "train", "re"], "reviews", "tweets --method"),
        ([*here, "joint", "reviews,t"], "reviews,tweets", "reviews"),
        ([*here, "train", "reviews", "--schedule", ""], "linear cosine constant", "reviews --method"),
        ([*here, "train", "reviews", "--method", "s"], "seq_bn scaled_par_bn", "head"),
        ([*here, "joint", "reviews,tweets", "--method", "m"], "multihead", "full"),
        ([*here, "train", "reviews", "--base-dtype", ""], "f32 bf16 int8 auto", ""),
        ([*here, "eval", "x", "--task", "t"], "tweets", "reviews"),
        ([*here, "inspect", "r"], "reviews", "tweets"),
        ([*here, "train", "reviews", "--lr", ""], "", "reviews --method"),
    ):
        said = subprocess.run([bash, "-c", script, "bash", folder / "weft", weft, *words], capture_output=True, text=True)
        replies = said.stdout.split()
        if said.returncode or not set(offered.split()) <= set(replies) or set(not_offered.split()) & set(replies):
            wrong.append(f"completion of {words}: {said.stdout}{said.stderr}")
    shutil.rmtree(lab)
    table = (Path(sys.argv[3]) / "complete.c").read_text()
    helps = [subprocess.run([weft, *name.split(), "--help"], capture_output=True, text=True).stdout for name in commands]
    for option, words in re.findall(r'"(--[a-z-]+)", "([^"]+)"\}', table):
        told = " ".join(text for text in helps if f"\n  {option} " in text)
        wrong += [f"completion offers {option} {word}, of which no help speaks" for word in words.split() if word[0] != "@" and word not in told]
print("\n".join(wrong) if wrong else f"{len(want)} pages, completion")
sys.exit(1 if wrong else 0)
