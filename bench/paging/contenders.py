# SPDX-License-Identifier: MIT
"""The two that run the workload: the kernel's swap, and Quire with as much RAM."""

import json
import os
from dataclasses import asdict, dataclass

from bench.lib.cgroup import MemoryCgroup
from bench.lib.process import run
from bench.lib.swaparea import ZramSwap


class RunFailed(Exception):
    """The workload did not end well; its text says how."""


@dataclass(frozen=True)
class Cell:
    """One row of the table: what is run, and how much of it may be in RAM."""

    ratio: int  # percent
    pattern: str
    threads: int
    write: float

    def text(self):
        return f"{self.ratio} % {self.pattern} x{self.threads} write {self.write:g}"


@dataclass
class Measure:
    """One run. Sizes in bytes."""

    rate: float           # accesses a second, all threads
    ram: int              # the bound: the cgroup's limit and the store, or --ram
    store: int            # what zram held at its peak for this run
    peak_charged: int     # as the run's cgroup counted it, all kinds
    peak_anonymous: int   # RssAnon, sampled
    peak_page_cache: int  # sampled
    workload: dict        # what the workload printed

    def as_dict(self):
        return asdict(self)


class Workload:
    """paging-workload with one size and one length of phases."""

    def __init__(self, path, data_bytes, warmup, length, timeout):
        self.path = path
        self.bytes = data_bytes
        self.warmup = warmup
        self.length = length
        self.timeout = timeout

    def limit(self, cell):
        return self.bytes * cell.ratio // 100

    def _command(self, cell):
        return [self.path, "--size", str(self.bytes), "--pattern", cell.pattern,
                "--threads", str(cell.threads), "--write", str(cell.write),
                "--warmup", f"{self.warmup}s", "--length", f"{self.length}s"]

    def run(self, cell, prefix, group):
        """(Outcome, what it printed); RunFailed where a figure would mean nothing."""
        outcome = run(prefix + self._command(cell), group, self.timeout)
        if outcome.status != 0:
            words = outcome.stderr.strip().splitlines()[-1:]
            raise RunFailed(f"status {outcome.status}: {' '.join(words)}")
        printed = json.loads(outcome.stdout.splitlines()[-1])
        if printed["huge_kib"] > 0:
            raise RunFailed("huge pages were in use")
        return outcome, printed


def _measure(outcome, printed, ram, store):
    return Measure(printed["accesses_per_s"], ram, store, outcome.peak_charged or 0,
                   outcome.peak_anonymous, outcome.peak_page_cache, printed)


class Kernel:
    """A memory cgroup at the cell's limit, over the swap area that is on."""

    name = "kernel"

    def __init__(self, workload, area):
        self.workload = workload
        self.zram = area if isinstance(area, ZramSwap) else None

    def run(self, cell):
        """What others keep in the store does not count as this run's."""
        if self.zram:
            self.zram.reset_peak()
            before = self.zram.used()
        limit = self.workload.limit(cell)
        with MemoryCgroup(limit) as group:
            outcome, printed = self.workload.run(cell, [], group)
        store = self.zram.peak() - before if self.zram else 0
        return _measure(outcome, printed, limit + store, store)


class Quire:
    """`quire run` with the RAM that the kernel's run was given, its store included. The
    cgroup has no limit: it is there for an account that is not Quire's own."""

    name = "quire"

    def __init__(self, workload, path, area, zram_swap, extra):
        self.workload = workload
        self.path = path
        self.zram_swap = zram_swap
        self.directory = getattr(area, "directory", None)
        self.extra = extra

    def _swap(self):
        if self.directory is None:
            return self.zram_swap
        return f"file:{self.directory}/quire-bench-{os.getpid()}.quire"

    def run(self, cell, ram):
        prefix = [self.path, "run", "--ram", str(ram), "--swap", self._swap()]
        prefix += self.extra + ["--"]
        with MemoryCgroup() as group:
            outcome, printed = self.workload.run(cell, prefix, group)
        return _measure(outcome, printed, ram, 0)
