#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Quire's malloc beside others, pattern by pattern.

Each pattern under each allocator is a process of its own; the allocators take turns, so
that what else the machine does meets them all; medians are kept.  Ratios are to glibc,
and of Quire to the best of the others.
"""
import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))

# pylint: disable=wrong-import-position
from bench.lib import host
from bench.lib.tables import markdown

LIBRARIES = "/usr/lib/" + platform.machine() + "-linux-gnu/"
OTHERS = {
    "glibc": "",
    "jemalloc": LIBRARIES + "libjemalloc.so.2",
    "mimalloc": LIBRARIES + "libmimalloc.so.2",
    "tcmalloc": LIBRARIES + "libtcmalloc_minimal.so.4",
    "tbb": LIBRARIES + "libtbbmalloc_proxy.so.2",
}
PROGRAMS = {
    "python3": ["python3", "-c", "d={str(i):[i]*(i%9) for i in range(400000)};"
                "print(sum(map(len,sorted(d))))"],
    "perl": ["perl", "-e", "for(1..600000){$h{$_*7919%100003}.='x'x($_%20)}"
             "print scalar keys %h"],
    "sqlite3": ["sqlite3", ":memory:",
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n"
                " WHERE i<300000) SELECT count(*) FROM (SELECT DISTINCT hex(i*7919"
                "%100003) AS h FROM n ORDER BY h)"],
}


def environment(library):
    env = dict(os.environ)
    env.pop("LD_PRELOAD", None)
    if library:
        env["LD_PRELOAD"] = library
    return env


def run_pattern(bench, pattern, library):
    out = subprocess.run([bench, pattern], env=environment(library), check=True,
                         stdout=subprocess.PIPE).stdout
    return json.loads(out)


def run_program(command, library):
    """Wall and processor time and peak memory of a real program."""
    start = time.monotonic()
    child = subprocess.Popen(command, env=environment(library),
                             stdout=subprocess.DEVNULL)
    _, status, use = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise subprocess.CalledProcessError(child.returncode, command)
    return {"wall": time.monotonic() - start, "cpu": use.ru_utime + use.ru_stime,
            "peak_kib": use.ru_maxrss}


def median_of(runs):
    return {key: statistics.median(run[key] for run in runs)
            for key, value in runs[0].items() if not isinstance(value, str)}


def geometric_mean(values):
    return math.exp(sum(math.log(v) for v in values) / len(values))


def measure(case, allocators, nr, runner):
    runs = {name: [] for name in allocators}
    for _ in range(nr):
        for name, library in allocators.items():
            try:
                runs[name].append(runner(library))
            except (subprocess.CalledProcessError, json.JSONDecodeError) as error:
                print(f"{case}: {name} failed: {error}", file=sys.stderr)
    return {name: median_of(got) for name, got in runs.items() if got}


def ratio(result, name, field):
    """To glibc; None where there is nothing to divide."""
    if name not in result or not result["glibc"][field]:
        return None
    return result[name][field] / result["glibc"][field]


def row_of(case, result, names, field, scale):
    ratios = {name: ratio(result, name, field) for name in names if name != "glibc"}
    if None in ratios.values():
        return None
    best = min((name for name in result if name != "quire"),
               key=lambda name: result[name][field])
    return [case, f"{result['glibc'][field] * scale:.3g}",
            *(f"{value:.2f}" for value in ratios.values()),
            f"{result['quire'][field] / result[best][field]:.2f} {best}"]


def table_of(results, names, field, unit, scale):
    """One row for each case, and the geometric means below."""
    header = ["", f"glibc, {unit}", *(n for n in names if n != "glibc"), "quire to best"]
    rows = [row_of(case, result, names, field, scale)
            for case, result in results.items()]
    means = means_of(results, names, field)
    rows.append(["geometric mean", "1", *(f"{means[n]:.3f}" for n in names
                                          if n != "glibc"), ""])
    return markdown(header, [row for row in rows if row])


def means_of(results, names, field):
    means = {}
    for name in names:
        values = [ratio(result, name, field) for result in results.values()]
        means[name] = geometric_mean([v for v in values if v])
    return means


def notes_table(result, names):
    """What is resident at the steps of the pattern that fills and refills."""
    steps = [k for k in result["quire"] if k.endswith("_kib")
             and k not in ("peak_kib", "final_kib")]
    rows = [[name, *(f"{result[name][step] / 1024:.0f}" for step in steps)]
            for name in names if name in result]
    return markdown(["MiB resident", *(step[:-4] for step in steps)], rows)


def choose_allocators(args):
    allocators = {"quire": os.path.abspath(args.library)}
    for name, library in OTHERS.items():
        if args.against and name != "glibc" and name not in args.against.split(","):
            continue
        if library and not os.path.exists(library):
            print(f"skipped: {name} ({library} is not there)", file=sys.stderr)
            continue
        allocators[name] = library
    return allocators


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quire", default="build/quire",
                        help="the command of the build to measure")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", help="patterns and programs, by commas")
    parser.add_argument("--against", help="other allocators, by commas")
    parser.add_argument("--json", nargs="?", const="-",
                        help="medians as JSON, to this file or in place of the tables")
    args = parser.parse_args()
    build = os.path.dirname(os.path.abspath(args.quire))
    args.bench = os.path.join(build, "bench/heap-workload")
    args.library = os.path.join(build, "libquire.so")
    return args


def runners(args):
    """Case name to a function of the library that runs it once."""
    patterns = subprocess.run([args.bench, "--list"], check=True, text=True,
                              stdout=subprocess.PIPE).stdout.splitlines()
    names = [line.split("\t")[0] for line in patterns]
    cases = {name: lambda library, name=name: run_pattern(args.bench, name, library)
             for name in names}
    cases |= {name: lambda library, command=command: run_program(command, library)
              for name, command in PROGRAMS.items()}
    if args.only:
        cases = {case: cases[case] for case in args.only.split(",")}
    return cases


def print_tables(results, names):
    for field, what, unit, scale in (("cpu", "Processor time", "s", 1),
                                     ("wall", "Wall time", "s", 1),
                                     ("peak_kib", "Peak resident", "MiB", 1 / 1024)):
        print(f"\n{what}\n\n{table_of(results, names, field, unit, scale)}")
    for case, result in results.items():
        if "tenth_kib" in result["quire"]:
            print(f"\n{case}\n\n{notes_table(result, names)}")


def main():
    args = parse_arguments()
    allocators = choose_allocators(args)
    facts = host.describe()
    results = {}
    for case, runner in runners(args).items():
        results[case] = measure(case, allocators, args.runs, runner)
        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    report = {"host": facts, "runs": args.runs, "medians": results}
    if args.json == "-":
        print(json.dumps(report, indent=1))
        return
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)
    for name, value in facts.items():
        print(f"{name}: {value}")
    print(f"medians of {args.runs}")
    print_tables(results, list(allocators))


if __name__ == "__main__":
    main()
