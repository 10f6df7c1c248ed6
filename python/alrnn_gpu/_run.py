"""From settings and data to what a run folder holds."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import _native
from ._data import Trials
from ._settings import plain
from ._watch import Callback, Watch


@dataclass
class Run:
    """A run folder, read. `models` are the best of each member that was scored, the best member first."""

    path: Path
    settings: dict[str, Any]
    record: dict[str, Any]
    members: list[dict[str, Any]]
    log: list[dict[str, Any]]
    models: list[tuple[str, _native.Model]]
    epochs_done: int = 0
    epochs: int = 0
    #: What ended training early.
    raised: BaseException | None = None
    #: Removes the folder when it is gone, where nobody asked for one.
    temporary: tempfile.TemporaryDirectory[str] | None = None


def read(path: str | os.PathLike[str]) -> Run:
    return Run(path=Path(path), **_native.read_run(path))


def train(
    settings: dict[str, Any],
    data: Trials,
    test: Trials | None,
    *,
    out: str | os.PathLike[str] | None,
    resume: bool,
    callback: Callback | None,
    progress: bool | None,
) -> Run:
    """Trains into the folder `out`, or a temporary one. With `resume` goes on with what is there, or starts."""
    temporary = tempfile.TemporaryDirectory(prefix="alrnn-") if out is None else None
    folder = Path(temporary.name if temporary else out)  # type: ignore[arg-type]
    resume = resume and (folder / "config.toml").is_file()
    watch = Watch(callback, progress)
    try:
        done, raised = _native.train(plain(settings), data, test, folder, resume, watch)
    finally:
        watch.close()
    run = read(folder)
    run.epochs_done, run.epochs, run.raised, run.temporary = done, watch.epochs, raised, temporary
    return run
