"""A private Ceph cluster: one monitor and one OSD that keeps everything in memory."""

from __future__ import annotations

import logging
import shutil
import signal
import subprocess
import uuid

from tests.lab.instance import Instance, LabError, Unavailable, free_ports, run_tool, wait_until

log = logging.getLogger(__name__)

_PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "monmaptool")
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}

_CONFIGURATION = """
[global]
fsid = {fsid}
mon host = v1:127.0.0.1:{port}
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd crush update on start = false
osd class update on start = false
mon allow pool size one = true
mon warn on pool no redundancy = false
mon osd min down reporters = 1
osd objectstore = memstore
memstore device bytes = 1073741824
osd max object name len = 256
osd max object namespace len = 64
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind msgr2 = false
osd heartbeat grace = 60
run dir = {folder}
[osd]
admin socket = {folder}/osd.asok
[mon]
admin socket = {folder}/mon.asok
[global]
pid file = {folder}/$type.$id.pid
log file = {folder}/$type.$id.log
crash dir = {folder}/crash
mon data = {folder}/mon
osd data = {folder}/osd
mon data avail warn = 1
mon data avail crit = 0
"""


class Ceph(Instance):
    """RADOS on free ports of the loopback address, without authentication."""

    component = "ceph"

    def __init__(self) -> None:
        super().__init__()
        if any(shutil.which(name) is None for name in _PROGRAMS):
            raise Unavailable("Ceph is not installed")
        self.port = free_ports(1)[0]
        self._fsid = str(uuid.uuid4())
        self._mon: subprocess.Popen[bytes] | None = None
        self._osd: subprocess.Popen[bytes] | None = None

    @property
    def conf(self) -> str:
        """The configuration file that clients read."""
        return str(self.directory / "ceph.conf")

    def tool(self, *command: str) -> str:
        """Run one of Ceph's programs with this cluster's configuration and return what it prints."""
        words = [command[0], "-c", self.conf, *command[1:]]
        return run_tool(words, directory=self.directory, environment=_ENVIRONMENT, user=None)

    def _start(self) -> None:
        folder = self.directory
        (folder / "ceph.conf").write_text(
            _CONFIGURATION.format(fsid=self._fsid, port=self.port, folder=folder)
        )
        for name in ("mon", "osd", "crash"):
            (folder / name).mkdir()
        self.tool(
            "monmaptool",
            "--create",
            "--fsid",
            self._fsid,
            "--addv",
            "a",
            f"[v1:127.0.0.1:{self.port}]",
            "monmap",
        )
        self.tool("ceph-mon", "--mkfs", "-i", "a", "--monmap", str(folder / "monmap"))
        self._start_mon()
        identity = str(uuid.uuid4())
        self._ask("osd", "new", identity)
        self.tool("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", identity)
        # Left to the OSD this fails now and then: it speaks before the monitor has told it the cluster's id.
        self._ask("osd", "crush", "add", "osd.0", "1.0", "root=default", "host=lab")
        self._start_osd()

    def _ask(self, *command: str) -> None:
        """Tell the monitor something that may be told twice: on a busy machine it refuses now and then."""
        wait_until(lambda: self._accepts(command), timeout=120, what=" ".join(command), interval=1)

    def _accepts(self, command: tuple[str, ...]) -> bool:
        try:
            self.tool("ceph", *command)
        except LabError as error:
            log.warning("%s", error)
            return False
        return True

    def _start_mon(self) -> None:
        self._mon = self.spawn_process(["ceph-mon", "-f", "-c", self.conf, "-i", "a"], log="mon.out")

        def answers() -> bool:
            command = ["ceph", "-c", self.conf, "--connect-timeout", "2", "mon", "stat"]
            done = subprocess.run(command, check=False, capture_output=True, timeout=30)
            return done.returncode == 0

        self.wait_for(answers, child=self._mon, log="mon.a.log", timeout=120)

    def _start_osd(self) -> None:
        self._osd = self.spawn_process(["ceph-osd", "-f", "-c", self.conf, "-i", "0"], log="osd.out")

        def is_up() -> bool:
            # On a busy machine the program itself fails now and then; it is asked again.
            command = ["ceph", "-c", self.conf, "--connect-timeout", "5", "osd", "stat", "-f", "json"]
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
            return done.returncode == 0 and '"num_up_osds":1' in done.stdout.replace(" ", "")

        self.wait_for(is_up, child=self._osd, log="osd.0.log", timeout=120)

    def freeze_osd(self) -> None:
        """Stop the OSD: connections stay open, nothing answers. Seconds only, or it is declared dead."""
        assert self._osd is not None
        self._osd.send_signal(signal.SIGSTOP)

    def thaw_osd(self) -> None:
        """Let a frozen OSD go on."""
        assert self._osd is not None
        self._osd.send_signal(signal.SIGCONT)
