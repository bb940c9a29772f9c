"""Settings of the network and image services (network contract 16, image contract 8)."""

from __future__ import annotations

from synnefo.settings_registry import declare

_API = "20-snf-cyclades-app-api"
_PLANKTON = "20-snf-cyclades-app-plankton"

declare(
    "API_ENABLED_NETWORK_FLAVORS",
    ["MAC_FILTERED"],
    type=(list, tuple),
    conf=_API,
    help="Network flavors that users may create; the first is the default of clients that name none.",
)
declare(
    "DEFAULT_MAC_PREFIX",
    "aa:00:0",
    type=str,
    conf=_API,
    help="MAC prefix of networks without one of their own; the first prefix of the MAC prefix pool.",
)
declare("DEFAULT_BRIDGE", "br0", type=str, conf=_API, help="Bridge of CUSTOM networks.")
declare(
    "DEFAULT_MAC_FILTERED_BRIDGE",
    "prv0",
    type=str,
    conf=_API,
    help="Bridge that all MAC_FILTERED networks share.",
)
declare(
    "MAX_CIDR_BLOCK",
    22,
    type=int,
    conf=_API,
    help="Shortest prefix, and so the largest size, of an IPv4 subnet; the longest is 29.",
)
declare(
    "CYCLADES_DEFAULT_SERVER_NETWORKS",
    [],
    type=(list, tuple),
    conf=_API,
    help=(
        "Networks of servers whose creator names none: ids, SNF:ANY_PUBLIC_IPV4, SNF:ANY_PUBLIC_IPV6,"
        " SNF:ANY_PUBLIC, or lists of alternatives."
    ),
)
declare(
    "CYCLADES_FORCED_SERVER_NETWORKS",
    [],
    type=(list, tuple),
    conf=_API,
    help="Networks that every server gets, outside its owner's quota; entries as for the default networks.",
)
declare(
    "CYCLADES_MAX_UNATTACHED_PORTS",
    256,
    type=int,
    conf=_API,
    help="Ports on no server that a user may have; no quota counts them.",
)
declare(
    "ALLOWED_DISK_FORMATS",
    ("diskdump", "extdump", "ntfsdump"),
    type=(list, tuple),
    conf=_PLANKTON,
    help="Disk formats that images may be registered with.",
)
declare(
    "DEFAULT_DISK_FORMAT",
    "diskdump",
    type=str,
    conf=_PLANKTON,
    help="Disk format of images registered without one.",
)
declare(
    "ALLOWED_CONTAINER_FORMATS",
    ("aki", "ari", "ami", "bare", "ovf"),
    type=(list, tuple),
    conf=_PLANKTON,
    help="Container formats that images may be registered with.",
)
declare(
    "DEFAULT_CONTAINER_FORMAT",
    "bare",
    type=str,
    conf=_PLANKTON,
    help="Container format of images registered without one.",
)
declare(
    "DEFAULT_PLANKTON_CONTAINER",
    "images",
    type=str,
    conf=_PLANKTON,
    help="Container of their own account in which images that clients of Glance v2 upload are kept.",
)
declare(
    "MAX_IMAGE_UPLOAD_SIZE",
    100 << 30,
    type=int,
    conf=_PLANKTON,
    help="Largest image, in bytes, that may be uploaded through Glance v2.",
)
