"""Every page by every kind of visitor, held against the table of ``page_access``."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from astakos.models import ApprovalTerms, User
from synnefo import clock
from synnefo.management.references import pages
from tests.astakos.conftest import MakeUser, make_user  # noqa: F401
from tests.security.page_access import PAGES, UUID
from tests.security.test_routes import sample

pytestmark = [pytest.mark.db, pytest.mark.django_db]


def path_of(pattern: str) -> str:
    """Return an address of a page."""
    pattern = pattern.replace(UUID, "8f0b7f2e-3b1d-4b5f-9c9e-0d6f6f1f2a11")
    pattern = re.sub(r"\(\?P<\w+>([a-z-]+)\|[^()]*\)", r"\1", pattern)
    pattern = re.sub(r"\(\?:/\(\?P<rest>[^()]*\)\)\?", "", pattern)
    pattern = re.sub(r"\(\?P<\w+>\[0-9\]\{1,18\}\)", "1", pattern)
    pattern = re.sub(r"\(\?P<key>[^()]*\)", "0" * 40, pattern)
    return "/" + sample(pattern.removeprefix("^"))


@pytest.fixture
def visitor(make_user: MakeUser, client: Client) -> Client:  # noqa: F811
    client.force_login(make_user().row, backend="astakos.web.backend.SessionUserBackend")
    return client


def test_every_page_is_in_the_table() -> None:
    assert set(pages()) == PAGES.keys()
    assert [p for p in PAGES if not re.search(f"^(?:{p})", path_of(p)[1:])] == []


def leads_to(answer: Any, name: str) -> bool:
    return answer.status_code == 302 and f"/ui/{name}?next=" in answer.get("Location", "")


@pytest.mark.parametrize("pattern", PAGES)
def test_what_a_page_answers_anonymous_visitors(client: Client, pattern: str) -> None:
    answer = client.get(path_of(pattern))
    if PAGES[pattern] == "P":
        assert answer.status_code < 500 and answer.status_code != 401
        assert not leads_to(answer, "login")
    elif PAGES[pattern] == "F":
        assert answer.status_code == 401
    elif answer.status_code == 405:
        assert leads_to(client.post(path_of(pattern)), "login")
    else:
        assert leads_to(answer, "login"), answer.status_code
    # Nobody gets a session by looking.
    assert "sessionid" not in client.cookies


@pytest.mark.parametrize("pattern", [p for p, kind in PAGES.items() if kind in "TR"])
def test_terms_come_before_the_page(visitor: Client, pattern: str) -> None:
    ApprovalTerms.objects.create(date=clock.now(), location="/x", text="<p>Be nice</p>")
    User.objects.update(has_signed_terms=False)
    answer = visitor.get(path_of(pattern))
    if answer.status_code == 405:
        answer = visitor.post(path_of(pattern))
    assert leads_to(answer, "approval_terms")


@pytest.mark.parametrize("pattern", PAGES)
def test_nothing_changes_without_the_forms_token(visitor: Client, pattern: str) -> None:
    """A forged POST is refused; SAML's two entrances take signed messages of other sites instead."""
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = visitor.cookies
    answer = strict.post(path_of(pattern), {"x": "y"})
    signed = pattern.endswith(("saml/acs/?$", "saml/sls/?$"))
    assert answer.status_code in (403, 404, 405) or signed, answer.status_code
    assert answer.status_code < 500


@pytest.mark.parametrize("pattern", PAGES)
def test_signed_in_visitors_never_break_a_page(visitor: Client, pattern: str) -> None:
    for method in ("get", "post"):
        answer = getattr(visitor, method)(path_of(pattern), {"next": "//evil.example", "page": "x\0"})
        assert answer.status_code < 500 or answer.status_code == 503
        # It may be carried on in a query; who leads there judges it.
        assert urlsplit(answer.get("Location", "")).netloc in ("", "testserver")
