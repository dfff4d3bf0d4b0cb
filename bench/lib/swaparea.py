# SPDX-License-Identifier: MIT
"""The kernel's own swap: a zram device with LZ4, or a file; on while the `with` lasts.

Both are given the highest priority, so that on a host with other swap they are filled
first. An area takes no more than the data and a little."""

import glob
import os
import subprocess
import tempfile

from bench.lib.files import read_text, write_text
from bench.lib.skip import Skip

PRIORITY = 32767
SLACK_BYTES = 64 << 20


def _tool(*command):
    """Runs mkswap, swapon or swapoff; Skip with its own words where it fails."""
    environment = dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True,
                              check=False)
    except OSError as error:
        raise Skip(f"cannot run {command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        raise Skip(f"{' '.join(command)}: {done.stderr.strip()}")


def active_areas():
    """The paths of all areas in use on this host."""
    lines = (read_text("/proc/swaps") or "").splitlines()[1:]
    return [line.split()[0] for line in lines]


class _SwapArea:
    """mkswap and swapon of self.path; subclasses make it and take it away."""

    def __init__(self, data_bytes):
        self.bytes = data_bytes + SLACK_BYTES
        self.path = None

    def __enter__(self):
        if os.geteuid() != 0:
            raise Skip("swap areas need root")
        self._make()
        try:
            _tool("mkswap", self.path)
            _tool("swapon", "-p", str(PRIORITY), self.path)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.path in active_areas():
            _tool("swapoff", self.path)
        self._unmake()


class ZramSwap(_SwapArea):
    """An unused zram device, a new one where all are in use."""

    name = "zram-lz4"

    def _make(self):
        self.added = None
        self.sys = self._find()
        self.path = "/dev/" + os.path.basename(self.sys)
        algorithms = read_text(f"{self.sys}/comp_algorithm")
        if "lz4" not in algorithms.replace("[", "").replace("]", "").split():
            raise Skip(f"zram offers no lz4 here, only: {algorithms}")
        self.algorithm = algorithms[algorithms.index("[") + 1:algorithms.index("]")]
        try:
            write_text(f"{self.sys}/comp_algorithm", "lz4")
            write_text(f"{self.sys}/disksize", self.bytes)
        except OSError as error:
            self._unmake()
            raise Skip(f"cannot set up {self.path}: {error.strerror}") from error

    def _find(self):
        for device in sorted(glob.glob("/sys/block/zram*")):
            if read_text(f"{device}/disksize") == "0":
                return device
        self.added = read_text("/sys/class/zram-control/hot_add")
        if not self.added:
            raise Skip("no unused zram device (try: modprobe zram)")
        return f"/sys/block/zram{self.added}"

    def _unmake(self):
        write_text(f"{self.sys}/reset", 1)
        write_text(f"{self.sys}/comp_algorithm", self.algorithm)
        if self.added:
            write_text("/sys/class/zram-control/hot_remove", self.added)

    def _mm_stat(self, column):
        return int(read_text(f"{self.sys}/mm_stat").split()[column])

    def used(self):
        """Bytes of RAM that the store holds now, its own waste included."""
        return self._mm_stat(2)

    def peak(self):
        """The most that used() was since reset_peak()."""
        return self._mm_stat(4)

    def reset_peak(self):
        write_text(f"{self.sys}/mem_used_max", 0)


class FileSwap(_SwapArea):
    """A file without holes in a directory of the caller's choice."""

    name = "swap file"

    def __init__(self, data_bytes, directory):
        super().__init__(data_bytes)
        self.directory = directory

    def _make(self):
        fd, self.path = tempfile.mkstemp(prefix="quire-bench-", suffix=".swap",
                                         dir=self.directory)
        try:
            os.posix_fallocate(fd, 0, self.bytes)
        except OSError as error:
            self._unmake()
            raise Skip(f"no room for a swap file in {self.directory}") from error
        finally:
            os.close(fd)

    def _unmake(self):
        os.unlink(self.path)
