"""List groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import Group
from django.db.models import Count, QuerySet

from synnefo.management.listing import Field, ListCommand


class Command(ListCommand):
    help = "List the groups of users."
    object_class = Group
    FIELDS = {
        "id": Field("id", "The group's id"),
        "name": Field("name", "The group's name"),
        "users_count": Field("users_count", "Number of users in it"),
    }
    default_fields = ("id", "name", "users_count")

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Group]:
        return Group.objects.annotate(users_count=Count("user"))
