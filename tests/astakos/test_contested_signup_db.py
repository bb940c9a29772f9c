"""An address signed up more than once: who proves it chooses the password (identity contract 4.2)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from astakos.logic import accounts, password_links, passwords, signup
from astakos.logic.passwords import LoginState
from astakos.models import User
from synnefo.credentials import Credentials
from synnefo.errors import NotFound

pytestmark = [pytest.mark.db, pytest.mark.django_db]
EMAIL = "nina@lab.example"
STRANGERS, OWNERS, CHOSEN = "password-of-a-stranger", "password-of-the-owner", "chosen-by-mail-1"


def sign_up(password: str) -> User:
    result = signup.sign_up(
        module="local", email=EMAIL, first_name="Nina", last_name="New", password=password
    )
    assert result.user is not None
    return User.objects.get(pk=result.user.pk)


def log_in(password: str) -> LoginState:
    return passwords.check_login(username=EMAIL, password=password, address="192.0.2.1").state


@pytest.fixture
def contested(settings: Settings, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks) -> User:
    """The owner's account, active, after a stranger had signed up with the address as well."""
    settings.ASTAKOS_MODERATION_ENABLED = False
    settings.ASTAKOS_RATELIMIT_RETRIES_ALLOWED = 100
    sign_up(OWNERS)
    user = sign_up(STRANGERS)
    with django_capture_on_commit_callbacks(execute=True):
        return accounts.verify_by_code(code=user.verification_code or "")


def mailed_link() -> dict[str, str]:
    (text,) = [str(message.body) for message in mail.outbox if "/reset/confirm/" in message.body]
    found = re.search(r"/reset/confirm/(?P<reference>[^/]+)/(?P<token>[^/]+)/", text)
    assert found is not None
    return found.groupdict()


def test_no_password_of_either_sign_up_is_activated(contested: User) -> None:
    assert contested.is_active
    assert {log_in(STRANGERS), log_in(OWNERS), log_in("")} == {LoginState.BAD_CREDENTIALS}


def test_the_owner_chooses_one_by_mail(contested: User) -> None:
    passwords.reset(**mailed_link(), new_password=CHOSEN)
    assert log_in(CHOSEN) is LoginState.OK
    assert not password_links.has_to_choose(User.objects.get(pk=contested.pk))


def test_the_link_outlives_the_first_session_and_not_the_choice(contested: User, client: Client) -> None:
    client.force_login(contested)
    link = mailed_link()
    assert password_links.user_of_link(**link) == contested
    passwords.reset(**link, new_password=CHOSEN)
    with pytest.raises(NotFound):
        passwords.reset(**link, new_password=STRANGERS)


def test_another_link_can_be_asked_for(
    contested: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    mail.outbox.clear()
    with django_capture_on_commit_callbacks(execute=True):
        passwords.request_reset(email=EMAIL, address="192.0.2.1")
    passwords.reset(**mailed_link(), new_password=CHOSEN)
    assert log_in(CHOSEN) is LoginState.OK


def test_a_moderated_owner_is_mailed_on_acceptance(
    settings: Settings, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    settings.ASTAKOS_MODERATION_ENABLED = True
    sign_up(STRANGERS)
    user = sign_up(OWNERS)
    with django_capture_on_commit_callbacks(execute=True):
        accounts.verify(Credentials.administrator(), user_id=user.pk)
    assert not any("/reset/confirm/" in message.body for message in mail.outbox)
    with django_capture_on_commit_callbacks(execute=True):
        accounts.accept(Credentials.administrator(), user_id=user.pk)
    assert mailed_link()


def test_who_signs_up_once_keeps_the_password(
    settings: Settings, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    settings.ASTAKOS_MODERATION_ENABLED = False
    user = sign_up(OWNERS)
    with django_capture_on_commit_callbacks(execute=True):
        accounts.verify(Credentials.administrator(), user_id=user.pk)
    assert log_in(OWNERS) is LoginState.OK
    assert not any("/reset/confirm/" in message.body for message in mail.outbox)


def test_visitors_cannot_tell_a_first_sign_up_from_a_second(settings: Settings) -> None:
    def answer() -> Any:
        return signup.sign_up(
            module="local", email=EMAIL, first_name="Nina", last_name="New", password=OWNERS
        ).outcome

    assert answer() is answer()
