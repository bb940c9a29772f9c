"""The closed vocabularies of server, network, port and volume rows."""

from __future__ import annotations

from django.db.models import TextChoices


class ServerState(TextChoices):
    """``Server.operstate``: what Ganeti last told us (compute contract 14.1)."""

    BUILD = "BUILD"
    ERROR = "ERROR"
    STOPPED = "STOPPED"
    STARTED = "STARTED"
    DESTROYED = "DESTROYED"
    RESIZE = "RESIZE"


class Task(TextChoices):
    """``Server.task`` and ``Server.action``: what was last asked of a server."""

    BUILD = "BUILD"
    START = "START"
    STOP = "STOP"
    REBOOT = "REBOOT"
    DESTROY = "DESTROY"
    RESIZE = "RESIZE"
    CONNECT = "CONNECT"
    DISCONNECT = "DISCONNECT"
    ATTACH_VOLUME = "ATTACH_VOLUME"
    DETACH_VOLUME = "DETACH_VOLUME"
    DELETE_VOLUME = "DELETE_VOLUME"
    GROW_VOLUME = "GROW_VOLUME"
    RESCUE = "RESCUE"
    UNRESCUE = "UNRESCUE"
    REASSIGN = "REASSIGN"
    SUSPEND = "SUSPEND"
    UNSUSPEND = "UNSUSPEND"


class NetworkState(TextChoices):
    """``Network.state`` (network contract 2)."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    ERROR = "ERROR"
    DELETED = "DELETED"


class PortState(TextChoices):
    """``Port.state`` (network contract 6)."""

    BUILD = "BUILD"
    ACTIVE = "ACTIVE"
    DOWN = "DOWN"
    ERROR = "ERROR"


class VolumeStatus(TextChoices):
    """``Volume.status`` (volume contract 7)."""

    CREATING = "CREATING"
    AVAILABLE = "AVAILABLE"
    ATTACHING = "ATTACHING"
    DETACHING = "DETACHING"
    IN_USE = "IN_USE"
    DELETING = "DELETING"
    DELETED = "DELETED"
    ERROR = "ERROR"


class TagStatus(TextChoices):
    """``ServerTag.status``: a tag is shown once Ganeti has it."""

    PENDADD = "PENDADD"
    ACTIVE = "ACTIVE"


class IntentState(TextChoices):
    """``JobIntent.state``: how far an intended Ganeti job has come.

    ``PENDING`` has not reached Ganeti for certain; ``SUBMITTED`` has a job id; ``DONE`` has a final job;
    ``FAILED`` was refused by Ganeti.
    """

    PENDING = "PENDING"
    SUBMITTED = "SUBMITTED"
    DONE = "DONE"
    FAILED = "FAILED"
