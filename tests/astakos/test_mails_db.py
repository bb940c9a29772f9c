"""Mails: their templates, and the queue that keeps them (identity contract 4.6)."""

from __future__ import annotations

import datetime as dt
import smtplib
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.core.management import call_command
from django.db import transaction
from django.template import engines
from django.test import override_settings
from django.utils import translation
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from astakos.logic import accounts, mail_queue, mails, passwords, users
from astakos.logic.preferences import SIGN_UP_LANGUAGE, language_of, save_preferences
from astakos.models import EmailChange, Invitation, QueuedMail, User
from synnefo import clock
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest
from tests.astakos.conftest import MakeUser, Person

pytestmark = [pytest.mark.db, pytest.mark.django_db]
STAFF = Credentials.administrator()
FOLDER = Path(mails.__file__).parent.parent / "templates/astakos/mail"
ACCOUNT_MAILS = sorted(
    path.stem
    for path in FOLDER.glob("*.html")
    if path.stem not in ("base", "button") and "project" not in path.stem
)


class DownBackend(EmailBackend):
    """A mail server that does not answer, or refuses."""

    error: Exception = ConnectionRefusedError("no mail server")

    def send_messages(self, messages: Any) -> int:
        raise type(self).error


DOWN = f"{__name__}.DownBackend"


@pytest.fixture
def user_row(user: Person) -> User:
    return user.row


def context_of(user: User) -> dict[str, Any]:
    change = EmailChange(user=user, new_email_address="new@lab.example", requested_at=clock.now())
    invitation = Invitation(inviter=user, realname="Guest <b>", email="g@lab.example")
    return {
        "user": user,
        "url": "https://cloud.example/link?a=1&b=2",
        "ec": change,
        "invitation": invitation,
        "expires": clock.now(),
        "email": user.email,
        "message": "Line one\n<b>two</b>",
        "text": "Line one\n<b>two</b>",
        "data": "Firefox",
        "reason": "Because <i>",
        "provider": "local",
    }


@pytest.mark.parametrize("name", ACCOUNT_MAILS)
def test_every_mail_has_a_text_and_a_safe_html_form(user_row: User, name: str) -> None:
    user_row.first_name = "<script>"
    text, html = mails.render(name, context_of(user_row))
    assert "{" not in text
    assert "support@synnefo.org" in text
    assert "<b>two" not in html
    assert "<script>" not in html
    assert "&lt;" not in text
    if "https://cloud.example" in text:
        assert "https://cloud.example/link?a=1&b=2" in text


@pytest.mark.parametrize("replaced", ["astakos/mail/welcome.txt", "im/welcome_email.txt"])
def test_a_site_replaces_a_mail_and_our_html_does_not_contradict_it(
    user_row: User, replaced: str, tmp_path: Path
) -> None:
    file = tmp_path / replaced
    file.parent.mkdir(parents=True)
    file.write_text(
        "Hello {{ user.first_name }}, see {{ url }} or ask {{ support }} ({{ BRANDING_SERVICE_NAME }})"
    )
    configuration = engines["django"].engine
    templates = [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "DIRS": [str(tmp_path), *configuration.dirs],
            "APP_DIRS": True,
        }
    ]
    with override_settings(TEMPLATES=templates):
        text, html = mails.render("welcome", {"user": user_row, "url": "U"})
    assert text == "Hello Maria, see U or ask support@synnefo.org (Synnefo)"
    assert html == ""


def test_subjects_follow_the_settings(settings: Settings) -> None:
    assert mails.subject("GREETING_EMAIL_SUBJECT", "Welcome to %(service)s") == "Welcome to Synnefo"
    settings.ASTAKOS_GREETING_EMAIL_SUBJECT_MESSAGE = "Hi from %(service)s"
    assert mails.subject("GREETING_EMAIL_SUBJECT", "x") == "Hi from Synnefo"
    settings.ASTAKOS_GREETING_EMAIL_SUBJECT_MESSAGE = "%(nothing)s"
    assert mails.subject("GREETING_EMAIL_SUBJECT", "Welcome") == "Welcome"


def queue(subject: str = "s") -> None:
    mails._send("plain", subject=subject, to=["a@lab.example"], context={"text": "t"})


def test_subject_cannot_start_another_header(
    db: None, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        queue("a\nBcc: x@evil.example")
    assert mail.outbox[0].subject == "a Bcc: x@evil.example"


def test_mail_of_a_change_that_failed_is_not_sent(
    db: None, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True), pytest.raises(RuntimeError), transaction.atomic():
        queue()
        raise RuntimeError
    assert mail.outbox == []
    assert not QueuedMail.objects.exists()


def make_due() -> None:
    QueuedMail.objects.update(next_attempt=clock.now() - dt.timedelta(seconds=1))


def test_mail_waits_for_a_server_that_is_down_and_goes_after_the_next_that_works(
    settings: Settings, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    settings.EMAIL_BACKEND = DOWN
    with django_capture_on_commit_callbacks(execute=True):
        queue("first")
    waiting = QueuedMail.objects.get()
    assert (waiting.attempts, waiting.last_error) == (1, "no mail server")
    assert waiting.next_attempt > clock.now()
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    make_due()
    with django_capture_on_commit_callbacks(execute=True):
        queue("second")
    assert [message.subject for message in mail.outbox] == ["second", "first"]
    assert not QueuedMail.objects.exists()


def test_pauses_grow_and_end(settings: Settings, db: None) -> None:
    settings.EMAIL_BACKEND = DOWN
    queue()
    pauses = []
    for _ in range(12):
        make_due()
        assert mail_queue.send_due() == mail_queue.Delivery(0, 1)
        pauses.append(round((QueuedMail.objects.get().next_attempt - clock.now()).total_seconds()))
    assert pauses[:3] == [60, 120, 240]
    assert pauses[-1] == 6 * 3600
    QueuedMail.objects.update(created=clock.now() - dt.timedelta(days=6))
    make_due()
    mail_queue.send_due()
    assert not QueuedMail.objects.exists()


@pytest.mark.parametrize(("code", "kept"), [(550, False), (450, True)])
def test_recipients_who_are_refused_for_good_are_given_up(
    settings: Settings, db: None, code: int, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EMAIL_BACKEND = DOWN
    error = smtplib.SMTPRecipientsRefused({"a@lab.example": (code, b"no")})
    monkeypatch.setattr(DownBackend, "error", error)
    queue()
    mail_queue.send_due()
    assert QueuedMail.objects.exists() is kept


def test_a_mail_is_taken_by_one_process(db: None) -> None:
    queue()
    key = QueuedMail.objects.get().pk
    assert mail_queue._claim(key) is not None
    assert mail_queue._claim(key) is None


def test_background_delivery_leaves_the_request_alone(
    settings: Settings, db: None, monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:  # fmt: skip
    settings.ASTAKOS_MAILS_IN_BACKGROUND = True
    handed: list[int] = []
    monkeypatch.setattr(mail_queue, "_deliver_in_background", handed.append)
    with django_capture_on_commit_callbacks(execute=True):
        queue()
    mail_queue._executor().submit(lambda: None).result()
    assert handed == [QueuedMail.objects.get().pk]


def test_staff_read_about_an_account_on_every_step(
    settings: Settings, db: None, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    settings.HELPDESK = [("Help", "help@lab.example")]
    with django_capture_on_commit_callbacks(execute=True):
        user = users.create(STAFF, email="n@lab.example", first_name="N", last_name="N", password="x")
        accounts.send_verification(STAFF, user_id=user.pk)
        accounts.verify(STAFF, user_id=user.pk)
        accounts.accept(STAFF, user_id=user.pk)
    found = {(message.subject, message.to[0]) for message in mail.outbox}
    assert found == {
        ("Synnefo account verification", "n@lab.example"),
        ("[Synnefo] Synnefo account created (n@lab.example)", "help@lab.example"),
        ("[Synnefo] Synnefo account activated (n@lab.example)", "help@lab.example"),
        ("Welcome to Synnefo", "n@lab.example"),
    }


def test_operator_writes_to_a_user(
    make_user: MakeUser, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    user = make_user().row
    with django_capture_on_commit_callbacks(execute=True):
        mails.send_plain(STAFF, user_id=user.pk, text="Your disk is full.")
    assert mail.outbox[0].subject == "Message from Synnefo"
    assert "Your disk is full." in mail.outbox[0].body
    with pytest.raises(BadRequest):
        mails.send_plain(STAFF, user_id=user.pk, text=" ")


def test_a_mail_is_in_the_language_of_its_reader_and_staffs_in_the_sites(
    make_user: MakeUser,
    settings: Settings,
    tmp_path: Path,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    settings.HELPDESK = [("Help", "help@lab.example")]
    settings.ASTAKOS_REJECTION_MAIL_ENABLED = True
    text = tmp_path / "text"
    text.write_text("Disk full.")
    greek, english = make_user("el@lab.example").row, make_user("en@lab.example").row
    for user, chosen in ((greek, "el"), (english, "en")):
        save_preferences(Credentials(user_id=user.uuid), choices={"language": chosen})
    with django_capture_on_commit_callbacks(execute=True):
        call_command("user-mail", "--text", str(text), greek.email, english.email)
        with translation.override("el"):
            passwords.request_reset(email=english.email, address="192.0.2.1")
            accounts.reject(STAFF, user_id=_waiting("new@lab.example").pk, reason="No")
        with translation.override("en"):
            passwords.request_reset(email=greek.email, address="192.0.2.1")
    found = sorted((message.to[0], message.subject) for message in mail.outbox)
    assert found == [
        ("el@lab.example", "Επαναφορά κωδικού στο Synnefo"),
        ("el@lab.example", "Μήνυμα από το Synnefo"),
        ("en@lab.example", "Message from Synnefo"),
        ("en@lab.example", "Password reset on Synnefo"),
        ("help@lab.example", "[Synnefo] Synnefo account created (new@lab.example)"),
        ("new@lab.example", "Your account at Synnefo"),
    ]
    assert {message.to[0] for message in mail.outbox if "Ερωτήσεις:" in message.body} == {greek.email}
    pages = {message.to[0]: str(message.alternatives[0][0]) for message in mail.outbox}
    assert '<html lang="el">' in pages[greek.email] and '<html lang="en">' in pages[english.email]


def _waiting(email: str) -> User:
    user = users.create(STAFF, email=email, first_name="N", last_name="N", password="x")
    return accounts.verify(STAFF, user_id=user.pk)


@pytest.mark.parametrize(
    ("choices", "language"),
    [
        ({}, "en-us"),
        ({SIGN_UP_LANGUAGE: "el"}, "el"),
        ({SIGN_UP_LANGUAGE: "el", "language": "en"}, "en"),
        ({SIGN_UP_LANGUAGE: "xx", "language": ""}, "en-us"),
    ],
)
def test_the_language_is_the_chosen_one_then_the_sign_ups_then_the_sites(
    choices: dict[str, str], language: str
) -> None:
    assert language_of(User(preferences=choices)) == language
