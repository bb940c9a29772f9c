"""What the shell learns from compute: search, tasks, changes, texts of news (web contract 4.1)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from branding import activity, facts, notification_texts, search
from branding.notification_texts import Kind
from cyclades.logic import activity as compute
from cyclades.logic import search as finding
from cyclades.logic.activity import Changed
from cyclades.logic.search import Match
from synnefo.credentials import Credentials

_TASKS = {
    "BUILD": _("Building %(name)s"),
    "START": _("Starting %(name)s"),
    "STOP": _("Shutting down %(name)s"),
    "REBOOT": _("Rebooting %(name)s"),
    "DESTROY": _("Destroying %(name)s"),
    "RESIZE": _("Resizing %(name)s"),
    "CONNECT": _("Connecting %(name)s to a network"),
    "DISCONNECT": _("Disconnecting %(name)s from a network"),
    "ATTACH_VOLUME": _("Attaching a volume to %(name)s"),
    "DETACH_VOLUME": _("Detaching a volume from %(name)s"),
    "DELETE_VOLUME": _("Deleting a volume of %(name)s"),
    "GROW_VOLUME": _("Making a volume of %(name)s larger"),
    "RESCUE": _("Starting %(name)s for rescue"),
    "UNRESCUE": _("Ending the rescue of %(name)s"),
    "SNAPSHOT": _("Copying the volume %(name)s"),
    "SNAPSHOT_OF": _("Copying the volume %(name)s of %(server)s"),
}
_OTHER = _("Changing %(name)s")
_STATES = {"ACTIVE": _("Running")}

Finder = Callable[..., list[Match]]
Lister = Callable[..., list[Changed]]
_SEARCHES: tuple[tuple[str, int, object, str, Finder], ...] = (
    ("server", 30, _("Machines"), "server", finding.servers),
    ("ip", 31, _("Public addresses"), "globe", finding.floating_ips),
    ("network", 32, _("Networks"), "cloud", finding.networks),
    ("volume", 33, _("Volumes"), "device", finding.volumes),
    ("image", 34, _("Images"), "device", finding.find_images),
    ("key", 35, _("SSH keys"), "key", finding.keys),
)
_TOPICS: tuple[tuple[str, str, Lister], ...] = (
    ("servers", "server", compute.changed_servers),
    ("networks", "network", compute.changed_networks),
    ("volumes", "volume", compute.changed_volumes),
    ("ips", "ip", compute.changed_ips),
)
_KINDS = (
    Kind("server.built", "success", _("The machine %(name)s is ready.")),
    Kind("server.failed", "error", _("The machine %(name)s could not be built. Remove it and try again.")),
    Kind("server.refused", "error", _("The cluster refused to change the machine %(name)s.")),
    Kind("server.suspended", "warning", _("The machine %(name)s was suspended. Contact the staff.")),
    Kind("server.released", "success", _("The machine %(name)s is no longer suspended.")),
    Kind("snapshot.done", "success", _("The snapshot of the volume %(name)s is ready.")),
    Kind("snapshot.failed", "error", _("The snapshot of the volume %(name)s failed.")),
)


def register() -> None:
    """Tell the shell all of it."""
    for name, order, label, icon, finder in _SEARCHES:
        search.provide(search.Kind(name, order, label, icon, _hits_of(finder)))
    for topic, kind, lister in _TOPICS:
        activity.provide_changes(topic, _changes_of(kind, lister))
    activity.provide_tasks(_tasks)
    facts.provide("cyclades", _facts)
    for note in _KINDS:
        notification_texts.provide(note)


def _hits_of(finder: Finder) -> Callable[[Credentials, str, int], list[search.Hit]]:
    def find(credentials: Credentials, text: str, limit: int) -> list[search.Hit]:
        return [_hit(match) for match in finder(credentials, text=text, limit=limit)]

    return find


def _hit(match: Match) -> search.Hit:
    return search.Hit(
        match.name,
        detail=", ".join(fact for fact in match.facts if fact),
        copy=match.id,
        state=match.state,
        state_label=str(_STATES.get(match.state, "")),
    )


def _changes_of(kind: str, lister: Lister) -> activity.ChangeSource:
    def changes(credentials: Credentials, since: dt.datetime, limit: int) -> list[activity.Change]:
        rows = lister(credentials, since=since, limit=limit)
        return [activity.Change(kind, row.id, row.updated) for row in rows]

    return changes


def _facts(credentials: Credentials) -> list[tuple[str, str]]:
    counts = compute.server_counts(credentials)
    values = {"running": counts.running, "all": counts.all}
    return [(gettext("Machines running"), gettext("%(running)s of %(all)s") % values)]


def _tasks(credentials: Credentials, limit: int) -> list[activity.Task]:
    return [
        activity.Task(
            row.id,
            str(_TASKS.get(row.task, _OTHER)) % {"name": row.name, "server": row.server},
            row.started,
            percent=row.percent,
        )
        for row in compute.running(credentials, limit=limit)
    ]
