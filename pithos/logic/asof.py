"""The state of a container at a moment in the past (object-storage contract 16.3)."""

from __future__ import annotations

from datetime import datetime

from django.db.models import OuterRef, QuerySet, Subquery

from pithos.models import Cluster, Node, Version


def versions(container: Node, until: datetime) -> QuerySet[Version]:
    """Return the versions that were current strictly before ``until``, with their nodes."""
    newest = (
        Version.objects.filter(node=OuterRef("node"), mtime__lt=until)
        .order_by("-mtime", "-pk")
        .values("pk")[:1]
    )
    return (
        Version.objects.filter(node__parent=container, pk=Subquery(newest))
        .exclude(cluster=Cluster.DELETED)
        .select_related("node")
    )
