"""Becomes another program, which gets SIGTERM when the process that started it dies, even by SIGKILL.

    tied.py PARENT PROGRAM ARGUMENT…

PARENT is the process id of whoever starts it. Only Linux can do this; elsewhere the program runs without the tie.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2)


def main():
    parent, *command = sys.argv[1:]
    if sys.platform == "linux" and ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM) != 0:
        sys.exit(f"voxgate: the gateway cannot be started: prctl: {os.strerror(ctypes.get_errno())}")
    # It may have died before the signal was asked for.
    if os.getppid() != int(parent):
        sys.exit(1)
    # Python ignores these, and a program would inherit that.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"voxgate: the gateway cannot be started: {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
