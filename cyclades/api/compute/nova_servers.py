"""Servers in the words of Nova, made of their v2.0 rendering (compute contract 22.1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from cyclades.logic import nova_facts

Body = dict[str, Any]

_STATUS = {"STOPPED": "SHUTOFF"}
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def nova_servers(servers: Sequence[Body]) -> list[Body]:
    """Return servers, brief or in detail, as Nova shows them, in three queries at most."""
    detailed = [server for server in servers if "addresses" in server]
    networks = {int(pk) for server in detailed for pk in server["addresses"]}
    names = nova_facts.network_names(networks)
    hard = nova_facts.hard_reboots([server["id"] for server in detailed if server["status"] == "REBOOT"])
    resizes = nova_facts.resizes([server["id"] for server in detailed]) if detailed else {}
    return [
        _nova_server(server, names, server["id"] in hard, resizes.get(server["id"], ""))
        if "addresses" in server
        else server
        for server in servers
    ]


def _nova_server(server: Body, names: dict[int, str], hard: bool, resize: str) -> Body:
    vm_state = {"OS-EXT-STS:vm_state": "resized"} if resize == "VERIFY_RESIZE" else {}
    return {
        **server,
        **vm_state,
        "status": _status(server, hard, resize),
        "addresses": by_label(server["addresses"], names),
    }


def _status(server: Body, hard: bool, resize: str) -> str:
    status: str = server["status"]
    if resize and status not in ("DELETED", "ERROR"):
        return resize
    if status == "STOPPED" and server.get("SNF:task_state") == "RESIZING":
        return "RESIZE"
    if status == "REBOOT":
        return "HARD_REBOOT" if hard else "REBOOT"
    if status == "ACTIVE" and server.get("SNF:rescue"):
        return "RESCUE"
    return _STATUS.get(status, status)


def by_label(addresses: dict[str, Any], names: dict[int, str]) -> dict[str, Any]:
    """Return addresses by the names of their networks; the id stands for an empty or ambiguous name."""
    labels = {pk: names.get(int(pk), "") for pk in addresses}
    times = Counter(labels.values())
    return {
        (label if (label := labels[pk]) and times[label] == 1 else pk): items
        for pk, items in addresses.items()
    }


def nova_attachments(attachments: Sequence[Body]) -> list[Body]:
    """Return volume attachments with the device they are seen as, in one query."""
    facts = nova_facts.attachments([int(attachment["volumeId"]) for attachment in attachments])
    return [_attachment(attachment, facts.get(int(attachment["volumeId"]))) for attachment in attachments]


def _attachment(attachment: Body, fact: nova_facts.Attachment | None) -> Body:
    index = fact.index if fact else 0
    return {
        **attachment,
        "device": f"/dev/vd{_LETTERS[index]}" if index < len(_LETTERS) else "",
        "tag": None,
        "delete_on_termination": bool(fact and fact.delete_on_termination),
    }
