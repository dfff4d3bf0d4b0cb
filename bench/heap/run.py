#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Quire's malloc beside others, pattern by pattern.

Each pattern under each allocator is a process of its own; the allocators take turns, so
that what else the machine does meets them all; medians are kept.  Ratios are to glibc
and to the best of the others.  `final` is the resident memory at the end.
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


def print_case(case, result, field):
    base = result["glibc"][field]
    if not base:
        return
    others = {n: r[field] for n, r in result.items() if n != "quire"}
    best = min(others, key=others.get)
    row = "  ".join(f"{n} {r[field] / base:5.2f}" for n, r in result.items()
                    if n != "glibc")
    against = result["quire"][field] / others[best] if others[best] else float("nan")
    print(f"{case:18} glibc {base:9.3f}  {row}  | {against:5.2f} of {best}")


def print_means(results, field):
    print(f"geometric mean of {field} against glibc:")
    names = [n for n in next(iter(results.values())) if n != "glibc"]
    for name in names:
        ratios = [r[name][field] / r["glibc"][field] for c, r in results.items()
                  if name in r and c != "nothing" and r["glibc"][field] > 0]
        print(f"  {name:10} {geometric_mean(ratios):.3f}")


def print_notes(results):
    for case, result in results.items():
        for name, got in result.items():
            notes = {k: v for k, v in got.items()
                     if k.endswith("_kib") and k not in ("peak_kib", "final_kib")}
            if notes:
                print(f"{case:14} {name:10} " + "  ".join(
                    f"{k[:-4]} {v / 1024:7.1f}" for k, v in notes.items()) + "  MiB")


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
    parser.add_argument("--time", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--json", help="write all medians to this file")
    return parser.parse_args()


def main():
    args = parse_arguments()
    build = os.path.dirname(os.path.abspath(args.quire))
    args.bench = os.path.join(build, "bench/heap-workload")
    args.library = os.path.join(build, "libquire.so")
    allocators = choose_allocators(args)
    patterns = subprocess.run([args.bench, "--list"], check=True, text=True,
                              stdout=subprocess.PIPE).stdout.splitlines()
    cases = {line.split("\t")[0]: None for line in patterns} | PROGRAMS
    if args.only:
        cases = {case: cases[case] for case in args.only.split(",")}
    print(f"{platform.platform()}, {os.cpu_count()} processors, "
          f"medians of {args.runs}")
    results = {}
    for case, command in cases.items():
        if command is None:
            def runner(library, case=case):
                return run_pattern(args.bench, case, library)
        else:
            def runner(library, command=command):
                return run_program(command, library)
        results[case] = measure(case, allocators, args.runs, runner)
        print_case(case, results[case], args.time)
    print("\npeak resident memory, KiB")
    for case, result in results.items():
        print_case(case, result, "peak_kib")
    print()
    print_means(results, args.time)
    print_means(results, "peak_kib")
    print_notes(results)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
