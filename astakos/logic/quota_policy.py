"""The site's own reaction to changes of quota: ``QUOTA_POLICY_MODULE`` (identity contract 2.2)."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from django.conf import settings

from astakos.models import Project, ProjectMembership


def projects_changed(projects: Sequence[Project], action: str) -> None:
    """Tell the site's module that *projects* went through *action* (``MODIFY``, ``SUSPEND``, …)."""
    if settings.QUOTA_POLICY_MODULE:
        importlib.import_module(settings.QUOTA_POLICY_MODULE).check_state_projects(projects, action)


def membership_changed(membership: ProjectMembership, action: str) -> None:
    """Tell the site's module that *membership* went through *action* (``ACCEPT``, ``LEAVE``, …)."""
    if settings.QUOTA_POLICY_MODULE:
        importlib.import_module(settings.QUOTA_POLICY_MODULE).check_state_membership(membership, action)
