"""The console proxy's parts: control messages, users, RFB's answer, ports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gtools.vncauthproxy import accounts, control, passwd
from gtools.vncauthproxy.listeners import NoFreePort, PortPool
from gtools.vncauthproxy.options import OptionsError, ProxyOptions
from gtools.vncauthproxy.rfb import response_to
from tests.gtools.proxy_bench import request

pytestmark = pytest.mark.unit
KNOWN = "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"

_VALUES: Any = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=30) | st.lists(st.integers(), max_size=2)
)


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=1100))
def test_any_bytes_are_a_request_or_refused(data: bytes) -> None:
    control.is_complete(data)
    try:
        control.parse(data)
    except control.ControlError:
        pass


@settings(deadline=None, max_examples=60)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(request(1), _VALUES)))
def test_any_values_are_a_request_or_refused(changes: dict[str, Any]) -> None:
    body = json.dumps({**request(5900), **changes}).encode()
    try:
        parsed = control.parse(body)
    except control.ControlError:
        return
    assert 0 < parsed.destination[1] < 65536


def test_a_request_is_complete_with_its_last_brace() -> None:
    body = json.dumps(request(5900)).encode()
    assert [size for size in range(len(body) + 1) if control.is_complete(body[:size])] == [len(body)]


def test_nested_brackets_do_no_harm() -> None:
    with pytest.raises(control.ControlError):
        control.parse(b"[" * 1024)
    control.is_complete(b'{"a":' * 204)


def test_replies_fit_the_protocol() -> None:
    assert (
        len(control.granted(65535, "a" * 255, "wss://" + "b" * 506 + "/" + "c" * 32)) <= control.MAX_MESSAGE
    )


def test_the_answer_to_a_challenge_is_that_of_other_programs() -> None:
    # Computed with another implementation of VNC authentication.
    assert response_to(bytes(16), "").hex() == "8ca64de9c1b123a7" * 2
    assert response_to(bytes(range(16)), "password") == response_to(bytes(range(16)), "passwordX")


def test_hashes_of_crypt_are_understood(tmp_path: Path) -> None:
    users = accounts.Accounts(tmp_path / "users")
    users.path.write_text(f"# comment\n\nalice:{KNOWN}\n")
    assert users.load() == 1
    assert users.verify("alice", "Hello world!")
    assert not users.verify("alice", "Hello world")
    assert not users.verify("bob", "Hello world!")


@pytest.mark.parametrize("text", ["alice", "alice:plain", "Alice:$6$a$b", f"9a:{KNOWN}", "\udc80"])
def test_a_broken_file_of_users_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "users").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(accounts.AccountsError):
        accounts.read_file(tmp_path / "users")


def test_passwd_adds_changes_and_removes_users(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "users"
    assert passwd.main(["-p", "one", str(file), "alice"]) == 0
    assert passwd.main(["-p", "two", str(file), "bob_1"]) == 0
    assert passwd.main(["-n", "-p", "three", str(file), "carol"]) == 0
    assert "carol:$6$" in capsys.readouterr().out
    assert list(accounts.read_file(file)) == ["alice", "bob_1"]
    assert file.stat().st_mode & 0o777 == 0o640
    assert passwd.main(["-d", str(file), "alice"]) == 0
    assert list(accounts.read_file(file)) == ["bob_1"]
    assert [path.name for path in tmp_path.iterdir()] == ["users"]


@pytest.mark.parametrize("arguments", [["-p", "x", "Root"], ["-d", "nobody"], ["-p", "x", "a" * 32]])
def test_passwd_refuses(tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert passwd.main([*arguments[:-1], str(tmp_path / "users"), arguments[-1]]) == 1
    assert capsys.readouterr().err.startswith("error: ")


def test_a_pool_lends_each_port_once() -> None:
    pool = PortPool("127.0.0.1", 21000, 21003)
    lent = []
    with pytest.raises(NoFreePort):
        while True:
            port, sockets = pool.take()
            for listener in sockets:
                listener.close()
            lent.append(port)
    assert set(lent) <= set(range(21000, 21004))
    assert len(set(lent)) == len(lent)
    with pytest.raises(NoFreePort):
        pool.take(22)
    pool.give_back(lent[0])
    assert lent[0] not in pool.lent


@pytest.mark.parametrize(
    "options",
    [
        {"min_port": 10, "max_port": 9},
        {"websocket_port": 6080},
        {"websocket_port": 6080, "websocket_url": "wss://x/"},
        {"websocket_port": 6080, "websocket_url": "https://x/", "origin": ("https://y",)},
    ],
)
def test_options_that_contradict_each_other(options: dict[str, Any]) -> None:
    with pytest.raises(OptionsError):
        ProxyOptions(**options).check()
