#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs real programs in less memory than they want: under the kernel's swap and under
Quire, with equal total RAM.

Each program runs plain once, for its peak of anonymous memory. Then, for each ratio and
in turn: in a memory cgroup limited to so much of that peak, over a zram device with LZ4;
and under `quire run`, whose --ram is that limit plus what zram held at its peak. The
cgroup's limit covers page cache too, which the kernel can drop; Quire's does not.
Needs root; what this host cannot run is named and skipped."""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bench.lib import host  # noqa: E402
from bench.lib.cgroup import MemoryCgroup  # noqa: E402
from bench.lib.ending import OnlyBench, stop_cleanly_on_signals  # noqa: E402
from bench.lib.process import run  # noqa: E402
from bench.lib.skip import Skip  # noqa: E402
from bench.lib.swaparea import ZramSwap  # noqa: E402
from bench.lib.tables import Spread, markdown  # noqa: E402
from bench.run.cases import cases  # noqa: E402

MIB = 1 << 20
PROGRAMS = ROOT / "tests/programs"


def note(text):
    print(text, file=sys.stderr, flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--quire", default=str(ROOT / "build/quire"))
    add("--gen", default=str(ROOT / "build/tests/programs/gen"))
    add("--ratios", type=lambda text: [int(word) for word in text.split(",")],
        default=[50, 25], help="percent of the program's peak")
    add("--only", help="programs whose names have this in them")
    add("--runs", type=int, default=3)
    add("--timeout", type=float, default=300.0, help="seconds for one run")
    add("--quick", action="store_true", help="a fifth of the work, one run")
    add("--json", help="a file for every run's figures")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.runs = 1
    return arguments


class Bench:
    """What one program's runs have in common."""

    def __init__(self, case, arguments, directory):
        self.case = case
        self.arguments = arguments
        self.data = f"{directory}/data"
        if case.generate:
            with open(self.data, "wb") as out:
                subprocess.run([arguments.gen, *case.generate], stdout=out, check=True)
        else:
            Path(self.data).write_text(case.text)

    def command(self):
        return [word.format(data=self.data, programs=PROGRAMS)
                for word in self.case.command]

    def measure(self, prefix, limit):
        """Seconds and peak of anonymous memory; seconds None where it failed."""
        with MemoryCgroup(limit) as group:
            outcome = run(prefix + self.command(), group, self.arguments.timeout)
        if outcome.status != 0:
            last = outcome.stderr.strip().splitlines()[-1:]
            note(f"  status {outcome.status} after {outcome.seconds:.1f} s: {last}")
            return None, outcome.peak_anonymous
        return outcome.seconds, outcome.peak_anonymous

    def kernel(self, limit, zram):
        zram.reset_peak()
        before = zram.used()
        seconds, _ = self.measure([], limit)
        return seconds, zram.peak() - before

    def quire(self, ram):
        prefix = [self.arguments.quire, "run", "--ram", str(ram), "--swap", "ram", "--"]
        return self.measure(prefix, None)


def run_ratio(bench, ratio, peak, zram):
    """{side: [seconds or None]}, interleaved."""
    limit = peak * ratio // 100
    sides = {"kernel": [], "quire": []}
    for _ in range(bench.arguments.runs):
        seconds, store = bench.kernel(limit, zram)
        sides["kernel"].append(seconds)
        note(f"  kernel, {ratio} %: {seconds} s, {limit // MIB} + {store // MIB} MiB")
        seconds, used = bench.quire(limit + store)
        sides["quire"].append(seconds)
        note(f"  quire, {ratio} %: {seconds} s, {used // MIB} MiB seen from outside")
    return sides


def run_case(case, arguments, zram):
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(case, arguments, directory)
        plain = [bench.measure([], None) for _ in range(arguments.runs)]
        peak = max(used for _, used in plain)
        seconds = [each for each, _ in plain]
        note(f"{case.name}: plain {seconds} s, {peak // MIB} MiB")
        ratios = {ratio: run_ratio(bench, ratio, peak, zram)
                  for ratio in arguments.ratios}
    return {"name": case.name, "peak": peak, "plain": seconds, "ratios": ratios}


def side_text(values):
    if None in values:
        return None, "failed"
    spread = Spread(values)
    return spread.median, spread.text(digits=1)


def rows_of(result):
    for ratio, sides in result["ratios"].items():
        kernel, kernel_text = side_text(sides["kernel"])
        quire, quire_text = side_text(sides["quire"])
        known = kernel is not None and quire is not None
        yield [result["name"], f"{result['peak'] // MIB}",
               side_text(result["plain"])[1], f"{ratio} %", kernel_text, quire_text,
               f"{kernel / quire:.2f}" if known else "–"]


def main():
    arguments = parse_arguments()
    stop_cleanly_on_signals()
    results, skipped = [], []
    try:
        with OnlyBench(), ZramSwap(2048 * MIB) as zram:
            for case in cases(arguments.quick):
                if arguments.only and arguments.only not in case.name:
                    continue
                if shutil.which(case.program) is None:
                    skipped.append(f"skipped {case.name}: no {case.program} here")
                    continue
                results.append(run_case(case, arguments, zram))
    except Skip as skip:
        skipped.append(f"skipped all: {skip}")
    facts = host.describe()
    print("\n".join(f"- {key}: {value}" for key, value in facts.items()))
    header = ["program", "peak, MiB", "plain, s", "in RAM", "kernel, s", "Quire, s",
              "kernel / Quire"]
    print("\n" + markdown(header, [row for each in results for row in rows_of(each)]))
    print("".join(f"\n{line}\n" for line in skipped), end="")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps({"host": facts, "results": results},
                                                   indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
