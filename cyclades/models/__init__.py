"""Tables of the compute, network, image and volume services; one file per concept."""

from cyclades.models.backend import MAX_BACKENDS, Backend, BackendNetwork, ProjectBackend
from cyclades.models.flavor import Flavor, FlavorAccess, FlavorSpec, VolumeType, VolumeTypeSpec
from cyclades.models.intent import JobIntent
from cyclades.models.network import IPAddress, IPAddressHistory, Network, Port, Subnet
from cyclades.models.pool import BridgePool, IPPool, MacPrefixPool
from cyclades.models.queued_image import QueuedImage
from cyclades.models.rescue import RescueImage, RescueProperties
from cyclades.models.resize import ServerResize
from cyclades.models.server import PublicKeyPair, Server, ServerDiagnostic, ServerMetadata, ServerTag
from cyclades.models.snapshot_job import SnapshotJob
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
    "QueuedImage",
    "RescueImage",
    "RescueProperties",
    "Server",
    "ServerDiagnostic",
    "ServerMetadata",
    "ServerResize",
    "ServerState",
    "ServerTag",
    "SnapshotJob",
    "Subnet",
    "TagStatus",
    "Task",
    "Volume",
    "VolumeMetadata",
    "VolumeStatus",
    "VolumeType",
    "VolumeTypeSpec",
]
