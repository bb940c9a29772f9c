"""Settings of the block storage service (volume contract 13)."""

from __future__ import annotations

from synnefo.settings_registry import declare

_API = "20-snf-cyclades-app-api"
_BACKEND = "20-snf-cyclades-app-backend"

declare("CYCLADES_VOLUME_MAX_METADATA", 10, type=int, conf=_API, help="Most metadata items of a volume.")
declare(
    "DEFAULT_VOLUME_TYPE",
    "",
    type=str,
    conf=_API,
    help="Name of the type of volumes that OpenStack clients create without naming one; empty: the oldest "
    "detachable one.",
)
declare(
    "GANETI_MAX_DISKS_PER_INSTANCE",
    8,
    type=int,
    conf=_BACKEND,
    help="Volumes a server may have; not more than the clusters' policies allow.",
)
declare(
    "GANETI_DETACH_METHODS",
    {"snffile": "keep_data", "archipelago": "keep_disks", "vlmc": "keep_disks"},
    type=dict,
    conf=_BACKEND,
    help="How a disk of each ExtStorage provider leaves a server with its data: keep_data, when the "
    "provider honours that parameter, or keep_disks, on clusters with Synnefo's own Ganeti. Volumes of other "
    "providers are not detached.",
)
