"""Users' files in a real browser: signing in on the way, harmless pages, players that ask again."""

# ruff: noqa: F811
from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache

from tests.pithos.conftest import Person, blocks, make_user, maria, registered  # noqa: F401
from tests.pithos.view_site import Site, site  # noqa: F401

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True), pytest.mark.timeout(900)]


@pytest.fixture
def page(browser: Any, site: Site, maria: Person) -> Iterator[Any]:
    """A tab of a browser that nobody is signed in with."""
    cache.clear()
    context = browser.new_context(locale="en")
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.on("console", lambda message: print(message.text))  # shown when a test fails
    yield page
    context.close()


def view(page: Any, address: str) -> None:
    """Open a file, signing in when asked."""
    page.goto(address)
    if "/ui/login" in page.url:
        page.locator("#id_username").fill("maria@lab.example")
        page.locator("#id_password").fill("a-password")
        page.get_by_test_id("action-login").click()
        page.wait_for_url("**/pithos/ui/view/**")


def test_the_login_page_leads_to_the_file(page: Any, site: Site, maria: Person) -> None:
    maria.put("docs/x.txt", b"hello from the store", type="text/plain")
    view(page, site.view(maria, "x.txt", site.main))
    assert page.url == site.view(maria, "x.txt")
    assert "hello from the store" in page.content()


def test_scripts_of_a_file_do_not_run(page: Any, site: Site, maria: Person) -> None:
    html = b"<title>before</title><p id=x>text</p><script>document.title='after'</script>"
    maria.put("docs/x.html", html, type="text/html")
    view(page, site.view(maria, "x.html"))
    assert page.title() == "before"
    assert page.locator("#x").inner_text() == "text"


def test_a_player_gets_its_file(page: Any, site: Site, maria: Person) -> None:
    sound = io.BytesIO()
    with wave.open(sound, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16000))
    maria.put("docs/x.wav", sound.getvalue(), type="audio/wav")
    view(page, site.view(maria, "x.wav"))
    page.wait_for_function("document.querySelector('video, audio').readyState >= 1")
    assert page.evaluate("document.querySelector('video, audio').duration") == 1
