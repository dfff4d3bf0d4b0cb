# SPDX-License-Identifier: MIT
"""Builds, sorts, hashes and drops objects, as many as its argument says."""

import hashlib
import sys


class Record:
    __slots__ = ("key", "name", "tags")

    def __init__(self, key, name, tags):
        self.key = key
        self.name = name
        self.tags = tags


def numbers(count, seed=12345):
    """A linear congruential generator: the same on every version of Python."""
    state = seed
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield state >> 20


def build(count):
    return [
        Record(n, f"name-{n:x}", (n % 97, str(n % 9973))) for n in numbers(count)
    ]


def digest(parts):
    state = hashlib.sha256()
    for part in parts:
        state.update(str(part).encode())
    return state.hexdigest()


def main(count):
    records = build(count)
    print("built", len(records))
    records.sort(key=lambda record: record.key)
    print("sorted", digest(record.name for record in records))
    index = {record.name: record for record in records}
    print("indexed", len(index))
    found = sum(index[f"name-{n:x}"].tags[0] for n in numbers(count))
    print("found", found)
    # Half of the objects go, others take their place: memory is used again.
    for record in records[::2]:
        del index[record.name]
    del records[::2]
    records += build(count // 2)
    text = "\n".join(record.name for record in records)
    print("joined", len(text), digest(sorted(text.split("\n"))))
    groups = {}
    for record in records:
        groups.setdefault(record.tags, []).append(record)
    print("grouped", digest((k, len(v)) for k, v in sorted(groups.items())))


main(int(sys.argv[1]))
