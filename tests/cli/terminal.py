# SPDX-License-Identifier: MIT
"""The terminal's signals reach the program once, and a stop gives the job back.

    terminal.py QUIRE

The script is a shell with job control in little: leader of a session with a terminal of
its own, which it gives to the command's process group.
"""
import os
import pty
import select
import signal
import sys
import termios

# Prints what it is sent; at the third interrupt it ends.
PROGRAM = """
import os, signal, sys, time
seen = []
def got(nr, frame):
    seen.append(nr)
    os.write(1, b"got " + signal.Signals(nr).name.encode() + b"\\n")
    if len(seen) == 3:
        sys.exit(9)
signal.signal(signal.SIGINT, got)
os.write(1, b"ready\\n")
while True:
    time.sleep(1)
"""


def job(command):
    """In the session's leader: the command as the foreground job; its pid."""
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execv(command[0], command)
    return pid


def leader(command):
    """Starts the job, and when it stops continues it once, as `fg` does."""
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    mode = termios.tcgetattr(0)
    mode[3] &= ~termios.ECHO
    # Else each of the keys that send a signal throws away what was written last.
    mode[3] |= termios.NOFLSH
    termios.tcsetattr(0, termios.TCSANOW, mode)
    pid = job(command)
    while True:
        _, status = os.waitpid(pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            os._exit(os.waitstatus_to_exitcode(status))
        os.write(1, b"stopped\n")
        os.killpg(pid, signal.SIGCONT)
        os.write(1, b"continued\n")


def main():
    command = [sys.argv[1], "run", "--ram", "256M", "--swap", "ram", "--"]
    command += [sys.executable, "-c", PROGRAM]
    pid, fd = pty.fork()
    if pid == 0:
        leader(command)
    text = b""

    def wait_for(word, times=1):
        nonlocal text
        while text.count(word) < times:
            if not select.select([fd], [], [], 20)[0]:
                sys.exit(f"no '{word.decode()}' came: {text}")
            text += os.read(fd, 4096)

    wait_for(b"ready\r\n")
    os.write(fd, b"\x03")
    wait_for(b"got SIGINT\r\n")
    os.write(fd, b"\x1a")
    wait_for(b"continued\r\n")
    os.write(fd, b"\x03")
    wait_for(b"got SIGINT\r\n", 2)
    os.write(fd, b"\x03")
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    while True:
        try:
            text += os.read(fd, 4096)
        except OSError:
            break
    seen = [line for line in text.decode().split("\r\n") if line]
    wanted = ["ready", "got SIGINT", "stopped", "continued", "got SIGINT", "got SIGINT"]
    if seen != wanted or code != 9:
        sys.exit(f"wanted {wanted} and status 9, got {seen} and {code}")


main()
