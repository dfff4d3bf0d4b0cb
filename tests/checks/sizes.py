# SPDX-License-Identifier: MIT
"""No file above 800 lines, no C function above 80.

A function's lines are counted from its opening brace to its closing one, both in the
first column, as clang-format leaves them.  The shares that are wished for are printed
and not judged: half of the functions at most 12 lines, nine in ten at most 40, most
files below 400.
"""
import re

import tree

FILE_MAX = 800
FUNCTION_MAX = 80

# The line before the opening brace ends a parameter list; a struct or a table does not.
SIGNATURE_END = re.compile(r"\)(\s*__attribute__\(\(.*\)\))?$")
NAME = re.compile(r"(\w+)\s*\(")


def signature_name(lines, brace):
    """The name of the function whose body opens at lines[brace]."""
    start = brace - 1
    while start > 0 and lines[start][:1] in ("\t", " "):
        start -= 1
    match = NAME.search(" ".join(lines[start:brace]))
    return match[1] if match else "?"


def functions(text):
    """(line, name, number of lines) of each function."""
    lines = text.split("\n")
    opened = None
    for at, line in enumerate(lines):
        if line == "{" and at and SIGNATURE_END.search(lines[at - 1]):
            opened = at
        elif line.startswith("}") and opened is not None:
            yield opened + 1, signature_name(lines, opened), at - opened + 1
            opened = None


def share(values, limit):
    return f"{sum(v <= limit for v in values) / len(values):.0%} <= {limit}"


def report(file_sizes, function_sizes):
    if function_sizes:
        print(
            f"{len(function_sizes)} functions: {share(function_sizes, 12)}, "
            f"{share(function_sizes, 40)}; {len(file_sizes)} files: "
            f"{share(file_sizes, 400)}"
        )


def check(root):
    problems, file_sizes, function_sizes = [], [], []
    for path in tree.sources(root):
        text = tree.read(root, path)
        size = text.count("\n")
        file_sizes.append(size)
        if size > FILE_MAX:
            problems.append(f"{path}:1: {size} lines; at most {FILE_MAX}")
        for line, name, length in functions(text) if path.endswith(".c") else ():
            function_sizes.append(length)
            if length > FUNCTION_MAX:
                problems.append(
                    f"{path}:{line}: {name}() has {length} lines; at most {FUNCTION_MAX}"
                )
    report(file_sizes, function_sizes)
    return problems


def function_of(lines, head="int f(int a,\n      int b)"):
    return f"{head}\n{{\n" + "\ta++;\n" * (lines - 2) + "}\n"


GOOD = {
    "core/base/a.c": function_of(80) + "\n" * 300 + function_of(80, "void g(void)"),
    "core/base/table.c": "static const int t[] =\n{\n" + "\t1,\n" * 100 + "};\n",
    "core/base/long.h": "\n" * 800,
    "docs/long.md": "\n" * 2000,
}
BAD = {
    "a C file of 801 lines": (
        "long.h:1: 801 lines",
        {"core/base/long.h": "\n" * 801},
    ),
    "a script of 801 lines": (
        "long.sh:1: 801 lines",
        {"scripts/long.sh": "\n" * 801},
    ),
    "a function of 81 lines": (
        "f() has 81 lines",
        {"core/base/a.c": function_of(81)},
    ),
    "a function with an attribute": (
        "f() has 81 lines",
        {"core/base/a.c": function_of(81, "void f(void) __attribute__((cold))")},
    ),
}

if __name__ == "__main__":
    tree.main(check)
