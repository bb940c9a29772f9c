"""Rows of the volume service: both dialects, and the volumes of servers."""

from __future__ import annotations

from tests.security.route_rows import Row, by, everybody, row, users

_REASSIGN = {"reassign": {"project": "{project}", "shared_to_project": False}}


def _dialect(version: str) -> list[Row]:
    root = f"cyclades/volume/{version}"
    volume = f"{root}/volumes/{{volume}}"
    return [
        row("GET", root, everybody(200)),
        row("GET", f"{root}/volumes", users(200)),
        row(
            "POST",
            f"{root}/volumes",
            users(202),
            {"volume": {"display_name": "n", "size": 1, "volume_type": "{volume_type}"}},
        ),
        row("GET", f"{root}/volumes/detail", users(200)),
        row("GET", volume, by(404, 200, 200)),
        row("PUT", volume, by(404, 200, 200), {"volume": {"display_name": "n"}}),
        row("DELETE", volume, by(404, 202, 202)),
        row("POST", f"{volume}/action", by(404, 403, 200), _REASSIGN),
        row("GET", f"{volume}/metadata", by(404, 200, 200)),
        row("POST", f"{volume}/metadata", by(404, 200, 200), {"metadata": {"a": "b"}}),
        row("PUT", f"{volume}/metadata", by(404, 200, 200), {"metadata": {"a": "b"}}),
        row("GET", f"{volume}/metadata/none", by(404, 404, 404)),
        row("PUT", f"{volume}/metadata/a", by(404, 200, 200), {"meta": {"a": "b"}}),
        row("DELETE", f"{volume}/metadata/none", by(404, 400, 400)),
        row("GET", f"{root}/types", users(200)),
        row("GET", f"{root}/types/{{volume_type}}", users(200)),
    ]


_C = "cyclades/volume/v3"
_ATTACHMENTS = "cyclades/compute/v2.0/servers/{server}/os-volume_attachments"
VOLUME = [
    row("GET", "cyclades/volume/", everybody(200)),
    *_dialect("v2.0"),
    *_dialect("v3"),
    row("GET", f"{_C}/types/default", users(200)),
    row("GET", f"{_C}/types/{{volume_type}}/extra_specs", users(200)),
    row("GET", f"{_C}/limits", users(200)),
    row("GET", f"{_C}/os-quota-sets/{{project}}", by(404, 200, 200)),
    row("GET", f"{_C}/os-quota-sets/{{project}}/defaults", by(404, 200, 200)),
    row("GET", f"{_C}/extensions", users(200)),
    row("GET", f"{_C}/os-availability-zone", users(200)),
    *(
        row(verb, f"{_C}/{name}", users(404), body)
        for name in ("attachments", "backups", "groups", "os-volume-transfer", "qos-specs")
        for verb, body in (("GET", None), ("POST", {}))
    ),
    row("GET", _ATTACHMENTS, by(404, 200, 200)),
    row("POST", _ATTACHMENTS, by(404, 400, 400), {"volumeAttachment": {"volumeId": "{volume}"}}),
    row("GET", f"{_ATTACHMENTS}/{{volume}}", by(404, 400, 400)),
    row("DELETE", f"{_ATTACHMENTS}/{{volume}}", by(404, 400, 400)),
]
