"""Settings of projects and their mails (identity contract 3, 5)."""

from __future__ import annotations

from synnefo.settings_registry import declare

_SETTINGS = "20-snf-astakos-app-settings"
_NOTIFICATIONS = "20-snf-astakos-app-notifications"
_NoneType = type(None)

declare(
    "QUOTA_POLICY_MODULE", None, type=(str, _NoneType), conf=_SETTINGS,
    help="Python module told of changes of quota: check_state_projects(projects, action) and "
    "check_state_membership(membership, action).",
)  # fmt: skip
declare(
    "PROJECT_NOTIFICATIONS_RECIPIENTS", None, type=(list, tuple, _NoneType), conf=_NOTIFICATIONS,
    help="(name, mail) pairs told about projects; None means HELPDESK and MANAGERS.",
)  # fmt: skip
declare(
    "PROJECT_CREATION_RECIPIENTS", None, type=(list, tuple, _NoneType), conf=_NOTIFICATIONS,
    help="(name, mail) pairs told of applications for new projects; None means "
    "PROJECT_NOTIFICATIONS_RECIPIENTS.",
)  # fmt: skip
declare(
    "PROJECT_MODIFICATION_RECIPIENTS", None, type=(list, tuple, _NoneType), conf=_NOTIFICATIONS,
    help="(name, mail) pairs told of applications for changes; None means PROJECT_NOTIFICATIONS_RECIPIENTS.",
)  # fmt: skip
declare(
    "ASTAKOS_PROJECT_MEMBERS_LIMIT_CHOICES", ("Unlimited", "5", "15", "50", "100"), type=(list, tuple),
    conf=_SETTINGS,
    help="Member limits that the application form suggests; others can be typed in.",
)  # fmt: skip
declare(
    "ASTAKOS_PAGINATE_BY", 50, type=int, conf=_SETTINGS,
    help="Rows of a page of one's own projects and of members.",
)  # fmt: skip
declare(
    "ASTAKOS_PROJECTS_VISIBLE", True, type=bool, conf=_SETTINGS,
    help="Whether the menu leads to the projects; their pages and API are there in any case.",
)  # fmt: skip
declare("ASTAKOS_PAGINATE_BY_ALL", 50, type=int, conf=_SETTINGS, help="Rows of a page of the project search.")
