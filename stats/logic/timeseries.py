"""Graphs of a day or a week, drawn by rrdtool (ganeti-backend contract 12.3)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from stats.logic import rrd

#: Seconds that a graph goes back.
DAY, WEEK = 86_400, 7 * 86_400
#: Seconds before now that it ends: what is newer has not been written yet.
_DELAY = 20
_IN, _OUT = "#00ff00", "#0000ff"


def cpu(instance: str, *, seconds: int) -> bytes:
    """Return the graph of an instance's processor use, in percent."""
    source = _source("cpu", rrd.cpu_file(instance), "value")
    line = f"LINE1:cpu{_IN}:CPU"
    return _graph(seconds, "--vertical-label=%", "--lower-limit=0", source, line, until=rrd.deadline())


def net(instance: str, *, seconds: int) -> bytes:
    """Return the graph of what all of an instance's interfaces receive and send, in bits a second."""
    files = rrd.interface_files(instance)
    until = rrd.deadline()
    series = [*_sum("in", "rx", files), *_sum("out", "tx", files)]
    known = _known_averages(seconds, series, until)
    elements = [
        *series,
        f"LINE1:in{_IN}:Incoming",
        _average("inaverage", is_known=known[0]),
        f"LINE1:out{_OUT}:Outgoing",
        _average("outaverage", is_known=known[1]),
    ]
    options = ("--vertical-label=Bits/s", "--lower-limit=0", "--units=si")
    return _graph(seconds, *options, *elements, until=until)


def _known_averages(seconds: int, series: Sequence[str], until: float) -> list[bool]:
    """Tell whether there is any value of what comes in and of what goes out."""
    # Without anything to draw only what is to be printed is: a size, then one line for each.
    told = _graph(
        seconds, *series, "PRINT:inaverage:%lf", "PRINT:outaverage:%lf", until=until, target=os.devnull
    )
    words = told.decode("ascii", "replace").split()[1:3]
    return [rrd.number(word) is not None for word in words] + [False] * (2 - len(words))


def _average(name: str, *, is_known: bool) -> str:
    return rf"GPRINT:{name}:average %6.2lf %sbit/s\l" if is_known else r"COMMENT:average -\l"


def _sum(name: str, source: str, files: Sequence[Path]) -> list[str]:
    """Return what defines *name* as the bits of all *files*; an interface without a value counts nothing."""
    parts = [f"{source}{number}" for number in range(len(files))]
    additions = ",ADDNAN" * (len(parts) - 1)
    return [
        *(_source(part, path, source) for part, path in zip(parts, files, strict=True)),
        f"CDEF:{name}={','.join(parts)}{additions},8,*",
        f"VDEF:{name}average={name},AVERAGE",
    ]


def _source(name: str, path: Path, source: str) -> str:
    escaped = str(path).replace(":", "\\:")
    return f"DEF:{name}={escaped}:{source}:AVERAGE"


def _graph(seconds: int, *elements: str, until: float, target: str = "-") -> bytes:
    # A dash for a file name is standard output.
    return rrd.run("graph", target, f"--start=-{seconds}", f"--end=-{_DELAY}", *elements, until=until)
