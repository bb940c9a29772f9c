"""The tables of identity, services, projects and quota."""

from astakos.models.application import ApplicationResource, ApplicationState, ProjectApplication
from astakos.models.login import (
    AuthProviderPolicyProfile,
    EmailChange,
    Invitation,
    Passkey,
    PendingThirdPartyUser,
    RecoveryCode,
    SamlMessage,
    SessionCatalog,
    TotpDevice,
)
from astakos.models.mail import QueuedMail
from astakos.models.oauth2 import OAuth2Client, OAuth2Code, OAuth2RedirectUrl, OAuth2Token
from astakos.models.project import (
    MembershipState,
    Policy,
    Project,
    ProjectLog,
    ProjectMembership,
    ProjectMembershipLog,
    ProjectResourceQuota,
    ProjectState,
)
from astakos.models.quota import Commission, Holding, Provision, ProvisionLog
from astakos.models.resource import Resource
from astakos.models.service import Component, Endpoint, EndpointData, Service
from astakos.models.terms import ApprovalTerms
from astakos.models.token import ApplicationCredential, ScopedToken
from astakos.models.user import User, UserAuthProvider

__all__ = [
    "ApplicationCredential",
    "ApplicationResource",
    "ApplicationState",
    "ApprovalTerms",
    "AuthProviderPolicyProfile",
    "Commission",
    "Component",
    "EmailChange",
    "Endpoint",
    "EndpointData",
    "Holding",
    "Invitation",
    "MembershipState",
    "OAuth2Client",
    "OAuth2Code",
    "OAuth2RedirectUrl",
    "OAuth2Token",
    "Passkey",
    "PendingThirdPartyUser",
    "Policy",
    "Project",
    "ProjectApplication",
    "ProjectLog",
    "ProjectMembership",
    "ProjectMembershipLog",
    "ProjectResourceQuota",
    "ProjectState",
    "Provision",
    "ProvisionLog",
    "QueuedMail",
    "RecoveryCode",
    "Resource",
    "SamlMessage",
    "ScopedToken",
    "Service",
    "SessionCatalog",
    "TotpDevice",
    "User",
    "UserAuthProvider",
]
