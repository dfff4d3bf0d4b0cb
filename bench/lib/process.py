# SPDX-License-Identifier: MIT
"""Runs one program in a cgroup, and watches what it keeps in RAM."""

import subprocess
import time

from bench.lib.files import keyed_number

WATCH_SECONDS = 0.1


class Outcome:
    """What one run gave. Sizes in bytes, peaks as sampled each WATCH_SECONDS, but for
    peak_charged, which the kernel keeps itself."""

    def __init__(self):
        self.status = None
        self.seconds = 0.0
        self.stdout = ""
        self.stderr = ""
        self.peak_anonymous = 0   # of the process that had the most
        self.peak_page_cache = 0  # charged to the cgroup
        self.peak_charged = None  # to the cgroup, all kinds


def _anonymous(pid):
    """RssAnon of one process; 0 once it is gone."""
    return keyed_number(f"/proc/{pid}/status", "RssAnon") * 1024


def _watch(group, outcome):
    for pid in group.pids():
        outcome.peak_anonymous = max(outcome.peak_anonymous, _anonymous(pid))
    outcome.peak_page_cache = max(outcome.peak_page_cache, group.page_cache())


def _exit_status(returncode):
    return 128 - returncode if returncode < 0 else returncode


def run(command, group, timeout, environment=None):
    """Runs to the end; past `timeout` seconds it is killed, and the status is 137."""
    outcome = Outcome()
    start = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, env=environment,
                          preexec_fn=group.enter) as child:
        try:
            while True:
                try:
                    outcome.stdout, outcome.stderr = child.communicate(
                        timeout=WATCH_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    _watch(group, outcome)
                    if time.monotonic() - start > timeout:
                        child.kill()
        finally:
            if child.poll() is None:
                child.kill()
    outcome.seconds = time.monotonic() - start
    outcome.status = _exit_status(child.returncode)
    outcome.peak_charged = group.peak()
    return outcome
