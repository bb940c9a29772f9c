"""Who may do what with a path (object-storage contract 12)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db.models import Q

from pithos.logic.nodes import Address
from pithos.models import Access, Cluster, Grant, GroupMember, Node
from pithos.paths import ancestors, below, is_directory_type, prefix_end
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, Forbidden

EVERYBODY = "*"
MAX_HOLDER = 256
MAX_HOLDERS = 256


@dataclass(frozen=True)
class Sharing:
    """The holders of one path's grants; a holder that may write may read too."""

    read: frozenset[str] = field(default_factory=frozenset)
    write: frozenset[str] = field(default_factory=frozenset)

    def __bool__(self) -> bool:
        return bool(self.read or self.write)

    @property
    def header(self) -> str:
        """Return the grants as X-Object-Sharing shows them."""
        parts = (("read", self.read), ("write", self.write))
        return "; ".join(f"{name}={','.join(sorted(holders))}" for name, holders in parts if holders)


@dataclass(frozen=True)
class Effective:
    """The grants that apply to a path, and the name that carries them (None: no grants)."""

    sharing: Sharing
    name: str | None


def is_owner(credentials: Credentials | None, account: str) -> bool:
    """Tell whether the caller owns the account; no credentials and administrators count as owners."""
    return credentials is None or credentials.is_admin or credentials.user_id == account


def require_owner(credentials: Credentials, account: str) -> None:
    """Raise Forbidden unless the caller owns the account."""
    if not is_owner(credentials, account):
        raise Forbidden("Only the account's owner may do this.")


def parse_sharing(header: str) -> Sharing:
    """Return the grants written in an X-Object-Sharing header; raise BadRequest.

    Values are lower-cased, ``*`` stands for all holders of its part, and who may write is not listed again
    as a reader (object-storage contract 12).
    """
    text = header.replace(" ", "")
    if not text:
        return Sharing()
    holders: dict[str, frozenset[str]] = {"read": frozenset(), "write": frozenset()}
    for part in text.split(";"):
        name, separator, value = part.partition("=")
        if name not in holders or not separator:
            raise BadRequest("X-Object-Sharing must look like read=a,b;write=c.")
        names = frozenset(item for item in value.lower().split(",") if item)
        if not names:
            raise BadRequest(f"X-Object-Sharing names nobody for {name}.")
        if len(names) > MAX_HOLDERS or any(len(item) > MAX_HOLDER for item in names):
            raise BadRequest(
                f"X-Object-Sharing: at most {MAX_HOLDERS} holders of at most {MAX_HOLDER} characters."
            )
        holders[name] = frozenset([EVERYBODY]) if EVERYBODY in names else names
    return Sharing(holders["read"] - holders["write"], holders["write"])


def sharing_of(grants: Iterable[Grant]) -> Sharing:
    """Collect grant rows of one path."""
    rows = list(grants)
    return Sharing(
        frozenset(row.holder for row in rows if row.access == Access.READ),
        frozenset(row.holder for row in rows if row.access == Access.WRITE),
    )


def effective(address: Address) -> Effective:
    """Return the grants that apply to a path: its own, else those of the closest directory above.

    Only directories that exist now count, and the closest one decides alone. One query.
    """
    rows = Grant.objects.filter(
        node__name__in=[address.name, *ancestors(address.name)],
        node__parent__name=address.container,
        node__parent__parent__name=address.account,
        node__versions__cluster=Cluster.CURRENT,
    ).values_list("node__name", "access", "holder", "node__versions__type")
    by_name: dict[str, list[tuple[int, str]]] = {}
    for name, access, holder, content_type in rows:
        if name == address.name or is_directory_type(content_type):
            by_name.setdefault(name, []).append((access, holder))
    if not by_name:
        return Effective(Sharing(), None)
    longest = max(by_name, key=len)
    chosen = by_name[longest]
    return Effective(
        Sharing(
            frozenset(holder for access, holder in chosen if access == Access.READ),
            frozenset(holder for access, holder in chosen if access == Access.WRITE),
        ),
        longest,
    )


def holders_of(user: str) -> frozenset[str]:
    """Return every holder name that includes the user: himself, everybody, and his groups. One query."""
    groups = GroupMember.objects.filter(member=user).values_list("owner", "name")
    return frozenset([EVERYBODY, user.lower(), *(f"{owner}:{name}".lower() for owner, name in groups)])


def _includes(user: str, holders: frozenset[str]) -> bool:
    if EVERYBODY in holders or user.lower() in holders:
        return True
    return any(":" in holder for holder in holders) and bool(holders_of(user) & holders)


def allowed_to(credentials: Credentials | None, account: str, sharing: Sharing) -> str | None:
    """Return what the caller may do with a path of these grants: "owner", "write", "read" or None."""
    if is_owner(credentials, account):
        return "owner"
    assert credentials is not None
    if sharing.write and _includes(credentials.user_id, sharing.write):
        return "write"
    if sharing.read and _includes(credentials.user_id, sharing.read):
        return "read"
    return None


def require_read(credentials: Credentials | None, address: Address) -> None:
    """Raise Forbidden unless the caller may read the path, whether it exists or not."""
    if is_owner(credentials, address.account):
        return
    if allowed_to(credentials, address.account, effective(address).sharing) is None:
        raise Forbidden("You may not read this object.")


def require_write(credentials: Credentials, address: Address) -> None:
    """Raise Forbidden unless the caller may write the path, whether it exists or not."""
    if is_owner(credentials, address.account):
        return
    if allowed_to(credentials, address.account, effective(address).sharing) not in ("owner", "write"):
        raise Forbidden("You may not write this object.")


def visible(container: Node, holders: frozenset[str]) -> Q | None:
    """Return the condition for nodes of a container that one of ``holders`` may see; None if there are none.

    Own grants decide; otherwise those of the closest directory (object-storage contract 12).
    """
    matching = set(
        Grant.objects.filter(node__parent=container, holder__in=holders).values_list("node_id", flat=True)
    )
    if not matching:
        return None
    condition = Q(pk__in=Grant.objects.filter(node__parent=container, holder__in=holders).values("node"))
    directories = _granted_directories(container)
    if any(pk in matching for pk, _ in directories):
        granted = Grant.objects.filter(node__parent=container).values("node")
        condition |= _below(directories, matching) & ~Q(pk__in=granted)
    return condition


def explicit(container: Node) -> Q:
    """Return the condition for nodes of a container that are shared: by own grants, or below a directory."""
    granted = Grant.objects.filter(node__parent=container).values("node")
    directories = _granted_directories(container)
    return Q(pk__in=granted) | _below(directories, {pk for pk, _ in directories})


def _granted_directories(container: Node) -> list[tuple[int, str]]:
    rows = (
        Grant.objects.filter(
            node__parent=container,
            node__versions__cluster=Cluster.CURRENT,
            node__versions__type__istartswith="application/",
        )
        .values_list("node_id", "node__name", "node__versions__type")
        .distinct()
    )
    return [(pk, name) for pk, name, content_type in rows if is_directory_type(content_type)]


def _below(directories: Sequence[tuple[int, str]], matching: set[int]) -> Q:
    """Combine directories, shortest first, so that a closer one overrides those above it."""
    condition = Q(pk__in=[])
    for pk, name in sorted(directories, key=lambda item: len(item[1])):
        inside = Q(name__gt=below(name))
        end = prefix_end(below(name))
        if end is not None:
            inside &= Q(name__lt=end)
        condition = condition | inside if pk in matching else condition & ~inside
    return condition
