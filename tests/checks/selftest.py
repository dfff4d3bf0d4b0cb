# SPDX-License-Identifier: MIT
"""Proves that a check can fail: selftest.py NAME.

The check of that name must find nothing in its good tree, and in each of its bad ones,
which differ from the good one in one fault, that fault.
"""
import importlib
import sys
import tempfile

import tree


def problems_in(module, *layers):
    with tempfile.TemporaryDirectory(prefix="quire-check-") as root:
        for layer in layers:
            tree.lay_out(root, layer)
        return module.check(root)


def main():
    module = importlib.import_module(sys.argv[1])
    failures = [f"good tree: {p}" for p in problems_in(module, module.GOOD)]
    for fault, (words, layer) in module.BAD.items():
        if not any(words in p for p in problems_in(module, module.GOOD, layer)):
            failures.append(f"not noticed: {fault}")
    for failure in failures:
        print(failure)
    print(f"{len(module.BAD)} faults tried")
    sys.exit(1 if failures or not module.BAD else 0)


if __name__ == "__main__":
    try:
        main()
    except tree.Missing as missing:
        print(f"skipped: {missing}")
        sys.exit(tree.SKIP)
