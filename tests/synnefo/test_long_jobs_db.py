"""What long administrator's jobs share: their line on the terminal, and that only one runs."""

from __future__ import annotations

import io
import threading

import pytest

from synnefo.db.single_run import single_run
from synnefo.errors import Conflict
from synnefo.management.progress import ProgressBar


class Stream(io.StringIO):
    """As a command's stream: a text without an ending gets a newline."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str, ending: str = "\n") -> int:
        return super().write(text + ending)


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


@pytest.mark.unit
def test_a_terminal_has_one_changing_line_that_vanishes_at_the_end(clock):
    stream = Stream(terminal=True)
    bar = ProgressBar(stream)
    bar("copying", 0.1, 1)
    clock[0] += 1
    bar("copying", 0.5, 5)
    assert stream.getvalue() == f"\rcopying: [{'#' * 15}{'.' * 15}]  50% 5"
    clock[0] += 1
    bar("reading", None, 7)
    assert stream.getvalue().rstrip().endswith("\rreading: 7")
    bar.finish()
    assert stream.getvalue().endswith("\r")


@pytest.mark.unit
def test_a_log_gets_a_line_every_half_minute_and_quiet_means_none(clock):
    stream, silent = Stream(terminal=False), Stream(terminal=False)
    bars = ProgressBar(stream), ProgressBar(silent, quiet=True)
    for count in range(100):
        clock[0] += 1
        for bar in bars:
            bar("copying", count / 100, count)
    assert len(stream.getvalue().splitlines()) == 3
    assert silent.getvalue() == ""


@pytest.mark.db
def test_a_job_runs_once_and_again_when_it_is_over_or_has_failed(db):
    refused: list[bool] = []

    def try_it() -> None:
        try:
            with single_run("a-job"):
                refused.append(False)
        except Conflict:
            refused.append(True)

    def elsewhere() -> None:
        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()

    with pytest.raises(ZeroDivisionError), single_run("a-job"):
        elsewhere()
        with single_run("another-job"):
            raise ZeroDivisionError
    elsewhere()
    assert refused == [True, False]


@pytest.mark.db
def test_a_job_may_begin_again_the_moment_it_is_over(db):
    for _ in range(5):
        with single_run("a-job"):
            pass
