"""URLs of the network dialect, relative to its root (network contract 1)."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from cyclades.api.compute.dialect import END
from cyclades.api.network import floating_ips, networks, ports, subnets, versions
from cyclades.api.network.dialect import service

route = service.route


def _item(collection: str, name: str) -> str:
    return rf"{collection}/(?P<{name}>[^/.]+){END}"


_versioned: list[URLPattern | URLResolver] = [
    route(f"networks{END}", GET=networks.list_all, POST=networks.create),
    route(f"networks/detail{END}", GET=networks.list_all),
    route(_item("networks", "network_id"), GET=networks.show, PUT=networks.update, DELETE=networks.delete),
    route(rf"networks/(?P<network_id>[^/.]+)/action{END}", POST=networks.act),
    route(f"subnets{END}", GET=subnets.list_all, POST=subnets.create),
    route(f"subnets/detail{END}", GET=subnets.list_all),
    route(_item("subnets", "subnet_id"), GET=subnets.show, PUT=subnets.update, DELETE=subnets.delete),
    route(f"ports{END}", GET=ports.list_all, POST=ports.create),
    route(f"ports/detail{END}", GET=ports.list_all),
    route(_item("ports", "port_id"), GET=ports.show, PUT=ports.update, DELETE=ports.delete),
    route(f"floatingips{END}", GET=floating_ips.list_all, POST=floating_ips.create),
    route(f"floatingips/detail{END}", GET=floating_ips.list_all),
    route(
        _item("floatingips", "ip_id"),
        GET=floating_ips.show,
        PUT=floating_ips.update,
        DELETE=floating_ips.delete,
    ),
    route(rf"floatingips/(?P<ip_id>[^/.]+)/action{END}", POST=floating_ips.act),
    route(f"extensions{END}", GET=versions.list_extensions),
    route(_item("extensions", "alias"), GET=versions.show_extension),
    route(f"security-groups{END}", GET=versions.list_security_groups),
    route(f"routers{END}", GET=versions.list_routers),
    route(rf"(?:agents|quotas)(?:/[^/]+){{0,2}}{END}", GET=versions.refuse_unknown),
]

urlpatterns: list[URLPattern | URLResolver] = [
    route("", auth=False, GET=versions.list_versions),
    route("v2.0/?", auth=False, GET=versions.show_version),
    path("v2.0/", include(_versioned)),
    service.catch_all(),
]
