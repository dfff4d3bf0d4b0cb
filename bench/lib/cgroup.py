# SPDX-License-Identifier: MIT
"""A memory cgroup of one's own, of either version.

Version 1 makes it below the cgroup that the bench runs in. Version 2 does not let a
cgroup hold both processes and children with controllers, so there it is made below the
nearest one above that hands the memory controller on."""

import os
import time

from bench.lib.files import keyed_number, read_text, write_text
from bench.lib.skip import Skip

REMOVE_SECONDS = 5.0


class Layout:
    """How one version names things."""

    def __init__(self, limit, peak, file_key):
        self.limit = limit
        self.peak = peak
        self.file_key = file_key  # of the page cache in memory.stat


VERSION_1 = Layout("memory.limit_in_bytes", "memory.max_usage_in_bytes", "cache")
VERSION_2 = Layout("memory.max", "memory.peak", "file")


def _mount_point(filesystem, option):
    """Where a cgroup hierarchy is mounted; mountinfo's fields are in proc(5)."""
    for line in (read_text("/proc/self/mountinfo") or "").splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        if kind == filesystem and (not option or option in options.split(",")):
            return left.split()[4]
    return None


def _own_path(controller):
    """This process's path in the hierarchy of `controller`, "" being version 2."""
    for line in (read_text("/proc/self/cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path
    return None


def _hands_memory_on(directory):
    return "memory" in (read_text(f"{directory}/cgroup.subtree_control") or "").split()


def _version_2_parent(mount, own):
    directory = os.path.normpath(mount + own)
    while not _hands_memory_on(directory):
        if directory == mount:
            raise Skip("no cgroup above this one hands the memory controller on")
        directory = os.path.dirname(directory)
    return directory


def find_parent():
    """(directory to make cgroups in, Layout), or Skip."""
    own = _own_path("memory")
    mount = _mount_point("cgroup", "memory")
    if own is not None and mount is not None:
        return os.path.normpath(mount + own), VERSION_1
    own = _own_path("")
    mount = _mount_point("cgroup2", None)
    if own is None or mount is None:
        raise Skip("no cgroup hierarchy with a memory controller is mounted")
    return _version_2_parent(mount, own), VERSION_2


class MemoryCgroup:
    """with MemoryCgroup(limit) as group: subprocess.Popen(preexec_fn=group.enter)"""

    _serial = 0

    def __init__(self, limit=None):
        """limit: bytes, or None for no limit, where only the account is wanted."""
        self.limit = limit
        parent, self.layout = find_parent()
        MemoryCgroup._serial += 1
        self.path = f"{parent}/quire-bench-{os.getpid()}-{MemoryCgroup._serial}"

    def __enter__(self):
        try:
            os.mkdir(self.path)
        except OSError as error:
            raise Skip(f"cannot make the cgroup {self.path}: {error.strerror}") from error
        try:
            if self.limit is not None:
                write_text(self._file(self.layout.limit), self.limit)
        except OSError as error:
            os.rmdir(self.path)
            raise Skip(f"cannot limit a cgroup: {error.strerror}") from error
        return self

    def __exit__(self, *_):
        """A cgroup is busy until the last of its processes has been reaped."""
        deadline = time.monotonic() + REMOVE_SECONDS
        while True:
            self._kill_all()
            try:
                os.rmdir(self.path)
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.02)

    def _file(self, name):
        return f"{self.path}/{name}"

    def _kill_all(self):
        for pid in self.pids():
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass

    def enter(self):
        """Moves the calling process in; meant for the child between fork and exec."""
        write_text(self._file("cgroup.procs"), os.getpid())

    def pids(self):
        return [int(pid) for pid in (read_text(self._file("cgroup.procs")) or "").split()]

    def peak(self):
        """Most bytes charged at a time: anonymous memory, page cache, page tables. None
        on kernels of version 2 that do not keep it."""
        text = read_text(self._file(self.layout.peak))
        return int(text) if text else None

    def page_cache(self):
        return keyed_number(self._file("memory.stat"), self.layout.file_key)
