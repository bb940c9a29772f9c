"""What browsers may do with users' files."""

from __future__ import annotations

import pytest
from django.http import HttpResponse

from pithos.api.user_content import protect

pytestmark = pytest.mark.unit


def shown(media: str, disposition: str = 'inline; filename="x"') -> HttpResponse:
    response = HttpResponse(b"", content_type=media)
    if disposition:
        response["Content-Disposition"] = disposition
    return protect(response)


@pytest.mark.parametrize(
    "media", ["text/html", "image/svg+xml", "application/xml", "text/javascript", "application/pdf", "x/y"]
)
def test_what_browsers_interpret_is_saved_not_shown_on_the_main_host(settings, media) -> None:
    settings.PITHOS_UNSAFE_DOMAIN = None
    response = shown(media)
    assert response["Content-Disposition"] == 'attachment; filename="x"'
    assert "sandbox" in response["Content-Security-Policy"]
    assert shown(media, "")["Content-Disposition"] == "attachment"


@pytest.mark.parametrize("media", ["image/png", "text/plain; charset=utf-8", "Image/JPEG", "video/mp4"])
def test_harmless_files_are_shown_on_the_main_host(settings, media) -> None:
    settings.PITHOS_UNSAFE_DOMAIN = None
    assert shown(media)["Content-Disposition"] == 'inline; filename="x"'


def test_everything_is_shown_on_a_host_of_its_own(settings) -> None:
    settings.PITHOS_UNSAFE_DOMAIN = "files.example"
    assert shown("text/html")["Content-Disposition"] == 'inline; filename="x"'
    assert shown("text/html")["Content-Security-Policy"].split("; ")[-2] == "sandbox"
    assert "sandbox" not in shown("application/pdf")["Content-Security-Policy"]


def test_a_player_keeps_its_origin_and_gets_no_scripts(settings) -> None:
    settings.PITHOS_UNSAFE_DOMAIN = "files.example"
    policy = shown("video/webm")["Content-Security-Policy"]
    assert "sandbox allow-same-origin" in policy
    assert "allow-scripts" not in policy
