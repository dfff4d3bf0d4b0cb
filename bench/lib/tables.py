# SPDX-License-Identifier: MIT
"""Medians, and tables in Markdown."""

import statistics


class Spread:
    """Some runs of one thing: the median stands for them, least and most tell how much
    it can be trusted."""

    def __init__(self, values):
        self.median = statistics.median(values)
        self.least = min(values)
        self.most = max(values)

    def text(self, scale=1.0, digits=0):
        numbers = [f"{x * scale:.{digits}f}"
                   for x in (self.median, self.least, self.most)]
        return f"{numbers[0]} ({numbers[1]}–{numbers[2]})"


def markdown(header, rows):
    """The table's text; numbers are in columns of their own, so all but the first align
    right."""
    lines = ["| " + " | ".join(header) + " |",
             "|" + "|".join(["---"] + ["--:"] * (len(header) - 1)) + "|"]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)
