#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Quire's caches and kmalloc beside the allocators of this host, as a table.

build/bench/objects does the measuring: in each round every pattern with Quire, then in a
process of its own under each of the others.  This puts its medians into a table."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.lib import host  # noqa: E402
from bench.lib.tables import markdown  # noqa: E402

OTHERS = ["glibc", "jemalloc", "mimalloc", "tcmalloc"]
# What is asked of one thread, in ns.
TARGETS = {"pair 64": 6, "bulk 64": 2, "pair mixed": 8}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quire", default="build/quire", metavar="COMMAND",
                        help="the bench is looked for beside it (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.1,
                        help="of each pattern in each round (default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="write all medians there")
    return parser.parse_args()


def measure(arguments):
    bench = Path(arguments.quire).resolve().parent / "bench" / "objects"
    if not os.access(bench, os.X_OK):
        sys.exit(f"cannot run {bench}: build it, or name another by --quire")
    out = subprocess.run([bench, "--json", "--rounds", str(arguments.rounds),
                          "--seconds", str(arguments.seconds)],
                         check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(out)


def row(result):
    others = {name: result[name] for name in OTHERS if name in result}
    best = min(others, key=others.get)
    target = TARGETS.get(result["pattern"]) if result["threads"] == 1 else None
    met = "" if target is None else "yes" if result["quire"] <= target else "**no**"
    return [result["pattern"], result["threads"], f"{result['quire']:.2f}",
            *(f"{others[name]:.2f}" if name in others else "-" for name in OTHERS),
            f"{result['quire'] / others[best]:.2f} of {best}", target or "", met]


def main():
    arguments = parse_arguments()
    results = measure(arguments)
    for name, value in host.describe().items():
        print(f"{name}: {value}")
    print()
    print(markdown(["pattern", "threads", "Quire", *OTHERS, "of the best", "at most",
                    "met"], [row(result) for result in results["ns"]]))
    print()
    print(markdown(["machine, MiB", "random mixed, ns"],
                   [[m["mib"], f"{m['quire']:.2f}"] for m in results["machine"]]))
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
