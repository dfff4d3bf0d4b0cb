#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs paging-workload under the kernel's swap and under Quire, with equal total RAM.

For each part of the data that may be in RAM, pattern, number of threads and fraction of
writes, the same workload runs
  zram  in a memory cgroup that swaps to a zram device with LZ4. What zram held at its
        peak is RAM too: Quire's --ram is the cgroup's limit plus that peak;
  file  in a memory cgroup that swaps to a file. Quire's --ram is the limit, and it swaps
        to a file in the same directory.
Without --quire the kernel is measured alone. Needs root; what this host cannot run is
named and skipped. All that is set up is taken down again, also after a signal."""

import argparse
import json
import os
import shlex
import sys
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bench.lib import host  # noqa: E402
from bench.lib.ending import OnlyBench, stop_cleanly_on_signals  # noqa: E402
from bench.lib.sizes import parse_size  # noqa: E402
from bench.lib.skip import Skip  # noqa: E402
from bench.lib.swaparea import FileSwap, ZramSwap  # noqa: E402
from bench.paging import report  # noqa: E402
from bench.paging.contenders import (  # noqa: E402
    Cell, Kernel, Quire, RunFailed, Workload)

PATTERNS = ("sequential", "uniform", "zipf", "mixed")


def note(text):
    print(text, file=sys.stderr, flush=True)


def list_of(kind, allowed=None):
    """An argparse type: values apart by commas."""
    def parse(text):
        values = [kind(word) for word in text.split(",")]
        if allowed is not None and not set(values) <= set(allowed):
            raise ValueError(text)
        return values
    return parse


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--quire", help="the command; without it, the kernel alone")
    add("--workload", default=str(ROOT / "build/bench/paging-workload"))
    add("--size", type=parse_size, default=parse_size("512M"), help="of the data")
    add("--ratios", type=list_of(int, range(1, 100)), help="percent of it in RAM")
    add("--patterns", type=list_of(str, PATTERNS), default=list(PATTERNS))
    add("--threads", type=list_of(int, range(1, 65)), default=[1, 2])
    add("--write", type=list_of(float), help="fractions of writes")
    add("--swap", type=list_of(str, ("zram", "file")), default=["zram", "file"])
    add("--swap-dir", default=os.environ.get("TMPDIR", "/var/tmp"))
    add("--quire-zram-swap", default="ram", help="Quire's --swap beside zram")
    add("--quire-options", type=shlex.split, default=[],
        help="more for `quire run`, as in --quire-options=--stats")
    add("--runs", type=int, default=3)
    add("--warmup", type=float, help="seconds")
    add("--length", type=float, help="seconds, measured")
    add("--timeout", type=float, default=600.0, help="seconds for one run")
    add("--quick", action="store_true", help="50 %%, 0.3 writes, short phases")
    add("--json", help="a file for every run's figures")
    arguments = parser.parse_args()
    fill_defaults(arguments)
    if arguments.runs < 1:
        parser.error("--runs: at least 1")
    return arguments


def fill_defaults(arguments):
    """What was given stands, also beside --quick."""
    quick = arguments.quick
    chosen = {"ratios": [50] if quick else [75, 50, 25],
              "write": [0.3] if quick else [0.0, 0.3],
              "warmup": 2.0 if quick else 4.0,
              "length": 2.0 if quick else 5.0}
    for name, value in chosen.items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)


def cells(arguments):
    return [Cell(ratio, pattern, threads, write)
            for ratio in arguments.ratios for pattern in arguments.patterns
            for threads in arguments.threads for write in arguments.write]


def make_area(kind, arguments):
    if kind == "zram":
        return ZramSwap(arguments.size)
    return FileSwap(arguments.size, arguments.swap_dir)


def attempt(contender, cell, *rest):
    """A Measure, or None where the run failed, which is told at once."""
    try:
        measure = contender.run(cell, *rest)
    except RunFailed as failure:
        note(f"  {contender.name}: {cell.text()}: FAILED: {failure}")
        return None
    note(f"  {contender.name}: {cell.text()}: {measure.rate / 1000:.1f} k/s")
    return measure


def run_cell(cell, kernel, quire, runs):
    """A, B, A, B, so that what changes on the host meets both. One failure spoils the
    side's row: a median over the runs that happened to end well would flatter it."""
    measures = {"kernel": [], "quire": []}
    for _ in range(runs):
        of_kernel = attempt(kernel, cell)
        measures["kernel"].append(of_kernel)
        if quire and of_kernel:
            measures["quire"].append(attempt(quire, cell, of_kernel.ram))
    return tuple([] if None in side else side for side in measures.values())


def run_area(kind, arguments, workload):
    """(the area's name, its results)"""
    with make_area(kind, arguments) as area:
        note(f"{area.name}: {area.path}")
        kernel = Kernel(workload, area)
        quire = arguments.quire and Quire(workload, arguments.quire, area,
                                          arguments.quire_zram_swap,
                                          arguments.quire_options)
        return area.name, [(cell, *run_cell(cell, kernel, quire, arguments.runs))
                           for cell in cells(arguments)]


def as_json(facts, results):
    def runs(measures):
        return [measure.as_dict() for measure in measures]

    return {"host": facts,
            "results": [{"area": area, "ratio": cell.ratio, "pattern": cell.pattern,
                         "threads": cell.threads, "write": cell.write,
                         "kernel": runs(kernel), "quire": runs(quire)}
                        for area, rows in results for cell, kernel, quire in rows]}


def failed(results, with_quire):
    return any(not kernel or (with_quire and not quire)
               for _, rows in results for _, kernel, quire in rows)


def measure_all(arguments, workload):
    results, skipped = [], []
    for kind in arguments.swap:
        try:
            results.append(run_area(kind, arguments, workload))
        except Skip as skip:
            skipped.append(f"skipped {kind}: {skip}")
    return results, skipped


def main():
    arguments = parse_arguments()
    for path in filter(None, (arguments.workload, arguments.quire)):
        if not os.access(path, os.X_OK):
            sys.exit(f"cannot run {path}: build it, or name another")
    stop_cleanly_on_signals()
    workload = Workload(arguments.workload, arguments.size, arguments.warmup,
                        arguments.length, arguments.timeout)
    facts = host.describe()
    try:
        with OnlyBench():
            results, skipped = measure_all(arguments, workload)
    except Skip as skip:
        results, skipped = [], [f"skipped all: {skip}"]

    with_quire = arguments.quire is not None
    print(report.preamble(facts, workload, arguments.runs))
    for area, rows in results:
        print(f"\n### {area}\n\n{report.table(area, rows, with_quire)}")
    print("".join(f"\n{line}\n" for line in skipped), end="")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(as_json(facts, results), indent=1))
    return 1 if failed(results, with_quire) else 0


if __name__ == "__main__":
    sys.exit(main())
