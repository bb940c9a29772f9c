"""The command by which staff write to users."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from pytest_django import DjangoCaptureOnCommitCallbacks

from tests.astakos.conftest import MakeUser

pytestmark = [pytest.mark.db, pytest.mark.django_db]


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "text"
    path.write_text("We are back on Monday.")
    return str(path)


def test_each_named_user_gets_a_mail_of_his_own(
    make_user: MakeUser, text: str, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    maria = make_user()
    make_user("joe@lab.example")
    with django_capture_on_commit_callbacks(execute=True):
        call_command("user-mail", "joe@lab.example", maria.uuid, "--text", text, "--subject", "Hello")
    assert [message.to for message in mail.outbox] == [["joe@lab.example"], ["maria@lab.example"]]
    assert {message.subject for message in mail.outbox} == {"Hello"}
    assert all("back on Monday" in message.body for message in mail.outbox)


def test_everybody_means_who_is_active(
    make_user: MakeUser, monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:  # fmt: skip
    people = [make_user(f"u{number}@lab.example").row for number in range(4)]
    people[1].is_active = False
    people[1].save()
    monkeypatch.setattr("astakos.logic.users._BATCH", 2)
    monkeypatch.setattr("sys.stdin", io.StringIO("We are back on Monday."))
    with django_capture_on_commit_callbacks(execute=True):
        call_command("user-mail", "--all", "--text", "-")
    assert [message.to[0] for message in mail.outbox] == [f"u{number}@lab.example" for number in (0, 2, 3)]


def test_the_others_are_mailed_when_one_is_unknown(
    make_user: MakeUser, text: str, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    make_user()
    with django_capture_on_commit_callbacks(execute=True), pytest.raises(CommandError) as refusal:
        call_command("user-mail", "nobody@lab.example", "maria@lab.example", "--text", text)
    assert (refusal.value.returncode, len(mail.outbox)) == (2, 1)


@pytest.mark.parametrize("words", [(), ("--all", "maria@lab.example")])
def test_whom_must_be_said_in_one_way(db: None, text: str, words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match="Name users, or say --all"):
        call_command("user-mail", *words, "--text", text)


def test_a_text_that_cannot_be_read_is_an_error(db: None, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="Cannot read the text"):
        call_command("user-mail", "--all", "--text", str(tmp_path / "none"))
