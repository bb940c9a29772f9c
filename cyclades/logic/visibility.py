"""What an acting user may see (compute contract 1.2)."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from cyclades.models import Server, Volume
from synnefo.credentials import Credentials


def owned_or_shared(credentials: Credentials) -> Q:
    """Return the condition on rows with ``userid``, ``project`` and ``shared_to_project``."""
    if credentials.is_admin:
        return Q()
    own = Q(userid=credentials.user_id)
    if not credentials.projects:
        return own
    return own | Q(shared_to_project=True, project__in=sorted(credentials.projects))


def visible_servers(credentials: Credentials) -> QuerySet[Server]:
    """Return the servers the user owns or that are shared with a project of theirs, deleted ones too."""
    return Server.objects.filter(owned_or_shared(credentials))


def visible_volumes(credentials: Credentials) -> QuerySet[Volume]:
    """Return the volumes the user owns or that are shared with a project of theirs, deleted ones too."""
    return Volume.objects.filter(owned_or_shared(credentials))
