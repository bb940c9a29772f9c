"""Settings of the compute service (compute contract 20)."""

from __future__ import annotations

from synnefo.settings_registry import declare

_API = "20-snf-cyclades-app-api"
_VMAPI = "20-snf-cyclades-app-vmapi"
_USERDATA = "20-snf-cyclades-app-userdata"

declare(
    "CYCLADES_BASE_URL",
    "https://compute.example.synnefo.org/cyclades",
    type=str,
    conf=_API,
    help="Public address of Cyclades; its path is where the service hangs.",
)
declare(
    "POLL_LIMIT",
    3600,
    type=int,
    conf=_API,
    help="Oldest changes-since, in seconds before now, that lists accept.",
)
declare(
    "CYCLADES_SHARED_RESOURCES_ENABLED",
    False,
    type=bool,
    conf=_API,
    help="Users may share servers, volumes and floating IPs with the members of their project.",
)
declare("MAX_PERSONALITY", 5, type=int, conf=_API, help="Most files a user may inject into a new server.")
declare(
    "MAX_PERSONALITY_SIZE", 10240, type=int, conf=_API, help="Largest injected file, in bytes of its content."
)
declare("CYCLADES_VM_MAX_METADATA", 10, type=int, conf=_API, help="Most metadata items of a server.")
declare("CYCLADES_VM_MAX_TAGS", 50, type=int, conf=_API, help="Most tags of a server.")
declare("CYCLADES_VOLUME_MAX_SIZE", 200, type=int, conf=_API, help="Largest volume, in GiB.")
declare(
    "CYCLADES_FLAVOR_OVERRIDE_ALLOW_CREATE",
    {},
    type=dict,
    conf=_API,
    help="Group to list of regular expressions: its members may create servers of closed flavors so named.",
)
declare(
    "CYCLADES_SERVERS_FQDN",
    "snf-%(id)s.vm.example.synnefo.org",
    type=(str, type(None)),
    conf=_API,
    help="Template of a server's host name; None: servers show no name.",
)
declare(
    "CYCLADES_PORT_FORWARDING",
    {},
    type=dict,
    conf=_API,
    help="Server port to (host, port), or to a callable of (address, server id, host name, owner).",
)
declare(
    "VM_PASSWORD_TIMEOUT",
    3600,
    type=int,
    conf=_API,
    help="Seconds a new server's password can be read back; it is kept in the cache only.",
)
declare(
    "VMAPI_BASE_HOST",
    "",
    type=str,
    conf=_VMAPI,
    help="Scheme, host and port under which Ganeti nodes reach this service; empty: as CYCLADES_BASE_URL.",
)
declare(
    "VMAPI_RESET_PARAMS",
    True,
    type=bool,
    conf=_VMAPI,
    help="A server's parameters can be read once only; turn off for debugging.",
)
declare(
    "VMAPI_TIMEOUT",
    3600,
    type=int,
    conf=_VMAPI,
    help="Seconds a node has to fetch a new server's parameters.",
)
declare("USERDATA_MAX_SSH_KEYS_PER_USER", 10, type=int, conf=_USERDATA, help="Most SSH keys a user may keep.")
declare(
    "USERDATA_SSH_KEY_MAX_CONTENT_LENGTH",
    30000,
    type=int,
    conf=_USERDATA,
    help="Longest public key, in characters.",
)
declare(
    "USERDATA_SSH_KEY_LENGTH",
    3072,
    type=int,
    conf=_USERDATA,
    help="Bits of the RSA keys that the service makes for users.",
)
