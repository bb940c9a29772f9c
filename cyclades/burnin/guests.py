"""Servers seen from outside: ping, open ports, logins."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cyclades.burnin.client import log
from cyclades.burnin.failures import CheckFailed
from cyclades.burnin.options import Options

#: The identity of a server changes with every run, so none is remembered.
_SSH = (
    "ssh", "-F", "/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
    "-o", "GlobalKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=15",
    "-o", "NumberOfPasswordPrompts=1",
)  # fmt: skip
_PASSWORD_ONLY = (
    "-o",
    "PubkeyAuthentication=no",
    "-o",
    "PreferredAuthentications=password,keyboard-interactive",
)
_KEY_ONLY = ("-o", "PasswordAuthentication=no", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes")
_SECONDS = 90


@dataclass(frozen=True)
class Login:
    """How to get into a server; one of password and key."""

    address: str
    user: str
    password: str = ""
    key: str = ""


class Guests:
    """Runs the programs ``ping`` and ``ssh``, through ``--command-prefix`` if one is given."""

    def __init__(self, options: Options) -> None:
        self._prefix = options.command_prefix
        self._temporary = options.temp_directory

    def pings(self, address: str) -> bool:
        """Whether a server answers one echo request within a few seconds."""
        ping = ["ping"] if shutil.which("ping") else ["busybox", "ping"]
        return self._run([*ping, "-c", "1", "-W", "3", address]).returncode == 0

    def shell(self, login: Login, command: str) -> str:
        """Run a command inside a server; returns its output or raises ``CheckFailed``."""
        with tempfile.TemporaryDirectory(prefix="snf-burnin-", dir=self._temporary) as name:
            result = self._login(login, command, Path(name))
        if result.returncode != 0:
            raise CheckFailed(f"ssh {login.user}@{login.address} '{command}': {result.stderr.strip()[-300:]}")
        return result.stdout

    def answers_ssh(self, login: Login) -> bool:
        """Whether a login works by now."""
        try:
            self.shell(login, "true")
        except CheckFailed as error:
            log.info("%s", error)
            return False
        return True

    def _login(self, login: Login, command: str, folder: Path) -> subprocess.CompletedProcess[str]:
        target = f"{login.user}@{login.address}"
        if login.key:
            key = folder / "key"
            key.touch(mode=0o600)
            key.write_text(login.key)
            return self._run([*_SSH, *_KEY_ONLY, "-i", str(key), target, command])
        helper = folder / "askpass"
        helper.touch(mode=0o700)
        # The password comes through the environment: arguments can be read by every user of the machine.
        helper.write_text("#!/bin/sh\nprintf '%s\\n' \"$SNF_BURNIN_PASSWORD\"\n")
        environment = {
            "SSH_ASKPASS": str(helper),
            "SSH_ASKPASS_REQUIRE": "force",
            "DISPLAY": ":0",
            "SNF_BURNIN_PASSWORD": login.password,
        }
        return self._run([*_SSH, *_PASSWORD_ONLY, target, command], environment)

    def _run(
        self, command: Sequence[str], environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        words = [*self._prefix, *command]
        log.info("$ %s", " ".join(words))
        try:
            return subprocess.run(
                words,
                check=False,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SECONDS,
                env={**os.environ, **(environment or {})},
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(words, 124, "", "no end in time")
        except OSError as error:
            raise CheckFailed(f"{words[0]} cannot be run: {error}") from None
