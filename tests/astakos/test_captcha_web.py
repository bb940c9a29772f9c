"""The built-in captcha: work or patience, once, and a trap."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from astakos.logic import captcha, proof_of_work
from astakos.models import User

pytestmark = pytest.mark.django_db

FORM = {
    "email": "a@lab.example",
    "first_name": "A",
    "last_name": "B",
    "password1": "correct horse battery",
    "password2": "correct horse battery",
}


@pytest.fixture(autouse=True)
def _enabled(settings: Settings) -> None:
    settings.ASTAKOS_RECAPTCHA_ENABLED = True
    settings.ASTAKOS_CAPTCHA_WORK_BITS = 6


def solve(challenge: str, bits: int = 6) -> str:
    number = 0
    while int.from_bytes(hashlib.sha256(f"{challenge}.{number}".encode()).digest()) >> (256 - bits):
        number += 1
    return str(number)


def unsolved(challenge: str) -> str:
    number = 0
    while solve(challenge) == str(number) or not (
        int.from_bytes(hashlib.sha256(f"{challenge}.{number}".encode()).digest()) >> 250
    ):
        number += 1
    return str(number)


def shown(client: Client) -> str:
    page = client.get("/astakos/ui/signup").content.decode()
    found = re.search(r'name="captcha_challenge" value="([^"]+)"', page)
    assert found is not None
    return found.group(1)


def send(client: Client, **fields: str) -> Any:
    return client.post("/astakos/ui/signup", FORM | fields)


def test_work_that_was_done_lets_through_once(client: Client) -> None:
    challenge = shown(client)
    solution = solve(challenge)
    assert send(client, captcha_challenge=challenge, captcha_solution=solution).status_code == 303
    assert User.objects.count() == 1
    again = send(client, email="b@lab.example", captcha_challenge=challenge, captcha_solution=solution)
    assert again.status_code == 422
    assert User.objects.count() == 1


@pytest.mark.parametrize("solution", ["", "x", "-1", "٣", "9" * 21])
def test_no_work_is_refused(client: Client, solution: str) -> None:
    assert send(client, captcha_challenge=shown(client), captcha_solution=solution).status_code == 422
    assert not User.objects.exists()


def test_wrong_work_is_refused(client: Client) -> None:
    challenge = shown(client)
    assert send(client, captcha_challenge=challenge, captcha_solution=unsolved(challenge)).status_code == 422


def test_own_challenges_are_refused(client: Client) -> None:
    assert send(client, captcha_challenge="abc:1:def", captcha_solution=solve("abc:1:def")).status_code == 422


def test_who_fills_in_everything_is_refused(client: Client) -> None:
    challenge = shown(client)
    fields = {"captcha_challenge": challenge, "captcha_solution": solve(challenge), "website": "http://x.y"}
    assert send(client, **fields).status_code == 422


def test_patience_replaces_scripts(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    challenge = shown(client)
    monkeypatch.setattr(proof_of_work, "PATIENCE", -1)
    assert send(client, captcha_challenge=challenge).status_code == 303


def test_old_challenges_are_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    challenge = shown(client)
    monkeypatch.setattr(proof_of_work, "LIFETIME", -1)
    assert send(client, captcha_challenge=challenge, captcha_solution=solve(challenge)).status_code == 422


def test_keys_of_a_service_choose_that_service(settings: Settings) -> None:
    assert captcha.box().challenge
    settings.ASTAKOS_RECAPTCHA_PUBLIC_KEY = "site-key"
    assert captcha.box().css_class == "g-recaptcha"
