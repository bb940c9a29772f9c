"""The messages between Ganeti nodes and the dispatcher (ganeti-backend contract 5)."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synnefo import messages
from synnefo.messages import (
    ClusterStatus,
    Heartbeat,
    InstanceDisk,
    InstanceHvparams,
    InstanceNic,
    MessageError,
    NetworkStatus,
    OpStatus,
    Progress,
    decode,
)

pytestmark = pytest.mark.unit

OP = OpStatus(
    operation="OP_INSTANCE_SET_PARAMS",
    status="success",
    job_id=77,
    event_time=(1_800_000_000, 251_337),
    cluster="c1.example.org",
    instance="snf-7",
    logmsg="done",
    result=[["nic.1", "add"]],
    tags=("cyclades:user:web",),
    job_fields={"nics": [["add", "-1", {"name": "snf-nic-3"}]], "disks": []},
    instance_nics=(InstanceNic(name="snf-nic-3", network="snf-net-1", ip="10.0.0.9", firewall="protected"),),
    instance_disks=(InstanceDisk(name="snf-vol-5", size=20480, uuid="u"),),
    instance_hvparams=InstanceHvparams(boot_order="disk"),
    request_id="r-1",
)
NETWORK = NetworkStatus(
    operation="OP_NETWORK_ADD",
    status="running",
    job_id=78,
    event_time=(1_800_000_000, 0),
    cluster="c1.example.org",
    network="snf-net-1",
    subnet="10.0.0.0/24",
    add_reserved_ips=("10.0.0.1",),
)
CLUSTER = ClusterStatus(
    operation="OP_CLUSTER_SET_PARAMS", status="success", job_id=3, event_time=(5, 6), cluster="c"
)
HEARTBEAT = Heartbeat(operation="OP_TAGS_SET", status="waiting", job_id=4, event_time=(5, 6), cluster="c")
COPY = Progress(
    type="image-copy-progress", instance="snf-7", event_time=(5, 6), progress=12.5, position=5, total=40
)
ERROR = Progress(type="image-error", instance="snf-7", event_time=(5, 6), messages=("broken",))
TASK = Progress(
    type="image-helper", instance="snf-7", event_time=(5, 6), subtype="task-start", task="MountImage"
)
ALL = [OP, NETWORK, CLUSTER, HEARTBEAT, COPY, ERROR, TASK]


@pytest.mark.parametrize("message", ALL, ids=lambda message: message.as_dict()["type"])
def test_every_message_survives_the_wire(message: Any) -> None:
    assert decode(message.encode()) == message


def test_op_status_has_the_contract_keys() -> None:
    content = json.loads(OP.encode())
    assert content["type"] == "ganeti-op-status"
    assert content["jobId"] == 77
    assert content["event_time"] == [1_800_000_000, 251_337]
    assert content["instance_nics"][0]["firewall"] == "protected"
    assert content["instance_hvparams"] == {"boot_order": "disk", "cdrom_image_path": ""}


def test_instance_state_is_absent_when_not_looked_up() -> None:
    content = json.loads(
        OpStatus(
            operation="OP_INSTANCE_SHUTDOWN",
            status="success",
            job_id=1,
            event_time=(1, 2),
            cluster="c",
            instance="snf-1",
        ).encode()
    )
    assert not {"instance_nics", "instance_disks", "instance_hvparams", "request_id"} & set(content)


def test_firewall_is_absent_without_tag() -> None:
    content = json.loads(OP.encode())
    bare = content | {"instance_nics": [{"name": "n"}]}
    decoded = decode(json.dumps(bare).encode())
    assert isinstance(decoded, OpStatus) and decoded.instance_nics == (InstanceNic(name="n"),)
    assert "firewall" not in decoded.as_dict()["instance_nics"][0]


def test_null_hvparams_are_accepted() -> None:
    content = json.loads(OP.encode()) | {"instance_hvparams": {"boot_order": None, "cdrom_image_path": None}}
    decoded = decode(json.dumps(content).encode())
    assert isinstance(decoded, OpStatus) and decoded.instance_hvparams == InstanceHvparams()


def test_missing_logmsg_and_string_result_are_accepted() -> None:
    content = json.loads(OP.encode()) | {"result": "Job killed"}
    del content["logmsg"]
    decoded = decode(json.dumps(content).encode())
    assert isinstance(decoded, OpStatus) and (decoded.logmsg, decoded.result) == (None, "Job killed")


def test_unknown_keys_are_ignored() -> None:
    assert decode(json.dumps(COPY.as_dict() | {"newer": 1}).encode()) == COPY


def test_event_time_is_exact() -> None:
    assert OP.event_datetime == datetime.datetime(2027, 1, 15, 8, 0, 0, 251337, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("jobId", "77"),
        ("jobId", True),
        ("jobId", None),
        ("event_time", [1]),
        ("event_time", [1, 1_000_000]),
        ("event_time", [1.5, 0]),
        ("event_time", 12.5),
        ("instance", None),
        ("instance", ""),
        ("status", 5),
        ("tags", "a,b"),
        ("job_fields", []),
        ("instance_nics", [5]),
        ("instance_disks", {}),
    ],
)
def test_wrong_value_is_refused_by_name(key: str, value: object) -> None:
    content = OP.as_dict() | {key: value}
    with pytest.raises(MessageError, match=key):
        decode(json.dumps(content).encode())


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"5", b"\xff", b'{"type": "other"}', b'{"type": []}', b"[" * 100_000, b"{}"],
)
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(MessageError):
        decode(body)


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_arbitrary_bytes_never_crash_the_decoder(body: bytes) -> None:
    try:
        decode(body)
    except MessageError:
        pass


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(ALL), st.data())
@settings(max_examples=200)
def test_damaged_messages_never_crash_the_decoder(message: Any, data: st.DataObject) -> None:
    content = message.as_dict()
    content[data.draw(st.sampled_from(sorted(content)))] = data.draw(JSON)
    try:
        decode(json.dumps(content).encode())
    except MessageError:
        pass


@pytest.mark.parametrize(
    ("name", "kind", "key"),
    [
        ("snf-142", "op", "ganeti.snf.event.op"),
        ("snf-net-12", "network", "ganeti.snf.event.network"),
        ("web1.example.org", "op", "ganeti.web1.example.org.event.op"),
    ],
)
def test_routing_key_takes_the_word_before_the_dash(name: str, kind: Any, key: str) -> None:
    assert messages.routing_key_for(name, kind) == key


def test_each_message_has_its_routing_key() -> None:
    assert [messages.routing_key_of(message) for message in ALL] == [
        "ganeti.snf.event.op",
        "ganeti.snf.event.network",
        "ganeti.event.cluster",
        "eventd.heartbeat",
        "ganeti.snf.event.progress",
        "ganeti.snf.event.progress",
        "ganeti.snf.event.progress",
    ]
