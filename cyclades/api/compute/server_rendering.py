"""Servers as JSON (compute contract 3)."""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from cyclades.api.compute.dialect import base_url, resource_links
from cyclades.logic.server_queries import Nic, ServerDetail
from cyclades.logic.server_state import api_status, task_state
from cyclades.models import Server, ServerDiagnostic, ServerState
from synnefo import clock

log = logging.getLogger(__name__)

#: Nova's words for status, task and power (compute contract 22.2).
_VM_STATE = {
    "BUILD": "building",
    "ACTIVE": "active",
    "REBOOT": "active",
    "STOPPED": "stopped",
    "ERROR": "error",
    "DELETED": "deleted",
}
_NOVA_TASK = {
    "BUILDING": "spawning",
    "STARTING": "powering-on",
    "STOPPING": "powering-off",
    "REBOOTING": "rebooting",
    "DESTROYING": "deleting",
    "RESIZING": "resize_prep",
    "RESCUING": "rescuing",
    "UNRESCUING": "unrescuing",
}
_POWER_STATE = {"ACTIVE": 1, "REBOOT": 1, "STOPPED": 4}


def render_brief(server: Server) -> dict[str, Any]:
    """Return the short form of lists."""
    return {"id": server.pk, "name": server.name, "links": resource_links(f"servers/{server.pk}")}


def render_detail(detail: ServerDetail) -> dict[str, Any]:
    """Return all fields of a server."""
    server = detail.server
    fqdn = _fqdn(server)
    return {
        **render_brief(server),
        **_state(server),
        **_lifetime(server),
        **_failure(detail),
        **_ownership(server),
        "hostId": "",
        "created": clock.isoformat(server.created),
        "updated": clock.isoformat(server.updated),
        "flavor": {"id": server.flavor_id, "links": resource_links(f"flavors/{server.flavor_id}")},
        "image": {"id": server.imageid, "links": _image_links(server.imageid)},
        "metadata": detail.metadata,
        "tags": detail.tags,
        "attachments": [render_attachment(nic) for nic in detail.nics],
        "addresses": render_addresses(detail.nics),
        "volumes": detail.volumes,
        "os-extended-volumes:volumes_attached": [{"id": str(volume)} for volume in detail.volumes],
        "diagnostics": [render_diagnostic(detail.diagnostic)] if detail.diagnostic else [],
        "security_groups": [{"name": "default"}],
        "key_name": server.key_names[0] if server.key_names else None,
        "SNF:key_names": server.key_names,
        "config_drive": "",
        "accessIPv4": "",
        "accessIPv6": "",
        "SNF:fqdn": fqdn,
        "SNF:port_forwarding": _port_forwarding(detail, fqdn),
        "SNF:rescue": server.rescue,
    }


def _state(server: Server) -> dict[str, Any]:
    status, task = api_status(server), task_state(server)
    return {
        "status": status,
        "SNF:task_state": task,
        "progress": 100 if status == "ACTIVE" else server.buildpercentage,
        "suspended": server.suspended,
        "locked": server.suspended,
        "deleted": server.deleted,
        "OS-EXT-STS:vm_state": _vm_state(server, status),
        "OS-EXT-STS:task_state": _NOVA_TASK.get(task),
        "OS-EXT-STS:power_state": _POWER_STATE.get(status, 0),
        "OS-EXT-AZ:availability_zone": "nova",
        "OS-DCF:diskConfig": "MANUAL",
    }


def _vm_state(server: Server, status: str) -> str:
    if server.rescue and status in ("ACTIVE", "REBOOT"):
        return "rescued"
    return _VM_STATE.get(status, "error")


def _lifetime(server: Server) -> dict[str, str | None]:
    """Return since when and until when the server ran, without a zone as Nova writes it."""
    launched = server.operstate not in (ServerState.BUILD, ServerState.ERROR)
    return {
        "OS-SRV-USG:launched_at": _naive(server.created) if launched else None,
        "OS-SRV-USG:terminated_at": _naive(server.updated) if server.deleted else None,
        "description": None,
    }


def _naive(moment: dt.datetime) -> str:
    return moment.replace(tzinfo=None).isoformat()


def _failure(detail: ServerDetail) -> dict[str, Any]:
    """Return why a server is in error, as far as its users are told."""
    if detail.server.deleted or detail.server.operstate != ServerState.ERROR:
        return {}
    told = detail.failure
    message = told.message if told else "The server could not be built."
    created = told.created if told else detail.server.updated
    return {"fault": {"code": 500, "message": message, "created": clock.isoformat(created)}}


def _ownership(server: Server) -> dict[str, Any]:
    return {
        "user_id": server.userid,
        "tenant_id": server.project,
        "shared_to_project": server.shared_to_project,
    }


def _image_links(image_id: str) -> list[dict[str, str]]:
    alternate = {"rel": "alternate", "href": f"{base_url()}/image/v1.0/images/{image_id}"}
    return [*resource_links(f"images/{image_id}"), alternate]


def render_attachment(nic: Nic) -> dict[str, Any]:
    """Return a NIC as one of a server's ``attachments``."""
    by_version = {address.version: address for address in nic.addresses}
    fields: dict[str, Any] = {
        "id": nic.id,
        "network_id": str(nic.network_id),
        "mac_address": nic.mac,
        "ipv4": by_version[4].address if 4 in by_version else "",
        "ipv6": by_version[6].address if 6 in by_version else "",
    }
    if nic.firewall_profile:
        fields["firewallProfile"] = nic.firewall_profile
    if nic.addresses:
        fields["OS-EXT-IPS:type"] = _address_type(nic.addresses[-1].floating)
    return fields


def render_addresses(nics: list[Nic]) -> dict[str, list[dict[str, Any]]]:
    """Return the addresses by network; several NICs on one network share an entry."""
    addresses: dict[str, list[dict[str, Any]]] = {}
    for nic in nics:
        addresses.setdefault(str(nic.network_id), []).extend(
            {
                "version": address.version,
                "addr": address.address,
                "OS-EXT-IPS:type": _address_type(address.floating),
                "OS-EXT-IPS-MAC:mac_addr": nic.mac,
            }
            for address in nic.addresses
        )
    return addresses


def _address_type(floating: bool) -> str:
    return "floating" if floating else "fixed"


def render_diagnostic(diagnostic: ServerDiagnostic) -> dict[str, Any]:
    """Return a deployment message."""
    fields = {
        "level": diagnostic.level,
        "source": diagnostic.source,
        "message": diagnostic.message,
        "details": diagnostic.details,
        "created": clock.isoformat(diagnostic.created),
    }
    if diagnostic.source_date is not None:
        fields["source_date"] = clock.isoformat(diagnostic.source_date)
    return fields


def _fqdn(server: Server) -> str | None:
    template: str | None = settings.CYCLADES_SERVERS_FQDN
    return None if template is None else template % {"id": server.pk}


def _port_forwarding(detail: ServerDetail, fqdn: str | None) -> dict[str, dict[str, str]]:
    """Return where a gateway forwards to this server (compute contract 3.3)."""
    rules = settings.CYCLADES_PORT_FORWARDING
    address = _public_ipv4(detail.nics)
    if not rules or address is None:
        return {}
    server = detail.server
    forwarded = {}
    for port, rule in rules.items():
        try:
            found = import_string(rule) if isinstance(rule, str) else rule
            target = found(address, server.pk, fqdn, server.userid) if callable(found) else found
        except Exception:
            # It is the site's own code: what it does wrong must not cost users their lists.
            log.exception("CYCLADES_PORT_FORWARDING fails for port %s", port)
            continue
        if isinstance(target, tuple | list) and len(target) == 2:
            forwarded[str(port)] = {"host": str(target[0]), "port": str(target[1])}
        elif target is not None:
            log.error("CYCLADES_PORT_FORWARDING gives no (host, port) for port %s", port)
    return forwarded


def _public_ipv4(nics: list[Nic]) -> str | None:
    return next(
        (address.address for nic in nics if nic.public for address in nic.addresses if address.version == 4),
        None,
    )
