# SPDX-License-Identifier: MIT
"""Checks that a report is JSON, and holds a time series: report_check.py FILE LEAST.

The series is rows of numbers, one for each sample, and the names of their columns.  The
main program, which ended by exit(3), has an account of its heap that adds up.
"""

import json
import sys


def series_fault(report, least):
    """What is wrong with the time series, or None."""
    columns, samples = report.get("sample_columns"), report.get("samples")
    if not isinstance(columns, list) or not isinstance(samples, list):
        return "it holds no time series"
    if len(samples) < least:
        return f"it has fewer than {least} samples in a row"
    if any(len(row) != len(columns) for row in samples):
        return "a sample does not have the columns that are named"
    if not all(isinstance(value, int) for row in samples for value in row):
        return "a sample holds something other than numbers"
    if "ns" not in columns:
        return "its samples have no time"
    times = [row[columns.index("ns")] for row in samples]
    if times != sorted(set(times)):
        return "its samples are not in the order of time"
    return None


def heap_fault(report):
    """What does not add up in the heap's account at exit, or None."""
    heap = report.get("main", {}).get("heap")
    if not isinstance(heap, dict):
        return "it has no account of the heap"
    parts = [
        ("usable_bytes", ["asked_bytes", "rounding_bytes"]),
        ("span_bytes", ["usable_bytes", "unused_bytes"]),
        ("held_bytes", ["span_bytes", "free_bytes", "returned_bytes", "record_bytes"]),
        ("held_bytes", ["resident_bytes", "absent_bytes"]),
    ]
    for whole, names in parts:
        if heap[whole] != sum(heap[name] for name in names):
            return f"{whole} is not {' + '.join(names)}"
    if heap["asked_bytes"] == 0 or heap["resident_bytes"] == 0:
        return "the heap holds nothing"
    return None


def main(path, least):
    try:
        with open(path, encoding="utf-8") as file:
            report = json.load(file)
    except (OSError, ValueError) as error:
        sys.exit(f"the report cannot be read: {error}")
    fault = series_fault(report, least) or heap_fault(report)
    if fault:
        sys.exit(f"the report: {fault}")


main(sys.argv[1], int(sys.argv[2]))
