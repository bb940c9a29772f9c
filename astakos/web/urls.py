"""Routes of the pages, below ``ui/``, ``weblogin/`` and ``oauth2/`` of ASTAKOS_BASE_URL."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

from astakos.web import (
    activation,
    api_access,
    cloudbar,
    consent,
    email_change,
    feedback,
    invitations,
    landing,
    legacy,
    login,
    login_methods,
    passwords,
    profile,
    project_applications,
    project_member_changes,
    project_members,
    project_review,
    projects,
    saml,
    second_factor,
    signup,
    step_up,
    terms,
    usage,
    weblogin,
    whoami,
)

#: Each module of pages contributes its own list.
urlpatterns: list[URLPattern | URLResolver] = [
    *login.urlpatterns,
    *login_methods.urlpatterns,
    *saml.urlpatterns,
    *second_factor.urlpatterns,
    *step_up.urlpatterns,
    *activation.urlpatterns,
    *api_access.urlpatterns,
    *usage.urlpatterns,
    *projects.urlpatterns,
    *project_applications.urlpatterns,
    *project_review.urlpatterns,
    *project_members.urlpatterns,
    *project_member_changes.urlpatterns,
    *cloudbar.urlpatterns,
    *consent.urlpatterns,
    *email_change.urlpatterns,
    *feedback.urlpatterns,
    *invitations.urlpatterns,
    *landing.urlpatterns,
    *legacy.urlpatterns,
    *passwords.urlpatterns,
    *profile.urlpatterns,
    *signup.urlpatterns,
    *terms.urlpatterns,
    *weblogin.urlpatterns,
    *whoami.urlpatterns,
]
