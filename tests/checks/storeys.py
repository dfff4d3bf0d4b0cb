# SPDX-License-Identifier: MIT
"""Who may include whom.

Each storey of core/ may include what stands to its left, itself, and include/quire; the
folders around the core follow the table ALLOWED.  tests/ and bench/ may include all,
and nothing includes them.
"""
import os

import tree

STOREYS = (
    "base frames objects paging swap files space reclaim report machine".split()
)

# What a quoted include of each folder may resolve to, by leading path.
ALLOWED = {
    "include": ("include/quire/",),
    "heap": ("heap/", "include/quire/"),
    "ports": ("ports/", "core/", "heap/", "include/quire/"),
    "cli": ("cli/", "ports/", "core/", "include/quire/"),
}
# Ports stand side by side; only the codecs are shared.
PORTS_SHARED = ("codec",)
# The one file that asks the host for memory directly.
EXCEPTIONS = {("heap/pages_host.c", "ports/linux/host.h")}


def allowed_in_core(path):
    storey = path.split("/")[1]
    left = STOREYS[: STOREYS.index(storey) + 1]
    return tuple(f"core/{name}/" for name in left) + ("include/quire/",)


def allowed(path):
    """The leading paths that path may include; None: all but tests/ and bench/."""
    parts = path.split("/")
    if parts[0] == "core":
        return allowed_in_core(path)
    if parts[0] == "ports":
        return ALLOWED["ports"][1:] + tuple(
            f"ports/{port}/" for port in (parts[1],) + PORTS_SHARED
        )
    return ALLOWED.get(parts[0])


def misplaced(root):
    for path in tree.c_files(root):
        parts = path.split("/")
        if parts[0] == "core" and (len(parts) < 3 or parts[1] not in STOREYS):
            yield f"{path}:1: not in a storey of core/ ({', '.join(STOREYS)})"


def judge(root, path, name):
    """What is wrong with the include of name in path, or None."""
    target = tree.resolve(root, path, name)
    if target is None:
        return f"includes {name}, which is not there"
    if (path, target) in EXCEPTIONS:
        return None
    prefixes = allowed(path)
    if prefixes is None:
        outside = target.startswith(("tests/", "bench/"))
        own = path.split("/")[0] in ("tests", "bench")
        return f"includes {target}" if outside and not own else None
    if not target.startswith(prefixes):
        return f"includes {target}; may include {', '.join(prefixes)}"
    return None


def check(root):
    problems = list(misplaced(root))
    if problems:
        return problems
    for path in tree.c_files(root):
        for line, name, quoted in tree.includes(root, path):
            wrong = judge(root, path, name) if quoted else None
            if wrong:
                problems.append(f"{path}:{line}: {wrong}")
    return problems


GOOD = {
    "include/quire/types.h": "",
    "core/base/list.h": '#include "quire/types.h"\n',
    "core/frames/zone.h": '#include "core/base/list.h"\n',
    "core/space/area.c": '#include "core/frames/zone.h"\n#include <stddef.h>\n',
    "core/machine/machine.h": '#include "core/space/area.h"\n',
    "core/space/area.h": "",
    "ports/linux/host.h": "",
    "ports/codec/lz4.h": "",
    "ports/linux/port.c": '#include "host.h"\n#include "ports/codec/lz4.h"\n',
    "ports/soft/soft.h": "",
    "heap/heap.h": '#include "quire/types.h"\n',
    "heap/pages_host.c": '#include "heap/heap.h"\n#include "ports/linux/host.h"\n',
    "cli/run.c": '#include "ports/linux/host.h"\n',
    "tests/core/help.h": "",
    "tests/core/t.c": '#include "tests/core/help.h"\n#include "core/space/area.h"\n',
}
BAD = {
    "a storey reaches to its right": (
        "core/frames/zone.h:1: includes core/space/area.h",
        {"core/frames/zone.h": '#include "core/space/area.h"\n'},
    ),
    "a relative path hides the reach": (
        "core/frames/zone.h:1: includes core/space/area.h",
        {"core/frames/zone.h": '#include "../space/area.h"\n'},
    ),
    "the core includes a port": (
        "core/machine/open.c:1: includes ports/linux/host.h",
        {"core/machine/open.c": '#include "ports/linux/host.h"\n'},
    ),
    "the core includes the heap": (
        "core/base/a.c:1: includes heap/heap.h",
        {"core/base/a.c": '#include "heap/heap.h"\n'},
    ),
    "the heap includes the core": (
        "heap/a.c:1: includes core/base/list.h",
        {"heap/a.c": '#include "core/base/list.h"\n'},
    ),
    "another heap file includes the host": (
        "heap/a.c:1: includes ports/linux/host.h",
        {"heap/a.c": '#include "ports/linux/host.h"\n'},
    ),
    "a public header includes the core": (
        "include/quire/a.h:1: includes core/base/list.h",
        {"include/quire/a.h": '#include "core/base/list.h"\n'},
    ),
    "a port includes another port": (
        "ports/linux/a.c:1: includes ports/soft/soft.h",
        {"ports/linux/a.c": '#include "ports/soft/soft.h"\n'},
    ),
    "the command includes a test": (
        "cli/a.c:1: includes tests/core/help.h",
        {"cli/a.c": '#include "tests/core/help.h"\n'},
    ),
    "a folder that is no storey": (
        "core/extra/a.c:1: not in a storey",
        {"core/extra/a.c": ""},
    ),
    "an include that is not there": (
        "core/base/no.h, which is not there",
        {"core/base/a.c": '#include "core/base/no.h"\n'},
    ),
}

if __name__ == "__main__":
    tree.main(check)
