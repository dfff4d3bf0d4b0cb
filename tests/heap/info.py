# SPDX-License-Identifier: MIT
"""info.py LIBRARY PROGRAM - malloc_info has the shape of glibc's, and malloc_stats adds up.

The shape is taken from glibc itself: the program without the library.
"""
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree


def run(program, library):
    env = dict(os.environ)
    env.pop("LD_PRELOAD", None)
    if library:
        env["LD_PRELOAD"] = library
    done = subprocess.run([program], env=env, check=True, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return ElementTree.fromstring(done.stdout), done.stderr


def shape(element):
    """Tags, attributes and, where they are words, their values, without repetitions."""
    children = []
    for child in element:
        # How many sizes are free, and whether some are unsorted, is the heap's affair.
        if child.tag == "unsorted" or element.tag == "malloc" and child.tag == "heap" \
                and any(c[0] == "heap" for c in children):
            continue
        one = shape(child)
        if one not in children:
            children.append(one)
    words = [(k, v if not v.isdigit() else "N") for k, v in sorted(element.items())
             if k != "nr" and k != "version"]
    return (element.tag, words, children)


def check_totals(root):
    """The sizes of the heap add up to what it says is free beside whole pages."""
    heap = root.find("heap")
    sizes = heap.find("sizes").findall("size")
    total = sum(int(s.get("total")) for s in sizes)
    free = sum(int(t.get("size")) for t in heap.findall("total"))
    held = int(heap.find("system").get("size"))
    mapped = root.find("total[@type='mmap']")
    if not 0 < total <= free <= held:
        sys.exit(f"sizes {total}, free {free}, held {held}")
    if int(mapped.get("count")) != 1 or int(mapped.get("size")) < 64 << 20:
        sys.exit("the block with a mapping of its own is not counted")
    for size in sizes:
        count, low, high = (int(size.get(k)) for k in ("count", "from", "to"))
        if not count * low <= int(size.get("total")) <= count * high:
            sys.exit(f"a size does not add up: {size.items()}")


def check_account(text):
    """Each line begins with a sign: what it does to the sum so far, or that it is one."""
    total = None
    lines = re.findall(r"^([ +=-]) (.+?) +(\d+)$", text, re.M)
    for sign, name, value in lines:
        value = int(value)
        if sign == " ":
            total = value
        elif sign == "=" and value != total:
            sys.exit(f"{name} is {value}, its parts are {total}")
        elif sign in "+-":
            total += value if sign == "+" else -value
    names = [name for sign, name, _ in lines if sign in " ="]
    if names[:5] != ["asked for", "usable", "in spans", "held", "resident"]:
        sys.exit(f"the account's sums are {names}:\n{text}")


def main():
    library, program = sys.argv[1:3]
    theirs, _ = run(program, "")
    ours, account = run(program, library)
    if shape(ours) != shape(theirs):
        sys.exit(f"the shape is\n{shape(ours)}\nand glibc's\n{shape(theirs)}")
    check_totals(ours)
    check_account(account)


main()
