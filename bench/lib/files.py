# SPDX-License-Identifier: MIT
"""Reading and writing the small text files of /proc and /sys."""


def read_text(path, otherwise=None):
    """The file's text, stripped; `otherwise` where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return otherwise


def write_text(path, text):
    """Writes in one call, as the kernel's files want it; OSError as it comes."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(str(text))


def keyed_number(path, key, otherwise=0):
    """The number after `key` in a file of "key number ..." or "key: number" lines."""
    for line in (read_text(path) or "").splitlines():
        words = line.replace(":", " ").split()
        if len(words) > 1 and words[0] == key:
            return int(words[1])
    return otherwise
