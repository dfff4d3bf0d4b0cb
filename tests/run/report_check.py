# SPDX-License-Identifier: MIT
"""Checks that a report is JSON and holds a time series: report_check.py FILE LEAST.

The series is rows of numbers, one for each sample, and the names of their columns.
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


def main(path, least):
    try:
        with open(path, encoding="utf-8") as file:
            report = json.load(file)
    except (OSError, ValueError) as error:
        sys.exit(f"the report cannot be read: {error}")
    fault = series_fault(report, least)
    if fault:
        sys.exit(f"the report: {fault}")


main(sys.argv[1], int(sys.argv[2]))
