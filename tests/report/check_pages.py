#!/usr/bin/env python3
"""Opens pages that weft wrote in a headless Chromium, as a phone, a desk and a printer see them, light and dark, and says what is wrong with them.

Without a Chromium the test is skipped. usage: check_pages.py [--shots FOLDER] PROGRAM | PAGE.html...
PROGRAM: one that writes pages into the folder it is given. --shots: keeps pictures of all of them, and prints.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

import browser

VIEWS = [("phone", 390, 844, "light", "screen"), ("phone-dark", 390, 844, "dark", "screen"), ("desk", 1280, 900, "light", "screen"),
         ("desk-dark", 1280, 900, "dark", "screen"), ("print", 718, 1000, "light", "print"), ("print-dark", 718, 1000, "dark", "print"), ("narrow-dark", 500, 900, "dark", "screen")]
SKIPPED = 77  # what Meson takes for "skipped"


def reported(events, address):
    """Faults among what the browser said while a page loaded: messages on the console, errors, requests to elsewhere."""
    for event in events:
        what, params = event["method"], event["params"]
        if what == "Runtime.consoleAPICalled":
            yield f"console {params['type']}: " + " ".join(str(a.get("value")) for a in params["args"])
        elif what == "Runtime.exceptionThrown":
            yield "exception: " + params["exceptionDetails"]["text"]
        elif what == "Log.entryAdded" and params["entry"]["level"] != "verbose":
            yield f"{params['entry']['level']}: {params['entry']['text']} {params['entry'].get('url', '')}"
        elif what == "Network.requestWillBeSent":
            url = params["request"]["url"].split("#")[0]
            if url != address and not url.startswith("data:"):
                yield f"a request to {url}"
        elif what == "Network.loadingFailed":
            yield f"a request failed: {params['errorText']}"


def check(tab, measure, page, shots, whole):
    """(view, fault) of one page, in all views or in some: phone, desk, print and a narrow window."""
    address = page.resolve().as_uri()
    for view, width, height, scheme, media in VIEWS if whole else VIEWS[::3] + VIEWS[4:5]:
        tab.open(address, width, height, scheme, media)
        if shots:
            tab.screenshot(shots / f"{page.stem}-{view}.png")
        faults = tab.evaluate(f"({measure})({width}, {'true' if media == 'print' else 'false'})")
        if shots and view == "print":
            tab.pdf(shots / f"{page.stem}.pdf")
        yield from ((view, fault) for fault in list(reported(tab.events(), address)) + faults)


def blind(tab, measure):
    """Faults planted in faulty.html, each named there as "expect: ...", that are not found."""
    page = pathlib.Path(__file__).with_name("faulty.html")
    found = "\n".join(fault for _, fault in check(tab, measure, page, None, False))
    return [want for want in re.findall(r"expect: (.*?) -->", page.read_text()) if want not in found]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shots", type=pathlib.Path)
    parser.add_argument("given", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    program = browser.find()
    if not program:
        print("skipped: no Chromium here; install one, or name it in the variable CHROMIUM")
        return SKIPPED
    if options.shots:
        options.shots.mkdir(parents=True, exist_ok=True)
    measure = pathlib.Path(__file__).with_name("measure.js").read_text().strip().rstrip(";")
    found = 0
    with tempfile.TemporaryDirectory(prefix="weft-pages-") as folder:
        pages = options.given
        if pages[0].suffix != ".html":
            subprocess.run([pages[0], folder], check=True, stdout=subprocess.DEVNULL)
            pages = sorted(pathlib.Path(folder).glob("*.html"))
        if not pages:
            sys.exit("no page was written")
        tab = browser.Browser(program)
        try:
            for want in blind(tab, measure):
                print(f"the check is blind: it does not say \"{want}\" of faulty.html")
                found += 1
            for page in pages:
                for view, fault in check(tab, measure, page, options.shots, options.shots or page.stem == "report" or page in options.given):
                    print(f"{page.name}, {view}: {fault}")
                    found += 1
        finally:
            tab.close()
    print(f"{len(pages)} pages: {found} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
