"""``snf-burnin-run``: the tests by a timer, with a file and a mail (administration contract 6.3)."""

from __future__ import annotations

import argparse
import configparser
import os
import smtplib
import stat
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

_CONFIG = Path("/etc/synnefo/burnin.ini")
#: Most characters of the tests' output that a mail carries, from its end.
_MAX_MAIL = 200_000
_EXAMPLE = """\
the file has the options of snf-burnin, without their dashes, and where to mail the result:

  [burnin]
  auth-url = https://cloud.example.org/astakos/identity/v2.0
  token = …
  no-ipv6 = true

  [mail]
  to = operators@example.org, nina@example.org
  from = burnin@example.org
  host = localhost
  port = 25
  always = false

Without "always" only failures are mailed. Keep the file unreadable for others: it has a token.
Exit status: that of snf-burnin, and 2 for a wrong file."""

Tests = Callable[[Sequence[str], str], tuple[int, str]]
Send = Callable[["Mailing", EmailMessage], None]


class ConfigError(Exception):
    """The configuration file can't be used."""


@dataclass(frozen=True)
class Mailing:
    """Where results go; ``always`` also when all is well."""

    to: str
    sender: str
    host: str
    port: int
    always: bool


@dataclass(frozen=True)
class Config:
    """What the file says; the token is kept off the command line, which others can read."""

    arguments: tuple[str, ...]
    token: str
    mailing: Mailing | None


def read_config(path: Path) -> Config:
    """Return what the file at *path* says; raises ``ConfigError`` in words for people."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        if path.stat().st_mode & stat.S_IRWXO:
            raise ConfigError(f"{path} has a token and is open to everybody: chmod o= {path}")
        with path.open(encoding="utf-8") as file:
            parser.read_file(file)
        tests = dict(parser["burnin"])
        return Config(tuple(_arguments(tests)), tests.get("token", ""), _mailing(parser))
    except (OSError, UnicodeDecodeError, configparser.Error, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from error
    except KeyError as error:
        raise ConfigError(f"{path}: {error.args[0]} is missing") from error


def _arguments(tests: dict[str, str]) -> list[str]:
    """Return the options as they are typed; ``true`` is an option without a value, ``false`` none."""
    words = []
    for name, value in tests.items():
        if name == "token" or value.lower() in ("false", "no", "off"):
            continue
        words.append(f"--{name}" if value.lower() in ("true", "yes", "on") else f"--{name}={value}")
    return words


def _mailing(parser: configparser.ConfigParser) -> Mailing | None:
    if not parser.has_section("mail"):
        return None
    mail = parser["mail"]
    return Mailing(
        to=mail["to"],
        sender=mail.get("from", "burnin@localhost"),
        host=mail.get("host", "localhost"),
        port=mail.getint("port", 25),
        always=mail.getboolean("always", False),
    )


def run_tests(arguments: Sequence[str], token: str) -> tuple[int, str]:
    """Run ``snf-burnin`` and return its exit status and what it printed."""
    command = [sys.executable, "-m", "cyclades.burnin", "--final-report-only", "--no-colors", *arguments]
    environment = os.environ | ({"SNF_BURNIN_TOKEN": token} if token else {})
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        encoding="utf-8",
        errors="replace",
    )
    return done.returncode, done.stdout


def send(mailing: Mailing, message: EmailMessage) -> None:
    """Hand *message* to the mail server; raises ``OSError`` and ``SMTPException``."""
    with smtplib.SMTP(mailing.host, mailing.port, timeout=60) as server:
        server.send_message(message)


def compose(mailing: Mailing, status: int, output: str) -> EmailMessage:
    """Return the mail that tells the result."""
    message = EmailMessage()
    message["From"], message["To"] = mailing.sender, mailing.to
    message["Subject"] = "snf-burnin: all passed" if status == 0 else f"snf-burnin: FAILED (status {status})"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(output[-_MAX_MAIL:] or "It printed nothing.\n")
    return message


def main(arguments: Sequence[str] | None = None, *, tests: Tests = run_tests, deliver: Send = send) -> int:
    """Run ``snf-burnin-run``; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="snf-burnin-run",
        description="Run snf-burnin as a file says and mail the result, for cron and timers.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, default=_CONFIG, metavar="FILE", help=f"default: {_CONFIG}")
    try:
        config = read_config(parser.parse_args(arguments).config)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    status, output = tests(config.arguments, config.token)
    print(output, end="")
    if config.mailing is not None and (status or config.mailing.always):
        try:
            deliver(config.mailing, compose(config.mailing, status, output))
        except (OSError, smtplib.SMTPException) as error:
            print(f"error: the result was not mailed: {error}", file=sys.stderr)
            return status or 1
    return status
