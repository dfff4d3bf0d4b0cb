# SPDX-License-Identifier: MIT
"""The misuse set under the hardened heap, and the table of it.

    misuse_set.py LIBRARY PROGRAM      a test: each range of sizes, hardened
    misuse_set.py LIBRARY --table DIR  all programs of a folder, plain and hardened

A misuse is caught where the process was stopped, or, of reads, where nothing of what
others wrote was to be read.
"""
import os
import resource
import signal
import subprocess
import sys

RANGES = ("small", "medium", "large", "huge")
STOPPED = (-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS)
MISSED, HARMLESS = 0, 3

# What no check can see: a read that stays among live blocks, and a step over a guard.
BLIND = {
    "overread_one": ("small", "medium"),
    "underread_one": ("small", "medium", "large", "huge"),
    "overread_many": (),
    "overflow_far": ("large", "huge"),
}
CONFIGURATIONS = {
    "plain": "",
    "hardened": "hardened:1",
    "every block guarded": "hardened:1,guard_sample:1",
}


def outcome(program, library, conf, size):
    env = dict(os.environ, LD_PRELOAD=library, QUIRE_CONF=conf)
    done = subprocess.run([program, size], env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode in STOPPED:
        return "stopped", done.stderr
    names = {MISSED: "missed", HARMLESS: "harmless"}
    return names.get(done.returncode, f"status {done.returncode}"), done.stderr


def name_of(program):
    return os.path.basename(program).removeprefix("set_")


def test(library, program):
    for size in RANGES:
        if size in BLIND.get(name_of(program), ()):
            continue
        what, words = outcome(program, library, "hardened:1", size)
        if what not in ("stopped", "harmless"):
            sys.exit(f"{name_of(program)}, {size}: {what}\n{words}")
        if what == "stopped" and "quire: heap: " not in words:
            sys.exit(f"{name_of(program)}, {size}: stopped without a word: {words}")


def table(library, folder):
    programs = sorted(os.path.join(folder, name) for name in os.listdir(folder)
                      if name.startswith("set_") and "." not in name)
    sums = {conf: {} for conf in CONFIGURATIONS}
    letters = {"stopped": "S", "harmless": "h", "missed": "-"}
    print("| misuse | " + " | ".join(CONFIGURATIONS) + " |")
    print("|---|" + "---|" * len(CONFIGURATIONS))
    for program in programs:
        cells = []
        for conf, text in CONFIGURATIONS.items():
            got = [outcome(program, library, text, size)[0] for size in RANGES]
            for what in got:
                sums[conf][what] = sums[conf].get(what, 0) + 1
            cells.append(" ".join(letters.get(what, "?") for what in got))
        print(f"| `{name_of(program)}` | " + " | ".join(cells) + " |")
    for conf, by in sums.items():
        caught = by.get("stopped", 0) + by.get("harmless", 0)
        print(f"{conf}: {caught} of {sum(by.values())} caught, "
              f"{by.get('stopped', 0)} of them stopped")


def main():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.argv[2] == "--table":
        table(sys.argv[1], sys.argv[3])
    else:
        test(sys.argv[1], sys.argv[2])


main()
