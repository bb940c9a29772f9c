"""Firewall profiles of NICs, kept by Ganeti as tags of the instance (Ganeti contract 2.1 and 3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings

from cyclades.ganeti import names
from cyclades.ganeti.opcodes import ANY_END
from cyclades.ganeti.rapi import RapiClient
from cyclades.ganeti.requests import Payload, payload

PROFILES = ("ENABLED", "DISABLED", "PROTECTED")
#: Profiles that are a tag; without one a NIC is open.
TAGGED = ("ENABLED", "PROTECTED")


def tag_of(profile: str | None, port_id: int) -> str | None:
    """Return the tag that gives a port its *profile*, ``None`` for a profile that needs none."""
    return names.firewall_tag(profile, port_id) if profile in TAGGED else None


def profile_payload(port_id: int, profile: str, *, expected: Iterable[str] = ()) -> Payload:
    """Return the change of a port's profile; *expected* are its tags that jobs under way may still set."""
    wanted = tag_of(profile, port_id)
    every = [names.firewall_tag(name, port_id) for name in PROFILES]
    body = {
        "wanted": wanted,
        "unwanted": [tag for tag in every if tag != wanted],
        "expected": sorted(set(expected)),
        "os_name": settings.GANETI_CREATEINSTANCE_KWARGS["os"],
    }
    return payload("firewall", body)


def cleanup_payload(tag: str) -> Payload:
    """Return the removal of the tag of a NIC that is gone."""
    return payload("tags-delete", {"tags": [tag]})


def send(rapi: RapiClient, name: str, body: Mapping[str, Any], reason: str) -> int:
    """Submit the jobs of a profile and return the last one, which makes the nodes read the tags again.

    Each unwanted tag is a job of its own, since Ganeti removes either all tags of a job or none. Only the
    last job carries *reason* as it is: a change that was cut off before it is done again.
    """
    present = {*rapi.GetInstanceTags(name), *body["expected"]}
    unwanted = [tag for tag in body["unwanted"] if tag in present]
    steps = [
        rapi.DeleteInstanceTags(name, [tag], reason=f"{reason} step {number}")
        for number, tag in enumerate(unwanted)
    ]
    if body["wanted"] is not None:
        steps.append(rapi.AddInstanceTags(name, [body["wanted"]], reason=f"{reason} step {len(steps)}"))
    change: dict[str, Any] = {"os_name": body["os_name"]}
    if steps:
        change["depends"] = [[job, ANY_END] for job in steps]
    return rapi.ModifyInstance(name, change, reason=reason)
