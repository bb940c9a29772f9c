"""A line on the terminal that shows how far a long job is."""

from __future__ import annotations

import time
from typing import Any

_WIDTH = 30
_SECONDS = 0.5
_SECONDS_IN_LOGS = 30.0


class ProgressBar:
    """Writes to ``stream``: one changing line on a terminal, a line every half minute elsewhere."""

    def __init__(self, stream: Any, *, quiet: bool = False) -> None:
        self._stream = stream
        self._is_terminal = bool(getattr(stream, "isatty", lambda: False)())
        self._interval = _SECONDS if self._is_terminal else _SECONDS_IN_LOGS
        self._quiet = quiet
        self._last = time.monotonic()
        self._drawn = 0

    def __call__(self, doing: str, share: float | None, count: int) -> None:
        """Show that ``count`` things are done, which is ``share`` (0 to 1) of all, if that is known."""
        now = time.monotonic()
        if self._quiet or now - self._last < self._interval:
            return
        self._last = now
        if share is None:
            text = f"{doing}: {count}"
        else:
            done = round(share * _WIDTH)
            text = f"{doing}: [{'#' * done}{'.' * (_WIDTH - done)}] {share:4.0%} {count}"
        if self._is_terminal:
            self._stream.write("\r" + text.ljust(self._drawn), ending="")
            self._stream.flush()
            self._drawn = len(text)
        else:
            self._stream.write(text)

    def finish(self) -> None:
        """Leave the line."""
        if self._drawn:
            self._stream.write("\r" + " " * self._drawn + "\r", ending="")
            self._drawn = 0
