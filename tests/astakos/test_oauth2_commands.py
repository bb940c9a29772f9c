"""The commands for OAuth2 clients."""

# ruff: noqa: F811  (fixtures that are imported)
from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command

from astakos.models import OAuth2Client
from tests.astakos.oauth2_world import (  # noqa: F401  (fixtures)
    VIEW,
    _rules,
    browser,
    stranger,
    view,
)

pytestmark = [pytest.mark.db, pytest.mark.django_db, pytest.mark.urls("tests.astakos.pages_urls")]


# -- commands --------------------------------------------------------------------------------------------


def run(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_clients_are_added_listed_and_removed(db: None) -> None:
    run(
        "oauth2-client-add", "view", "--secret", "s" * 20, "--is-trusted", "--url", VIEW, "--url", "https://b"
    )
    run("oauth2-client-add", "app", "--type", "public", "--url", "https://c/" + "x" * 6000, "https://d:443/")
    columns = ("-o", "identifier,redirect_urls", "--output-format", "json")
    rows = json.loads(run("oauth2-client-list", *columns))
    assert [(row["identifier"], row["redirect_urls"]) for row in rows] == [
        ("view", f"{VIEW}, https://b/"),
        ("app", "https://d/"),
    ]
    for option, name in (("--confidential", "view"), ("--trusted", "view"), ("--public", "app")):
        rows = json.loads(run("oauth2-client-list", option, *columns))
        assert [row["identifier"] for row in rows] == [name]
    run("oauth2-client-remove", "-f", "view")
    run("oauth2-client-remove", "-f", str(OAuth2Client.objects.get().pk))
    assert not OAuth2Client.objects.exists()


@pytest.mark.parametrize(
    "words",
    [
        ("x",),
        ("x", "--secret", "s"),
        ("x", "--url", VIEW),
        ("x", "--secret", "s", "--url", "javascript:x"),
        ("x", "--secret", "s", "--url", "https://c/" + "x" * 6000),
        ("x:y", "--secret", "s", "--url", VIEW),
        ("pithos-view", "--secret", "s", "--url", VIEW),
    ],
)
def test_an_unusable_client_is_not_added(view: OAuth2Client, words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        run("oauth2-client-add", *words)
    assert OAuth2Client.objects.count() == 1


def test_removing_an_unknown_client_fails(db: None) -> None:
    with pytest.raises(CommandError):
        run("oauth2-client-remove", "-f", "nobody")
