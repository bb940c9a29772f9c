"""Who may do what with a path (object-storage contract 12)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db.models import Q

from pithos.logic import acl
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
    granted = _granted(
        address.account, address.container, Q(node__name__in=[address.name, *ancestors(address.name)])
    )
    return _closest(address.name, granted)


@dataclass
class _Granted:
    """A path with grants of its own; ``is_directory`` says whether they reach below it."""

    is_directory: bool
    read: set[str] = field(default_factory=set)
    write: set[str] = field(default_factory=set)


def _granted(account: str, container: str, condition: Q) -> dict[str, _Granted]:
    rows = Grant.objects.filter(
        condition,
        node__parent__name=container,
        node__parent__parent__name=account,
        node__versions__cluster=Cluster.CURRENT,
    ).values_list("node__name", "access", "holder", "node__versions__type")
    found: dict[str, _Granted] = {}
    for name, access, holder, content_type in rows:
        entry = found.setdefault(name, _Granted(is_directory_type(content_type)))
        (entry.write if access == Access.WRITE else entry.read).add(holder)
    return found


def _closest(name: str, granted: Mapping[str, _Granted]) -> Effective:
    candidates = [above for above in ancestors(name) if above in granted and granted[above].is_directory]
    if name in granted:
        candidates.append(name)
    if not candidates:
        return Effective(Sharing(), None)
    longest = max(candidates, key=len)
    chosen = granted[longest]
    return Effective(Sharing(frozenset(chosen.read), frozenset(chosen.write)), longest)


def require_all(
    credentials: Credentials | None, account: str, container: str, names: Sequence[str], *, write: bool
) -> None:
    """Raise Forbidden unless the caller may read (or ``write``) every one of ``names``. Two queries."""
    if is_owner(credentials, account) or not names:
        return
    assert credentials is not None
    if (acl.may_write if write else acl.may_read)(credentials, account, container):
        return
    common = _common_beginning(names)
    condition = Q(node__name__in=ancestors(common + "/"))
    if common:
        condition |= Q(**name_range("node__name", common))
    else:
        condition = Q()
    granted = _granted(account, container, condition)
    holders = holders_of(credentials.user_id)
    for name in names:
        sharing = _closest(name, granted).sharing
        if not holders & (sharing.write if write else sharing.read | sharing.write):
            raise Forbidden(f"You may not {'write' if write else 'read'} all of these objects.")


def _common_beginning(names: Sequence[str]) -> str:
    first, last = min(names), max(names)
    same = next(
        (i for i, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first)
    )
    return first[:same]


def name_range(column: str, prefix: str) -> dict[str, str]:
    """Return the conditions for names that begin with ``prefix``."""
    if not prefix:
        return {}
    end = prefix_end(prefix)
    return {f"{column}__gte": prefix} | ({f"{column}__lt": end} if end is not None else {})


def holders_of(user: str) -> frozenset[str]:
    """Return every holder name that includes the user: himself, everybody, and his groups. One query.

    Grants are made to users; who has no name is none of them.
    """
    if not user:
        return frozenset()
    groups = GroupMember.objects.filter(member=user).values_list("owner", "name")
    return frozenset([EVERYBODY, user.lower(), *(f"{owner}:{name}".lower() for owner, name in groups)])


def _includes(user: str, holders: frozenset[str]) -> bool:
    if not user:
        return False
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
    if read_access(credentials, address, effective(address).sharing) is None:
        raise Forbidden("You may not read this object.")


def read_access(credentials: Credentials | None, address: Address, sharing: Sharing) -> str | None:
    """Return what the caller may do with a path of these grants, the container's access list included."""
    access = allowed_to(credentials, address.account, sharing)
    if access is None and credentials is not None:
        return "read" if acl.may_read(credentials, address.account, address.container) else None
    return access


def require_write(credentials: Credentials, address: Address) -> None:
    """Raise Forbidden unless the caller may write the path, whether it exists or not."""
    if is_owner(credentials, address.account):
        return
    granted = allowed_to(credentials, address.account, effective(address).sharing) in ("owner", "write")
    if not granted and not acl.may_write(credentials, address.account, address.container):
        raise Forbidden("You may not write this object.")


def require_delete(credentials: Credentials, account: str, container: str) -> None:
    """Raise Forbidden unless the caller owns the account or writes to all of the container."""
    if not is_owner(credentials, account) and not acl.may_write(credentials, account, container):
        raise Forbidden("Only the account's owner may do this.")


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
        inside = Q(**name_range("name", below(name)))
        condition = condition | inside if pk in matching else condition & ~inside
    return condition
