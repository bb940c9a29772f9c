"""Every page by every kind of visitor, held against the table of ``page_access``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.cache import cache
from django.test import Client

from astakos import public
from astakos.models import ApprovalTerms, User
from synnefo import clock
from synnefo.management.references import pages
from tests.security.page_access import PAGES, UUID
from tests.security.test_routes import sample
from tests.security.undoing import undone

pytestmark = [pytest.mark.db, pytest.mark.django_db]


def path_of(pattern: str) -> str:
    """Return an address of a page."""
    pattern = pattern.replace(UUID, "8f0b7f2e-3b1d-4b5f-9c9e-0d6f6f1f2a11")
    pattern = re.sub(r"\(\?P<\w+>([a-z-]+)\|[^()]*\)", r"\1", pattern)
    pattern = re.sub(r"\(\?:/\(\?P<rest>[^()]*\)\)\?", "", pattern)
    pattern = re.sub(r"\(\?P<\w+>\[0-9\]\{1,18\}\)", "1", pattern)
    pattern = re.sub(r"\(\?P<key>[^()]*\)", "0" * 40, pattern)
    return "/" + sample(pattern.removeprefix("^"))


@pytest.fixture(scope="module")
def session(kept: None) -> dict[str, str]:
    """The cookies of somebody who signed in; what a test does to the session is taken back."""
    user = public.create_user(
        email="maria@lab.example", password="a-password", first_name="Maria", last_name="Doe"
    )
    client = Client()
    client.force_login(User.objects.get(uuid=user.uuid), backend="astakos.web.backend.SessionUserBackend")
    return {name: cookie.value for name, cookie in client.cookies.items()}


@pytest.fixture
def visitor(session: dict[str, str], db: None) -> Callable[[], Client]:
    """Make the browser of whoever signed in; nothing that happened to the session before is in the cache."""

    def make() -> Client:
        cache.clear()
        client = Client(raise_request_exception=False)
        client.cookies.load(session)
        return client

    return make


def check_each(patterns: Iterable[str], check: Callable[[str], None]) -> None:
    """Check each page, with what it wrote taken back; tell of all that fail."""
    wrong = []
    for pattern in patterns:
        try:
            undone(lambda pattern=pattern: check(pattern))  # type: ignore[misc]
        except AssertionError as error:
            wrong.append(f"{pattern}: {error}")
    assert not wrong, "\n".join(wrong)


def test_every_page_is_in_the_table() -> None:
    assert set(pages()) == PAGES.keys()
    assert [p for p in PAGES if not re.search(f"^(?:{p})", path_of(p)[1:])] == []


def leads_to(answer: Any, name: str) -> bool:
    return answer.status_code == 302 and f"/ui/{name}?next=" in answer.get("Location", "")


def test_what_a_page_answers_anonymous_visitors() -> None:
    def check(pattern: str) -> None:
        client = Client(raise_request_exception=False)
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

    check_each(PAGES, check)


def test_terms_come_before_the_page(visitor: Callable[[], Client]) -> None:
    def check(pattern: str) -> None:
        client = visitor()
        answer = client.get(path_of(pattern))
        if answer.status_code == 405:
            answer = client.post(path_of(pattern))
        assert leads_to(answer, "approval_terms")

    ApprovalTerms.objects.create(date=clock.now(), location="/x", text="<p>Be nice</p>")
    User.objects.update(has_signed_terms=False)
    check_each([pattern for pattern, kind in PAGES.items() if kind in "TR"], check)


def test_nothing_changes_without_the_forms_token(visitor: Callable[[], Client]) -> None:
    """A forged POST is refused; SAML's two entrances take signed messages of other sites instead."""

    def check(pattern: str) -> None:
        strict = Client(enforce_csrf_checks=True, raise_request_exception=False)
        strict.cookies = visitor().cookies
        answer = strict.post(path_of(pattern), {"x": "y"})
        signed = pattern.endswith(("saml/acs/?$", "saml/sls/?$"))
        assert answer.status_code in (403, 404, 405) or signed, answer.status_code
        assert answer.status_code < 500

    check_each(PAGES, check)


@pytest.mark.parametrize("method", ["get", "post"])
def test_signed_in_visitors_never_break_a_page(visitor: Callable[[], Client], method: str) -> None:
    def check(pattern: str) -> None:
        answer = getattr(visitor(), method)(path_of(pattern), {"next": "//evil.example", "page": "x\0"})
        assert answer.status_code < 500 or answer.status_code == 503
        # It may be carried on in a query; who leads there judges it.
        assert urlsplit(answer.get("Location", "")).netloc in ("", "testserver")

    check_each(PAGES, check)
