"""What a simulated cluster looks like and how fast it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class NodeOptions:
    """One simulated node; sizes in MiB."""

    name: str
    memory: int = 65536
    memory_of_system: int = 1024
    disk: int = 4 * 1024 * 1024
    cpus: int = 64
    address: str = "192.0.2.1"


@dataclass(frozen=True, kw_only=True)
class SimulatorOptions:
    """Everything a simulated cluster is started with.

    ``state_file`` holds the cluster between runs, ``queue_dir`` its jobs. ``time_scale`` multiplies every
    pretended delay; 0 means none. ``progress_command`` is run with the instance's name appended and gets the
    image provider's messages on its standard input. ``image_provider`` off leaves ``config_url`` unread.
    ``port`` 0 picks a free one; ``control_port`` None means no control endpoint, 0 a free port.
    ``console_address`` is where running instances show their consoles, at their own ports; None: nowhere.
    ``statistics_directory`` is where RRD files of running instances are written; None: nowhere.
    """

    queue_dir: Path
    state_file: Path
    cluster_name: str = "ganeti.example.org"
    user: str = "synnefo"
    password: str = ""
    host: str = "127.0.0.1"
    port: int = 0
    control_port: int | None = None
    time_scale: float = 1.0
    progress_command: tuple[str, ...] = ()
    image_provider: bool = True
    luxi_socket: Path | None = None
    ssconf_dir: Path | None = None
    nodes: tuple[NodeOptions, ...] = ()
    master_name: str = ""
    hypervisors: tuple[str, ...] = ("kvm", "fake")
    disk_templates: tuple[str, ...] = ("file", "plain", "diskless", "sharedfile", "ext")
    operating_systems: tuple[str, ...] = ("snf-image+default",)
    os_parameters: tuple[str, ...] = (
        "config_url",
        "img_id",
        "img_format",
        "img_passwd",
        "img_properties",
        "img_personality",
    )
    console_address: str | None = None
    statistics_directory: Path | None = None
    bridges: tuple[str, ...] = field(default=())
    keep_jobs: int = 1000

    @property
    def all_nodes(self) -> tuple[NodeOptions, ...]:
        """The nodes, the master first; one node named like ``master_name`` unless given."""
        return self.nodes or (NodeOptions(name=self.master_name or f"node1.{self.cluster_name}"),)
