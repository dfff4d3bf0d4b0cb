# SPDX-License-Identifier: MIT
"""The paging bench's tables."""

from bench.lib.sizes import mib
from bench.lib.tables import Spread, markdown

# Throughput of Quire over the kernel's, by kind of area, threads and pattern.
TARGETS = {
    ("zram-lz4", 1): {"zipf": 1.3, "uniform": 1.3, "sequential": 3.0},
    ("zram-lz4", 2): {"zipf": 1.0, "uniform": 1.0, "sequential": 3.0},
    ("swap file", 1): {"zipf": 2.0, "uniform": 2.0, "sequential": 2.0, "mixed": 2.0},
    ("swap file", 2): {"zipf": 2.0, "uniform": 2.0, "sequential": 2.0, "mixed": 2.0},
}

# Beyond --ram, the process may keep this much for what is not managed.
ANONYMOUS_SLACK = 16 << 20


def _spread(measures):
    return Spread([measure.rate for measure in measures])


def _median_of(measures, field):
    return Spread([getattr(measure, field) for measure in measures]).median


def _verdict(area, cell, ratio):
    target = TARGETS.get((area, cell.threads), {}).get(cell.pattern)
    words = ["**kernel wins**"] if ratio < 1.0 else []
    if target is not None and ratio < target:
        words.append(f"below {target:g}")
    return ", ".join(words)


def _over_ram(measures):
    return any(m.peak_anonymous > m.ram + ANONYMOUS_SLACK for m in measures)


def _quire_columns(area, cell, kernel, quire):
    if not quire:
        return ["–"] * 4 + ["failed"]
    rate = _spread(quire)
    ratio = rate.median / kernel.median
    words = [_verdict(area, cell, ratio)] + ["**above --ram**"] * _over_ram(quire)
    return [rate.text(1e-3), f"{ratio:.2f}",
            mib(max(m.peak_anonymous for m in quire)),
            mib(max(m.peak_charged for m in quire)), ", ".join(filter(None, words))]


def _row(area, cell, kernel, quire, with_quire):
    row = [f"{cell.ratio} %", cell.pattern, cell.threads, f"{cell.write:g}"]
    if not kernel:
        return row + ["–", "–", "failed"] + (["–"] * 5 if with_quire else [])
    rate = _spread(kernel)
    store = _median_of(kernel, "store")
    row += [mib(_median_of(kernel, "ram")), mib(store) if store else "–", rate.text(1e-3)]
    return row + (_quire_columns(area, cell, rate, quire) if with_quire else [])


def table(area, results, with_quire):
    """results: (cell, kernel's measures, Quire's measures) in the order of the rows."""
    header = ["in RAM", "pattern", "threads", "writes", "RAM, MiB", "of it zram",
              "kernel, k/s"]
    if with_quire:
        header += ["Quire, k/s", "ratio", "anonymous, MiB", "charged, MiB", ""]
    return markdown(header, [_row(area, *result, with_quire) for result in results])


def preamble(facts, workload, runs):
    """What the figures are, and where they come from."""
    lines = [f"- {name}: {value}" for name, value in facts.items()]
    lines.append(f"- data: {mib(workload.bytes)} MiB that LZ4 halves; warm-up "
                 f"{workload.warmup:g} s, measured {workload.length:g} s")
    lines.append(f"- thousand accesses a second: median of {runs} (least–most), runs "
                 "interleaved")
    lines.append("- RAM: the cgroup's limit and what zram held at its peak; Quire's "
                 "`--ram` is the same")
    return "\n".join(lines)
