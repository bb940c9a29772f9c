"""Lessons about secrets: how long they may be, and that none is ever in the log. One test a lesson."""

# ruff: noqa: F811  (fixtures that are imported)
from __future__ import annotations

import base64
import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from astakos.logic import admin_users, oauth2_clients, passwords, signup, users
from astakos.logic.admin_users import UserFields
from astakos.logic.passwords import LoginState
from synnefo import logs
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest
from tests.astakos.conftest import Person, make_user, user  # noqa: F401  (fixtures)

pytestmark = [pytest.mark.db, pytest.mark.django_db]
ADMINISTRATOR = Credentials.administrator()
TOO_LONG = "x" * (users.MAX_PASSWORD_LENGTH + 1)
NINA = {"email": "nina@lab.example", "first_name": "Nina", "last_name": "New"}


# -- lengths ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("password", ["", "short", TOO_LONG, "nul\0nul-nul"])
def test_nobody_signs_up_with_a_password_out_of_bounds(db: None, password: str) -> None:
    with pytest.raises(BadRequest):
        signup.sign_up(module="local", password=password, **NINA)


@pytest.mark.parametrize("password", ["", "short", TOO_LONG])
def test_no_password_is_changed_to_one_out_of_bounds(user: Person, password: str) -> None:
    with pytest.raises(BadRequest):
        passwords.change(ADMINISTRATOR, user_id=user.row.pk, new_password=password, old_password="a-password")
    assert user.row.check_password("a-password")


def test_other_programs_cannot_set_one_out_of_bounds(user: Person) -> None:
    with pytest.raises(BadRequest):
        admin_users.modify(ADMINISTRATOR, uuid=user.uuid, fields=UserFields(password=TOO_LONG))
    assert user.row.check_password("a-password")


def test_a_long_guess_is_not_hashed(user: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []

    def check(guess: str, stored: str) -> bool:
        hashed.append(guess)
        return False

    monkeypatch.setattr(passwords, "check_password", check)
    attempt = passwords.check_login(username="maria@lab.example", password=TOO_LONG, address="192.0.2.1")
    assert attempt.state is LoginState.BAD_CREDENTIALS
    assert hashed == [""]


# -- the log ---------------------------------------------------------------------------------------------


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What is written to the log, at its most talkative and as the site writes it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(logs.RequestIdFilter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def _basic(name: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


def _keystone(client: Client, user: Person) -> list[str]:
    """Log in by token, make a credential, use it, and revoke what came of it; return the secrets."""
    tokens = "/astakos/identity/v3/auth/tokens"

    def log_in(method: str, **fields: Any) -> str:
        body = {"auth": {"identity": {"methods": [method], method: fields}}}
        answer = client.post(tokens, body, content_type="application/json")
        assert answer.status_code == 201, answer.content
        return str(answer["X-Subject-Token"])

    first = log_in("password", user={"id": user.uuid, "password": user.token})
    made = client.post(
        f"/astakos/identity/v3/users/{user.uuid}/application_credentials",
        {"application_credential": {"name": "ci"}},
        content_type="application/json",
        headers={"X-Auth-Token": user.token},
    ).json()["application_credential"]
    second = log_in("application_credential", id=made["id"], secret=made["secret"])
    headers = {"X-Auth-Token": user.token, "X-Subject-Token": second}
    assert client.delete(tokens, headers=headers).status_code == 204
    return [first, second, made["secret"]]


def test_no_secret_of_a_whole_life_is_in_the_log(
    client: Client, user: Person, settings: Settings, log: io.StringIO
) -> None:
    """Sign-up, log-ins that fail and succeed, a client's secret, a credential, an error in between."""
    settings.OAUTH2_REQUIRE_TLS = settings.ASTAKOS_COOKIE_SECURE = False
    secrets = [
        "canary-password-1",
        "canary-wrong-password",
        "canary-client-secret",
        "canary-code",
        user.token,
    ]
    client.post("/astakos/ui/signup", {
        "provider": "local", "password1": secrets[0], "password2": secrets[0], **NINA,
    })  # fmt: skip
    for password in (secrets[1], "a-password"):
        client.post("/astakos/ui/local", {"username": "maria@lab.example", "password": password})
    client.get(f"/astakos/ui/activate?auth={secrets[3]}")
    client.get(f"/astakos/ui/local/reset/confirm/MQ/{secrets[3]}/")
    oauth2_clients.add(ADMINISTRATOR, identifier="view", secret=secrets[2], urls=["https://v.example/"])
    for secret in (secrets[2], secrets[1]):
        client.post(
            "/astakos/oauth2/token",
            f"grant_type=authorization_code&code={secrets[3]}&client_secret={secret}",
            content_type="application/x-www-form-urlencoded",
            headers=_basic("view", secret),
        )
    secrets += [_basic("view", secrets[2])["Authorization"].removeprefix("Basic "), *_keystone(client, user)]
    client.get(f"/astakos/account/v1.0/quotas?X-Auth-Token={user.token}")
    settings.ASTAKOS_RATELIMIT_CATALOGS_PER_MINUTE = "no number"  # an unexpected error, with its traceback
    answer = client.post(
        "/astakos/account/v1.0/user_catalogs", {"displaynames": ["x"]}, content_type="application/json",
        headers={"X-Auth-Token": user.token},
    )  # fmt: skip
    assert answer.status_code == 500
    written = log.getvalue()
    assert "/astakos/oauth2/token" in written and "Traceback" in written
    assert [secret for secret in secrets if secret in written] == []
