# SPDX-License-Identifier: MIT
"""The compilers that the checks call, and the flags that the project builds with."""
import shutil
import subprocess

import tree

COMPILERS = ("gcc", "clang")
WARNINGS = (
    "-Wall -Wextra -Wundef -Wconversion -Wshadow -Wvla -Wmissing-prototypes "
    "-Wstrict-prototypes -Werror"
).split()


def need(tool):
    if shutil.which(tool) is None:
        raise tree.Missing(f"{tool} is not installed")


def run(root, words, text=None):
    """Runs a tool in root: (succeeded, its messages)."""
    done = subprocess.run(
        words,
        cwd=root,
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode == 0, done.stdout
