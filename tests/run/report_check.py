# SPDX-License-Identifier: MIT
"""Checks that a report is JSON and holds a time series: report_check.py FILE LEAST."""

import json
import sys


def longest_series(value):
    """The length of the longest list of objects anywhere in the value."""
    if isinstance(value, dict):
        return max((longest_series(v) for v in value.values()), default=0)
    if isinstance(value, list):
        own = len(value) if value and all(isinstance(v, dict) for v in value) else 0
        return max([own] + [longest_series(v) for v in value])
    return 0


def main(path, least):
    try:
        with open(path, encoding="utf-8") as file:
            report = json.load(file)
    except (OSError, ValueError) as error:
        sys.exit(f"the report cannot be read: {error}")
    if longest_series(report) < least:
        sys.exit(f"the report has fewer than {least} samples in a row")


main(sys.argv[1], int(sys.argv[2]))
