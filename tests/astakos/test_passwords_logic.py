"""Passwords, captchas and changes of address (identity contract 4.3)."""

from __future__ import annotations

import datetime as dt
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.contrib.auth import hashers
from django.core import mail
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from astakos import public
from astakos.logic import captcha, email_changes, password_links, passwords, signup
from astakos.logic.passwords import LoginAttempt, LoginState
from astakos.models import EmailChange, SessionCatalog, User
from synnefo import clock
from synnefo.credentials import Credentials
from synnefo.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    ServiceUnavailable,
    TooManyRequests,
    Unauthorized,
)
from synnefo.models import RateLimitCounter
from tests.astakos.conftest import MakeUser, Person

pytestmark = [pytest.mark.db, pytest.mark.django_db]
NAME, PASSWORD = "maria@lab.example", "a-password"


def attempt(username: str = NAME, password: str = PASSWORD, **fields: Any) -> LoginAttempt:
    return passwords.check_login(username=username, password=password, address="192.0.2.1", **fields)


def acting(user: User) -> Credentials:
    return Credentials(user_id=user.uuid)


# -- logging in --------------------------------------------------------------------------------------------


def test_right_password_in_any_spelling_of_the_name(user: Person) -> None:
    found = attempt(" Maria@Lab.example ")
    assert (found.state, found.user) == (LoginState.OK, user.row)


@pytest.mark.parametrize(
    ("username", "password"),
    [(NAME, "wrong"), ("nobody@lab.example", PASSWORD), ("", ""), ("\0", "\0"), (NAME, "x" * 5000)],
)
def test_everything_else_is_the_same_refusal(user: Person, username: str, password: str) -> None:
    found = attempt(username, password)
    assert (found.state, found.user) == (LoginState.BAD_CREDENTIALS, None)
    assert found.message == attempt("z@lab.example", "z").message


@pytest.mark.parametrize("who", ["right", "wrong", "unknown", "without password", "removed method"])
def test_every_attempt_costs_one_hash(user: Person, who: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row = user.row
    if who == "without password":
        row.set_unusable_password()
        row.save()
    if who == "removed method":
        row.auth_providers.all().delete()
    made: list[str] = []
    hasher = type(hashers.get_hasher())
    original = hasher.encode

    def counted(self: Any, password: str, salt: str, *rest: Any) -> str:
        made.append(password)
        return original(self, password, salt, *rest)

    monkeypatch.setattr(hasher, "encode", counted)
    attempt("nobody@lab.example" if who == "unknown" else NAME, PASSWORD if who == "right" else "wrong")
    assert len(made) == 1


def test_state_is_told_only_to_who_knows_the_password(settings: Settings) -> None:
    signup.sign_up(module="local", email=NAME, first_name="M", last_name="D", password="long-enough-1")
    settings.ASTAKOS_RATELIMIT_RETRIES_ALLOWED = 99
    user = User.objects.get()
    values: dict[LoginState, dict[str, Any]] = {
        LoginState.UNVERIFIED: {},
        LoginState.PENDING_MODERATION: {"email_verified": True},
        LoginState.REJECTED: {"moderated": True, "is_rejected": True},
        LoginState.INACTIVE: {"is_rejected": False},
    }
    for state, changes in values.items():
        User.objects.filter(pk=user.pk).update(**changes)
        assert attempt(password="long-enough-1").state == state
        assert attempt(password="wrong").state == LoginState.BAD_CREDENTIALS


def test_policy_keeps_passwords_out(user: Person, settings: Settings) -> None:
    settings.ASTAKOS_AUTH_PROVIDER_LOCAL_LOGIN_POLICY = False
    assert attempt().state == LoginState.METHOD_DISABLED


# -- limits ------------------------------------------------------------------------------------------------


@pytest.fixture
def _still(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that stands at the beginning of an hour, so that no period ends during a test."""
    monkeypatch.setattr(clock, "now", lambda: dt.datetime(2031, 5, 5, 12, 0, 5, tzinfo=dt.UTC))


@pytest.mark.usefixtures("_still")
def test_third_attempt_within_a_minute_has_to_wait(db: None) -> None:
    states = [attempt(password="wrong").state for _ in range(3)]
    assert states == [LoginState.BAD_CREDENTIALS, LoginState.BAD_CREDENTIALS, LoginState.RATE_LIMITED]
    assert attempt().retry_after == 55
    assert attempt("other@lab.example").state == LoginState.BAD_CREDENTIALS


@pytest.mark.usefixtures("_still")
def test_success_starts_the_count_anew(db: None) -> None:
    public.create_user(email=NAME, password=PASSWORD, first_name="M", last_name="D")
    for _ in range(30):
        assert attempt(password="wrong").state == LoginState.BAD_CREDENTIALS
        assert attempt().state == LoginState.OK
        RateLimitCounter.objects.filter(count__gt=30).delete()


@pytest.mark.usefixtures("_still")
def test_one_address_cannot_try_many_names(settings: Settings) -> None:
    settings.ASTAKOS_RATELIMIT_ADDRESS_PER_MINUTE = 5
    states = [attempt(f"u{number}@lab.example").state for number in range(6)]
    assert states[4:] == [LoginState.BAD_CREDENTIALS, LoginState.RATE_LIMITED]


def test_who_goes_on_waits_longer(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = []
    for minute in range(14):
        moment = dt.datetime(2031, 5, 5, 12, minute, 0, tzinfo=dt.UTC)
        monkeypatch.setattr(clock, "now", lambda moment=moment: moment)
        waits.append(attempt(password="wrong").retry_after)
    assert waits[:12] == [0] * 12
    assert waits[12:] == [180, 120]


# -- captcha -----------------------------------------------------------------------------------------------


class _Checker(BaseHTTPRequestHandler):
    reply: Any = {"success": True}
    status = 200
    seen: list[dict[str, list[str]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        type(self).seen.append(parse_qs(body))
        raw = json.dumps(self.reply).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def checker(settings: Settings) -> Iterator[type[_Checker]]:
    class Checker(_Checker):
        seen = []

    server = HTTPServer(("127.0.0.1", 0), Checker)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    settings.ASTAKOS_RECAPTCHA_ENABLED = True
    settings.ASTAKOS_RECAPTCHA_PUBLIC_KEY = "site-key"
    settings.ASTAKOS_RECAPTCHA_PRIVATE_KEY = "secret-key"
    settings.ASTAKOS_CAPTCHA_VERIFY_URL = f"http://127.0.0.1:{server.server_port}/siteverify"
    yield Checker
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.usefixtures("_still")
def test_third_attempt_needs_a_captcha_where_there_are_any(checker: type[_Checker]) -> None:
    attempt(password="wrong")
    assert attempt(password="wrong").captcha_next
    assert attempt(password="wrong").state == LoginState.CAPTCHA_REQUIRED
    assert attempt(password="wrong", captcha_answer="yes").state == LoginState.BAD_CREDENTIALS
    assert checker.seen == [{"secret": ["secret-key"], "response": ["yes"], "remoteip": ["192.0.2.1"]}]


@pytest.mark.parametrize("provider", captcha.KINDS)
@pytest.mark.parametrize(
    ("reply", "passes"),
    [
        ({"success": True, "score": 0.9}, True),
        ({"success": True, "score": 0.1}, False),
        ({"success": False}, False),
        ({"success": "true"}, False),
        ({}, False),
    ],
)
def test_answers_of_each_service(
    checker: type[_Checker], settings: Settings, provider: str, reply: dict[str, Any], passes: bool
) -> None:
    settings.ASTAKOS_CAPTCHA_PROVIDER = provider
    checker.reply = reply
    if passes or (reply.get("success") is True and provider != "recaptcha-v3"):
        captcha.check("answer", address="")
    else:
        with pytest.raises(captcha.CaptchaRequired):
            captcha.check("answer", address="")


def test_broken_service_lets_nobody_through(checker: type[_Checker], settings: Settings) -> None:
    checker.reply = [True]
    with pytest.raises(ServiceUnavailable):
        captcha.check("answer", address="")
    checker.reply, checker.status = {"success": True}, 500
    with pytest.raises(ServiceUnavailable):
        captcha.check("answer", address="")
    settings.ASTAKOS_CAPTCHA_VERIFY_URL = "http://127.0.0.1:9/"
    with pytest.raises(ServiceUnavailable):
        captcha.check("answer", address="")


def test_box_tells_the_page_what_to_load(settings: Settings) -> None:
    assert captcha.box() is None
    settings.ASTAKOS_RECAPTCHA_ENABLED = True
    settings.ASTAKOS_CAPTCHA_PROVIDER = "recaptcha-v3"
    settings.ASTAKOS_RECAPTCHA_PUBLIC_KEY = "a&b"
    box = captcha.box()
    assert box is not None
    assert box.script.endswith("?render=a%26b")
    assert box.options == (("theme", "light"),)


# -- changing a password -----------------------------------------------------------------------------------


def test_change_ends_sessions_and_renews_the_token(user: Person) -> None:
    row = user.row
    SessionCatalog.objects.create(session_key="k", user=row, created=clock.now())
    with pytest.raises(passwords.WrongPassword):
        passwords.change(acting(row), user_id=row.pk, old_password="wrong", new_password="long-enough-1")
    with pytest.raises(BadRequest):
        passwords.change(acting(row), user_id=row.pk, old_password=PASSWORD, new_password="short")
    passwords.change(acting(row), user_id=row.pk, old_password=PASSWORD, new_password="long-enough-1")
    assert attempt(password="long-enough-1").state == LoginState.OK
    assert not SessionCatalog.objects.exists()
    with pytest.raises(Unauthorized):
        public.authenticate(user.token)


def test_token_stays_where_the_site_leaves_the_choice(user: Person, settings: Settings) -> None:
    settings.ASTAKOS_NEWPASSWD_INVALIDATE_TOKEN = False
    row = user.row
    passwords.change(acting(row), user_id=row.pk, old_password=PASSWORD, new_password="long-enough-1")
    assert public.authenticate(user.token)
    passwords.change(
        acting(row),
        user_id=row.pk,
        old_password="long-enough-1",
        new_password="long-enough-2",
        renew_token=True,
    )
    with pytest.raises(Unauthorized):
        public.authenticate(user.token)


def test_first_password_adds_the_login_method(user: Person, settings: Settings) -> None:
    row = user.row
    row.auth_providers.all().delete()
    settings.ASTAKOS_AUTH_PROVIDER_LOCAL_ADD_POLICY = False
    with pytest.raises(Forbidden):
        passwords.change(acting(row), user_id=row.pk, new_password="long-enough-1")
    settings.ASTAKOS_AUTH_PROVIDER_LOCAL_ADD_POLICY = True
    passwords.change(acting(row), user_id=row.pk, new_password="long-enough-1")
    assert attempt(password="long-enough-1").state == LoginState.OK


# -- forgotten passwords -----------------------------------------------------------------------------------


def mailed(capture: DjangoCaptureOnCommitCallbacks, email: str = NAME) -> list[Any]:
    mail.outbox.clear()
    with capture(execute=True):
        passwords.request_reset(email=email, address="192.0.2.1")
    return list(mail.outbox)


def link_in(message: Any) -> tuple[str, str]:
    found = re.search(r"/ui/local/reset/confirm/([\w-]+)/([\w-]+)/", message.body)
    assert found
    return found[1], found[2]


def test_link_sets_a_password_once(
    user: Person, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    (message,) = mailed(django_capture_on_commit_callbacks, "MARIA@lab.example")
    reference, token = link_in(message)
    with pytest.raises(BadRequest):
        passwords.reset(reference=reference, token=token, new_password="short")
    passwords.reset(reference=reference, token=token, new_password="long-enough-1")
    assert attempt(password="long-enough-1").state == LoginState.OK
    with pytest.raises(NotFound):
        passwords.reset(reference=reference, token=token, new_password="long-enough-2")
    with pytest.raises(Unauthorized):
        public.authenticate(user.token)


def test_nobody_is_mailed_at_unknown_addresses(
    user: Person, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    assert mailed(django_capture_on_commit_callbacks, "nobody@lab.example") == []


@pytest.mark.parametrize("why", ["inactive", "no password", "other system"])
def test_owner_is_told_by_mail_why_there_is_no_link(
    user: Person, why: str, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    row = user.row
    if why == "inactive":
        User.objects.filter(pk=row.pk).update(is_active=False)
    elif why == "no password":
        row.auth_providers.update(active=False)
    else:
        row.auth_providers.update(auth_backend="ldap")
    (message,) = mailed(django_capture_on_commit_callbacks)
    assert "reset/confirm" not in message.body
    assert message.to == [NAME]


def test_unverified_owner_gets_the_activation_link(
    db: None, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    signup.sign_up(module="local", email=NAME, first_name="M", last_name="D", password="long-enough-1")
    messages = mailed(django_capture_on_commit_callbacks)
    assert "/ui/activate?auth=" in messages[-1].body or "/ui/activate?auth=" in messages[0].body


@pytest.mark.parametrize("email", [NAME, "nobody@lab.example"])
def test_mails_to_one_address_are_limited_whether_or_not_it_has_an_account(user: Person, email: str) -> None:
    for _ in range(5):
        passwords.request_reset(email=email, address="192.0.2.1")
    with pytest.raises(TooManyRequests):
        passwords.request_reset(email=email, address="192.0.2.1")


@pytest.mark.parametrize("reference", ["", "x", "MQ", "LTE", "4pyT", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5"])
def test_wrong_links_are_not_found(user: Person, reference: str) -> None:
    with pytest.raises(NotFound):
        password_links.user_of_link(reference=reference, token="c0-ffee")


# -- change of address -------------------------------------------------------------------------------------


@pytest.fixture
def _changes(settings: Settings) -> None:
    settings.ASTAKOS_EMAILCHANGE_ENABLED = True


def request_change(
    user: User, capture: DjangoCaptureOnCommitCallbacks, address: str = "New@lab.example"
) -> str:
    mail.outbox.clear()
    with capture(execute=True):
        email_changes.request(acting(user), user_id=user.pk, new_address=address)
    new, old = mail.outbox
    assert (new.to, old.to) == ([address.lower()], [user.email])
    found = re.search(r"/ui/email_change/confirm/([0-9a-f]{40})\b", new.body)
    assert found
    assert "confirm/" not in old.body
    return found[1]


@pytest.mark.usefixtures("_changes")
def test_new_address_confirms_and_uuid_and_token_stay(
    user: Person, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    first = request_change(user.row, django_capture_on_commit_callbacks, "first@lab.example")
    key = request_change(user.row, django_capture_on_commit_callbacks)
    with pytest.raises(NotFound):
        email_changes.confirm(key=first, visitor=None)
    email_changes.confirm(key=key, visitor=user.row)
    assert (user.row.email, user.row.username) == ("new@lab.example", "new@lab.example")
    assert public.authenticate(user.token).user_id == user.uuid
    with pytest.raises(NotFound):
        email_changes.confirm(key=key, visitor=None)


@pytest.mark.usefixtures("_changes")
def test_keys_are_good_for_days_and_for_their_user(
    user: Person, make_user: MakeUser, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    key = request_change(user.row, django_capture_on_commit_callbacks)
    other = make_user("joe@lab.example")
    with pytest.raises(Forbidden):
        email_changes.confirm(key=key, visitor=other.row)
    assert email_changes.pending(user.row) is not None
    EmailChange.objects.update(requested_at=clock.now() - dt.timedelta(days=10, seconds=1))
    assert email_changes.pending(user.row) is None
    with pytest.raises(NotFound):
        email_changes.confirm(key=key, visitor=user.row)
    assert email_changes.delete_expired() == 1


@pytest.mark.usefixtures("_changes")
def test_addresses_in_use_are_refused_at_both_ends(
    user: Person, make_user: MakeUser, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    make_user("joe@lab.example")
    with pytest.raises(Conflict):
        email_changes.request(acting(user.row), user_id=user.row.pk, new_address="JOE@lab.example")
    with pytest.raises(BadRequest):
        email_changes.request(acting(user.row), user_id=user.row.pk, new_address=NAME)
    key = request_change(user.row, django_capture_on_commit_callbacks)
    make_user("new@lab.example")
    with pytest.raises(Conflict):
        email_changes.confirm(key=key, visitor=None)
    assert email_changes.cancel(acting(user.row), user_id=user.row.pk)


def test_address_cannot_be_changed_unless_the_site_lets_users(user: Person) -> None:
    with pytest.raises(Forbidden):
        email_changes.request(acting(user.row), user_id=user.row.pk, new_address="new@lab.example")
    with pytest.raises(NotFound):
        email_changes.find(key="a" * 40, visitor=None)
