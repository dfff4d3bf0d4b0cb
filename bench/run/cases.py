# SPDX-License-Identifier: MIT
"""Real programs, with work that takes some seconds and some hundred MiB."""

from dataclasses import dataclass

SQL = """
CREATE TABLE item (id INTEGER PRIMARY KEY, owner INT, price INT, name TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
INSERT INTO item SELECT i, i * 7919 % ({rows} / 10), i * 104729 % 1000003,
    printf('item %08x of %d, %.*c', i * 2654435761 % 4294967296, i % 1000,
           20 + i * 31 % 120, char(97 + i % 26)) FROM n;
CREATE INDEX item_owner ON item (owner, price);
CREATE INDEX item_name ON item (name);
SELECT sum(price) FROM item WHERE owner % 3 = 0 ORDER BY name;
UPDATE item SET price = price + 1 WHERE owner % 5 = 0;
"""


@dataclass(frozen=True)
class Case:
    """A program and its input. Words with {data} name the file that `generate` (the
    words for tests/programs/gen) writes."""

    name: str
    program: str
    command: tuple
    generate: tuple = ()
    text: str = ""  # the input itself, where no generator is needed


def cases(quick):
    """All of them; quick: a fifth of the work."""
    def scaled(number):
        return str(number // 5 if quick else number)

    return [
        Case("gcc -O2", "gcc", ("gcc", "-std=c17", "-O2", "-c", "-x", "c", "{data}",
                                "-o", "/dev/null"), ("source", scaled(300))),
        Case("python3, objects", "python3",
             ("python3", "-I", "{programs}/objects.py", scaled(300000))),
        Case("perl, hashes", "perl",
             ("perl", "{programs}/structures.pl", scaled(200000))),
        Case("node, objects", "node",
             ("node", "--max-old-space-size=2048", "{programs}/structures.js",
              scaled(400000))),
        Case("sort, two threads", "sort",
             ("sort", "--buffer-size=700M", "--parallel=2", "-o", "/dev/null", "{data}"),
             ("lines", scaled(100000000))),
        Case("sqlite3, in memory", "sqlite3",
             ("sqlite3", "-batch", ":memory:", ".read {data}"),
             text=SQL.format(rows=scaled(600000))),
        Case("zstd -19 --long", "zstd",
             ("zstd", "-q", "-19", "--long=27", "-T2", "-o", "/dev/null", "-f", "{data}"),
             ("mixed", scaled(40000000))),
    ]
