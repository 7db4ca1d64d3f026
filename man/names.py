#!/usr/bin/env python3
"""Prints the name of each manual page, one a line: weft, and weft-COMMAND for each command defined in the given folder."""
import re
import sys
from pathlib import Path

names = re.findall(r'const cli_command \w+ = \{\s*\.name = "([^"]+)"', "\n".join(path.read_text() for path in Path(sys.argv[1]).glob("cmd_*.c")))
print("weft", *sorted("weft-" + name.replace(" ", "-") for name in names), sep="\n")
