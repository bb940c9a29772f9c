"""The table of routes and roles; its rows are explained in ``route_rows``. Who adds a route adds a row."""

from __future__ import annotations

from tests.security.route_roles_compute import COMPUTE_MORE
from tests.security.route_roles_identity import ROWS as IDENTITY
from tests.security.route_rows import ROLES, Row, by, everybody, row, services, users
from tests.security.route_rows_nova import EXTENSIONS, NETWORK_EXTENSIONS, in_nova
from tests.security.route_rows_volume import VOLUME

__all__ = ["ROLES", "ROWS", "Row"]

_PROVISIONS = [
    {"holder": "user:{owner}", "source": "project:{owner}", "resource": "cyclades.vm", "quantity": 1},
    {"holder": "project:{owner}", "source": None, "resource": "cyclades.vm", "quantity": 1},
]
_COMMISSION = {"force": False, "auto_accept": False, "name": "n", "provisions": _PROVISIONS}
_TOKEN = {"auth": {"token": {"id": "{token}"}}}

SITE = [
    row("GET", "", everybody(302)),
    row("GET", "healthz", everybody(200)),
    row("GET", "metrics", everybody(200)),
    row("GET", "readyz", everybody(200)),
    row("GET", "_ui/close-notice", everybody(405)),
    # The session decides, which no token is; scripts get 401, people are sent to the login page.
    row("GET", "_ui/events", everybody(401)),
    row("GET", "_ui/notifications", everybody(302)),
    row("GET", "_ui/notifications/read", everybody(302)),
    row("GET", "_ui/prefs", everybody(405)),
    row("GET", "_ui/search", everybody(302)),
    row("GET", "_ui/shortcuts", everybody(302)),
    row("GET", "branding/manifest.webmanifest", everybody(200)),
    row("GET", "branding/theme.css", everybody(200)),
]

_A, _I = "astakos/account/v1.0", "astakos/identity"
ASTAKOS = [
    row("GET", f"{_A}/authenticate", users(200)),
    row("GET", f"{_A}/commissions", services(200)),
    row("POST", f"{_A}/commissions", services(201), _COMMISSION),
    # A commission of another component does not exist.
    row("GET", f"{_A}/commissions/{{foreign_commission}}", services(404)),
    row("GET", f"{_A}/commissions/{{commission}}", services(200)),
    row("POST", f"{_A}/commissions/{{foreign_commission}}/action", services(404), {"accept": ""}),
    row("POST", f"{_A}/commissions/{{commission}}/action", services(200), {"reject": ""}),
    row("POST", f"{_A}/commissions/action", services(200), {"accept": [], "reject": []}),
    row("POST", f"{_A}/feedback", users(200), {"feedback_msg": "m", "feedback_data": "d"}),
    row("POST", f"{_A}/myaccount/default_project", by(404, 200, 200), {"project_id": "{project}"}),
    row("GET", f"{_A}/projects", users(200)),
    row("GET", f"{_A}/projects/{{project}}", by(403, 200, 200, 200)),
    row("GET", f"{_A}/projects/{{owner}}", by(403, 403, 200, 200)),
    row("GET", f"{_A}/quotas", users(200)),
    row("GET", f"{_A}/resources", everybody(200)),
    # A component sees the quota of its own resources only, and this one has none.
    row("GET", f"{_A}/service_quotas?user={{owner}}", services(404)),
    row("GET", f"{_A}/service_project_quotas?project={{owner}}", services(404)),
    row("POST", f"{_A}/user_catalogs", users(200), {"uuids": ["{owner}"]}),
    row("POST", f"{_A}/service/user_catalogs", services(200), {"uuids": ["{owner}"]}),
    row("GET", f"{_I}/", everybody(200)),
    row("GET", f"{_I}/v2.0", everybody(200)),
    # Who asks is the token in the body or path; a header does not count.
    row("POST", f"{_I}/v2.0/tokens", everybody(200), _TOKEN),
    row("GET", f"{_I}/v2.0/tokens/wrong", everybody(404)),
    row("GET", f"{_I}/v2.0/tenants", users(200)),
    row("GET", "astakos/ui/get_menu", everybody(200)),
    row("GET", "astakos/ui/get_services", everybody(200)),
]

_S = "pithos/object-store/v1"
_P = "pithos/_astakos"
_O = f"{_S}/{{owner}}"
_F = f"{_O}/images"
_TYPE = {"Content_Type": "application/octet-stream"}
PITHOS = [
    row("GET", _S, (400, 401, 204, 200, 204, 204, 204, 204)),
    row("HEAD", _O, by(403, 204, 204)),
    row("GET", _O, by(403, 200, 200)),
    row("POST", f"{_O}?update", by(403, 403, 202), X_Account_Meta_A="b"),
    row("HEAD", _F, by(403, 204, 204)),
    row("GET", _F, by(403, 200, 200)),
    row("PUT", f"{_O}/new", by(403, 403, 201)),
    row("POST", f"{_F}?update", by(403, 403, 202), X_Container_Meta_A="b"),
    row("DELETE", _F, by(403, 403, 409)),
    row("HEAD", f"{_F}/read", by(403, 200, 200)),
    row("GET", f"{_F}/read", by(403, 200, 200)),
    row("GET", f"{_F}/private", by(403, 403, 200)),
    row("GET", f"{_F}/nothing", by(403, 403, 404)),
    row("GET", f"{_F}/read?version=list&format=json", by(403, 200, 200)),
    row("PUT", f"{_F}/read", by(403, 403, 201), "text", **_TYPE),
    row("PUT", f"{_F}/new", by(403, 403, 201), "text", **_TYPE),
    row("POST", f"{_F}/read?update", by(403, 403, 202), X_Object_Meta_A="b"),
    row("COPY", f"{_F}/read", by(403, 201, 201), Destination="/images/copy"),
    row("MOVE", f"{_F}/read", by(403, 403, 201), Destination="/images/moved"),
    row("DELETE", f"{_F}/read", by(403, 403, 204)),
    row("HEAD", "pithos/public/{public}", everybody(200)),
    row("GET", "pithos/public/{public}", everybody(200)),
    row("GET", "pithos/public/nothing", everybody(404)),
    # Browsers show who they are by a cookie of their own, which none of these callers has.
    *(row(verb, f"pithos/{name}", everybody(302)) for name in ("ui", "public") for verb in ("HEAD", "GET")),
    row("HEAD", "pithos/ui/view/{owner}/images/read", everybody(302)),
    row("GET", "pithos/ui/view/{owner}/images/read", everybody(302)),
    row("POST", f"{_P}/account/user_catalogs", users(200), {"uuids": []}),
    row("POST", f"{_P}/account/feedback", users(200), "feedback_msg=hello"),
    row("POST", f"{_P}/identity/tokens", everybody(200), ""),
    row("GET", f"{_P}/identity/tokens/nothing", everybody(404)),
    row("HEAD", f"{_P}/ui/login", everybody(302)),
    row("GET", f"{_P}/ui/login", everybody(302)),
]

_W = f"{_S}/AUTH_{{owner}}"
_B = f"{_W}/images"
#: Swift's dialect: grants to users count, and there is no access list on this container.
SWIFT = [
    row("GET", "pithos/object-store/info", everybody(200)),
    row("HEAD", _W, by(403, 204, 204)),
    row("GET", _W, by(403, 200, 200)),
    row("POST", _W, by(403, 403, 204), X_Account_Meta_A="b"),
    row("PUT", f"{_W}?extract-archive=tar", by(200, 200, 200), "no archive"),
    row("PUT", _W, by(400, 400, 400)),
    row("DELETE", _W, by(400, 400, 400)),
    row("POST", f"{_W}?bulk-delete", by(200, 200, 200), "/images/nothing"),
    row("HEAD", _B, by(403, 204, 204)),
    row("GET", _B, by(403, 200, 200)),
    row("PUT", f"{_W}/new", by(403, 403, 201)),
    row("POST", _B, by(403, 403, 204), X_Container_Read=".r:*"),
    row("DELETE", _B, by(403, 403, 409)),
    row("OPTIONS", _B, (200, 401, *((200,) * 6))),
    row("HEAD", f"{_B}/read", by(403, 200, 200)),
    row("GET", f"{_B}/read", by(403, 200, 200)),
    row("GET", f"{_B}/private", by(403, 403, 200)),
    row("GET", f"{_B}/nothing", by(403, 403, 404)),
    row("PUT", f"{_B}/read", by(403, 403, 201), "text", **_TYPE),
    row("PUT", f"{_B}/new", by(403, 403, 201), "text", **_TYPE),
    row("POST", f"{_B}/read", by(403, 403, 202), X_Object_Meta_A="b"),
    row("COPY", f"{_B}/read", by(403, 403, 201), Destination="images/copy"),
    row("MOVE", f"{_B}/read", by(403, 403, 201), Destination="images/moved"),
    row("DELETE", f"{_B}/read", by(403, 403, 204)),
    row("OPTIONS", f"{_B}/read", (200, 401, *((200,) * 6))),
]

_C = "cyclades/compute/v2.0"
_V = f"{_C}/servers/{{server}}"
_CREATE = {"server": {"name": "n", "imageRef": "{image}", "flavorRef": "{flavor}", "networks": []}}
_IMAGE = f"{_C}/images/{{image}}"
COMPUTE = [
    row("GET", "cyclades/compute/", everybody(200)),
    row("GET", _C, everybody(200)),
    row("GET", f"{_C}/extensions", users(200)),
    row("GET", f"{_C}/extensions/none", users(404)),
    row("GET", f"{_C}/flavors", users(200)),
    row("GET", f"{_C}/flavors/detail", users(200)),
    row("GET", f"{_C}/flavors/{{flavor}}", users(200)),
    row("GET", f"{_C}/flavors/{{flavor}}/os-extra_specs", users(200)),
    row("GET", f"{_C}/flavors/{{flavor}}/os-flavor-access", users(200)),
    row("GET", f"{_C}/images", users(200)),
    row("POST", f"{_C}/images", users(501), {"image": {}}),
    row("GET", f"{_C}/images/detail", users(200)),
    row("GET", _IMAGE, by(403, 200, 200)),
    row("DELETE", _IMAGE, by(403, 403, 204)),
    row("GET", f"{_IMAGE}/metadata", by(403, 200, 200)),
    row("POST", f"{_IMAGE}/metadata", by(403, 403, 201), {"metadata": {"a": "b"}}),
    row("GET", f"{_IMAGE}/metadata/none", by(403, 404, 404)),
    row("PUT", f"{_IMAGE}/metadata/a", by(403, 403, 201), {"meta": {"a": "b"}}),
    row("DELETE", f"{_IMAGE}/metadata/none", by(403, 404, 404)),
    row("GET", f"{_C}/os-keypairs", users(200)),
    row("POST", f"{_C}/os-keypairs", users(201), {"keypair": {"name": "n"}}),
    row("GET", f"{_C}/os-keypairs/mine", by(404, 404, 200)),
    row("DELETE", f"{_C}/os-keypairs/mine", by(404, 404, 204)),
    row("GET", f"{_C}/servers", users(200)),
    row("GET", f"{_C}/servers/detail", users(200)),
    row("POST", f"{_C}/servers", by(403, 202, 202), _CREATE),
    row("POST", f"{_C}/os-volumes_boot", by(403, 202, 202), _CREATE),
    row("GET", _V, by(404, 200, 200)),
    row("PUT", _V, by(404, 204, 204), {"server": {"name": "n"}}),
    row("DELETE", _V, by(404, 204, 204)),
    row("POST", f"{_V}/action", by(404, 202, 202), {"reboot": {}}),
    row(
        "POST", f"{_V}/remote-consoles", by(404, 400, 400), {"remote_console": {"protocol": "x", "type": "x"}}
    ),
    row("GET", f"{_V}/diagnostics", by(404, 200, 200)),
    row("GET", f"{_V}/ips", by(404, 200, 200)),
    row("GET", f"{_V}/ips/{{network}}", by(404, 200, 200)),
    row("GET", f"{_V}/metadata", by(404, 200, 200)),
    row("POST", f"{_V}/metadata", by(404, 201, 201), {"metadata": {"a": "b"}}),
    row("PUT", f"{_V}/metadata", by(404, 200, 200), {"metadata": {"a": "b"}}),
    row("GET", f"{_V}/metadata/none", by(404, 404, 404)),
    row("PUT", f"{_V}/metadata/a", by(404, 201, 201), {"meta": {"a": "b"}}),
    row("DELETE", f"{_V}/metadata/none", by(404, 404, 404)),
    row("GET", f"{_V}/password", by(404, 404, 404)),
    row("DELETE", f"{_V}/password", by(404, 404, 204)),
    row("GET", "cyclades/vmapi/v1.0/server-params/8f0b7f2e-3b1d-4b5f-9c9e-0d6f6f1f2a11", everybody(404)),
]

_N = "cyclades/network/v2.0"
_REASSIGN = {"reassign": {"project": "nobody"}}
_V6 = {"network_id": "{network}", "cidr": "fd00::/64", "ip_version": 6}
NETWORK = [
    row("GET", "cyclades/network/", everybody(200)),
    row("GET", _N, everybody(200)),
    row("GET", f"{_N}/extensions", users(200)),
    row("GET", f"{_N}/extensions/none", users(404)),
    row("GET", f"{_N}/security-groups", users(200)),
    row("GET", f"{_N}/routers", users(200)),
    row("GET", f"{_N}/networks", users(200)),
    row("POST", f"{_N}/networks", users(201), {"network": {"type": "MAC_FILTERED"}}),
    row("GET", f"{_N}/networks/detail", users(200)),
    row("GET", f"{_N}/networks/{{public_network}}", users(200)),
    row("PUT", f"{_N}/networks/{{public_network}}", users(403), {"network": {"name": "n"}}),
    row("DELETE", f"{_N}/networks/{{public_network}}", users(403)),
    row("GET", f"{_N}/networks/{{network}}", by(404, 200, 200)),
    row("PUT", f"{_N}/networks/{{network}}", by(404, 200, 200), {"network": {"name": "n"}}),
    row("DELETE", f"{_N}/networks/{{network}}", by(404, 409, 409)),
    row("POST", f"{_N}/networks/{{network}}/action", by(404, 403, 400), _REASSIGN),
    row("GET", f"{_N}/subnets", users(200)),
    row("POST", f"{_N}/subnets", by(404, 403, 201), {"subnet": _V6}),
    row("GET", f"{_N}/subnets/detail", users(200)),
    row("GET", f"{_N}/subnets/{{subnet}}", by(404, 200, 200)),
    row("PUT", f"{_N}/subnets/{{subnet}}", by(404, 403, 200), {"subnet": {"name": "n"}}),
    # Subnets go with their network.
    row("DELETE", f"{_N}/subnets/{{subnet}}", users(400)),
    row("GET", f"{_N}/ports", users(200)),
    row("POST", f"{_N}/ports", by(404, 201, 201), {"port": {"network_id": "{network}"}}),
    row("GET", f"{_N}/ports/detail", users(200)),
    row("GET", f"{_N}/ports/{{port}}", by(404, 200, 200)),
    row("PUT", f"{_N}/ports/{{port}}", by(404, 200, 200), {"port": {"name": "n"}}),
    row("DELETE", f"{_N}/ports/{{port}}", by(404, 204, 204)),
    row("GET", f"{_N}/floatingips", users(200)),
    row("POST", f"{_N}/floatingips", users(200), {"floatingip": {}}),
    row("GET", f"{_N}/floatingips/detail", users(200)),
    row("GET", f"{_N}/floatingips/{{ip}}", by(404, 200, 200)),
    row("PUT", f"{_N}/floatingips/{{ip}}", users(501), {"floatingip": {}}),
    row("DELETE", f"{_N}/floatingips/{{ip}}", by(404, 204, 204)),
    row("POST", f"{_N}/floatingips/{{ip}}/action", by(404, 403, 400), _REASSIGN),
]


def _image_rows(version: str) -> list[Row]:
    root = f"cyclades/image/{version}"
    image = f"{root}/images/{{image}}"
    members: dict[str, list[str]] = {"memberships": []}
    return [
        row("GET", f"{root}/images", users(200)),
        row("POST", f"{root}/images", users(400)),
        row("GET", f"{root}/images/detail", users(200)),
        row("GET", f"{root}/shared-images/{{member}}", users(200)),
        row("GET", image, users(501)),
        row("HEAD", image, by(403, 200, 200)),
        row("PUT", image, by(403, 403, 200), X_Image_Meta_Name="n"),
        row("DELETE", image, by(403, 403, 204)),
        row("GET", f"{image}/members", by(403, 200, 200)),
        row("PUT", f"{image}/members", by(403, 403, 204), members),
        row("PUT", f"{image}/members/{{member}}", by(403, 403, 204)),
        row("DELETE", f"{image}/members/{{member}}", by(403, 403, 204)),
    ]


_G = "cyclades/image/v2"
_GI = f"{_G}/images/{{image}}"
_PATCH = {"Content_Type": "application/openstack-images-v2.1-json-patch"}
_SET = [{"op": "add", "path": "/a", "value": "b"}]
GLANCE = [
    row("GET", f"{_G}/images", users(200)),
    row("POST", f"{_G}/images", users(201), {"name": "n"}),
    row("GET", _GI, by(403, 200, 200)),
    row("PATCH", _GI, by(403, 403, 200), _SET, **_PATCH),
    row("DELETE", _GI, by(403, 403, 204)),
    row("GET", f"{_GI}/file", by(403, 200, 200)),
    row("PUT", f"{_GI}/file", by(403, 409, 409), "text", **_TYPE),
    row("PUT", f"{_GI}/tags/t", by(403, 403, 204)),
    row("DELETE", f"{_GI}/tags/none", by(403, 404, 404)),
    row("GET", f"{_GI}/members", by(403, 200, 200)),
    row("POST", f"{_GI}/members", by(403, 403, 200), {"member": "somebody"}),
    row("GET", f"{_GI}/members/{{member}}", by(403, 200, 200)),
    row("PUT", f"{_GI}/members/{{member}}", by(403, 200, 200), {"status": "accepted"}),
    row("DELETE", f"{_GI}/members/{{member}}", by(403, 403, 204)),
    row("POST", f"{_GI}/actions/deactivate", users(501)),
    row("POST", f"{_GI}/import", users(501)),
    row("PUT", f"{_GI}/stage", users(501)),
    row("GET", f"{_G}/schemas/image", users(200)),
    *(
        row(verb, f"{_G}/{name}", users(404), body)
        for name in ("cache", "info", "metadefs", "tasks")
        for verb, body in (("GET", None), ("POST", {}))
    ),
]


def _snapshot_rows(version: str) -> list[Row]:
    # Here is no snapshot; an image stands for one, which it is not.
    root = f"cyclades/volume/{version}/snapshots"
    item = f"{root}/{{image}}"
    return [
        row("GET", root, users(200)),
        row("POST", root, users(400), {"snapshot": {"volume_id": 0}}),
        row("GET", f"{root}/detail", users(200)),
        row("GET", item, by(403, 404, 404)),
        row("PUT", item, by(403, 404, 404), {"snapshot": {"display_name": "n"}}),
        row("DELETE", item, by(403, 404, 404)),
        row("GET", f"{item}/metadata", by(403, 404, 404)),
        row("POST", f"{item}/metadata", by(403, 404, 404), {"metadata": {}}),
        row("PUT", f"{item}/metadata", by(403, 404, 404), {"metadata": {}}),
        row("DELETE", f"{item}/metadata/a", by(403, 404, 404)),
    ]


SNAPSHOTS = [*_snapshot_rows("v2.0"), *_snapshot_rows("v3")]
IMAGE = [row("GET", "cyclades/image/", everybody(200)), *_image_rows("v1.0"), *_image_rows("v1"), *GLANCE]

CYCLADES = [*COMPUTE, *COMPUTE_MORE, *EXTENSIONS, *NETWORK, *NETWORK_EXTENSIONS, *IMAGE, *SNAPSHOTS, *VOLUME]
ROWS = [*IDENTITY, *SITE, *ASTAKOS, *PITHOS, *SWIFT, *CYCLADES, *in_nova(CYCLADES)]
