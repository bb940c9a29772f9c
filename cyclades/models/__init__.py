"""Tables of the compute, network, image and volume services; one file per concept."""

from cyclades.models.backend import MAX_BACKENDS, Backend, BackendNetwork, ProjectBackend
from cyclades.models.flavor import Flavor, FlavorAccess, FlavorSpec, VolumeType, VolumeTypeSpec
from cyclades.models.intent import JobIntent
from cyclades.models.network import IPAddress, IPAddressHistory, Network, Port, Subnet
from cyclades.models.pool import BridgePool, IPPool, MacPrefixPool
from cyclades.models.server import PublicKeyPair, Server, ServerDiagnostic, ServerMetadata, ServerTag
from cyclades.models.states import (
    IntentState,
    NetworkState,
    PortState,
    ServerState,
    TagStatus,
    Task,
    VolumeStatus,
)
from cyclades.models.volume import Volume, VolumeMetadata

__all__ = [
    "MAX_BACKENDS",
    "Backend",
    "BackendNetwork",
    "BridgePool",
    "Flavor",
    "FlavorAccess",
    "FlavorSpec",
    "IPAddress",
    "IPAddressHistory",
    "IPPool",
    "IntentState",
    "JobIntent",
    "MacPrefixPool",
    "Network",
    "NetworkState",
    "Port",
    "PortState",
    "ProjectBackend",
    "PublicKeyPair",
    "Server",
    "ServerDiagnostic",
    "ServerMetadata",
    "ServerState",
    "ServerTag",
    "Subnet",
    "TagStatus",
    "Task",
    "Volume",
    "VolumeMetadata",
    "VolumeStatus",
    "VolumeType",
    "VolumeTypeSpec",
]
