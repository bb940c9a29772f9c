"""Subnets over HTTP (network contract 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse

from cyclades.api.compute.dialect import acting
from cyclades.api.network.dialect import (
    Collection,
    by_column,
    by_flag,
    by_id,
    moments,
    read_resource,
    require_attribute,
    resource_links,
)
from cyclades.logic import cidrs
from cyclades.logic import subnets as subnet_logic
from cyclades.models import Subnet
from synnefo.api import json_response
from synnefo.api.fields import optional_bool, optional_list, optional_str, require_id, require_str
from synnefo.errors import BadRequest


def render(subnet: Subnet) -> dict[str, Any]:
    """Return all fields of a subnet with its prefetched pools."""
    fields = {
        "id": str(subnet.pk),
        "network_id": str(subnet.network_id),
        "name": subnet.name,
        "ip_version": subnet.ipversion,
        "cidr": subnet.cidr,
        "gateway_ip": subnet.gateway,
        "enable_dhcp": subnet.dhcp,
        "dns_nameservers": subnet.dns_nameservers,
        "host_routes": subnet.host_routes,
        "allocation_pools": [
            {"start": str(start), "end": str(end)} for start, end in subnet_logic.allocation_pools(subnet)
        ],
        "user_id": subnet.userid,
        "tenant_id": subnet.userid,
        "project_id": subnet.userid,
        "public": subnet.public,
        "deleted": subnet.deleted,
        **moments(subnet.created, subnet.updated),
        "links": resource_links("subnets", subnet.pk),
    }
    del fields["created"], fields["updated"]
    mode = "slaac" if subnet.ipversion == 6 and subnet.dhcp else None
    fields |= {"ipv6_ra_mode": mode, "ipv6_address_mode": mode}
    return fields | {"enable_slaac": subnet.dhcp} if subnet.ipversion == 6 else fields


_COLLECTION = Collection(
    "subnets",
    render,
    filters={
        "id": by_id("pk"),
        "name": by_column("name"),
        "network_id": by_id("network_id"),
        "tenant_id": by_column("userid"),
        "project_id": by_column("userid"),
        "cidr": by_column("cidr"),
        "ip_version": by_id("ipversion"),
        "gateway_ip": by_column("gateway"),
        "enable_dhcp": by_flag("dhcp"),
    },
    sort_keys={"id": "pk", "name": "name", "cidr": "cidr", "created_at": "created"},
)


def list_all(request: HttpRequest) -> HttpResponse:
    """List the subnets of visible networks."""
    return _COLLECTION.answer(request, subnet_logic.list_subnets(acting(request)))


def create(request: HttpRequest) -> HttpResponse:
    """Create a subnet of an own network."""
    body = read_resource(request, "subnet")
    network_id = require_attribute(body, "network_id")
    wanted = _read_request(body)
    subnet = subnet_logic.create(
        acting(request), network_id=require_id(network_id, "network"), request=wanted
    )
    return json_response({"subnet": render(subnet)}, status=201)


def _read_request(body: Mapping[str, Any]) -> subnet_logic.SubnetRequest:
    cidr = require_attribute(body, "cidr")
    pools = cidrs.parse_pools(optional_list(body, "allocation_pools")) or None
    cidrs.parse_cidr(cidr)
    ipversion = body.get("ip_version", 4)
    dhcp = optional_bool(body, "enable_dhcp", default=True)
    slaac = optional_bool(body, "enable_slaac", default=dhcp or body.get("ipv6_address_mode") == "slaac")
    if not isinstance(ipversion, int) or isinstance(ipversion, bool):
        raise BadRequest("Malformed IP version type: 'ip_version' must be 4 or 6")
    return subnet_logic.SubnetRequest(
        cidr=cidr,
        ipversion=ipversion,
        name=optional_str(body, "name", max_length=subnet_logic.MAX_NAME) or "",
        gateway=_gateway(body),
        pools=pools,
        dhcp=slaac if ipversion == 6 else dhcp,
        dns_nameservers=optional_list(body, "dns_nameservers"),
        host_routes=optional_list(body, "host_routes"),
    )


def _gateway(body: Mapping[str, Any]) -> cidrs.Gateway:
    """Return the wanted gateway: absent or empty means the first address, null means none."""
    if body.get("gateway_ip", "") == "":
        return cidrs.GatewayChoice.FIRST
    if body["gateway_ip"] is None:
        return None
    return require_str(body, "gateway_ip", max_length=64)


def show(request: HttpRequest, subnet_id: str) -> HttpResponse:
    """Show a subnet; a deleted one too."""
    subnet = subnet_logic.get_subnet(acting(request), subnet_id=require_id(subnet_id, "subnet"))
    return json_response({"subnet": render(subnet)})


def update(request: HttpRequest, subnet_id: str) -> HttpResponse:
    """Rename a subnet, which is all that can change."""
    body = read_resource(request, "subnet")
    if set(body) != {"name"}:
        raise BadRequest("Only the name of a subnet can be updated")
    subnet = subnet_logic.rename(
        acting(request),
        subnet_id=require_id(subnet_id, "subnet"),
        name=require_str(body, "name", max_length=subnet_logic.MAX_NAME),
    )
    return json_response({"subnet": render(subnet)})


def delete(request: HttpRequest, subnet_id: str) -> HttpResponse:
    """Refuse: subnets end with their network."""
    raise BadRequest("Deletion of a subnet is not supported")
