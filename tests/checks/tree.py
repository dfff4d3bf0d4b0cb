# SPDX-License-Identifier: MIT
"""The source tree as the checks see it, and the way a check is run.

A check is a module with

    check(root)  the problems found under root, as printed lines; a problem of one
                 place starts with "path:line: ";
    GOOD         a small tree, {path: text}, in which it finds none;
    BAD          {what is wrong: (words, {path: text})}: laid over GOOD, each gives a
                 problem that contains these words.

check() raises Missing where a tool that it needs is not on this machine.
selftest.py lays out GOOD and each of BAD and proves that the check tells them apart.
"""
import os
import re
import sys

SKIP = 77  # the exit status by which Meson knows a skipped test

C_SUFFIXES = (".c", ".h")
SCRIPT_SUFFIXES = (".sh", ".py", ".build", ".mk")
TEXT_SUFFIXES = (".md", ".1", ".html", ".map", ".txt")


class Missing(Exception):
    """A tool that the check needs is not there; the text names it."""


def files(root):
    """Every file of the project, relative to root; no build directories, no caches."""
    found = []
    for at, folders, names in os.walk(root):
        folders[:] = sorted(
            name
            for name in folders
            if name not in (".git", "__pycache__")
            and not os.path.exists(os.path.join(at, name, "meson-private"))
        )
        found += [os.path.relpath(os.path.join(at, name), root) for name in sorted(names)]
    return found


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as stream:
        return stream.read()


def first_line(root, path):
    return read(root, path).partition("\n")[0]


def is_script(root, path):
    """A script by its name, or by its #! line where the name says nothing."""
    name = os.path.basename(path)
    if name.endswith(SCRIPT_SUFFIXES) or name in ("Makefile", "meson_options.txt"):
        return True
    return "." not in name.lstrip(".") and first_line(root, path).startswith("#!")


def c_files(root):
    return [path for path in files(root) if path.endswith(C_SUFFIXES)]


def headers(root):
    return [path for path in files(root) if path.endswith(".h")]


def sources(root):
    """C files and scripts: all that is code."""
    return [p for p in files(root) if p.endswith(C_SUFFIXES) or is_script(root, p)]


INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.M)


def includes(root, path):
    """(line, name, quoted) of each include in a file."""
    text = read(root, path)
    for match in INCLUDE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield line, match[1] or match[2], match[1] is not None


def resolve(root, path, name):
    """The file that a quoted include names, relative to root, or None."""
    for base in (os.path.dirname(path), "", "include"):
        candidate = os.path.normpath(os.path.join(base, name))
        if os.path.isfile(os.path.join(root, candidate)):
            return candidate
    return None


def lay_out(root, tree):
    """Writes {path: text} under root."""
    for path, text in tree.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as stream:
            stream.write(text)


def main(check):
    """Runs one check over the tree named on the command line."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} ROOT")
    try:
        problems = check(sys.argv[1])
    except Missing as missing:
        print(f"skipped: {missing}")
        sys.exit(SKIP)
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)
