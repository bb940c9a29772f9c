"""No value anywhere in a request to compute is an error of ours: paths, queries, bodies (quality 3)."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from cyclades.api.compute.dialect import service
from cyclades.models import Server
from tests.cyclades.compute_fixtures import IMAGE_ID

pytestmark = [pytest.mark.db, pytest.mark.usefixtures("submitted", "backend", "image")]

VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 2**63, 1.5, "", "0", "x" * 300, "0" * 5000, "\x00", "\ud800", [], [None], {}, {"a": 1},
)  # fmt: skip
SEGMENTS = ("0", "9" * 19, "0" * 5000, "a%20b", "%C3%A9", "a%00", "x" * 300)
TEXTS = ("0", "-1", "9" * 30, "0" * 5000, "x%00", "%5C", "^x$", ",", "0001-01-01", "9999-12-31T23:59:59Z")
PARAMETERS = (
    "changes-since", "changes-before", "limit", "marker", "sort_key", "sort_dir", "status", "tags",
    "not-tags", "ip", "name", "flavor", "minRam", "start", "end", "tenant_id", "SNF:is_public",
    "SNF:flavor-access",
)  # fmt: skip
LISTS = ("servers", "flavors", "images", "os-floating-ips", "os-simple-tenant-usage", "limits")
ACTIONS: tuple[dict[str, Any], ...] = (
    {"start": {}},
    {"reboot": {"type": "HARD"}},
    {"resize": {"flavorRef": 1}},
    {"console": {"type": "vnc"}},
    {"os-getVNCConsole": {"type": "novnc"}},
    {"firewallProfile": {"nic": 1, "profile": "ENABLED"}},
    {"reassign": {"project": "p", "shared_to_project": True}},
    {"addFloatingIp": {"address": "203.0.113.7"}},
    {"removeFloatingIp": {"address": "203.0.113.7"}},
    {"rescue": {"rescue_image_ref": 1}},
    {"createImage": {"name": "x", "metadata": {"a": "b"}}},
)
SERVER: dict[str, Any] = {
    "name": "x",
    "imageRef": IMAGE_ID,
    "flavorRef": 1,
    "metadata": {"a": "b"},
    "tags": ["a"],
    "project": "p",
    "shared_to_project": False,
    "key_name": "k",
    "SNF:key_names": ["k"],
    "adminPass": "Str0ngEnough",
    "user_data": "aGk=",
    "networks": [{"uuid": "9", "fixed_ip": "10.0.0.1"}, {"port": 3}],
    "personality": [{"path": "/a", "contents": "aGk=", "owner": "root", "group": "root", "mode": 420}],
    "block_device_mapping_v2": [
        {"source_type": "image", "uuid": IMAGE_ID, "volume_size": 20, "boot_index": 0}
    ],
    "min_count": 1,
}  # fmt: skip


def places(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of the body itself and of everything in it."""
    yield path
    items = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


def changed(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return *body* with *value* at *path*."""
    if not path:
        return value
    result = place = copy.deepcopy(body)
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return result


def is_ours(status: int) -> bool:
    return status >= 500 and status not in (501, 503)


def bodies(server: int, flavor: int) -> Iterator[tuple[str, str, Any]]:
    one = f"servers/{server}"
    yield "POST", "servers", {"server": SERVER | {"flavorRef": flavor}}
    yield (
        "POST",
        "servers",
        {"server": {"name": "x", "imageRef": IMAGE_ID, "flavorRef": flavor, "networks": []}},
    )
    yield "PUT", one, {"server": {"name": "x"}}
    yield "POST", f"{one}/metadata", {"metadata": {"a": "b"}}
    yield "PUT", f"{one}/metadata/a", {"meta": {"a": "b"}}
    yield "PUT", f"{one}/tags", {"tags": ["a"]}
    yield "POST", f"{one}/os-volume_attachments", {"volumeAttachment": {"volumeId": 1}}
    yield (
        "POST",
        f"{one}/os-interface",
        {"interfaceAttachment": {"net_id": "1", "fixed_ips": [{"ip_address": "x"}]}},
    )
    yield "POST", f"{one}/os-interface", {"interfaceAttachment": {"port_id": 1}}
    yield "POST", f"{one}/remote-consoles", {"remote_console": {"protocol": "vnc", "type": "novnc"}}
    yield "POST", "os-keypairs", {"keypair": {"name": "a", "public_key": "ssh-ed25519 AAAA x"}}
    for action in ACTIONS:
        yield "POST", f"{one}/action", action


def test_values_of_bodies(person, make_server, flavor, settings):
    settings.RESCUE_ENABLED = settings.CYCLADES_SHARED_RESOURCES_ENABLED = True
    server, turn, failed = make_server(operstate="STOPPED"), 0, []
    for verb, path, body in bodies(server.pk, flavor.pk):
        for place in places(body):
            for _ in range(3):
                value = VALUES[turn % len(VALUES)]
                turn += 1
                Server.objects.filter(pk=server.pk).update(task="", task_job_id=None)
                version = "v2.1" if turn % 5 == 0 else "v2.0"
                text = json.dumps(changed(body, place, value))
                if is_ours(person.api.call(verb, f"{version}/{path}", text).status_code):
                    failed.append((verb, path, place, value))
    assert not failed


def test_segments_of_paths(person):
    failed = []
    for regex, verbs, _ in service.routes:
        if "(?P<" not in regex:
            continue
        for verb in verbs:
            for turn, segment in enumerate(SEGMENTS):
                path = re.sub(r"\(\?P<\w+>[^()]*\)", lambda _, text=segment: text, regex)
                path = path.removesuffix(r"(?:\.json|\.xml)?/?")
                body = {} if verb in ("POST", "PUT") else None
                version = "v2.1" if turn % 2 else "v2.0"
                if is_ours(person.api.call(verb, f"{version}/{path}", body).status_code):
                    failed.append((verb, path[:100]))
    assert not failed


def test_parameters_of_queries(person, make_server):
    make_server()
    failed, turn = [], 0
    for path in LISTS:
        for name in PARAMETERS:
            for _ in range(2):
                value = TEXTS[turn % len(TEXTS)]
                turn += 1
                if is_ours(person.api.get(f"{path}?{name}={value}").status_code):
                    failed.append((path, name, value[:40]))
    assert not failed
