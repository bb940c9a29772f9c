"""What a user uses of every resource in every project, for people to read (web contract 9)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from astakos.logic.quotas import UserQuota, service_quotas
from astakos.logic.resources import PublicResource, public_resources
from astakos.models import Project, ProjectMembership, ProjectState, User
from astakos.models.project import ACTUALLY_ACCEPTED
from synnefo.units import INF

#: Title and explanation of the resources that come with Synnefo, in the order of the page.
_PRESENTATION: dict[str, tuple[str | Promise, str | Promise]] = {
    "pithos.diskspace": (gettext_lazy("Storage space"), gettext_lazy("Space for files and images.")),
    "cyclades.disk": (gettext_lazy("System disk"), gettext_lazy("Disks and volumes of machines.")),
    "cyclades.total_cpu": (gettext_lazy("CPUs of all machines"), gettext_lazy("Running or not.")),
    "cyclades.cpu": (gettext_lazy("CPUs"), gettext_lazy("Of running machines only.")),
    "cyclades.total_ram": (gettext_lazy("Memory of all machines"), gettext_lazy("Running or not.")),
    "cyclades.ram": (gettext_lazy("Memory"), gettext_lazy("Of running machines only.")),
    "cyclades.vm": (gettext_lazy("Virtual machines"), ""),
    "cyclades.network.private": (gettext_lazy("Private networks"), ""),
    "cyclades.floating_ip": (gettext_lazy("Public IP addresses"), ""),
    "astakos.pending_app": (gettext_lazy("Pending project applications"), ""),
}
_ORDER = {name: number for number, name in enumerate(_PRESENTATION)}
#: Groups of resources in the order of the page, by how the names of their resources begin.
_GROUPS: Mapping[str, tuple[str, ...]] = {
    "storage": ("pithos.",),
    "compute": ("cyclades.disk", "cyclades.total_", "cyclades.cpu", "cyclades.ram", "cyclades.vm"),
    "network": ("cyclades.network.", "cyclades.floating_ip"),
    "accounts": ("astakos.",),
}


@dataclass(frozen=True, slots=True)
class UsageBar:
    """A user's share of one resource in one project; ``left`` is what he can still take."""

    project: str
    project_name: str
    is_system: bool
    tags: tuple[str, ...]
    usage: int
    pending: int
    limit: int
    left: int
    project_limit: int
    project_usage: int
    #: The project as a whole has less left than the user's own limit would allow.
    project_is_tighter: bool


@dataclass(frozen=True, slots=True)
class ResourceUsage:
    """One resource with a bar for each project."""

    name: str
    title: str
    help: str
    unit: str
    bars: list[UsageBar] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Return what the user uses in all projects together."""
        return sum(bar.usage for bar in self.bars)


@dataclass(frozen=True, slots=True)
class _ProjectFacts:
    name: str
    is_system: bool
    tags: tuple[str, ...]


def usage_of(
    user: User, *, project: str = "", resource: str = "", only_used: bool = False
) -> list[ResourceUsage]:
    """Return the usage of *user* by resource; four queries.

    Includes projects he left as long as something of his is in them. *project* and *resource* keep one of
    each, *only_used* drops bars at zero.
    """
    shown = {
        item.name: item for item in public_resources() if item.ui_visible and resource in ("", item.name)
    }
    rows = service_quotas(resources=sorted(shown), users=[user.uuid])
    facts = _facts(user, {row.project for row in rows})
    usages = {name: _presented(item) for name, item in shown.items()}
    for row in rows:
        known = facts.get(row.project)
        if known is None or (project and row.project != project):
            continue
        used = row.usage > 0 or row.pending > 0
        if used or not (known.tags or only_used):
            usages[row.resource].bars.append(_bar(row, known))
    found = [usage for usage in usages.values() if usage.bars]
    for usage in found:
        usage.bars.sort(key=lambda bar: (not bar.is_system, bar.project_name.lower()))
    return sorted(found, key=lambda usage: _place(usage.name))


def _chosen(name: str, *keys: str) -> str:
    """Return what the site says about a resource: the first of *keys* that it set, else an empty text."""
    chosen: Mapping[str, Any] = settings.ASTAKOS_RESOURCES_META.get(name, {})
    return next((str(chosen[key]) for key in keys if chosen.get(key)), "")


def _presented(resource: PublicResource) -> ResourceUsage:
    title, explanation = _PRESENTATION.get(resource.name, (resource.name, resource.description))
    return ResourceUsage(
        name=resource.name,
        title=_chosen(resource.name, "title", "report_desc", "verbose_name") or str(title),
        help=_chosen(resource.name, "help", "help_text") or str(explanation),
        unit=resource.unit or "",
    )


@dataclass(frozen=True, slots=True)
class InputHints:
    """What the site says beside the fields of a resource in an application; empty where it says nothing."""

    placeholder: str
    total: str
    each: str


def input_hints(resource: str) -> InputHints:
    """Return the site's hints for filling in the limits of *resource*."""
    return InputHints(
        placeholder=_chosen(resource, "placeholder"),
        total=_chosen(resource, "help_text_input_total"),
        each=_chosen(resource, "help_text_input_each"),
    )


def _place(name: str) -> tuple[int, str, int, str]:
    """Return where a resource comes in lists: by group, those of unknown groups last."""
    builtin = next((group for group, begins in _GROUPS.items() if name.startswith(begins)), "")
    group = _chosen(name, "group") or builtin
    groups = [*_GROUPS]
    position = groups.index(group) if group in groups else len(groups)
    return position, group, _ORDER.get(name, len(_ORDER)), name


def worst_of(usages: Iterable[ResourceUsage]) -> tuple[str, int] | None:
    """Return the resource that is closest to its limit and how full it is, in per cent."""
    shares = [
        (100 * (bar.usage + bar.pending) // bar.limit, usage.title)
        for usage in usages
        for bar in usage.bars
        if 0 < bar.limit < INF and not bar.tags
    ]
    if not shares:
        return None
    percent, title = max(shares, key=lambda share: share[0])
    return title, min(percent, 100)


def resource_titles() -> dict[str, str]:
    """Return the names people read of all resources they may see."""
    titles = {item.name: _presented(item).title for item in public_resources() if item.ui_visible}
    return dict(sorted(titles.items(), key=lambda item: _place(item[0])))


def _bar(row: UserQuota, project: _ProjectFacts) -> UsageBar:
    own_left = max(0, row.limit - row.usage)
    project_left = max(0, row.project_limit - row.project_usage)
    return UsageBar(
        project=row.project,
        project_name=project.name,
        is_system=project.is_system,
        tags=project.tags,
        usage=row.usage - row.pending,
        pending=row.pending,
        limit=row.limit,
        left=min(own_left, project_left),
        project_limit=row.project_limit,
        project_usage=row.project_usage,
        project_is_tighter=project_left < own_left and row.limit < INF,
    )


def _facts(user: User, uuids: set[str]) -> dict[str, _ProjectFacts]:
    projects = Project.objects.filter(uuid__in=uuids).exclude(state=ProjectState.DELETED)
    members = ProjectMembership.objects.filter(
        person=user, project__uuid__in=uuids, state__in=ACTUALLY_ACCEPTED
    ).values_list("project__uuid", flat=True)
    mine = set(members)
    return {project.uuid: _facts_of(project, is_member=project.uuid in mine) for project in projects}


def _facts_of(project: Project, *, is_member: bool) -> _ProjectFacts:
    tags = []
    if project.state == ProjectState.TERMINATED:
        tags.append(_("Terminated"))
    elif project.state == ProjectState.SUSPENDED:
        tags.append(_("Suspended"))
    if not is_member:
        tags.append(_("Not a member"))
    name = _("My own quota") if project.is_base else project.realname
    return _ProjectFacts(name, project.is_base, tuple(tags))
