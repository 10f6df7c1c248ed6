"""The command line program: `alrnn-gpu`, or `python -m alrnn_gpu`."""

import signal
import sys

from . import _native


def main() -> int:
    """Runs the program on the arguments of this process; returns its exit status."""
    # Python's handler would only be heard once the program has ended.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _native.command_line(["alrnn-gpu", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
