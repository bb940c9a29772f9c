"""Screens of real guests: with a viewer of RFB, and in a browser with the page of the site."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from tests.e2e.browser import Watched, problems_in_all_looks
from tests.e2e.guest import NAME, Guest
from tests.lab.rfb_client import Refused, RfbClient

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]


def test_a_viewer_sees_the_guest_and_types_into_it(guest: Guest) -> None:
    guest.shows("login:")
    console = guest.ask(console={"type": "vnc"})["console"]
    place = (console["host"], console["port"])
    with socket.create_connection(place, timeout=30) as connection:
        viewer = RfbClient.over(connection).log_in(console["password"])
        assert viewer.security_types == [2]
        viewer.share()
        picture = viewer.picture()
        assert len({picture[at : at + 3] for at in range(0, len(picture), 4)}) > 1
        # Never with Return: the password that is asked for next is not shown.
        viewer.type("by viewer ")
        guest.shows("login: by viewer")
    with pytest.raises(OSError):
        socket.create_connection(place, timeout=30)


def test_a_wrong_password_shows_nothing(guest: Guest) -> None:
    console = guest.ask(console={"type": "vnc"})["console"]
    with (
        socket.create_connection((console["host"], console["port"]), timeout=30) as connection,
        pytest.raises(Refused),
    ):
        RfbClient.over(connection).log_in("wrong")


def test_a_browser_shows_the_guest_and_types_into_it(guest: Guest, browser: Any) -> None:
    cloud = guest.cloud
    url = guest.ask(**{"os-getVNCConsole": {"type": "novnc"}})["console"]["url"]
    tab = Watched(browser, cloud.base_url)
    page = tab.page
    page.goto(url)
    page.get_by_test_id("console-state").get_by_text("Connected").wait_for()
    assert page.evaluate("location.href").count("password") == 0
    assert page.title().startswith(NAME)
    page.locator("canvas").wait_for()
    page.keyboard.type("by browser")
    guest.shows("by browser")
    page.get_by_role("button", name="Type a text").click()
    page.locator("#paste-text").fill(" Pasted (1)")
    page.get_by_role("button", name="Type it").click()
    guest.shows("by browser Pasted (1)")
    page.keyboard.press("Control+Alt+Shift+Tab")
    assert page.evaluate("document.activeElement.textContent") == "Ctrl+Alt+Del"
    page.get_by_role("button", name="Disconnect").click()
    page.locator("#note-text").get_by_text("Connection closed").wait_for()
    assert problems_in_all_looks(page) == []
    page.reload()
    page.locator("#note-text").get_by_text("This address opens no console").wait_for()
    tab.close()
