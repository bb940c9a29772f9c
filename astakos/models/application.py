"""Applications for new projects and for changes of projects (identity contract 3.1, 3.4)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from astakos.models.project import Policy, Project
from astakos.models.resource import Resource


class ApplicationState(models.IntegerChoices):
    """Where an application stands."""

    PENDING = 0, "pending"
    APPROVED = 1, "approved"
    REPLACED = 2, "replaced"
    DENIED = 3, "denied"
    DISMISSED = 4, "dismissed"
    CANCELLED = 5, "cancelled"


class ProjectApplication(models.Model):
    """What somebody asks a project to be; every null means "no change"."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="applications")
    applicant = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="project_applications"
    )
    state = models.SmallIntegerField(choices=ApplicationState.choices, default=ApplicationState.PENDING)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    name = models.CharField(max_length=80, null=True)
    homepage = models.CharField(max_length=255, null=True)
    description = models.TextField(null=True)
    #: A hint for the reviewer only.
    start_date = models.DateTimeField(null=True)
    end_date = models.DateTimeField(null=True)
    comments = models.TextField(null=True)
    member_join_policy = models.SmallIntegerField(choices=Policy.choices, null=True)
    member_leave_policy = models.SmallIntegerField(choices=Policy.choices, null=True)
    limit_on_members_number = models.BigIntegerField(null=True)
    private = models.BooleanField(null=True)

    issue_date = models.DateTimeField()
    #: Approval or denial.
    response = models.TextField(default="", blank=True)
    response_date = models.DateTimeField(null=True)
    response_actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    #: Cancellation or dismissal.
    waive_reason = models.TextField(default="", blank=True)
    waive_date = models.DateTimeField(null=True)
    waive_actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )

    class Meta:
        db_table = "astakos_project_application"
        ordering = ("id",)
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=ApplicationState.values), name="astakos_project_application_state_check"
            ),
            models.UniqueConstraint(
                fields=["project"],
                condition=Q(state=ApplicationState.PENDING),
                name="astakos_project_application_pending_uniq",
            ),
        ]
        indexes = [models.Index(fields=["state", "id"], name="astakos_application_state")]

    def __str__(self) -> str:
        return f"application {self.pk} of {self.project_id}"


class ApplicationResource(models.Model):
    """What an application asks for of one resource, in total and per member."""

    application = models.ForeignKey(ProjectApplication, on_delete=models.CASCADE, related_name="resources")
    resource = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="+")
    project_capacity = models.BigIntegerField()
    member_capacity = models.BigIntegerField()

    class Meta:
        db_table = "astakos_project_application_resource"
        constraints = [
            models.UniqueConstraint(
                fields=["application", "resource"], name="astakos_project_application_resource_uniq"
            ),
            models.CheckConstraint(
                condition=Q(project_capacity__gte=0, member_capacity__gte=0),
                name="astakos_project_application_resource_check",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.application_id}/{self.resource_id}"
