#!/usr/bin/env python3
"""The first comparison figure of a report as an SVG file of its own, for the README.   Usage: demo_figure.py report.html out.svg"""
import re
import sys


def main(report, out):
    page = open(report, encoding="utf-8").read()
    figure = re.search(r"<svg .*?</svg>", page, re.S).group(0)
    colours = dict(re.findall(r"(--[\w-]+):([^;}]+)", page.split("@media")[0]))
    figure = re.sub(r"var\((--[\w-]+)\)", lambda m: colours[m.group(1)], figure)
    style = ("<style>text{font:13px sans-serif;fill:%s}.small{font-size:11px}.grid{stroke:%s}.axis{stroke:%s}</style>"
             '<rect width="100%%" height="100%%" fill="%s"/>' % (colours["--fg"], colours["--line"], colours["--muted"], colours["--bg"]))
    figure = figure.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    head, rest = figure.split(">", 1)
    open(out, "w", encoding="utf-8").write(head + ">" + style + rest + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
