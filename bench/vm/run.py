#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the software machine and the core's virtual memory cost, beside the host's own.

Runs the two programs of this folder, which stand beside build/quire, and prints their
figures in ns: the least and the median of some turns.
"""
import argparse
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", ".."))

from bench.lib import host, tables  # noqa: E402

# ns that each may take, where something was promised.
TARGETS = {
    "load, hit": 20,
    "load, walk": 100,
    "demand-zero write": 300,
    "fork, a page": 25,
    "mmap and munmap": 300,
    "mmap and munmap among 100,000 areas": 300,
}


def measure(build):
    figures = {}
    for name in ("machine", "faults"):
        program = os.path.join(build, "bench", name)
        out = subprocess.run([program], check=True, stdout=subprocess.PIPE).stdout
        figures.update(json.loads(out))
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quire", default="build/quire", help="the command that was built")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(os.path.dirname(options.quire))
    if options.json:
        print(json.dumps({"host": host.describe(), "ns": figures}, indent=2))
        return
    for name, value in host.describe().items():
        print(f"{name}: {value}")
    rows = [(name, f"{ns['least']:.1f}", f"{ns['median']:.1f}", TARGETS.get(name, ""))
            for name, ns in figures.items()]
    print(tables.markdown(["ns", "least", "median", "at most"], rows))


if __name__ == "__main__":
    main()
