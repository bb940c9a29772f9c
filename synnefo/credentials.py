"""Who is acting, as every use case sees it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credentials:
    """The acting user and what decides about access (compute contract 1.2).

    ``projects`` are the uuids of active projects the user is a member of; ``default_project`` is
    charged when a request names none; ``is_admin`` is set for management commands only.
    """

    user_id: str
    projects: frozenset[str] = field(default_factory=frozenset)
    default_project: str = ""
    is_admin: bool = False
    roles: frozenset[str] = field(default_factory=frozenset)
    force_quota: bool = False
    request_id: str = ""

    def __post_init__(self) -> None:
        if not self.default_project:
            object.__setattr__(self, "default_project", self.user_id)

    @classmethod
    def administrator(cls, *, force_quota: bool = False) -> Credentials:
        """Return the credentials that management commands act with."""
        return cls(user_id="", is_admin=True, force_quota=force_quota)
