"""URLs of the compute dialect, relative to its root (compute contract 1.1)."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from cyclades.api.compute import (
    actions,
    console_actions,
    flavors,
    keypairs,
    metadata,
    servers,
    stats,
    versions,
)
from cyclades.api.compute.dialect import END, service
from cyclades.api.compute.extensions import extension_routes
from cyclades.api.compute.fixed_answers import fixed_routes
from cyclades.api.compute.floating_ips import floating_ip_routes
from cyclades.api.compute.images import image_routes
from cyclades.api.compute.interfaces import interface_routes
from cyclades.api.compute.limits import limit_routes
from cyclades.api.compute.nova_answers import NovaTranslation
from cyclades.api.compute.tags import tag_routes
from cyclades.api.compute.volume_attachments import volume_attachment_routes

_SERVER = r"servers/(?P<server_id>\d+)"
_FLAVOR = r"flavors/(?P<flavor_id>\d+)"
route = service.route
service.translation = NovaTranslation()

_server_routes: list[URLPattern | URLResolver] = [
    route(f"servers{END}", GET=servers.list_brief, POST=servers.create),
    route(f"os-volumes_boot{END}", POST=servers.create),
    route(f"servers/detail{END}", GET=servers.list_detail),
    route(f"{_SERVER}{END}", GET=servers.show, PUT=servers.rename, DELETE=servers.destroy),
    route(f"{_SERVER}/action{END}", POST=actions.perform),
    route(f"{_SERVER}/remote-consoles{END}", POST=console_actions.remote_console),
    route(f"{_SERVER}/password{END}", GET=servers.show_password, DELETE=servers.forget_password),
    route(f"{_SERVER}/ips{END}", GET=servers.list_addresses),
    route(rf"{_SERVER}/ips/(?P<network_id>[^/]+?){END}", GET=servers.list_network_addresses),
    route(f"{_SERVER}/diagnostics{END}", GET=servers.list_diagnostics),
    route(f"{_SERVER}/stats{END}", GET=stats.show),
    route(f"{_SERVER}/metadata{END}", GET=metadata.show_all, POST=metadata.merge, PUT=metadata.replace),
    route(
        rf"{_SERVER}/metadata/(?P<key>.+?){END}",
        GET=metadata.show_item,
        PUT=metadata.set_item,
        DELETE=metadata.delete_item,
    ),
]

_flavor_routes: list[URLPattern | URLResolver] = [
    route(f"flavors{END}", GET=flavors.list_brief),
    route(f"flavors/detail{END}", GET=flavors.list_detail),
    route(f"{_FLAVOR}{END}", GET=flavors.show),
    route(f"{_FLAVOR}/os-extra_specs{END}", GET=flavors.show_specs),
    route(f"{_FLAVOR}/os-flavor-access{END}", GET=flavors.show_access),
]

_keypair_routes: list[URLPattern | URLResolver] = [
    route(f"os-keypairs{END}", GET=keypairs.list_all, POST=keypairs.create),
    # A key's name may hold slashes, so it is all the rest of the path.
    route(r"os-keypairs/(?P<name>[\s\S]+)", GET=keypairs.show, DELETE=keypairs.delete),
]

_versioned: list[URLPattern | URLResolver] = [
    *_server_routes,
    *_flavor_routes,
    *_keypair_routes,
    *image_routes(service),
    *tag_routes(service),
    *floating_ip_routes(service),
    *volume_attachment_routes(service),
    *limit_routes(service),
    *interface_routes(service),
    *fixed_routes(service),
    *extension_routes(service),
]

urlpatterns: list[URLPattern | URLResolver] = [
    route("", auth=False, GET=versions.list_versions),
    route("v2.0/?", auth=False, GET=versions.show_version),
    path("v2.0/", include(_versioned)),
    route("v2.1/?", auth=False, GET=versions.show_nova_version),
    path("v2.1/", include(_versioned)),
    service.catch_all(),
]
