"""Identity's calls below object storage's own address."""

from __future__ import annotations

import json

import pytest
from django.core import mail
from django.test import Client

pytestmark = pytest.mark.db

PREFIX = "/pithos/_astakos"


def post(client: Client, path: str, body: object, token: str = ""):
    headers = {"X-Auth-Token": token} if token else {}
    return client.post(path, json.dumps(body), content_type="application/json", headers=headers)


def both(client: Client, path: str, own: str, body: object, token: str = "") -> tuple:
    """Answers of the proxied and of the own address."""
    return post(client, f"{PREFIX}/{path}", body, token), post(client, f"/astakos/{own}", body, token)


def test_user_catalogs_are_those_of_the_account_api(client, maria, nikos):
    wanted = {"uuids": [nikos.uuid], "displaynames": ["maria@lab.example"]}
    proxied, own = both(
        client, "account/user_catalogs", "account/v1.0/user_catalogs", wanted, token=maria.token
    )
    assert proxied.status_code == own.status_code == 200
    assert proxied.content == own.content
    assert proxied.headers["Content-Type"] == own.headers["Content-Type"]
    assert json.loads(proxied.content)["uuid_catalog"] == {nikos.uuid: "nikos@lab.example"}


def test_tokens_are_those_of_identity(client, maria):
    body = {"auth": {"token": {"id": maria.token}}}
    proxied, own = both(client, "identity/tokens", "identity/v2.0/tokens", body)
    assert proxied.status_code == own.status_code == 200
    assert json.loads(proxied.content) == json.loads(own.content)
    assert json.loads(proxied.content)["access"]["user"]["id"] == maria.uuid
    refused, own = both(client, "identity/tokens", "identity/v2.0/tokens", {"auth": {"token": {"id": "x"}}})
    assert (refused.status_code, refused.content) == (own.status_code, own.content)
    # An access token of OAuth2 is looked up, of which there is none.
    assert client.get(f"{PREFIX}/identity/tokens/a%2Fb").status_code == 404


def test_a_token_is_needed_and_cookies_are_none(client, maria):
    client.cookies["_pithos2_a"] = f"{maria.uuid}%7C{maria.token}"
    assert post(client, f"{PREFIX}/account/user_catalogs", {"uuids": []}).status_code == 401


def test_feedback_is_mailed(settings, client, maria):
    settings.FEEDBACK_NOTIFICATIONS_RECIPIENTS = [("Help", "help@lab.example")]
    answer = client.post(
        f"{PREFIX}/account/feedback",
        "feedback_msg=It+is+slow&feedback_data=%7B%7D",
        content_type="application/x-www-form-urlencoded",
        headers={"X-Auth-Token": maria.token},
    )
    assert answer.status_code == 200
    assert "It is slow" in mail.outbox[0].body


@pytest.mark.parametrize(
    "path", ["account/quotas", "account/commissions", "account/user_catalogs/x", "other"]
)
def test_nothing_else_is_reachable(client, maria, path):
    answer = client.post(f"{PREFIX}/{path}", headers={"X-Auth-Token": maria.token})
    assert answer.status_code == 404


def test_unknown_identity_calls_are_identitys_own_fault(client, db):
    proxied, own = client.get(f"{PREFIX}/identity/nothing"), client.get("/astakos/identity/v2.0/nothing")
    assert (proxied.status_code, proxied.content) == (own.status_code, own.content)


def test_pages_are_redirected_with_their_query(client, db):
    answer = client.get(f"{PREFIX}/ui/login?next=/x&y=%CE%AE")
    assert answer.status_code == 302
    assert answer["Location"] == "http://testserver/astakos/ui/login?next=/x&y=%CE%AE"
    assert client.get(f"{PREFIX}/ui")["Location"] == "http://testserver/astakos/ui/"
