# SPDX-License-Identifier: MIT
"""Leaving the host as it was found, also when the bench is told to stop.

A signal becomes an exception, so that every `with` and `finally` on the way out runs:
the program is killed, its cgroup removed, the swap area switched off. Signals that come
while that happens are ignored, for half a clean-up is what must not be."""

import fcntl
import os
import signal

from bench.lib.skip import Skip

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOCK_PATH = "/run/lock/quire-bench.lock"


def _stop(number, _frame):
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


def stop_cleanly_on_signals():
    for each in SIGNALS:
        signal.signal(each, _stop)


class OnlyBench:
    """Holds a lock: swap belongs to the whole host, and so would two benches' figures
    run into one another."""

    def __enter__(self):
        try:
            self.fd = os.open(LOCK_PATH, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise Skip(f"cannot open {LOCK_PATH}: {error.strerror}") from error
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self.fd)
            raise Skip(f"another bench holds {LOCK_PATH}") from error
        return self

    def __exit__(self, *_):
        os.close(self.fd)
