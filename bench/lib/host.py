# SPDX-License-Identifier: MIT
"""What a reader must know of the machine to judge a figure."""

import os
import platform

from bench.lib.files import keyed_number, read_text
from bench.lib.sizes import mib
from bench.lib.swaparea import active_areas

DAMON = "/sys/kernel/mm/damon/admin/kdamonds"


def _processor():
    for line in (read_text("/proc/cpuinfo") or "").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _chosen(path):
    """The word in brackets of a file such as "always [madvise] never"."""
    text = read_text(path) or ""
    return text[text.find("[") + 1:text.find("]")] if "[" in text else "absent"


def _pages_out_by_itself():
    """DAMON's proactive page-out acts on every process as soon as there is swap."""
    for index in range(int(read_text(f"{DAMON}/nr_kdamonds", "0"))):
        base = f"{DAMON}/{index}"
        action = read_text(f"{base}/contexts/0/schemes/0/action")
        if read_text(f"{base}/state") == "on" and action == "pageout":
            return True
    return False


def describe():
    """Name and value pairs, in the order to print them."""
    facts = {
        "processor": f"{_processor()}, {os.cpu_count()} CPUs",
        "RAM": f"{mib(keyed_number('/proc/meminfo', 'MemTotal') * 1024)} MiB",
        "kernel": platform.release(),
        "huge pages": _chosen("/sys/kernel/mm/transparent_hugepage/enabled"),
        "swappiness": read_text("/proc/sys/vm/swappiness", "?"),
        "page-cluster": read_text("/proc/sys/vm/page-cluster", "?"),
        "multi-generation LRU": read_text("/sys/kernel/mm/lru_gen/enabled", "absent"),
        "load before": " ".join(f"{x:.1f}" for x in os.getloadavg()),
    }
    if active_areas():
        facts["other swap"] = ", ".join(active_areas())
    if _pages_out_by_itself():
        facts["DAMON"] = "pages out what nobody touched for long, on its own"
    return facts
