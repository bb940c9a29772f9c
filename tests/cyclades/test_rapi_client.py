"""The RAPI client: what it sends, and how it tells the three kinds of failure apart."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from cyclades.ganeti import rapi_transport
from cyclades.ganeti.rapi import (
    GanetiApiError,
    RapiClient,
    RapiPool,
    RapiRefused,
    RapiUnavailable,
    RapiUnknown,
)

pytestmark = pytest.mark.unit

Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rapi_transport.time, "sleep", lambda _seconds: None)


class Server:
    """Plays RAPI: keeps the requests, answers as told."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.client = RapiClient("ganeti", 5080, "user", "pass", transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return answer
        return httpx.Response(200, content=json.dumps(answer))

    @property
    def request(self) -> httpx.Request:
        return self.requests[-1]

    @property
    def line(self) -> str:
        return f"{self.request.method} {self.request.url.raw_path.decode()}"

    @property
    def body(self) -> Any:
        return json.loads(self.request.content) if self.request.content else None


def refusal(code: int, message: str = "no") -> httpx.Response:
    return httpx.Response(code, json={"code": code, "message": message, "explain": "because"})


# -- requests --------------------------------------------------------------------------------------------


def test_requests_are_authenticated_over_https() -> None:
    server = Server({"name": "c"})
    server.client.GetInfo()
    assert str(server.request.url) == "https://ganeti:5080/2/info"
    assert server.request.headers["Authorization"] == "Basic dXNlcjpwYXNz"


def test_an_ipv6_host_is_bracketed() -> None:
    client = RapiClient(
        "2001:db8::1", 5080, "u", "p", transport=httpx.MockTransport(lambda r: httpx.Response(200, json=2))
    )
    assert client.GetVersion() == 2


def test_the_content_type_is_exact_and_only_sent_with_a_body() -> None:
    server = Server(7)
    server.client.ModifyInstance("snf-1", {"beparams": {}})
    assert server.request.headers["Content-Type"] == "application/json"
    server.client.StartupInstance("snf-1")
    assert "Content-Type" not in server.request.headers
    assert server.body is None


ANY = ["canceled", "error", "success"]


@pytest.mark.parametrize(
    ("call", "line", "body"),
    [
        (lambda c: c.CreateInstance({"name": "x"}), "POST /2/instances", {"name": "x"}),
        (lambda c: c.CreateInstance({}, dry_run=True), "POST /2/instances?dry-run=1", {}),
        (lambda c: c.DeleteInstance("x"), "DELETE /2/instances/x", None),
        (
            lambda c: c.DeleteInstance("x", shutdown_timeout=0),
            "DELETE /2/instances/x",
            {"shutdown_timeout": 0},
        ),
        (lambda c: c.StartupInstance("x"), "PUT /2/instances/x/startup", None),
        (
            lambda c: c.StartupInstance("x", depends=[[1, ANY]]),
            "PUT /2/instances/x/startup",
            {"depends": [[1, ANY]]},
        ),
        (lambda c: c.ShutdownInstance("x", timeout=5), "PUT /2/instances/x/shutdown", {"timeout": 5}),
        (lambda c: c.RebootInstance("x"), "POST /2/instances/x/reboot?type=hard", None),
        (
            lambda c: c.RebootInstance("x", shutdown_timeout=0),
            "POST /2/instances/x/reboot?type=hard",
            {"shutdown_timeout": 0},
        ),
        (
            lambda c: c.ModifyInstance("x", {"a": 1}, dry_run=True),
            "PUT /2/instances/x/modify",
            {"a": 1, "dry_run": True},
        ),
        (
            lambda c: c.GrowInstanceDisk("x", 1, 64),
            "POST /2/instances/x/disk/1/grow",
            {"amount": 64, "wait_for_sync": True},
        ),
        (
            lambda c: c.RenameInstance("x", "y"),
            "PUT /2/instances/x/rename",
            {"new_name": "y", "ip_check": False, "name_check": False},
        ),
        (lambda c: c.AddInstanceTags("x", ["a:b", "c+d"]), "PUT /2/instances/x/tags?tag=a:b&tag=c%2Bd", None),
        (lambda c: c.DeleteInstanceTags("x", ["a"]), "DELETE /2/instances/x/tags?tag=a", None),
        (lambda c: c.AddClusterTags(["h"], dry_run=True), "PUT /2/tags?tag=h&dry-run=1", None),
        (
            lambda c: c.ConnectNetwork("n", "g", "bridged", "br0", conflicts_check=False),
            "PUT /2/networks/n/connect",
            {"group_name": "g", "network_mode": "bridged", "network_link": "br0", "conflicts_check": False},
        ),
        (lambda c: c.DisconnectNetwork("n", "g"), "PUT /2/networks/n/disconnect", {"group_name": "g"}),
        (lambda c: c.DeleteNetwork("n", depends=[[1, ANY]]), "DELETE /2/networks/n", {"depends": [[1, ANY]]}),
        (lambda c: c.ModifyCluster(), "PUT /2/modify", {}),
    ],
)
def test_what_a_call_sends(call: Any, line: str, body: Any) -> None:
    server = Server(7)
    assert call(server.client) == 7
    assert (server.line, server.body) == (line, body)


def test_a_network_is_created_with_every_key() -> None:
    server = Server(7)
    server.client.CreateNetwork("n", "10.0.0.0/24", conflicts_check=False, tags=["public"])
    assert server.body == {
        "network_name": "n",
        "network": "10.0.0.0/24",
        "gateway": None,
        "network6": None,
        "gateway6": None,
        "mac_prefix": None,
        "add_reserved_ips": None,
        "conflicts_check": False,
        "tags": ["public"],
    }


def test_the_reason_travels_in_the_query() -> None:
    server = Server(7)
    server.client.StartupInstance("x", reason="req 1&2")
    assert server.line == "PUT /2/instances/x/startup?reason=req%201%262"


def test_names_cannot_leave_their_path_segment() -> None:
    server = Server({})
    server.client.GetInstance("../info?x=1")
    assert server.line == "GET /2/instances/..%2Finfo%3Fx%3D1"


def test_job_ids_that_are_text_are_numbers_too() -> None:
    assert Server("12").client.StartupInstance("x") == 12


def test_a_request_line_that_ganeti_would_drop_is_not_sent() -> None:
    server = Server(7)
    with pytest.raises(RapiRefused):
        server.client.AddInstanceTags("x", ["t" * 120] * 80)
    assert server.requests == []


# -- jobs ------------------------------------------------------------------------------------------------


def test_a_job_of_nulls_does_not_exist() -> None:
    with pytest.raises(RapiRefused) as caught:
        Server({"id": 9, "status": None}).client.GetJobStatus(9)
    assert caught.value.not_found


def test_waiting_sends_a_body_with_a_get() -> None:
    server = Server({"job_info": ["running"], "log_entries": []})
    server.client.WaitForJobChange(9, ["status"], ["queued"], 3)
    assert server.line == "GET /2/jobs/9/wait"
    assert server.body == {"fields": ["status"], "previous_job_info": ["queued"], "previous_log_serial": 3}


def test_waiting_may_be_answered_with_null() -> None:
    assert Server(None).client.WaitForJobChange(9) is None


def test_waiting_for_the_end_survives_null_and_progress() -> None:
    server = Server(
        {"job_info": ["queued"], "log_entries": []},
        None,
        {"job_info": ["running"], "log_entries": [[1, [0, 0], "message", "x"]]},
        {"job_info": ["error"], "log_entries": []},
        {"id": 9, "status": "error"},
    )
    assert server.client.WaitForJobCompletion(9)["status"] == "error"
    assert [json.loads(request.content)["previous_log_serial"] for request in server.requests[:4]] == [
        None,
        None,
        None,
        1,
    ]


def test_cancelling_tells_whether_it_worked() -> None:
    assert Server([False, "too late"]).client.CancelJob(9) == (False, "too late")


# -- failures --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [400, 404, 409, 415, 501])
def test_a_refusal_means_that_nothing_happened(code: int) -> None:
    server = Server(refusal(code, "&#x27;a&#x27; &amp; b"))
    with pytest.raises(RapiRefused) as caught:
        server.client.StartupInstance("x")
    assert caught.value.code == code
    assert "'a' & b" in caught.value.message


@pytest.mark.parametrize("code", [401, 403, 502, 503])
def test_wrong_credentials_and_overload_are_unavailable(code: int) -> None:
    with pytest.raises(RapiUnavailable) as caught:
        Server(refusal(code)).client.StartupInstance("x")
    assert caught.value.code == code


def test_a_job_that_the_master_daemon_cannot_parse_is_refused() -> None:
    with pytest.raises(RapiRefused):
        Server(refusal(502, "Failed to parse request: SubmitJob: …")).client.CreateInstance({})


@pytest.mark.parametrize("code", [500, 504])
def test_a_server_error_leaves_a_changes_outcome_unknown(code: int) -> None:
    with pytest.raises(RapiUnknown):
        Server(refusal(code)).client.StartupInstance("x")
    with pytest.raises(RapiUnavailable):
        Server(refusal(code)).client.GetInfo()


@pytest.mark.parametrize(
    "message",
    ["(&#x27;Instance name x not found&#x27;, &#x27;unknown_entity&#x27;)", "Can&#x27;t load job file"],
)
def test_server_errors_that_mean_not_found(message: str) -> None:
    with pytest.raises(RapiRefused) as caught:
        Server(refusal(500, message)).client.GetInstanceTags("x")
    assert caught.value.not_found


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
        httpx.ConnectError(str(ssl.SSLError("bad"))),
    ],
)
def test_without_a_connection_nothing_happened(error: Exception) -> None:
    with pytest.raises(RapiUnavailable):
        Server(error).client.StartupInstance("x")


@pytest.mark.parametrize(
    "error",
    [
        httpx.ReadTimeout("slow"),
        httpx.WriteTimeout("slow"),
        httpx.ReadError("reset"),
        httpx.WriteError("broken pipe"),
        httpx.RemoteProtocolError("closed without an answer"),
    ],
)
def test_a_sent_change_without_an_answer_is_unknown(error: Exception) -> None:
    server = Server(error)
    with pytest.raises(RapiUnknown):
        server.client.StartupInstance("x")
    assert len(server.requests) == 1, "a change is never sent twice"
    with pytest.raises(RapiUnavailable):
        Server(error).client.GetInfo()


@pytest.mark.parametrize("answer", [httpx.Response(200, text="<html>"), None, True, {"a": 1}, []])
def test_an_answer_without_job_id_is_unknown(answer: Any) -> None:
    with pytest.raises(RapiUnknown):
        Server(answer).client.StartupInstance("x")


@pytest.mark.parametrize("answer", [httpx.Response(200, text="<html>"), None, [1]])
def test_a_read_answered_with_something_else_is_unavailable(answer: Any) -> None:
    with pytest.raises(RapiUnavailable):
        Server(answer).client.GetInfo()


def test_all_failures_are_one_kind_of_error() -> None:
    for kind in (RapiRefused, RapiUnavailable, RapiUnknown):
        assert issubclass(kind, GanetiApiError)


# -- repetition ------------------------------------------------------------------------------------------


def test_a_read_is_repeated_after_a_broken_connection() -> None:
    server = Server(httpx.ConnectError("refused"), httpx.RemoteProtocolError("closed"), {"name": "c"})
    assert server.client.GetInfo() == {"name": "c"}
    assert len(server.requests) == 3


def test_a_read_that_timed_out_is_not_repeated() -> None:
    server = Server(httpx.ReadTimeout("slow"))
    with pytest.raises(RapiUnavailable):
        server.client.GetInfo()
    assert len(server.requests) == 1


def test_a_refused_read_is_not_repeated() -> None:
    server = Server(refusal(404))
    with pytest.raises(RapiRefused):
        server.client.GetInstance("x")
    assert len(server.requests) == 1


def test_repetition_ends_when_the_breaker_opens() -> None:
    server = Server(httpx.ConnectError("refused"))
    server.client.pool = RapiPool(failure_threshold=2)
    with pytest.raises(RapiUnavailable):
        server.client.GetInfo()
    assert len(server.requests) == 2
