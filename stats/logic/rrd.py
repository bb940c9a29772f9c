"""The files that collectd keeps of an instance, read by the program ``rrdtool`` (ganeti-backend contract 12).

The program rather than its library: a damaged file ends a child process and not a web process, the library is
not safe among threads, and its binding exists only as source for a compiler.
"""

from __future__ import annotations

import logging
import math
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from django.conf import settings

from synnefo.errors import NotFound, ServiceUnavailable

PROGRAM = "rrdtool"
#: Seconds that all calls of the program for one picture may take.
TIME_LIMIT = 10
#: Rows, newest last, among which the present value is looked for.
RECENT_ROWS = 20
#: Seconds that are asked for: what collectd's finest archive holds, so that its rows are what comes.
_RECENT = 3600
_INTERFACE = re.compile(r"if_octets-eth[0-9]{1,3}\.rrd")
_MAX_INTERFACES = 64

log = logging.getLogger(__name__)


def deadline() -> float:
    """Return until when, by the monotonic clock, a picture that is begun now must be drawn."""
    return time.monotonic() + TIME_LIMIT


def cpu_file(instance: str) -> Path:
    """Return the file of processor use; *instance* is a validated name. Raises ``NotFound``."""
    path = Path(settings.RRD_PREFIX) / instance / "cpu" / "virt_cpu_total.rrd"
    if path.name not in _names(path.parent):
        raise NotFound("No such instance")
    return path


def interface_files(instance: str) -> list[Path]:
    """Return the files of all interfaces, one at least; raises ``NotFound``."""
    folder = Path(settings.RRD_PREFIX) / instance
    if not _names(folder):
        raise NotFound("No such instance")
    names = [name for name in _names(folder / "interface") if _INTERFACE.fullmatch(name)]
    if not names:
        raise NotFound("VM has no attached NICs")
    return [folder / "interface" / name for name in names[:_MAX_INTERFACES]]


def _names(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        log.error("cannot read %s: %s", folder, error)
        raise _unreadable() from error


def present_values(path: Path, *, until: float) -> dict[str, float]:
    """Return the newest known value of each data source of a file; 0 for one without recent values."""
    told = run("fetch", str(path), "AVERAGE", f"--start=-{_RECENT}", until=until)
    lines = told.decode("ascii", "replace").splitlines()
    sources = lines[0].split() if lines else []
    values = dict.fromkeys(sources, 0.0)
    for line in lines[-RECENT_ROWS:]:
        moment, colon, row = line.partition(":")
        if not colon or not moment.strip().isdigit():
            continue
        known = zip(sources, (number(word) for word in row.split()), strict=False)
        values |= {source: value for source, value in known if value is not None}
    return values


def number(word: str) -> float | None:
    """Return what the program means by *word*, ``None`` for a value it does not know."""
    try:
        value = float(word)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def program() -> str:
    """Return where ``rrdtool`` is; raises ``ServiceUnavailable`` when it is missing."""
    found = shutil.which(PROGRAM)
    if found is None:
        log.error("the program %s is not installed: no graph can be drawn", PROGRAM)
        raise ServiceUnavailable("This host cannot draw graphs", retry_after=300)
    return found


def run(*arguments: str, until: float) -> bytes:
    """Return what ``rrdtool`` prints; raises ``ServiceUnavailable`` without it or without success.

    It has to be done *until* a ``deadline``.
    """
    left = until - time.monotonic()
    if left <= 0:
        log.error("rrdtool %s: no time is left for it", arguments[0])
        raise _too_slow()
    try:
        result = subprocess.run(
            [program(), *arguments],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=left,
            check=False,
        )
    except (subprocess.TimeoutExpired, OSError) as error:
        log.error("rrdtool %s: %s", arguments[0], error)
        raise _too_slow() from error
    if result.returncode:
        told = result.stderr.decode("utf-8", "replace").strip()[:500]
        log.error("rrdtool %s: %s", arguments[0], told)
        raise _unreadable()
    return result.stdout


def _too_slow() -> ServiceUnavailable:
    return ServiceUnavailable("The graph could not be drawn in time")


def _unreadable() -> ServiceUnavailable:
    return ServiceUnavailable("The statistics of this server cannot be read", retry_after=60)


def _environment() -> dict[str, str]:
    """Return the little that the program needs; ours has secrets."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return inherited | {"LC_ALL": "C.UTF-8", "TZ": settings.TIME_ZONE}
