# SPDX-License-Identifier: MIT
"""What libquire.so shows to the program: exports.py LIBRARY.

A name that it defines is one of its own (quire_), or one that it stands in for: then the
C or the C++ library defines it too, or C23 will.  Anything else could be taken for a
name of the program's.  No call may be left to be bound while the program runs.
"""
import ctypes
import re
import subprocess
import sys

C23 = {"free_sized", "free_aligned_sized"}
CPP_ALLOCATION = re.compile(r"_Z(nw|na|dl|da)[A-Za-z0-9_]+$")


def run(*words):
    return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout


def names(library):
    """The dynamic names that a library defines, versions cut off."""
    lines = run("nm", "-D", "--defined-only", library).splitlines()
    return {line.split()[-1].partition("@")[0] for line in lines}


def stray(exported, libc):
    return sorted(
        name
        for name in exported
        if not name.startswith("quire_")
        and name not in libc | C23
        and not CPP_ALLOCATION.match(name)
    )


def loaded_path(name):
    """Where the running process has a library."""
    ctypes.CDLL(name)
    with open("/proc/self/maps", encoding="utf-8") as maps:
        return next(line.split()[-1] for line in maps if line.rstrip().endswith(name))


def main():
    library = sys.argv[1]
    exported, libc = names(library), names(loaded_path("libc.so.6"))
    failures = [f"exported, and nobody else's: {name}" for name in stray(exported, libc)]
    if "malloc" not in exported:
        failures.append("malloc is not exported")
    if "NOW" not in run("readelf", "-d", library):
        failures.append("calls are bound lazily")
    # The question must be able to get the other answer.
    if stray({"quire_a", "free", "LZ4_compress"}, libc) != ["LZ4_compress"]:
        failures.append("a stray name would not be noticed")
    print("\n".join(failures))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
