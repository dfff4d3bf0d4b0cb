# SPDX-License-Identifier: MIT
"""What the pages point at is there: links between them, files, targets of make.

A word in back quotes that looks like a path of this tree, or like `make TARGET`, must
exist.  The manual page must be free of what the formatter warns about.
"""
import os
import re
import shutil

import compilers
import tree

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
QUOTED = re.compile(r"`([^`\n]+)`")
PATH = re.compile(
    r"^(?:include|core|heap|ports|cli|tests|bench|docs|scripts|man|demo|\.ci)/[\w./-]+$"
)
MAKE = re.compile(r"^make ([a-z][\w-]*)$")
TARGET = re.compile(r"^([a-z][\w -]*):", re.M)
FENCE = re.compile(r"^```.*?^```", re.M | re.S)


def targets(root):
    if not os.path.exists(os.path.join(root, "Makefile")):
        return set()
    return {w for m in TARGET.finditer(tree.read(root, "Makefile")) for w in m[1].split()}


def exists(root, path):
    return os.path.exists(os.path.join(root, path))


def judge_word(root, word, known):
    make = MAKE.match(word)
    if make and make[1] not in known:
        return f"no target {make[1]} in the Makefile"
    if PATH.match(word) and not exists(root, word):
        return f"{word} is not there"
    return None


def judge_link(root, path, link):
    if "://" in link or link.startswith("mailto:"):
        return None
    target = os.path.normpath(os.path.join(os.path.dirname(path), link))
    return None if exists(root, target) else f"link to {link}, which is not there"


def check_page(root, path, known):
    text = tree.read(root, path)
    for match in LINK.finditer(text):
        yield match.start(), judge_link(root, path, match[1])
    blanked = FENCE.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)
    for match in QUOTED.finditer(blanked):
        yield match.start(), judge_word(root, match[1], known)


def check_manual(root, path):
    if shutil.which("man") is None:
        raise tree.Missing("man is not installed")
    words = ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", path]
    env = ["env", "LC_ALL=C.UTF-8", "MANROFFSEQ=", "MANWIDTH=80"]
    fine, messages = compilers.run(root, ["sh", "-c", '"$@" 2>&1 >/dev/null', "-", *env, *words])
    return [] if fine and not messages else [f"{path}:1: {messages.strip()}"]


def check(root):
    problems, known = [], targets(root)
    for path in tree.files(root):
        if path.endswith(".md"):
            text = tree.read(root, path)
            problems += [
                f"{path}:{text.count(chr(10), 0, at) + 1}: {wrong}"
                for at, wrong in check_page(root, path, known)
                if wrong
            ]
        elif path.endswith(".1"):
            problems += check_manual(root, path)
    return problems


GOOD = {
    "Makefile": "all: x\nx y:\n",
    "docs/a.md": "[b](b.md#part) [c](../README.md) `make y` `docs/b.md` `core`\n",
    "docs/b.md": "[far](https://host/x)\n```\n`docs/not-there.md`\n```\n",
    "README.md": "`docs/a.md`\n",
    "man/x.1": ".TH X 1\n.SH NAME\nx \\- y\n",
}
BAD = {
    "a broken link": (
        "README.md:1: link to docs/c.md",
        {"README.md": "[a](docs/c.md)\n"},
    ),
    "a file that is not there": (
        "core/none.h is not there",
        {"README.md": "`core/none.h`\n"},
    ),
    "a target that is not there": (
        "no target z",
        {"README.md": "`make z`\n"},
    ),
    "a manual page with an unknown macro": (
        "XYZ",
        {"man/x.1": ".TH X 1\n.XYZ\n"},
    ),
}

if __name__ == "__main__":
    tree.main(check)
