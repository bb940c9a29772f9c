"""Who else may read or write an object, and public links."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from pithos.models.node import Node


class Access(models.IntegerChoices):
    """What a grant allows; writing includes reading."""

    READ = 0
    WRITE = 1


class Grant(models.Model):
    """One holder's access to a path: a user id, ``<account>:<group>``, or ``*`` for everybody."""

    node = models.ForeignKey(Node, models.CASCADE, related_name="grants", db_index=False)
    access = models.SmallIntegerField(choices=Access.choices)
    holder = models.CharField(max_length=256)

    class Meta:
        db_table = "pithos_grant"
        constraints = [
            models.UniqueConstraint(fields=["node", "access", "holder"], name="pithos_grant_item_key"),
            models.CheckConstraint(condition=Q(access__in=[0, 1]), name="pithos_grant_access_check"),
        ]
        indexes = [models.Index(fields=["holder"], name="pithos_grant_holder_idx")]

    def __str__(self) -> str:
        return f"{self.node_id}: {Access(self.access).label} {self.holder}"


class GroupMember(models.Model):
    """Membership of a user in a group that an account's owner made; flat, looked up at access time."""

    owner = models.CharField(max_length=256)
    name = models.CharField(max_length=256)
    member = models.CharField(max_length=256)

    class Meta:
        db_table = "pithos_group_member"
        constraints = [
            models.UniqueConstraint(fields=["owner", "name", "member"], name="pithos_group_member_item_key"),
        ]
        indexes = [models.Index(fields=["member"], name="pithos_group_member_member_idx")]

    def __str__(self) -> str:
        return f"{self.owner}:{self.name}: {self.member}"


class PublicLink(models.Model):
    """The random id under which an object can be read by anybody."""

    node = models.OneToOneField(Node, models.CASCADE, primary_key=True, related_name="public_link")
    url = models.CharField(max_length=256)
    created = models.DateTimeField()

    class Meta:
        db_table = "pithos_public_link"
        constraints = [models.UniqueConstraint(fields=["url"], name="pithos_public_link_url_key")]

    def __str__(self) -> str:
        return self.url
