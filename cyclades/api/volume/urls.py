"""URLs of the volume dialects, relative to their root (volume contract 1 and 15)."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, re_path

from cyclades.api.volume import metadata, types, v3_about, v3_types, v3_volumes, versions, volumes
from cyclades.api.volume.dialect import END, service
from cyclades.api.volume.snapshots import snapshot_routes

route = service.route

_ID = r"(?P<volume_id>[^/.]+)"
#: OpenStack's clients put their project's id here.
_PROJECT = r"(?:[0-9a-f-]{32,36}/)?"

_metadata_routes: list[URLPattern | URLResolver] = [
    route(f"volumes/{_ID}/metadata{END}", GET=metadata.show_all, POST=metadata.merge, PUT=metadata.replace),
    route(
        rf"volumes/{_ID}/metadata/(?P<key>[^/]+?){END}",
        GET=metadata.show_item,
        PUT=metadata.set_item,
        DELETE=metadata.delete_item,
    ),
]

_v2: list[URLPattern | URLResolver] = [
    route(f"volumes{END}", GET=volumes.list_brief, POST=volumes.create),
    route(f"volumes/detail{END}", GET=volumes.list_detail),
    route(f"volumes/{_ID}{END}", GET=volumes.show, PUT=volumes.update, DELETE=volumes.delete),
    route(f"volumes/{_ID}/action{END}", POST=volumes.perform),
    *_metadata_routes,
    *snapshot_routes(service),
    route(f"types{END}", GET=types.list_all),
    route(rf"types/(?P<type_id>[^/.]+){END}", GET=types.show),
]

_v3: list[URLPattern | URLResolver] = [
    route(f"volumes{END}", GET=v3_volumes.list_brief, POST=v3_volumes.create),
    route(f"volumes/detail{END}", GET=v3_volumes.list_detail),
    route(f"volumes/{_ID}{END}", GET=v3_volumes.show, PUT=v3_volumes.update, DELETE=v3_volumes.delete),
    route(f"volumes/{_ID}/action{END}", POST=v3_volumes.perform),
    *_metadata_routes,
    *snapshot_routes(service, v3=True),
    route(f"types{END}", GET=v3_types.list_all),
    route(f"types/default{END}", GET=v3_types.show_default),
    route(rf"types/(?P<type_id>[^/.]+){END}", GET=v3_types.show),
    route(rf"types/(?P<type_id>[^/.]+)/extra_specs{END}", GET=v3_types.show_specs),
    route(f"limits{END}", GET=v3_about.show_limits),
    route(rf"os-quota-sets/(?P<project>[^/.]+){END}", GET=v3_about.show_quota),
    route(rf"os-quota-sets/(?P<project>[^/.]+)/defaults{END}", GET=v3_about.show_quota),
    route(f"extensions{END}", GET=v3_about.list_extensions),
    route(f"os-availability-zone{END}", GET=v3_about.list_zones),
    *(route(f"{name}(?:/.*)?", GET=v3_about.refuse, POST=v3_about.refuse) for name in v3_about.NOT_OFFERED),
]

urlpatterns: list[URLPattern | URLResolver] = [
    route("", auth=False, GET=versions.list_versions),
    route("v2(?:\\.0)?/?", auth=False, GET=versions.show_version("v2.0")),
    route("v3/?", auth=False, GET=versions.show_version("v3.0")),
    re_path(rf"^v2(?:\.0)?/{_PROJECT}", include(_v2)),
    re_path(rf"^v3/{_PROJECT}", include(_v3)),
    service.catch_all(),
]
