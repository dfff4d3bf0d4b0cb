# SPDX-License-Identifier: MIT
"""Adds up a Meson test log: count.py TESTLOG.json.

Prints the failed and the skipped tests, then the sums as "PASSED FAILED SKIPPED".  A
test that is a runner of others counts for as many as it says: by a closing line
"N passed, N failed, N skipped", or by cmocka's summary.  What it says is believed only
as far as its exit status agrees: a runner that failed counts one failure at least.
"""
import json
import re
import sys

CLOSING = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.M)
CMOCKA = {
    "passed": re.compile(r"^\[  PASSED  \] (\d+) test\(s\)", re.M),
    "failed": re.compile(r"^\[  FAILED  \] (\d+) test\(s\)", re.M),
    "skipped": re.compile(r"^\[  SKIPPED \] (\d+) test\(s\)", re.M),
}


def counted_inside(text):
    """(passed, failed, skipped) as the test itself says, or None."""
    closing = CLOSING.findall(text)
    if closing:
        return [int(word) for word in closing[-1]]
    sums = [sum(map(int, CMOCKA[key].findall(text))) for key in CMOCKA]
    return sums if any(sums) else None


def judge(record):
    """(passed, failed, skipped) of one test."""
    text = record.get("stdout", "") + "\n" + record.get("stderr", "")
    inside = counted_inside(text)
    if record["result"] == "SKIP":
        return inside if inside and not inside[0] and not inside[1] else [0, 0, 1]
    if record["result"] == "OK":
        return inside or [1, 0, 0]
    inside = inside or [0, 0, 0]
    return [inside[0], max(1, inside[1]), inside[2]]


def tail(record):
    text = record.get("stdout", "").strip() + "\n" + record.get("stderr", "").strip()
    return "\n".join("    " + line for line in text.strip().split("\n")[-20:])


def main():
    sums = [0, 0, 0]
    with open(sys.argv[1], encoding="utf-8") as log:
        records = [json.loads(line) for line in log if line.strip()]
    for record in records:
        counts = judge(record)
        sums = [a + b for a, b in zip(sums, counts)]
        if counts[1]:
            print(f"failed: {record['name']} ({record['result']})\n{tail(record)}")
        elif counts[2]:
            print(f"skipped {counts[2]}: {record['name']}\n{tail(record)}")
    print(*sums)


if __name__ == "__main__":
    main()
