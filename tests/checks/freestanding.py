# SPDX-License-Identifier: MIT
"""The core needs no ground but its port.

Each compiler builds every file of core/ freestanding, for the integer registers alone
(so floating point does not compile), and links them to one object.  Of that object:

  - undefined are at most the four memory functions that a compiler may call of its own
    accord, and the report of a failed assertion;
  - what it defines for others is named quire_ or qr_;
  - it has no writable data: every state belongs to a machine;
  - no function reaches itself by direct calls (seen by gcc).
"""
import os
import re
import tempfile

import compilers
import cycles
import tree

MAY_NEED = set("memcpy memmove memset memcmp qr_assert_failed".split())
FLAGS = [
    *"-std=c17 -O2 -ffreestanding -nostdlib -fno-builtin -fno-stack-protector -fno-pie".split(),
    *"-mgeneral-regs-only -I. -Iinclude".split(),
]
CALL = re.compile(r'^edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"', re.M)


def core_sources(root):
    return [p for p in tree.c_files(root) if p.startswith("core/") and p.endswith(".c")]


def build(root, compiler, scratch):
    """Compiles and links; (the object, problems)."""
    objects, problems = [], []
    graphs = ["-fcallgraph-info"] if compiler == "gcc" else []
    for number, path in enumerate(core_sources(root)):
        objects.append(os.path.join(scratch, f"{number}.o"))
        fine, messages = compilers.run(
            root,
            [compiler, *FLAGS, *compilers.WARNINGS, *graphs, "-c", path]
            + ["-o", objects[-1]],
        )
        if not fine:
            problems.append(f"{path}:1: not freestanding with {compiler}:\n{messages}")
    whole = os.path.join(scratch, "core.o")
    if objects and not problems:
        fine, messages = compilers.run(root, ["ld", "-r", "-o", whole, *objects])
        problems += [] if fine else [messages]
    return whole, problems


def symbols(root, whole):
    """(kind, name) of each symbol, by nm's letters."""
    _, listing = compilers.run(root, ["nm", whole])
    for line in listing.splitlines():
        *_, kind, name = line.split()
        yield kind, name


def judge(compiler, kind, name):
    if kind in "Uw" and name not in MAY_NEED:
        return f"{compiler}: the core needs {name}"
    if kind in "bBdDCsS":
        return f"{compiler}: {name} is writable data"
    if kind.isupper() and kind != "U" and not name.startswith(("quire_", "qr_")):
        return f"{compiler}: {name} has external linkage"
    return None


def recursion(scratch):
    """A cycle of direct calls, from gcc's call graphs."""
    graph = {}
    for name in sorted(os.listdir(scratch)):
        if name.endswith(".ci"):
            for caller, callee in CALL.findall(tree.read(scratch, name)):
                graph.setdefault(caller, []).append(callee)
    done = set()
    for start in sorted(graph):
        cycle = cycles.find_cycle(graph, start, done) if start not in done else None
        if cycle:
            return [f"recursion: {' -> '.join(cycle)}"]
    return []


def check_with(root, compiler):
    with tempfile.TemporaryDirectory(prefix="quire-core-") as scratch:
        whole, problems = build(root, compiler, scratch)
        if problems or not os.path.exists(whole):
            return problems
        verdicts = (judge(compiler, kind, name) for kind, name in symbols(root, whole))
        return [verdict for verdict in verdicts if verdict] + recursion(scratch)


def check(root):
    for tool in (*compilers.COMPILERS, "nm", "ld"):
        compilers.need(tool)
    return [p for compiler in compilers.COMPILERS for p in check_with(root, compiler)]


def one_file(text, name="int qr_f(int a)"):
    """A source file with one function, its prototype before it."""
    head, _, body = text.rpartition("@")
    return {"core/base/a.c": f"{head}{name};\n{name}\n{{\n{body}}}\n"}


GOOD = {
    **one_file("static const int table[] = {1, 2};\n@\treturn table[a & 1];\n"),
    "core/base/b.c": "int qr_f(int a);\nint quire_g(int a);\n"
    "int quire_g(int a)\n{\n\treturn qr_f(a);\n}\n",
}
BAD = {
    "a libc function": (
        "gcc: the core needs rand",
        one_file("int rand(void);\n@\treturn a + rand();\n"),
    ),
    "a header of the host": (
        "clang: the core needs getpid",
        one_file("#include <unistd.h>\n@\treturn a + getpid();\n"),
    ),
    "floating point": (
        "not freestanding with gcc",
        one_file("\treturn (int)((float)a * 1.5f);\n"),
    ),
    "a variable-length array": (
        "not freestanding with gcc",
        one_file("\tvolatile int t[a];\n\tt[0] = a;\n\treturn t[0];\n"),
    ),
    "a variable": (
        "gcc: n is writable data",
        one_file("static int n;\n@\treturn n += a;\n"),
    ),
    "thread-local data": (
        "gcc: n is writable data",
        one_file("static _Thread_local int n;\n@\treturn n += a;\n"),
    ),
    "a foreign name": (
        "gcc: f has external linkage",
        one_file("\treturn a;\n", "int f(int a)"),
    ),
    "recursion over two files": (
        "recursion: ",
        one_file("int quire_g(int a);\n@\treturn 3 * quire_g(a) + a;\n"),
    ),
}

if __name__ == "__main__":
    tree.main(check)
