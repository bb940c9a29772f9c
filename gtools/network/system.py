"""What changes the node: commands, kernel switches, rule sets. The dry run prints them instead."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TextIO

from gtools.network.errors import NetworkError

logger = logging.getLogger("snf-network")

COMMAND_SECONDS = 20


class System(Protocol):
    """The node, or an imagined one."""

    def run(self, *command: str, check: bool = True) -> bool:
        """Run a command; return whether it succeeded, raise `NetworkError` if it had to."""

    def write(self, path: str, text: str) -> None:
        """Write to a kernel switch that exists; others are passed over."""

    def nft(self, script: str) -> None:
        """Apply a script as one transaction; raise `NetworkError`."""


class RealSystem:
    """This node."""

    def run(self, *command: str, check: bool = True) -> bool:
        """Run a command (`System.run`)."""
        result = _execute(command)
        if result.returncode != 0 and check:
            raise NetworkError(f"{' '.join(command)}: {result.stdout.strip()[:500]}")
        return result.returncode == 0

    def write(self, path: str, text: str) -> None:
        """Write to a kernel switch (`System.write`)."""
        if Path(path).exists():
            Path(path).write_text(text)

    def nft(self, script: str) -> None:
        """Apply a rule set (`System.nft`)."""
        result = _execute(("nft", "-f", "-"), script)
        if result.returncode != 0:
            raise NetworkError(f"nft: {result.stdout.strip()[:2000]}")


class DryRun:
    """Prints what would happen."""

    def __init__(self, output: TextIO | None = None) -> None:
        self._output = output or sys.stdout

    def run(self, *command: str, check: bool = True) -> bool:
        """Print a command; the ones that loop until failure end at once."""
        self._output.write(" ".join(command) + "\n")
        return check

    def write(self, path: str, text: str) -> None:
        """Print a switch."""
        self._output.write(f"echo {text} > {path}\n")

    def nft(self, script: str) -> None:
        """Print a rule set."""
        self._output.write(f"nft -f - <<EOF\n{script}EOF\n")


def _execute(command: Sequence[str], text: str = "") -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            check=False,
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=COMMAND_SECONDS,
        )
    except FileNotFoundError as error:
        raise NetworkError(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise NetworkError(f"{' '.join(command)}: no end after {COMMAND_SECONDS} s") from error
