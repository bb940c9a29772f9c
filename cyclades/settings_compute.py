"""Settings of the compute service (compute contract 20)."""

from __future__ import annotations

from cyclades.console.proxies import DEFAULT
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
    help="Server port to (host, port), or to a callable of (address, server id, host name, owner) or its "
    "dotted path.",
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
    help="Seconds a node has to fetch a new server's parameters, from the submission of its job.",
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
declare(
    "RESCUE_ENABLED",
    False,
    type=bool,
    conf=_API,
    help="Users may boot their servers from rescue images; administrators always may.",
)
declare(
    "RESCUE_IMAGE_PATH",
    "/usr/share/synnefo/rescue-images",
    type=str,
    conf=_API,
    help="Folder of the Ganeti nodes that rescue images of the kind 'file' are in.",
)
declare(
    "CPU_BAR_GRAPH_URL",
    "http://stats.example.synnefo.org/stats/v1.0/cpu-bar/%s",
    type=str,
    conf=_API,
    help="Address of a server's bar of processor use; %s is replaced by the token that names the server.",
)
declare(
    "CPU_TIMESERIES_GRAPH_URL",
    "http://stats.example.synnefo.org/stats/v1.0/cpu-ts/%s",
    type=str,
    conf=_API,
    help="Address of a server's graph of processor use; %s is replaced by the token that names the server.",
)
declare(
    "NET_BAR_GRAPH_URL",
    "http://stats.example.synnefo.org/stats/v1.0/net-bar/%s",
    type=str,
    conf=_API,
    help="Address of a server's bar of network use; %s is replaced by the token that names the server.",
)
declare(
    "NET_TIMESERIES_GRAPH_URL",
    "http://stats.example.synnefo.org/stats/v1.0/net-ts/%s",
    type=str,
    conf=_API,
    help="Address of a server's graph of network use; %s is replaced by the token that names the server.",
)
declare(
    "STATS_REFRESH_PERIOD", 60, type=int, conf=_API, help="Seconds after which clients ask for graphs again."
)
declare(
    "CYCLADES_STATS_SECRET_KEY",
    "",
    type=str,
    conf=_API,
    secret=True,
    help="Secret shared with the service that draws graphs; empty: SECRET_ENCRYPTION_KEY, for one project.",
)
declare(
    "CYCLADES_STATS_TOKEN_LIFETIME",
    86400,
    type=int,
    conf=_API,
    help="Seconds that the address of a graph is valid.",
)
declare(
    "CYCLADES_STATS_LEGACY_TOKENS",
    False,
    type=bool,
    conf=_API,
    help="Name servers as older statistics services read it, without expiry or protection from changes.",
)
declare(
    "ADMIN_STATS_PERMITTED_GROUPS",
    ["admin-stats"],
    type=list,
    conf=_API,
    help="Groups whose members may read the detailed statistics.",
)
declare(
    "CYCLADES_SNAPSHOTS_ENABLED",
    True,
    type=(bool, list, tuple),
    conf=_API,
    help="Users may make snapshots of volumes, which needs snf-snapshot-agent on the nodes; or a list of the"
    " groups whose members may.",
)
declare(
    "SNAPSHOT_RESEND_SECONDS",
    900,
    type=int,
    conf=_API,
    help="Seconds without a word from a node after which it is asked for a snapshot again.",
)
declare(
    "SNAPSHOT_GIVE_UP_SECONDS",
    86400,
    type=int,
    conf=_API,
    help="Seconds after which a snapshot that no node made is an error.",
)
declare(
    "SYSTEM_IMAGES_OWNER",
    "okeanos",
    type=str,
    conf=_API,
    help="User (uuid or e-mail) whose images count as the site's own in the statistics.",
)
declare(
    "CYCLADES_VNCAUTHPROXY_OPTS",
    [dict(DEFAULT)],
    type=(list, tuple, dict),
    conf=_API,
    secret=True,
    help="Console proxies, one dict each; one is chosen at random. Keys: auth_user, auth_password, "
    "server_address, server_port, enable_ssl, ca_cert (file), strict (check the certificate).",
)
declare(
    "CYCLADES_CONSOLES_PER_MINUTE",
    60,
    type=int,
    conf=_API,
    help="Most consoles a user may ask for in a minute.",
)
