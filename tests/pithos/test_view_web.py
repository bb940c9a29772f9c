"""Viewing files in a browser: the whole way over OAuth2, between two host names of one live site."""

# ruff: noqa: F811
from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from django.test import Client

from astakos.models import User
from tests.pithos.conftest import ROOT, Person
from tests.pithos.view_site import Site, site  # noqa: F401

pytestmark = [pytest.mark.functional, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def browser_of(site: Site) -> Iterator[Callable[[Person | None], httpx.Client]]:
    """Browsers, signed in on the main host or not; they keep cookies by host and follow nothing."""
    opened: list[httpx.Client] = []

    def make(person: Person | None) -> httpx.Client:
        browser = httpx.Client()
        opened.append(browser)
        if person is not None:
            session = Client()
            user = User.objects.get(uuid=person.uuid)
            session.force_login(user, backend="astakos.web.backend.SessionUserBackend")
            value = session.cookies["sessionid"].value
            browser.cookies.set("sessionid", value, domain="127.0.0.1", path="/")
        return browser

    yield make
    # The site's threads end with the connections that they serve.
    for browser in opened:
        browser.close()


def follow(browser: httpx.Client, url: str, **headers: str) -> list[httpx.Response]:
    """Every answer on the way from *url* to the first that leads nowhere else."""
    answers = [browser.get(url, headers=headers)]
    while answers[-1].status_code == 302:
        assert len(answers) < 10, "the browser goes round in circles"
        answers.append(browser.get(answers[-1].url.join(answers[-1].headers["Location"]), headers=headers))
    return answers


def test_a_signed_in_browser_gets_the_file_on_the_other_host(site, maria, browser_of) -> None:
    maria.put("docs/a b/ή.txt", "γεια".encode(), type="text/plain")
    answers = follow(browser_of(maria), site.view(maria, "a b/ή.txt", site.main) + "?version=")
    assert [urlsplit(str(answer.url)).netloc.partition(":")[0] for answer in answers] == [
        "127.0.0.1",  # refused: not the host of users' files
        "localhost",  # no token
        "127.0.0.1",  # identity: signed in, trusted client
        "localhost",  # the code
        "localhost",  # the file; an empty version is none
    ]
    assert answers[-1].status_code == 404
    answers = follow(browser_of(maria), site.view(maria, "a b/ή.txt"))
    last = answers[-1]
    assert (last.status_code, last.content.decode()) == (200, "γεια")
    assert str(last.url) == site.view(maria, "a b/ή.txt")
    assert last.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "sandbox" in last.headers["Content-Security-Policy"]
    assert f"frame-ancestors {site.main}" in last.headers["Content-Security-Policy"]
    assert last.headers["X-Content-Type-Options"] == "nosniff"
    assert last.headers["Referrer-Policy"] == "no-referrer"
    assert "no-store" in last.headers["Cache-Control"]


def test_no_token_is_ever_in_an_address_and_cookies_are_hidden_from_scripts(site, maria, browser_of) -> None:
    maria.put("docs/x", b"hello")
    answers = follow(browser_of(maria), site.view(maria, "x"))
    lines = [line for answer in answers for line in answer.headers.get_list("set-cookie")]
    cookies = [line for line in lines if line.startswith("pithos_view_")]
    assert len(cookies) == 3  # state set, state removed, token set
    assert all("Path=/pithos/ui/view/" in line for line in cookies)
    assert all("HttpOnly" in line for line in cookies if "Max-Age=0" not in line)
    token = next(line for line in cookies if line.startswith("pithos_view_token"))
    secret = token.partition("=")[2].partition(";")[0]
    assert secret and not any(secret in str(answer.url) for answer in answers)
    assert "Max-Age=20" in token
    asked = parse_qs(urlsplit(answers[0].headers["Location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [site.view(maria, "x")]
    assert asked["scope"] == [f"/{maria.uuid}/docs/x"]
    assert len(asked["state"][0]) >= 32


def test_a_browser_that_is_not_signed_in_lands_on_the_login_page(site, maria, browser_of) -> None:
    maria.put("docs/x", b"hello")
    last = follow(browser_of(None), site.view(maria, "x"))[-1]
    assert urlsplit(str(last.url)).path.endswith("/ui/login")
    assert last.status_code == 200


def test_what_others_may_not_read_is_a_403_page_and_what_is_missing_a_404_page(
    site, maria, nikos, browser_of
) -> None:
    maria.put("docs/x", b"hello")
    refused = follow(browser_of(nikos), site.view(maria, "x"))[-1]
    assert (refused.status_code, refused.headers["Content-Type"]) == (403, "text/html; charset=utf-8")
    assert follow(browser_of(maria), site.view(maria, "y"))[-1].status_code == 404
    maria.post("docs/x", type="text/plain", query="update", x_object_sharing=f"read={nikos.uuid}")
    assert follow(browser_of(nikos), site.view(maria, "x"))[-1].content == b"hello"


def test_a_code_is_worthless_in_another_browser(site, maria, browser_of) -> None:
    maria.put("docs/x", b"hello")
    victim, thief = browser_of(maria), browser_of(None)
    away = victim.get(site.view(maria, "x")).headers["Location"]
    back = victim.get(away).headers["Location"]
    assert "code=" in back
    assert thief.get(back).status_code == 403
    # Nor can somebody be sent to a file with a code that was not asked for in his browser.
    assert thief.get(site.view(maria, "x") + "?code=abc&state=").status_code == 403
    assert victim.get(back).status_code == 302
    assert victim.get(back).status_code == 403, "a code is good for once"


def test_a_token_is_good_for_its_own_file_only(site, maria, browser_of) -> None:
    for name in ("x", "x/below", "xy"):
        maria.put(f"docs/{name}", b"hello")
    browser = browser_of(maria)
    assert follow(browser, site.view(maria, "x"))[-1].status_code == 200
    (name,) = [key for key in browser.cookies if key.startswith("pithos_view_token")]
    token = browser.cookies[name]
    assert browser.get(site.view(maria, "x")).status_code == 200
    for other in ("x/below", "xy"):
        fresh = browser_of(None)
        for target in (name, _token_cookie(site, maria, other)):
            fresh.cookies.set(target, token, domain="localhost.local", path="/")
        answer = fresh.get(site.view(maria, other))
        assert answer.status_code == 302, other


def _token_cookie(site: Site, person: Person, name: str) -> str:
    from pithos.web.view import _cookie_name

    return _cookie_name(urlsplit(site.view(person, name)).path)


def test_ranges_conditions_versions_and_hashmaps_are_those_of_the_api(site, maria, browser_of) -> None:
    maria.put("docs/x", b"first")
    serial = maria.head("docs/x")["X-Object-Version"]
    maria.put("docs/x", b"hello world")
    browser, url = browser_of(maria), site.view(maria, "x")
    full = follow(browser, url)[-1]
    part = browser.get(url, headers={"Range": "bytes=6-10"})
    assert (part.status_code, part.content) == (206, b"world")
    assert browser.get(url, headers={"If-None-Match": full.headers["ETag"]}).status_code == 304
    assert browser.get(url, headers={"Range": "bytes=99-100"}).status_code == 416
    old = follow(browser, f"{url}?version={serial}&disposition-type=attachment")[-1]
    assert old.content == b"first"
    assert old.headers["Content-Disposition"] == 'attachment; filename="x"'
    assert browser.get(f"{url}?hashmap").json()["bytes"] == 11
    head = browser.head(url)
    assert (head.status_code, head.headers["Content-Length"], head.content) == (200, "11", b"")


def test_other_verbs_are_refused(site, maria, browser_of) -> None:
    browser = browser_of(maria)
    answer = browser.post(site.view(maria, "x"))
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET,HEAD")
    assert browser.put(site.view(maria, "x", site.main)).status_code == 403


def test_an_invalid_token_starts_again(site, maria, browser_of) -> None:
    maria.put("docs/x", b"hello")
    browser = browser_of(maria)
    browser.cookies.set(
        _token_cookie(site, maria, "x"), "wrong", domain="localhost.local", path="/pithos/ui/view/"
    )
    answers = follow(browser, site.view(maria, "x") + "?access_token=old")
    assert "access_token" not in answers[0].headers["Location"]
    assert answers[-1].content == b"hello"


def test_public_files_are_served_by_their_own_host_only(site, maria) -> None:
    maria.put("docs/p", b"<script>alert(1)</script>", type="text/html", x_object_public="true")
    public = urlsplit(maria.head("docs/p")["X-Object-Public"]).path
    moved = httpx.get(f"{site.main}{public}?disposition-type=inline")
    assert moved.status_code == 302
    assert moved.headers["Location"] == f"{site.files}{public}?disposition-type=inline"
    assert httpx.post(f"{site.main}{public}").status_code == 403
    answer = httpx.get(moved.headers["Location"])
    assert answer.content == b"<script>alert(1)</script>"
    assert answer.headers["Content-Disposition"].startswith("inline")
    assert "sandbox" in answer.headers["Content-Security-Policy"].replace(";", " ").split()
    # The interface itself stays where it is.
    url = f"{site.main}{ROOT}/{maria.uuid}/docs/p"
    assert httpx.get(url, headers={"X-Auth-Token": maria.token}).status_code == 200
