# SPDX-License-Identifier: MIT
"""clang-format finds nothing to change in any C file.

Other versions than 14 lay out differently, so with them the check is skipped.
"""
import os

import compilers
import tree

VERSION = "version 14."
HERE = os.path.dirname(os.path.abspath(__file__))


def check(root):
    compilers.need("clang-format")
    _, version = compilers.run(root, ["clang-format", "--version"])
    if VERSION not in version:
        raise tree.Missing(f"clang-format 14 (this is {version.strip()})")
    paths = tree.c_files(root)
    if not paths:
        return []
    fine, messages = compilers.run(
        root, ["clang-format", "--style=file", "--dry-run", "-Werror", *paths]
    )
    return [] if fine else messages.splitlines()


GOOD = {
    ".clang-format": tree.read(os.path.join(HERE, "..", ".."), ".clang-format"),
    "core/base/a.c": "int f(char *p)\n{\n\treturn *p;\n}\n",
}
BAD = {
    "blanks for a tab": (
        "a.c:2:2: error",
        {"core/base/a.c": "int f(void)\n{\n        return 0;\n}\n"},
    ),
    "the star at the type": (
        "a.c:1:11: error",
        {"core/base/a.c": "int f(char* p)\n{\n\treturn *p;\n}\n"},
    ),
    "a long line": (
        "a.c:1:",
        {"core/base/a.c": f"int f(int {'a' * 60}, int {'b' * 60});\n"},
    ),
}

if __name__ == "__main__":
    tree.main(check)
