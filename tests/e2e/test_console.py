"""Screens of real guests: with a viewer of RFB, and in a browser with the page of the site."""

# ruff: noqa: F811
from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.browser import Watched, problems_in_all_looks
from tests.e2e.cloud_user import COMPUTE, CloudUser, eventually
from tests.e2e.test_real_ganeti import BOOT_SECONDS, address_of, image  # noqa: F401
from tests.lab.cloud import Cloud
from tests.lab.instance import wait_until
from tests.lab.rfb_client import Refused, RfbClient

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


class Guest:
    """A running server, and what stands on its screen."""

    def __init__(self, cloud: Cloud, user: CloudUser, image: str) -> None:
        self.cloud, self.user = cloud, user
        ordered = user.create_server("screen & keys", image, user.smallest_flavor()["id"])
        self.id, self._password = ordered["id"], ordered["adminPass"]
        self._address = address_of(user.wait_server(self.id, "ACTIVE", timeout=180))
        wait_until(lambda: cloud.cluster.guest_answers(self._address), timeout=BOOT_SECONDS, what="the guest")

    def ask(self, expect: int = 200, **action: Any) -> Any:
        return self.user.call("POST", f"{COMPUTE}/servers/{self.id}/action", expect=expect, json=action)

    def shows(self, text: str) -> None:
        """Wait until the text is on the guest's first terminal."""

        def check() -> None:
            screen = self.cloud.cluster.guest_shell(self._address, "cat /dev/vcs1", password=self._password)
            assert text in screen, screen

        eventually(check, timeout=BOOT_SECONDS)


@pytest.fixture(scope="module")
def guest(real_cloud: Cloud, image: str) -> Iterator[Guest]:
    with real_cloud.client() as client:
        user = CloudUser(client, real_cloud.credentials["user_uuid"])
        guest = Guest(real_cloud, user, image)
        yield guest
        user.delete_server(guest.id)
        eventually(lambda: _is_deleted(user, guest.id))


def _is_deleted(user: CloudUser, server_id: int) -> None:
    assert user.server(server_id)["status"] == "DELETED"


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
    assert page.title().startswith("screen & keys")
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


def test_a_stopped_guest_has_no_console(guest: Guest) -> None:
    guest.user.action(guest.id, shutdown={})
    guest.user.wait_server(guest.id, "STOPPED")
    assert "STOPPED" in guest.ask(expect=400, console={"type": "vnc"})["badRequest"]["message"]
