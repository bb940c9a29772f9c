"""Projects, who is in them and what they may use (identity contract 3.1)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from astakos.models.resource import Resource
from astakos.models.user import new_uuid


class ProjectState(models.IntegerChoices):
    """Where a project stands in its life."""

    UNINITIALIZED = 0, "uninitialized"
    ACTIVE = 1, "active"
    SUSPENDED = 10, "suspended"
    TERMINATED = 100, "terminated"
    DELETED = 1000, "deleted"


#: States in which a project has capacities and holdings.
INITIALIZED_STATES = (ProjectState.ACTIVE, ProjectState.SUSPENDED, ProjectState.TERMINATED)


class MembershipState(models.IntegerChoices):
    """How a person relates to a project."""

    REQUESTED = 0, "requested"
    ACCEPTED = 1, "accepted"
    LEAVE_REQUESTED = 5, "leave_requested"
    SUSPENDED = 10, "suspended"
    REJECTED = 100, "rejected"
    CANCELLED = 101, "cancelled"
    REMOVED = 200, "removed"


#: States that let a member use the project's quota.
ACTUALLY_ACCEPTED = (MembershipState.ACCEPTED, MembershipState.LEAVE_REQUESTED)
#: States that count as a seat in the project.
ACCEPTED_STATES = (*ACTUALLY_ACCEPTED, MembershipState.SUSPENDED)


class Policy(models.IntegerChoices):
    """How joining or leaving is decided."""

    AUTO = 1, "auto"
    MODERATED = 2, "moderated"
    CLOSED = 3, "closed"


class Project(models.Model):
    """A pool of quota that its members draw from; every accepted user has one as *system project*.

    ``name`` reserves the unique name while the project may claim it; ``realname`` is what people read.
    """

    uuid = models.CharField(max_length=36, default=new_uuid, editable=False)
    realname = models.CharField(max_length=80)
    name = models.CharField(max_length=80, null=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="owned_projects"
    )
    homepage = models.CharField(max_length=255, default="", blank=True)
    description = models.TextField(default="", blank=True)
    creation_date = models.DateTimeField()
    end_date = models.DateTimeField()
    member_join_policy = models.SmallIntegerField(choices=Policy.choices)
    member_leave_policy = models.SmallIntegerField(choices=Policy.choices)
    limit_on_members_number = models.BigIntegerField()
    private = models.BooleanField(default=False)
    is_base = models.BooleanField(default=False)
    state = models.SmallIntegerField(choices=ProjectState.choices, default=ProjectState.UNINITIALIZED)
    #: The newest application; earlier pending ones were replaced by it.
    last_application = models.OneToOneField(
        "astakos.ProjectApplication", on_delete=models.SET_NULL, null=True, related_name="last_of"
    )

    class Meta:
        db_table = "astakos_project"
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(fields=["uuid"], name="astakos_project_uuid_uniq"),
            models.UniqueConstraint(fields=["name"], name="astakos_project_name_uniq"),
            models.CheckConstraint(
                condition=Q(state__in=ProjectState.values), name="astakos_project_state_check"
            ),
            models.CheckConstraint(
                condition=Q(limit_on_members_number__gte=0), name="astakos_project_members_check"
            ),
            models.CheckConstraint(
                condition=Q(is_base=False) | Q(owner__isnull=True), name="astakos_project_system_owner_check"
            ),
        ]
        indexes = [
            models.Index(fields=["is_base", "state"], name="astakos_project_base_state"),
            models.Index(fields=["realname", "id"], name="astakos_project_realname"),
            models.Index(fields=["state", "end_date"], name="astakos_project_expiry"),
        ]

    def __str__(self) -> str:
        return self.uuid


class ProjectResourceQuota(models.Model):
    """What a project may use of one resource in total and per member."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="capacities")
    resource = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="capacities")
    project_capacity = models.BigIntegerField()
    member_capacity = models.BigIntegerField()

    class Meta:
        db_table = "astakos_project_resource_quota"
        constraints = [
            models.UniqueConstraint(
                fields=["project", "resource"], name="astakos_project_resource_quota_uniq"
            ),
            models.CheckConstraint(
                condition=Q(project_capacity__gte=0, member_capacity__gte=0),
                name="astakos_project_resource_quota_check",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project_id}/{self.resource_id}"


class ProjectMembership(models.Model):
    """A person's relation to a project; one row per pair, used again when the person returns.

    ``initialized`` is set once the membership was accepted: from then on its holdings exist.
    """

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    state = models.SmallIntegerField(choices=MembershipState.choices, default=MembershipState.REQUESTED)
    initialized = models.BooleanField(default=False)
    #: For sites whose QUOTA_POLICY_MODULE reclaims resources in steps.
    overquota_state = models.CharField(max_length=20, default="OK")
    overquota_state_date = models.DateTimeField(null=True)
    overquota_date = models.DateTimeField(null=True)

    class Meta:
        db_table = "astakos_project_membership"
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(
                fields=["person", "project"], name="astakos_project_membership_person_uniq"
            ),
            models.CheckConstraint(
                condition=Q(state__in=MembershipState.values), name="astakos_project_membership_state_check"
            ),
        ]
        indexes = [models.Index(fields=["project", "state"], name="astakos_membership_state")]

    def __str__(self) -> str:
        return f"{self.person_id} in {self.project_id}"


class ProjectLog(models.Model):
    """One change of a project's state."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="log")
    from_state = models.SmallIntegerField(null=True)
    to_state = models.SmallIntegerField()
    date = models.DateTimeField(db_index=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    reason = models.TextField(default="", blank=True)
    comments = models.TextField(default="", blank=True)

    class Meta:
        db_table = "astakos_project_log"
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.project_id}: {self.from_state} -> {self.to_state}"


class ProjectMembershipLog(models.Model):
    """One change of a membership's state."""

    membership = models.ForeignKey(ProjectMembership, on_delete=models.CASCADE, related_name="log")
    from_state = models.SmallIntegerField(null=True)
    to_state = models.SmallIntegerField()
    date = models.DateTimeField(db_index=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    reason = models.TextField(default="", blank=True)
    comments = models.TextField(default="", blank=True)

    class Meta:
        db_table = "astakos_project_membership_log"
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.membership_id}: {self.from_state} -> {self.to_state}"
