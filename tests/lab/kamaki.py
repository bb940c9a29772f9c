"""The last released kamaki, which runs on Python 2.7 only."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.lab import programs
from tests.lab.instance import LabError, Unavailable, cache_directory, file_lock

#: The only reason for which CI accepts a skipped test.
PYTHON_MISSING = "kamaki needs Python 2.7, which this machine does not have"

_VIRTUALENV = "virtualenv==20.15.1"
_REQUIREMENTS = ["objpool==0.4", "progress==1.5", "python-dateutil<2.9", "ansicolors"]
_PROGRAMS = ["kamaki==0.16", "astakosclient==0.19"]


def python27() -> Path:
    """A Python 2.7 of this machine; Unavailable when there is none."""
    candidates = [shutil.which("python2.7")]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    # Somebody else's home cannot be searched.
    with contextlib.suppress(PermissionError):
        candidates += [str(path) for path in sorted(pyenv.glob("versions/2.7*/bin/python2.7"))]
    for candidate in candidates:
        if candidate is None:
            continue
        # A pyenv shim exists even when its version is not selected.
        with contextlib.suppress(OSError):
            probe = subprocess.run([candidate, "-c", "import ssl"], check=False, capture_output=True)
            if probe.returncode == 0:
                return Path(candidate)
    raise Unavailable(PYTHON_MISSING)


def _pip(python: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "-q", *arguments]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    result = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    if result.returncode != 0:
        raise LabError(f"{' '.join(command)} failed: {result.stderr[-2000:]}")


def _build(python: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    tools = target.with_name(target.name + ".tools")
    _pip(python, "--target", str(tools), _VIRTUALENV)
    environment = {**os.environ, "PYTHONPATH": str(tools)}
    command = [str(python), "-m", "virtualenv", "-q", "--no-periodic-update", str(target)]
    result = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    shutil.rmtree(tools, ignore_errors=True)
    if result.returncode != 0:
        raise LabError(f"virtualenv failed: {result.stdout}{result.stderr}")
    _pip(target / "bin" / "python", *_REQUIREMENTS)
    _pip(target / "bin" / "python", "--no-deps", *_PROGRAMS)


def kamaki_program() -> Path:
    """Path of the ``kamaki`` command, built on first use and kept in the cache."""
    python = python27()
    target = cache_directory() / "kamaki-0.16"
    program = target / "bin" / "kamaki"
    with file_lock(cache_directory() / "kamaki.lock"):
        if not (target / "complete").exists():
            _build(python, target)
            (target / "complete").write_text(str(python))
    return program


class Kamaki:
    """Runs kamaki against one cloud, with a configuration file of its own."""

    def __init__(self, program: Path, directory: Path) -> None:
        self._program = program
        self.directory = directory
        self.configuration = directory / "kamakirc"

    def configure(self, *, auth_url: str, token: str, cloud: str = "demo") -> None:
        """Write the configuration: ``auth_url`` ends in ``/identity/v2.0``."""
        self.configuration.write_text(
            f"[global]\ndefault_cloud = {cloud}\nignore_ssl = on\nhistory_file = {self.directory}/history\n"
            f'log_file = {self.directory}/log\n[cloud "{cloud}"]\nurl = {auth_url}\ntoken = {token}\n'
        )

    def __call__(self, *arguments: str | Path, check: bool = True, input: str = "") -> str:
        """Run one command; returns its output. LabError with all it printed when it fails and ``check``."""
        result = self.run(arguments, input=input)
        if check and result.returncode != 0:
            words = " ".join(str(word) for word in arguments)
            raise LabError(f"kamaki {words}: status {result.returncode}\n{result.stdout}{result.stderr}")
        return result.stdout

    def json(self, *arguments: str | Path) -> Any:
        """Run one command and decode what it prints as JSON."""
        return json.loads(self(*arguments, "--output-format", "json"))

    def run(self, arguments: Sequence[str | Path], *, input: str = "") -> subprocess.CompletedProcess[str]:
        """Run one command and hand back everything about it."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "LANG": "C.UTF-8",
            "PYTHONIOENCODING": "utf-8",
        }
        words = [str(self._program), "-c", str(self.configuration), *[str(word) for word in arguments]]
        if not "".join(words).isascii():
            # Loaded before, Python 2.7 does not decode all of these words.
            return subprocess.run(
                words, check=False, input=input, text=True, capture_output=True, timeout=180, env=environment
            )
        return programs.kamaki(self._program).run(words, environment=environment, input=input)
