"""Settings of the Ganeti side (Ganeti contract 13)."""

from __future__ import annotations

from synnefo.settings_registry import declare

_BACKEND = "20-snf-cyclades-app-backend"
_DISPATCHER = "20-snf-cyclades-app-dispatcher"

declare(
    "GANETI_CREATEINSTANCE_KWARGS",
    {
        "os": "snf-image+default",
        "hvparams": {"kvm": {"serial_console": False}, "xen-pvm": {}, "xen-hvm": {}},
    },
    type=dict,
    conf=_BACKEND,
    help="Further arguments of every instance creation; hvparams are keyed by the backend's hypervisor.",
)
declare(
    "GANETI_USE_HOTPLUG",
    True,
    type=bool,
    conf=_BACKEND,
    help="Add and remove NICs and disks of running servers (hypervisor kvm).",
)
declare(
    "GANETI_USE_OPPORTUNISTIC_LOCKING",
    True,
    type=bool,
    conf=_BACKEND,
    help="Create instances on whatever nodes are free, in parallel; needs a default iallocator.",
)
declare(
    "GANETI_DISKS_WAIT_FOR_SYNC",
    False,
    type=bool,
    conf=_BACKEND,
    help="Whether jobs that create disks wait until mirrors are in sync.",
)
declare(
    "GANETI_MAX_NICS_PER_INSTANCE", 8, type=int, conf=_BACKEND, help="Network interfaces a server may have."
)
declare(
    "GANETI_DISK_PROVIDER_KWARGS",
    {},
    type=dict,
    conf=_BACKEND,
    help="Further disk parameters for each ExtStorage provider.",
)
declare(
    "GANETI_CLONE_PROVIDERS",
    ["vlmc", "archipelago"],
    type=(list, tuple),
    conf=_BACKEND,
    help="ExtStorage providers that fill a new disk from an image themselves.",
)
declare(
    "CYCLADES_DETACHABLE_DISK_TEMPLATES",
    ("ext_archipelago", "ext_vlmc", "ext_snffile"),
    type=(list, tuple),
    conf=_BACKEND,
    help="Disk templates whose volumes may leave one server and join another.",
)
declare(
    "BACKEND_ALLOCATOR_MODULE",
    "cyclades.ganeti.allocators.FilterAllocator",
    type=str,
    conf=_BACKEND,
    help="Dotted path of the class that chooses the Ganeti cluster of a new server.",
)
declare(
    "BACKEND_FILTER_ALLOCATOR_FILTERS",
    ["cyclades.ganeti.allocators.ProjectBackendsFilter", "cyclades.ganeti.allocators.DefaultFilter"],
    type=(list, tuple),
    conf=_BACKEND,
    help="Dotted paths of the filters that FilterAllocator applies, in this order.",
)
declare(
    "BACKEND_REFRESH_MIN",
    15,
    type=int,
    conf=_BACKEND,
    help="Minutes after which a cluster's free resources are read again before a server is placed.",
)
declare(
    "BACKEND_PER_USER",
    {},
    type=dict,
    conf=_BACKEND,
    help="Cluster (id or name) that all servers of a user go to, whatever its load: {user: cluster}.",
)
declare(
    "RAPI_CA_FILE",
    "",
    type=str,
    conf=_BACKEND,
    help="Certificates that sign the clusters' RAPI; empty means the system's.",
)
declare(
    "RAPI_TLS_VERIFY",
    True,
    type=bool,
    conf=_BACKEND,
    help="Verify RAPI's certificate and name. False with RAPI_CA_FILE still pins that file's certificate, "
    "whatever its name (Ganeti makes its own with a fixed one); False alone verifies nothing.",
)
declare(
    "RAPI_CONNECT_TIMEOUT", 5.0, type=(float, int), conf=_BACKEND, help="Seconds to wait for a connection."
)
declare(
    "RAPI_READ_TIMEOUT", 30.0, type=(float, int), conf=_BACKEND, help="Seconds to wait for RAPI's answer."
)
declare(
    "RAPI_POOL_SIZE", 8, type=int, conf=_BACKEND, help="Simultaneous requests of one process to a cluster."
)
declare(
    "RAPI_BREAKER_FAILURES",
    3,
    type=int,
    conf=_BACKEND,
    help="Failed requests in a row after which a cluster is set aside for RAPI_BREAKER_SECONDS.",
)
declare(
    "RAPI_BREAKER_SECONDS",
    20,
    type=int,
    conf=_BACKEND,
    help="Seconds that a failing cluster is left alone before it is tried again.",
)
declare(
    "GANETI_SUBMIT_IN_BACKGROUND",
    True,
    type=bool,
    conf=_BACKEND,
    help="Submit jobs from a thread of their own, so that no client waits for Ganeti.",
)
declare(
    "GANETI_FIREWALL_ENABLED_TAG",
    "synnefo:network:%s:protected",
    type=str,
    conf=_BACKEND,
    help="Instance tag of a NIC with the firewall profile ENABLED; %s is the NIC's Ganeti name.",
)
declare(
    "GANETI_FIREWALL_DISABLED_TAG",
    "synnefo:network:%s:unprotected",
    type=str,
    conf=_BACKEND,
    help="Instance tag of a NIC with the firewall profile DISABLED.",
)
declare(
    "GANETI_FIREWALL_PROTECTED_TAG",
    "synnefo:network:%s:limited",
    type=str,
    conf=_BACKEND,
    help="Instance tag of a NIC with the firewall profile PROTECTED.",
)
declare(
    "DEFAULT_FIREWALL_PROFILE",
    "DISABLED",
    type=str,
    choices=("ENABLED", "DISABLED", "PROTECTED"),
    conf=_BACKEND,
    help="Firewall profile of a public NIC that has no tag.",
)
declare("DISPATCHER_PREFETCH", 200, type=int, conf=_DISPATCHER, help="Messages in flight to one dispatcher.")
declare("DISPATCHER_BATCH_SIZE", 50, type=int, conf=_DISPATCHER, help="Messages handled in one transaction.")
declare(
    "DISPATCHER_BATCH_MILLISECONDS",
    20,
    type=int,
    conf=_DISPATCHER,
    help="How long a transaction's messages are collected once the first is there.",
)
declare(
    "DISPATCHER_REPAIR_SECONDS",
    20,
    type=int,
    conf=_DISPATCHER,
    help="Interval of the repair task, which finds jobs and events that were lost.",
)
declare(
    "DISPATCHER_METRICS_PORT",
    0,
    type=int,
    conf=_DISPATCHER,
    help="Port of 127.0.0.1 that serves the dispatcher's Prometheus metrics; 0 serves none.",
)
declare(
    "DISPATCHER_HEALTH_FILE",
    "",
    type=str,
    conf=_DISPATCHER,
    help="File whose modification time says when the dispatcher was last alive; empty writes none.",
)
declare(
    "DISPATCHER_RECONCILE_SECONDS",
    600,
    type=int,
    conf=_DISPATCHER,
    help="Seconds between the rounds in which one of the dispatchers compares servers, networks, pools and "
    "commissions with the clusters and mends what is safe to mend; 0 leaves that to the reconcile commands.",
)
declare(
    "DISPATCHER_RECONCILE_MAX_FIXES",
    100,
    type=int,
    conf=_DISPATCHER,
    help="Servers and networks of one cluster that are mended in one such round; others wait for the next.",
)
declare(
    "DISPATCHER_RECONCILE_REMOVALS",
    True,
    type=bool,
    conf=_DISPATCHER,
    help="Whether it also marks servers as deleted whose instance is gone, and removes instances and "
    "networks of deleted servers and networks.",
)
declare(
    "DISPATCHER_RECONCILE_QUIET_SECONDS",
    180,
    type=int,
    conf=_DISPATCHER,
    help="Servers that changed this recently are left to their events.",
)
