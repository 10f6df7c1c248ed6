#!/bin/sh
# The first day with a card: parity, time of every kernel, of steps by members, and JAX on the same card, in nine minutes;
# leaves a Markdown section for benches/RESULTS.md. Needs Python 3.9 and what `benches/hardware.sh --pack` made where there is a
# toolchain, but neither a toolchain nor a network. `--help` has the rest.
exec "${PYTHON:-python3}" "$(dirname "$0")/hardware.py" "$@"
