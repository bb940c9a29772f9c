"""snf-burnin-run: what its file says becomes a command line and a mail."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

import pytest

from cyclades.burnin.options import parse_options
from cyclades.burnin.scheduled import Mailing, main

pytestmark = pytest.mark.unit

TESTS = "[burnin]\nauth-url = http://cloud/identity/v2.0\ntoken = secret\nno-ipv6 = true\nfailfast = no\n"
MAIL = "[mail]\nto = a@lab.example, b@lab.example\nport = 2525\n"


def run(path: Path, text: str, *, status: int = 0, mode: int = 0o640) -> tuple[int, list[object]]:
    """Return the exit status and what was run and mailed."""
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    seen: list[object] = []

    def tests(arguments, token) -> tuple[int, str]:
        seen.append((parse_options([*arguments, "--token", token]), token))
        return status, "one failed\n"

    def deliver(mailing: Mailing, message: EmailMessage) -> None:
        seen.append((mailing, message))

    return main(["--config", str(path)], tests=tests, deliver=deliver), seen


def test_the_file_is_the_command_line(tmp_path: Path) -> None:
    status, [(options, token)] = run(tmp_path / "b.ini", TESTS)
    assert (status, token, options.auth_url) == (0, "secret", "http://cloud/identity/v2.0")
    assert (options.ipv6, options.failfast) == (False, False)


def test_failures_are_mailed_and_success_only_when_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "b.ini"
    status, [_, (mailing, message)] = run(path, TESTS + MAIL, status=1)
    assert (status, mailing.port, message["To"]) == (1, 2525, "a@lab.example, b@lab.example")
    assert "FAILED" in message["Subject"]
    assert message.get_content() == "one failed\n"
    assert len(run(path, TESTS + MAIL)[1]) == 1
    assert len(run(path, TESTS + MAIL + "always = yes\n")[1]) == 2


@pytest.mark.parametrize(
    ("text", "mode", "word"),
    [(TESTS, 0o644, "chmod"), ("[mail]\nto = a\n", 0o640, "burnin"), (TESTS + "[mail]\n", 0o640, "to")],
)
def test_wrong_files_run_nothing(tmp_path: Path, capsys, text: str, mode: int, word: str) -> None:
    status, seen = run(tmp_path / "b.ini", text, mode=mode)
    assert (status, seen) == (2, [])
    assert word in capsys.readouterr().err
