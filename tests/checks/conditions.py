# SPDX-License-Identifier: MIT
"""Conditional compilation: platforms only in ports/ and core/base.

In core/ (outside base) and in include/ a condition may name nothing but QUIRE_ macros.
Elsewhere outside ports/ it may not name what compilers predefine: names that start
with two underscores, or _WIN32 and its kind.  Freestanding code includes freestanding
headers alone.
"""
import re

import tree

CONDITION = re.compile(r"^[ \t]*#[ \t]*(?:if|ifdef|ifndef|elif)\b(.*)$")
WORD = re.compile(r"[A-Za-z_]\w*")
PREDEFINED = re.compile(r"__|_WIN|_MSC|linux$|unix$")
FREESTANDING = {
    f"{name}.h"
    for name in "stddef stdint stdbool stdatomic stdalign limits stdarg".split()
}


def is_pure(path):
    return path.startswith(("core/", "include/")) and not path.startswith("core/base/")


def forbidden(path, word):
    if word in ("defined", "__cplusplus"):
        return False
    if is_pure(path):
        return not word.startswith("QUIRE_")
    return PREDEFINED.match(word) is not None


def conditions(text):
    """(line, words) of each condition, continued lines and comments taken out."""
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), text, flags=re.S)
    text = text.replace("\\\n", " \f")
    line = 1
    for part in text.split("\n"):
        match = CONDITION.match(part)
        if match:
            yield line, WORD.findall(match[1])
        line += 1 + part.count("\f")


def check(root):
    problems = []
    for path in tree.c_files(root):
        if path.startswith(("core/", "include/")):
            problems += [
                f"{path}:{line}: <{name}> is not a freestanding header"
                for line, name, quoted in tree.includes(root, path)
                if not quoted and name not in FREESTANDING
            ]
        if path.startswith(("ports/", "core/base/")):
            continue
        for line, words in conditions(tree.read(root, path)):
            problems += [
                f"{path}:{line}: condition on {word}"
                for word in words
                if forbidden(path, word)
            ]
    return problems


GOOD = {
    "core/base/cpu.c": "#if defined(__x86_64__)\n#endif\n",
    "core/frames/a.h": "#include <stdint.h>\n#ifndef QUIRE_A_H\n#endif\n"
    "#if QUIRE_CHECKS >= 1 && \\\n\tdefined(QUIRE_B)\n#endif\n",
    "ports/linux/a.c": "#ifdef __NR_mmap\n#endif\n#include <stdio.h>\n",
    "heap/a.c": "#include <errno.h>\n#ifdef MADV_FREE\n#endif\n",
    "include/quire/a.h": "#ifdef __cplusplus\n#endif\n",
}
BAD = {
    "an architecture in the core": (
        "a.c:1: condition on __x86_64__",
        {"core/frames/a.c": "#ifdef __x86_64__\n#endif\n"},
    ),
    "a continued condition": (
        "a.c:1: condition on __linux__",
        {"core/frames/a.c": "#if QUIRE_A && \\\n\tdefined(__linux__)\n#endif\n"},
    ),
    "a platform's macro in the core": (
        "a.c:1: condition on HOSTED",
        {"core/frames/a.c": "#  if  HOSTED\n#endif\n"},
    ),
    "a compiler in the heap": (
        "a.c:2: condition on __clang__",
        {"heap/a.c": "#if 1\n#elif defined __clang__\n#endif\n"},
    ),
    "a compiler in the command": (
        "a.c:1: condition on __GNUC__",
        {"cli/a.c": "#ifndef __GNUC__\n#endif\n"},
    ),
    "a platform in a public header": (
        "a.h:1: condition on __linux__",
        {"include/quire/a.h": "#if __linux__\n#endif\n"},
    ),
    "libc in the core": (
        "a.c:1: <stdio.h> is not a freestanding header",
        {"core/frames/a.c": "#include <stdio.h>\n"},
    ),
    "libc in core/base": (
        "a.c:1: <string.h> is not a freestanding header",
        {"core/base/a.c": "# include <string.h>\n"},
    ),
}

if __name__ == "__main__":
    tree.main(check)
