"""Greek pages say so and are Greek all through: no English words between what people wrote themselves."""

# ruff: noqa: F811  (fixtures that are imported)
from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from astakos.logic import terms
from astakos.models import User
from synnefo.credentials import Credentials
from tests.astakos.project_world import ProjectWorld, people, world  # noqa: F401  (fixtures)
from tests.branding.test_shell_web import Page

pytestmark = [pytest.mark.db, pytest.mark.django_db, pytest.mark.urls("tests.astakos.pages_urls")]
UI = "/astakos/ui/"
#: Words that hardly any English sentence or button does without; none is a type of service.
ENGLISH = re.compile(
    r"\b(?:the|your|you|and|for|with|this|is|are|of|to|not|it|sign|send|save|show|close|cancel|status|name"
    r"|search|members?|password|address|application|create|join|back|next|unlimited|never|all|ago|minutes?|hours?|days?|weeks?|months?|years?)\b",
    re.IGNORECASE,
)
#: What is no text: addresses, names of programs and files, commands.
MACHINE = re.compile(r"\S*[@/._=$-]\S*|kamaki [a-z ]+")
VISITOR_PAGES = (
    "login", "signup", "local/password_reset", "local/password_reset/done", "local/password/reset/complete",
    "send/activation", "approval_terms", "activate?auth=nothing",
)  # fmt: skip
MEMBER_PAGES = (
    "landing", "profile", "api_access", "resources", "confirm", "logout", "projects", "projects/search?q=lab",
    "projects/how_it_works", "projects/add", "feedback", "invite", "password_change", "email_change",
    "second_factor", "second_factor/totp", "approval_terms",
)  # fmt: skip


@pytest.fixture
def greek(world: ProjectWorld, settings: Any, tmp_path: Path) -> ProjectWorld:
    settings.ASTAKOS_INVITATIONS_ENABLED = True
    settings.ASTAKOS_RECAPTCHA_ENABLED = True
    settings.ASTAKOS_EMAILCHANGE_ENABLED = True
    text = tmp_path / "terms.html"
    text.write_text("<p>Όροι χρήσης.</p>")
    terms.add(Credentials.administrator(), path=str(text))
    for person in User.objects.all():
        terms.mark_signed(person)
        person.save()
    return world


def english_on(client: Client, names: tuple[str, ...]) -> dict[str, list[str]]:
    found = {}
    for name in names:
        html = client.get(f"{UI}{name}", HTTP_ACCEPT_LANGUAGE="el").content.decode()
        assert Page(html).all("html")[0]["lang"] == "el", name
        main = html[html.index("<header") : html.index("<footer")]
        main = re.sub(r"<(script|style|pre|code)\b.*?</\1>|<span lang=.*?</span>", " ", main, flags=re.DOTALL)
        labels = " ".join(re.findall(r'(?:aria-label|title|placeholder|alt)="([^"]*)"', main))
        text = MACHINE.sub(" ", re.sub(r"<[^>]*>", " ", main) + " " + labels)
        words = ENGLISH.findall(text)
        if words:
            found[name] = words
    return found


def test_a_visitors_pages(greek: ProjectWorld, client: Client) -> None:
    assert english_on(client, VISITOR_PAGES) == {}


@pytest.mark.parametrize("who", ["owner", "admin"])
def test_a_members_pages(greek: ProjectWorld, who: str) -> None:
    uuid = greek.project("genome.lab.example", description="Δ")
    greek.enroll(uuid)
    greek.join(uuid, greek.stranger)
    waiting, application = greek.apply("waiting.lab.example", description="Δ", comments="Δ")
    client = Client()
    client.post(f"/test/sign-in/{getattr(greek, who).uuid}")
    of_project = tuple(f"projects/{uuid}{end}" for end in ("", "/modify", "/members", "/members/pending"))
    reviews = (f"projects/{waiting}/app/{application}",)
    assert english_on(client, (*MEMBER_PAGES, *of_project, *reviews)) == {}
