"""Containers: creating, showing, changing their policies and metadata (object-storage contract 5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from django.conf import settings
from django.db.models import Count, Sum

from astakos import public as astakos
from pithos.blocks.opened import block_store
from pithos.logic import acl, asof, metadata, permissions, possession, quota, statistics, versions
from pithos.logic.accounts import set_metadata
from pithos.logic.metadata import USER_DOMAIN, Limits
from pithos.logic.nodes import (
    create_container,
    ensure_account,
    find_container,
    later_than,
    lock_container,
)
from pithos.logic.permissions import require_owner
from pithos.models import Attribute, Cluster, ContainerPolicy, Node, Statistics, Version, Versioning
from pithos.paths import check_container
from pithos.streams import store_body
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, retry_on_deadlock
from synnefo.errors import BadRequest, Forbidden, NotFound

_MAX_QUOTA = 2**63 - 1
NO_LISTS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class ContainerView:
    """A container as one caller sees it; sizes in bytes; for others than the owner only the first four.

    ``sees_all``: an access list shows the caller every object, not only those he was granted.
    """

    node: Node
    is_owner: bool
    modified: datetime
    object_keys: list[str]
    objects: int = 0
    bytes_used: int = 0
    until: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    sees_all: bool = False


def show_container(
    credentials: Credentials, *, account: str, container: str, until: datetime | None = None
) -> ContainerView:
    """Return what HEAD of a container shows; raise Forbidden or NotFound."""
    node = find_container(account, container)
    if not permissions.is_owner(credentials, account):
        return _foreign(credentials, account, node, until)
    if node is None:
        raise NotFound("The container does not exist.")
    if until is not None:
        return _at(node, until)
    return ContainerView(
        node=node,
        is_owner=True,
        modified=node.statistics.modified,
        object_keys=metadata.keys_in_use(node),
        objects=node.statistics.current_count,
        bytes_used=node.statistics.current_bytes,
        metadata=metadata.of_container(node),
    )


def metadata_of_container(account: str, container: str) -> dict[str, str]:
    """Return a container's own metadata, empty if there is no such container. One query."""
    rows = Attribute.objects.filter(
        node__name=container, node__parent__name=account, node__parent__parent=None,
        domain=USER_DOMAIN, is_latest=True, version__cluster=Cluster.CURRENT,
    )  # fmt: skip
    return dict(rows.values_list("key", "value"))


def _foreign(
    credentials: Credentials, account: str, node: Node | None, until: datetime | None
) -> ContainerView:
    if node is not None and until is None and acl.may_list(credentials, account, node.name):
        return ContainerView(
            node=node,
            is_owner=False,
            modified=node.statistics.modified,
            object_keys=metadata.keys_in_use(node),
            sees_all=True,
        )
    seen = permissions.visible(node, permissions.holders_of(credentials.user_id)) if node else None
    if node is None or seen is None or until is not None:
        raise Forbidden("You may not see this container.")
    keys = (
        Attribute.objects.filter(
            parent=node, domain=USER_DOMAIN, is_latest=True, node__in=Node.objects.filter(seen)
        )
        .order_by("key")
        .values_list("key", flat=True)
        .distinct()
    )
    return ContainerView(
        node=node, is_owner=False, modified=node.statistics.modified, object_keys=list(keys[:1000])
    )


def _at(node: Node, until: datetime) -> ContainerView:
    own = Version.objects.filter(node=node, mtime__lt=until).order_by("-mtime", "-pk").first()
    if own is None:
        raise NotFound("The container did not exist then.")
    then = asof.versions(node, until)
    sums = then.aggregate(count=Count("pk"), size=Sum("size"))
    last = Version.objects.filter(node__parent=node, mtime__lt=until).order_by("-mtime").first()
    keys = Attribute.objects.filter(version__in=then.values("pk"), domain=USER_DOMAIN)
    return ContainerView(
        node=node,
        is_owner=True,
        modified=node.statistics.modified,
        object_keys=sorted(set(keys.values_list("key", flat=True))),
        objects=sums["count"],
        bytes_used=sums["size"] or 0,
        until=max(own.mtime, last.mtime) if last else own.mtime,
        metadata=metadata.of_version(own).get(USER_DOMAIN, {}),
    )


@retry_on_deadlock
def put_container(
    credentials: Credentials,
    *,
    account: str,
    container: str,
    policy: Mapping[str, str],
    items: Mapping[str, str],
    access_lists: Mapping[str, str] = NO_LISTS,
    limits: Limits | None = None,
) -> bool:
    """Create a container, or change an existing one as by POST with update; True if it was created.

    ``access_lists``: ``read_acl`` and ``write_acl`` in their kept form, where they are to change.
    """
    require_owner(credentials, account)
    check_container(container)
    checked = parse_policy(policy, account)
    with atomic():
        parent = ensure_account(account)
        created = find_container(account, container) is None
        node = create_container(parent, container, muser=credentials.user_id or account) if created else None
        if node is None:
            created = False
            node = lock_container(account, container)
        elif "project" in checked:
            _require_project(credentials, account, str(checked["project"]))
            node.policy.project = str(checked.pop("project"))
        _apply_policy(credentials, node, checked, access_lists)
        if items:
            set_metadata(node, items, merge=True, muser=credentials.user_id or account, limits=limits)
        now = later_than(None)
        statistics.touch(node, now)
        if created:
            statistics.touch(parent, now)
        audit.record(
            credentials,
            "container.create" if created else "container.update",
            f"container:{node.pk}",
            name=container,
            policy=dict(policy),
            **access_lists,
        )
    return created


@retry_on_deadlock
def update_container(
    credentials: Credentials,
    *,
    account: str,
    container: str,
    policy: Mapping[str, str],
    items: Mapping[str, str],
    merge: bool,
    only_policy: bool = False,
    access_lists: Mapping[str, str] = NO_LISTS,
    limits: Limits | None = None,
) -> None:
    """Change policies and metadata: merged, or replaced as a whole (object-storage contract 5.4).

    Without ``merge`` unmentioned quota and versioning go back to their defaults if any policy is named; the
    project never changes unasked. ``only_policy`` leaves metadata alone.
    """
    require_owner(credentials, account)
    checked = parse_policy(policy, account)
    if policy and not merge:
        checked.setdefault("quota", settings.PITHOS_BACKEND_CONTAINER_QUOTA)
        checked.setdefault("versioning", settings.PITHOS_BACKEND_VERSIONING)
    with atomic():
        node = lock_container(account, container)
        _apply_policy(credentials, node, checked, access_lists)
        if not only_policy and (items or not merge):
            set_metadata(node, items, merge=merge, muser=credentials.user_id or account, limits=limits)
        statistics.touch(node, later_than(None))
        audit.record(
            credentials, "container.update", f"container:{node.pk}", policy=dict(policy), **access_lists
        )


def upload_blocks(
    credentials: Credentials,
    *,
    account: str,
    container: str,
    body: Iterable[bytes | bytearray | memoryview],
) -> list[str]:
    """Store the blocks of ``body`` for later hashmap uploads and return their hashes in hexadecimal."""
    require_owner(credentials, account)
    node = find_container(account, container)
    if node is None:
        raise NotFound("The container does not exist.")
    content = store_body(block_store(), body)
    assert node.parent is not None
    possession.remember(node.parent, content.digests)
    return [digest.hex() for digest in content.digests]


def parse_policy(policy: Mapping[str, str], account: str) -> dict[str, int | str]:
    """Return checked policy values; an empty value means the default; raise BadRequest (contract 5.4)."""
    checked: dict[str, int | str] = {}
    for key, raw in policy.items():
        value = raw.replace(" ", "")
        if key == "quota":
            checked[key] = _quota(value)
        elif key == "versioning":
            checked[key] = value or settings.PITHOS_BACKEND_VERSIONING
            if checked[key] not in Versioning.values:
                raise BadRequest("The versioning policy must be auto or none.")
        elif key == "project":
            checked[key] = value or account
            if len(value) > 256:
                raise BadRequest("The project policy is longer than 256 characters.")
        else:
            raise BadRequest(f"There is no container policy {key[:64]!r}.")
    return checked


def _quota(value: str) -> int:
    if not value:
        return int(settings.PITHOS_BACKEND_CONTAINER_QUOTA)
    if not value.isascii() or not value.isdigit() or len(value) > 19 or int(value) > _MAX_QUOTA:
        raise BadRequest("The quota policy must be a number of bytes, 0 for unlimited.")
    return int(value)


def _apply_policy(
    credentials: Credentials, node: Node, checked: Mapping[str, int | str], access_lists: Mapping[str, str]
) -> None:
    policy: ContainerPolicy = node.policy
    if "project" in checked:
        _move_project(credentials, node, str(checked["project"]))
    policy.quota = int(checked.get("quota", policy.quota))
    policy.versioning = str(checked.get("versioning", policy.versioning))
    ContainerPolicy.objects.filter(pk=policy.pk).update(
        quota=policy.quota, versioning=policy.versioning, project=policy.project, **access_lists
    )


def _move_project(credentials: Credentials, node: Node, project: str) -> None:
    account = node.parent
    assert account is not None
    _require_project(credentials, account.name, project)
    if settings.PITHOS_BACKEND_FREE_VERSIONING:
        charged = Statistics.objects.values_list("current_bytes", flat=True).get(pk=node.pk)
    else:
        charged = versions.cost(Version.objects.filter(node__parent=node))
    quota.reassign(
        credentials,
        holder=account.name,
        source=node.policy.project,
        target=project,
        size=charged,
        name=f"{account.name}/{node.name}",
    )
    node.policy.project = project


def _require_project(credentials: Credentials, account: str, project: str) -> None:
    """Refuse a project that does not exist (404) or that the account's owner is no member of (403)."""
    if project == account:
        return
    if not astakos.active_project_exists(project):
        raise NotFound(f"There is no project {project}.")
    if project not in credentials.projects and not astakos.is_project_member(account, project):
        raise Forbidden(f"You are not a member of the project {project}.")
