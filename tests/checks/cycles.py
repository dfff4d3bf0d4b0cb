# SPDX-License-Identifier: MIT
"""No header includes itself, straight or by way of others."""
import tree


def graph_of(root):
    graph = {}
    for path in tree.c_files(root):
        targets = (
            tree.resolve(root, path, name)
            for _, name, quoted in tree.includes(root, path)
            if quoted
        )
        graph[path] = [target for target in targets if target]
    return graph


def find_cycle(graph, start, done):
    """A cycle that can be reached from start, as a list of paths, or None.  done
    gathers the nodes from which there is none."""
    trail, iterators = [start], [iter(graph.get(start, ()))]
    while trail:
        step = next(iterators[-1], None)
        if step is None:
            done.add(trail.pop())
            iterators.pop()
        elif step in trail:
            return trail[trail.index(step):] + [step]
        elif step not in done:
            trail.append(step)
            iterators.append(iter(graph.get(step, ())))
    return None


def check(root):
    graph, done = graph_of(root), set()
    for start in sorted(graph):
        cycle = find_cycle(graph, start, done) if start not in done else None
        if cycle:
            return [f"{cycle[0]}:1: include cycle: {' -> '.join(cycle)}"]
    return []


GOOD = {
    "core/base/a.h": '#include "core/base/b.h"\n#include "core/base/c.h"\n',
    "core/base/b.h": '#include "core/base/c.h"\n',
    "core/base/c.h": "",
}
BAD = {
    "two headers": (
        "core/base/c.h -> core/base/a.h",
        {"core/base/c.h": '#include "core/base/a.h"\n'},
    ),
    "one header": (
        "core/base/c.h -> core/base/c.h",
        {"core/base/c.h": '#include "core/base/c.h"\n'},
    ),
    "a relative name": (
        "core/base/c.h -> core/base/b.h",
        {"core/base/c.h": '#include "b.h"\n'},
    ),
}

if __name__ == "__main__":
    tree.main(check)
