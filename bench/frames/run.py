#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Nanoseconds of taking and freeing page frames, as a table in Markdown.

The program does the measuring (build/bench/frames, which prints the plain table); this
adds what a reader must know of the machine.
"""
import argparse
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))

from bench.lib import host, tables  # noqa: E402


def verdict(row):
    if row["target"] == 0:
        return ""
    return "" if row["least"] <= row["target"] else "missed"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quire", default="build/quire",
                        help="the command; the program lies in bench/ beside it")
    parser.add_argument("--json", action="store_true", help="as JSON, to stdout")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    args = parser.parse_args()
    program = os.path.join(os.path.dirname(args.quire) or ".", "bench", "frames")
    command = [program, "--json"] + (["--quick"] if args.quick else [])
    rows = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    if args.json:
        json.dump({"host": host.describe(), "rows": rows}, sys.stdout, indent=1)
        print()
        return
    for name, value in host.describe().items():
        print(f"{name}: {value}")
    print()
    print(tables.markdown(
        ["", "of", "least", "median", "target", ""],
        [[r["what"], r["of"], f"{r['least']:.1f}", f"{r['median']:.1f}",
          f"{r['target']:.1f}" if r["target"] else "", verdict(r)] for r in rows]))


if __name__ == "__main__":
    main()
