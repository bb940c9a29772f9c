"""The tables of identity, services, projects and quota."""

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
from astakos.models.user import User, UserAuthProvider

__all__ = [
    "ApprovalTerms",
    "Commission",
    "Component",
    "Endpoint",
    "EndpointData",
    "Holding",
    "MembershipState",
    "Policy",
    "Project",
    "ProjectLog",
    "ProjectMembership",
    "ProjectMembershipLog",
    "ProjectResourceQuota",
    "ProjectState",
    "Provision",
    "ProvisionLog",
    "Resource",
    "Service",
    "User",
    "UserAuthProvider",
]
