# SPDX-License-Identifier: MIT
"""Sizes as they are typed and as they are read."""

SUFFIXES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def parse_size(text):
    """Bytes of "512M", "2G" or "4096"; ValueError for anything else."""
    factor = SUFFIXES.get(text[-1:].upper(), 1)
    digits = text[:-1] if factor != 1 else text
    if not digits.isdecimal() or int(digits) == 0:
        raise ValueError(f"not a size: {text}")
    return int(digits) * factor


def mib(size):
    """A size in MiB, without a fraction where it is large enough to do without."""
    value = size / (1 << 20)
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"
