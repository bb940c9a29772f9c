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
#: Name, access and holder of a grant, and the content type of what has it.
GrantRow = tuple[str, int, str, str]
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


@dataclass(frozen=True, slots=True)
class SignedCredentials(Credentials):
    """Who holds an address that an account's owner (``user_id``) has signed.

    He may read and write the object ``name`` of ``container``, or all whose names begin so if ``is_prefix``,
    and reads what a manifest there lists. Nothing else of the owner's is his.
    """

    container: str = ""
    name: str = ""
    is_prefix: bool = False

    def covers(self, address: Address) -> bool:
        """Tell whether the address is one that was signed."""
        if (self.user_id, self.container) != (address.account, address.container):
            return False
        return address.name.startswith(self.name) if self.is_prefix else address.name == self.name


@dataclass(frozen=True)
class Effective:
    """The grants that apply to a path, and the name that carries them (None: no grants)."""

    sharing: Sharing
    name: str | None


def is_owner(credentials: Credentials | None, account: str) -> bool:
    """Tell whether the caller owns the account; no credentials and administrators count as owners."""
    if isinstance(credentials, SignedCredentials):
        return False
    return credentials is None or credentials.is_admin or credentials.user_id == account


def reads_for_owner(credentials: Credentials | None, account: str) -> bool:
    """Tell whether the caller reads what the account's manifests list with its owner's rights."""
    if isinstance(credentials, SignedCredentials):
        return credentials.user_id == account
    return is_owner(credentials, account)


def reads_all_of(credentials: Credentials, account: str, container: str) -> bool:
    """Tell whether the caller reads every object of a container, whatever the grants are."""
    return reads_for_owner(credentials, account) or acl.may_read(credentials, account, container)


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
    granted = _granted(address.account, address.container, Q(node__name__in=deciding(address.name)))
    return _closest(address.name, granted)


def deciding(name: str) -> list[str]:
    """Return the names whose grants can apply to ``name``."""
    return [name, *ancestors(name)]


def effective_of(name: str, rows: Iterable[GrantRow]) -> Effective:
    """Return which of the grants of names that are ``deciding`` apply to ``name``."""
    return _closest(name, _by_name(rows))


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
    return _by_name(rows)


def _by_name(rows: Iterable[GrantRow]) -> dict[str, _Granted]:
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
    if not names or is_owner(credentials, account):
        return
    assert credentials is not None
    if (acl.may_write if write else reads_all_of)(credentials, account, container):
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
    if isinstance(credentials, SignedCredentials):
        return "read" if credentials.covers(address) else None
    access = allowed_to(credentials, address.account, sharing)
    if access is None and credentials is not None:
        return "read" if acl.may_read(credentials, address.account, address.container) else None
    return access


def require_write(credentials: Credentials, address: Address) -> None:
    """Raise Forbidden unless the caller may write the path, whether it exists or not."""
    if is_owner(credentials, address.account):
        return
    if isinstance(credentials, SignedCredentials):
        if not credentials.covers(address):
            raise Forbidden("The address was signed for another object.")
        return
    granted = allowed_to(credentials, address.account, effective(address).sharing) in ("owner", "write")
    if not granted and not acl.may_write(credentials, address.account, address.container):
        raise Forbidden("You may not write this object.")


def require_delete(credentials: Credentials, account: str, container: str, name: str = "") -> None:
    """Raise Forbidden unless the caller owns the account, writes to all of the container, or signed for it.

    ``name``: the one object that is to be deleted, "" for any of the container.
    """
    if isinstance(credentials, SignedCredentials):
        require_write(credentials, Address(account, container, name))
    elif not is_owner(credentials, account) and not acl.may_write(credentials, account, container):
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
