"""Which addresses are the same, which lie below another, and which are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astakos.logic.redirect_uris import matches, normalise, with_parameters
from synnefo.errors import BadRequest

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("HTTPS://Host.Example/View", "https://host.example/View"),
        ("https://h", "https://h/"),
        ("https://h:443/v", "https://h/v"),
        ("http://h:80/v", "http://h/v"),
        ("https://h:8443/v", "https://h:8443/v"),
        ("https://h/a/./b/../c", "https://h/a/c"),
        ("https://h/a/b/..", "https://h/a/"),
        ("https://h/../../a", "https://h/a"),
        ("https://h/%7emaria/%c3%bc", "https://h/~maria/%C3%BC"),
        ("https://h/ü", "https://h/%C3%BC"),
        ("https://h/a%2e%2e/x", "https://h/a../x"),
        ("https://h/a/%2e%2e/x", "https://h/x"),
        ("https://h/v?q=%7e&r=%c3", "https://h/v?q=~&r=%C3"),
        ("https://[::1]:8443/v", "https://[::1]:8443/v"),
        ("org.example.app:/done", "org.example.app:/done"),
        ("pithos://done/x", "pithos://done/x"),
    ],
)
def test_one_spelling_for_each_address(written: str, normal: str) -> None:
    assert normalise(written) == normal
    assert normalise(normal) == normal


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "/view",
        "//h/view",
        "h/view",
        "https:/h/view",
        "https:///view",
        "https:h",
        "javascript:alert(1)",
        "JAVASCRIPT://h/%0aalert(1)",
        "data:text/html,x",
        "https://h/view#part",
        "https://h/view#",
        "https://user@h/view",
        "https://user:pass@h/view",
        "https://h\\@evil/view",
        "https://h/vi ew",
        "https://h/v\x00",
        "https://h/v\r\nX: y",
        "https://h/%",
        "https://h/%zz",
        "https://h:port/",
        "https://h:99999999/",
        "https://[::1/",
        "https://h;x/",
        "https://h\u2100/",
        "https://\ud800/",
        "https://h/\ud800",
        "https://h/view/..%2fevil",
        "https://h/view/..%2F..%2Fevil",
        "https://h/view/%2e%2e%5cevil",
        "https://h/" + "x" * 5000,
    ],
)
def test_what_no_answer_may_go_to(uri: str) -> None:
    with pytest.raises(BadRequest):
        normalise(uri)


@pytest.mark.parametrize(
    ("uri", "is_below"),
    [
        ("https://h/p/view", True),
        ("https://h/p/view/", True),
        ("https://h/p/view/account/container/x", True),
        ("https://h/p/viewX", False),
        ("https://h/p/view/../admin", False),
        ("https://h/p/view/%2e%2e/admin", False),
        ("https://h/p/view?x=1", False),
        ("https://h/p", False),
        ("http://h/p/view", False),
        ("https://h:8443/p/view", False),
        ("https://h.evil/p/view", False),
        ("https://x.h/p/view", False),
    ],
)
@pytest.mark.parametrize("registered", ["https://h/p/view", "https://h/p/view/"])
def test_below_means_a_segment_below(uri: str, is_below: bool, registered: str) -> None:
    if (uri, registered) == ("https://h/p/view", "https://h/p/view/"):
        is_below = False
    assert matches(normalise(uri), normalise(registered)) is is_below


def test_parameters_go_behind_the_query_there_is() -> None:
    assert with_parameters("https://h/v", "code=c") == "https://h/v?code=c"
    assert with_parameters("https://h/v?a=1", "code=c") == "https://h/v?a=1&code=c"


@given(st.text(max_size=30), st.sampled_from(["", "https://h/", "https://", "https://h/v/", "x:"]))
def test_any_text_is_normal_or_refused(text: str, start: str) -> None:
    try:
        normal = normalise(start + text)
    except BadRequest:
        return
    assert normalise(normal) == normal
    assert normal.isascii()
    assert normal.isprintable()
