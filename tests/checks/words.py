# SPDX-License-Identifier: MIT
"""What each file must say, and what none may.

The licence line comes first in every source file.  Nothing admits to unfinished work,
and nothing speaks of the place or the circumstances in which it was written.
"""
import re

import tree

LICENCE = "SPDX-License-Identifier: MIT"

# Spelled so that this file does not contain the words that it looks for.
FORBIDDEN = {
    "unfinished work": re.compile(
        r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b"
        r"|(?i:not im" r"plemented|place" r"holder|\bfor n" r"ow\b)"
    ),
    "a path of one machine": re.compile(r"(?<![\w./])/(work|root|home/\w+)/"),
    "what stands around the project": re.compile(
        r"(?i)helper ag" r"ent|\bissue #|\bthe bri" r"ef\b"
    ),
    "trailing blanks": re.compile(r"[ \t]+$", re.M),
}


def needs_licence(root, path):
    return path.endswith((".c", ".h", ".1")) or tree.is_script(root, path)


def has_licence(root, path):
    """In the first line, or in the second of a script that starts with #!."""
    lines = tree.read(root, path).split("\n")[:2]
    if path.endswith((".c", ".h")):
        return lines[0] == f"/* {LICENCE} */"
    return LICENCE in (lines[-1] if lines[0].startswith("#!") else lines[0])


def check(root):
    problems = []
    texts = tree.C_SUFFIXES + tree.TEXT_SUFFIXES
    for path in tree.files(root):
        script = tree.is_script(root, path)
        if needs_licence(root, path) and not has_licence(root, path):
            problems.append(f"{path}:1: the licence line is missing")
        if not script and not path.endswith(texts):
            continue
        text = tree.read(root, path)
        for what, pattern in FORBIDDEN.items():
            for match in pattern.finditer(text):
                line = text.count("\n", 0, match.start()) + 1
                problems.append(f"{path}:{line}: {what}: {match[0].strip()!r}")
    return problems


C_HEAD = f"/* {LICENCE} */\n"
GOOD = {
    "core/base/a.c": C_HEAD + "/* a word; mktemp's X" "XXXXX */\n",
    "scripts/a.sh": f"#!/bin/sh\n# {LICENCE}\n",
    "tests/meson.build": f"# {LICENCE}\n",
    ".ci/run": f"#!/usr/bin/env bash\n# {LICENCE}\n",
    "README.md": "Words, http://host/home/page and ../work/x.\n",
}
BAD = {
    "no licence in C": (
        "a.c:1: the licence",
        {"core/base/a.c": "/* a */\n"},
    ),
    "a licence in the second line": (
        "a.c:1: the licence",
        {"core/base/a.c": "\n" + C_HEAD},
    ),
    "no licence in a script": (
        "a.sh:1: the licence",
        {"scripts/a.sh": "#!/bin/sh\n"},
    ),
    "no licence in a nameless script": (
        "run:1: the licence",
        {".ci/run": "#!/bin/sh\n"},
    ),
    "no licence in a build file": (
        "meson.build:1: the licence",
        {"tests/meson.build": "\n"},
    ),
    "unfinished work in C": (
        "a.c:2: unfinished work",
        {"core/base/a.c": C_HEAD + "/* TO" "DO */\n"},
    ),
    "unfinished work in a script": (
        "a.sh:3: unfinished work",
        {"scripts/a.sh": f"#!/bin/sh\n# {LICENCE}\n# X" "XX\n"},
    ),
    "unfinished work in a page": (
        "README.md:1: unfinished work",
        {"README.md": "It is not im" "plemented.\n"},
    ),
    "a path": (
        "README.md:1: a path of one machine",
        {"README.md": "See /ro" "ot/x.\n"},
    ),
    "a number": (
        "a.c:2: what stands around",
        {"core/base/a.c": C_HEAD + "/* see iss" "ue #3 */\n"},
    ),
    "trailing blanks": (
        "a.c:2: trailing blanks",
        {"core/base/a.c": C_HEAD + "int a; \n"},
    ),
}

if __name__ == "__main__":
    tree.main(check)
