# SPDX-License-Identifier: MIT
"""Every script parses, and a bash script stops at its first error."""
import compilers
import tree

STRICT = "set -euo pipefail"


def check_bash(root, path):
    fine, messages = compilers.run(root, ["bash", "-n", path])
    if not fine:
        yield messages.rstrip()
    if STRICT not in tree.read(root, path).split("\n"):
        yield f"{path}:1: has no line '{STRICT}'"


def check_python(root, path):
    try:
        compile(tree.read(root, path), path, "exec")
    except SyntaxError as error:
        yield f"{path}:{error.lineno}: {error.msg}"


def check(root):
    problems = []
    for path in tree.files(root):
        if path.endswith(".py"):
            problems += check_python(root, path)
        elif tree.is_script(root, path) and "bash" in tree.first_line(root, path):
            problems += check_bash(root, path)
    return problems


BASH = f"#!/usr/bin/env bash\n{STRICT}\n"
GOOD = {"a.sh": BASH + "echo a\n", "b.py": "print(1)\n", ".ci/run": BASH}
BAD = {
    "bash that does not parse": (
        "a.sh: line 4: syntax error",
        {"a.sh": BASH + "if true; then\n"},
    ),
    "bash that runs on": (
        "run:1: has no line",
        {".ci/run": "#!/usr/bin/env bash\necho a\n"},
    ),
    "python that does not parse": (
        "b.py:1: ",
        {"b.py": "print(\n"},
    ),
}

if __name__ == "__main__":
    tree.main(check)
