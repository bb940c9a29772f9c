"""The demo cloud, as ``make run`` starts it, for the tests that use one as its user does."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab import forked_client, migrated
from tests.lab.forked import Forked, forked
from tests.lab.instance import free_ports

PROJECT = Path(__file__).resolve().parents[2]
#: Seconds; the machine may be busy.
START_SECONDS = 500

#: ``snf-manage`` with everything imported. Django reads its settings once, so files that changed mean
#: loading all of it again.
_MANAGE = """
import os, sys
sys.path.insert(0, {project!r})
os.environ["DJANGO_SETTINGS_MODULE"] = "synnefo.settings"
def state():
    with os.scandir(os.environ["SYNNEFO_SETTINGS_DIR"]) as files:
        return sorted((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files)
from synnefo.management.runner import command_names
command_names()
from django.urls import get_resolver
get_resolver().url_patterns
from synnefo.cli import main
"""


@dataclass(frozen=True)
class Demo:
    """A running demo below ``folder``, where a reader of the guides would be."""

    folder: Path
    port: int
    manage: Forked

    @property
    def data(self) -> Path:
        """The directory that the demo keeps everything in."""
        return self.folder / "var/demo"

    @property
    def base_url(self) -> str:
        """The address of its web server, without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def banner(self) -> str:
        """What the launcher said."""
        return (self.folder / "demo.log").read_text()

    def shell(self, script: Path, *, timeout: float) -> subprocess.CompletedProcess[str]:
        """Run a script of Bash there, whose ``snf-manage`` is this demo's; its errors are in its output."""
        self.manage.start()
        environment = plain_environment()
        # Ours, as a python3 that is a script which looks for one takes five times as long.
        python = Path(sys.executable).parent
        environment["PATH"] = f"{self.folder / 'bin'}:{python}:{environment['PATH']}"
        return subprocess.run(
            ["bash", script], cwd=self.folder, env=environment, text=True, check=False, timeout=timeout,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip


def plain_environment() -> dict[str, str]:
    """Return the environment without what chooses settings."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SYNNEFO_") and name != "DJANGO_SETTINGS_MODULE"
    }


@contextlib.contextmanager
def running_demo(folder: Path) -> Iterator[Demo]:
    """Run a demo in an empty directory; its database begins migrated."""
    data = folder / "var/demo"
    data.mkdir(parents=True)
    shutil.copy(migrated.sqlite_file(), data / "db.sqlite3")
    port = free_ports(1)[0]
    code = _MANAGE.format(project=str(PROJECT))
    settings = plain_environment() | {"SYNNEFO_SETTINGS_DIR": str(data / "settings")}
    with forked(sys.executable, code, environment=settings) as manage:
        _write_command(folder / "bin/snf-manage", manage)
        with (folder / "demo.log").open("wb") as log:
            launcher = subprocess.Popen(
                [sys.executable, "-m", "synnefo.demo", "--port", str(port), "--data", data],
                cwd=PROJECT, env=plain_environment(), stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            demo = Demo(folder, port, manage)
            deadline = time.monotonic() + START_SECONDS
            while "Your cloud is running" not in demo.banner:
                assert launcher.poll() is None and time.monotonic() < deadline, f"no demo: {demo.banner}"
                time.sleep(0.2)
            yield demo
        finally:
            _stop(launcher)


def _write_command(path: Path, program: Forked) -> None:
    path.parent.mkdir()
    words = [sys.executable, "-IS", forked_client.__file__, str(program.socket)]
    path.write_text(f'#!/bin/sh\nexec {" ".join(words)} snf-manage "$@"\n')
    path.chmod(0o755)


def _stop(launcher: subprocess.Popen[bytes]) -> None:
    launcher.send_signal(signal.SIGINT)
    try:
        launcher.wait(timeout=60)
    except subprocess.TimeoutExpired:
        # Its processes end with it: they asked the kernel for that.
        launcher.kill()
        launcher.wait()
