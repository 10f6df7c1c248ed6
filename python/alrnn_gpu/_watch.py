"""What is shown and told while training."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

#: Called with the epochs completed and a row (as in `log.csv`) of every member that was scored.
Callback = Callable[[int, list[dict[str, Any]]], object]


class Watch:
    """Progress on stderr (by tqdm where it is installed, a line an evaluation otherwise) and the user's callback."""

    def __init__(self, callback: Callback | None, progress: bool | None):
        self._callback = callback
        self._shown = sys.stderr is not None and (is_interactive() or sys.stderr.isatty()) if progress is None else progress
        self._bar: Any = None
        self.epochs = 0

    def started(self, done: int, epochs: int, members: int, device: str) -> None:
        self.epochs = epochs
        if not self._shown:
            return
        models = "model" if members == 1 else f"{members} models"
        try:
            from tqdm.auto import tqdm
        except ImportError:
            print(f"training {models} on {device}", file=sys.stderr)
        else:
            self._bar = tqdm(total=epochs, initial=done, unit="epoch", desc=f"{models} on {device}")

    def epoch(self, epoch: int) -> None:
        if self._bar is not None:
            self._bar.update(epoch - self._bar.n)

    def evaluation(self, epoch: int, rows: list[dict[str, Any]], best: str | None) -> None:
        if self._shown:
            self._show(epoch, next((row for row in rows if row["member"] == best), {}))
        if self._callback is not None:
            self._callback(epoch, rows)

    def _show(self, epoch: int, row: dict[str, Any]) -> None:
        scores = {name: f"{row[name]:.4g}" for name in ("loss", "D_stsp", "D_H") if row.get(name) is not None}
        if self._bar is not None:
            self._bar.set_postfix(scores)
        else:
            text = "  ".join(f"{name} {value}" for name, value in scores.items())
            print(f"epoch {epoch}/{self.epochs}  {text}", file=sys.stderr)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def is_interactive() -> bool:
    """Whether someone sits at a prompt or in a notebook."""
    return hasattr(sys, "ps1")


def go_on_or_raise(raised: BaseException | None, epoch: int, epochs: int) -> None:
    """What ended training early goes to the caller, but Ctrl-C at a prompt only ends the training."""
    if raised is None:
        return
    if isinstance(raised, KeyboardInterrupt) and is_interactive():
        warnings.warn(f"stopped after epoch {epoch} of {epochs}; what was trained until then is kept", stacklevel=3)
        return
    raise raised
