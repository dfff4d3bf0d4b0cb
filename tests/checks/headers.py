# SPDX-License-Identifier: MIT
"""Each header compiles alone, twice in a row, in both compilers, without a warning.

A public header sees include/ and nothing else of the tree, as it will once installed.
"""
import shlex
import shutil

import compilers
import tree


def packages():
    """Flags of the libraries whose headers ours may include."""
    if shutil.which("pkg-config") is None:
        return []
    words = ["pkg-config", "--cflags"]
    found = [
        name
        for name in ("cmocka", "jansson", "liblz4", "libxxhash")
        if compilers.run(".", ["pkg-config", "--exists", name])[0]
    ]
    return shlex.split(compilers.run(".", words + found)[1]) if found else []


def compile_alone(root, compiler, path, flags):
    public = path.startswith("include/quire/")
    name = path[len("include/") :] if public else path
    paths = ["-Iinclude"] if public else ["-I.", "-Iinclude"]
    if not path.startswith(("include/", "core/")):
        flags = ["-D_GNU_SOURCE", *flags]
    words = [compiler, "-std=c17", "-fsyntax-only", "-x", "c", *compilers.WARNINGS]
    return compilers.run(
        root, [*words, *paths, *flags, "-"], f'#include "{name}"\n#include "{name}"\n'
    )


def check(root):
    flags, problems = packages(), []
    for compiler in compilers.COMPILERS:
        compilers.need(compiler)
        for path in tree.headers(root):
            fine, messages = compile_alone(root, compiler, path, flags)
            if not fine:
                problems.append(f"{path}:1: does not compile alone with {compiler}:")
                problems.append(messages.rstrip())
    return problems


def guarded(name, text):
    return f"#ifndef {name}\n#define {name}\n{text}\n#endif\n"


GOOD = {
    "include/quire/a.h": guarded("A", "#include <stdint.h>\nstruct a { uint8_t x; };"),
    "core/base/b.h": guarded("B", '#include "quire/a.h"\nstruct b { struct a a; };'),
    "cli/c.h": guarded("C", "#include <limits.h>\nextern char path[PATH_MAX];"),
}
BAD = {
    "it needs what it does not include": (
        "core/base/b.h:1: does not compile alone with clang",
        {"core/base/b.h": guarded("B", "struct b { uint8_t x; };")},
    ),
    "it has no guard": (
        "core/base/b.h:1: does not compile alone with gcc",
        {"core/base/b.h": "struct b { int x; };\n"},
    ),
    "a warning": (
        "core/base/b.h:1: does not compile alone with gcc",
        {"core/base/b.h": guarded("B", "int f();")},
    ),
    "a public one that looks into the tree": (
        "include/quire/a.h:1: does not compile alone with gcc",
        {
            "include/quire/a.h": guarded("A", '#include "core/base/d.h"'),
            "core/base/b.h": "",
            "core/base/d.h": "",
        },
    ),
    "libc's extensions in the core": (
        "core/base/b.h:1: does not compile alone with gcc",
        {"core/base/b.h": guarded("B", "#include <limits.h>\nextern char b[PATH_MAX];")},
    ),
}

if __name__ == "__main__":
    tree.main(check)
