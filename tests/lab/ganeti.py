"""A real Ganeti cluster of one node, wholly inside private namespaces."""

from __future__ import annotations

import base64
import json
import secrets
import shlex
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gtools.network.install import install as install_network_scripts
from synnefo.tls import unverified_context
from tests.lab import ganeti_processes
from tests.lab.guest import KERNEL_ARGUMENTS, kernel_files
from tests.lab.instance import Instance, LabError, Unavailable, wait_until
from tests.lab.namespaces import Namespaces

_STUB_OS = Path(__file__).with_name("stub_os")
_PROJECT = Path(__file__).resolve().parents[2]
_OS_DIRECTORY = "/srv/ganeti/os"
_VOLUMES = "/srv/ganeti/snf-volumes"
_QEMU = "/usr/bin/qemu-system-x86_64"
_SOCAT = "/usr/bin/socat"
#: Of the Python that Ganeti runs with.
_PYTHON_PACKAGES = "/usr/lib/python3/dist-packages"

#: Software emulation only: hardware virtualisation inside virtual machines hangs on some hosts.
_KVM_PARAMETERS = {
    "kvm_path": _QEMU,
    "kvm_flag": "disabled",
    "vnc_bind_address": "0.0.0.0",
    "kernel_path": "",
    "initrd_path": "",
    "serial_console": "false",
    "security_model": "none",
}

#: Test instances are smaller than the smallest that Ganeti's defaults allow.
_POLICY = (
    "min:memory-size=16,cpu-count=1,disk-count=0,disk-size=1,nic-count=0,spindle-use=0"
    "/max:memory-size=32768,cpu-count=32,disk-count=16,disk-size=1048576,nic-count=16,spindle-use=32"
)

#: One node can never be N+1 redundant; Ganeti 3.0 has no way to pass a flag without a value to hail.
_HAIL = """#!/bin/sh
exec /usr/lib/ganeti/default/usr/lib/ganeti/iallocators/hail --no-capacity-checks "$@"
"""


class RapiError(LabError):
    """RAPI answered with an error status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"RAPI status {status}: {text}")
        self.status = status


class RapiCaller(Instance):
    """A cluster's remote API, for tests that look at or break the cluster themselves."""

    user: str
    password: str
    port: int
    #: What may die alone.
    daemons: tuple[str, ...] = ()

    @property
    def host(self) -> str:
        """Address at which the host reaches RAPI."""
        raise NotImplementedError

    @property
    def rapi_url(self) -> str:
        """``https://address:port``; the certificate is self-signed."""
        return f"https://{self.host}:{self.port}"

    def rapi(self, method: str, path: str, body: object = None, *, timeout: float = 30) -> Any:
        """One RAPI call; returns the decoded answer, raises RapiError."""
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.rapi_url + path, data=data, method=method)
        request.add_header("Authorization", f"Basic {token}")
        if data is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=timeout, context=unverified_context()) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise RapiError(error.code, error.read().decode(errors="replace")) from None

    def wait_job(self, job_id: int, *, timeout: float = 120) -> dict[str, Any]:
        """Wait until a job is final; returns it as RAPI shows it, whatever its outcome."""
        deadline = time.monotonic() + timeout
        while True:
            job: dict[str, Any] = self.rapi("GET", f"/2/jobs/{job_id}")
            if job["status"] in ("success", "error", "canceled"):
                return job
            if time.monotonic() > deadline:
                raise LabError(f"job {job_id} is still {job['status']} after {timeout:g} s")
            time.sleep(0.3)


class GanetiCluster(Namespaces, RapiCaller):
    """One master node. Start with :meth:`start`; everything of it is gone after :meth:`stop`.

    ``hypervisors``: ``fake`` (instances are marker files) and/or ``kvm`` (QEMU guests in software
    emulation). The first one is the cluster's default. ``fast_boot``: QEMU loads the lab guest's kernel
    itself, at less than half the cost of firmware and the boot loader of the guest's disk. ``volumes``: a
    directory of the host for detachable volumes, which clusters share.
    """

    component = "ganeti"
    daemons = ("luxid", "rapi", "wconfd", "noded")
    port = 5080
    user = "synnefo"

    def __init__(
        self,
        *,
        hypervisors: Sequence[str] = ("fake",),
        fast_boot: bool = False,
        volumes: Path | None = None,
    ) -> None:
        token = secrets.token_hex(3)
        self.cluster_name = f"cluster-{token}.gnt.test"
        super().__init__(hostname=f"node1-{token}.gnt.test")
        if not Path("/usr/lib/ganeti/daemon-util").exists() or shutil.which("gnt-cluster") is None:
            raise Unavailable("Ganeti is not installed")
        if "kvm" in hypervisors and not Path(_QEMU).exists():
            raise Unavailable("QEMU is not installed")
        if "kvm" in hypervisors and not Path("/usr/sbin/nft").exists():
            raise Unavailable("nftables is not installed")
        self.hypervisors = tuple(hypervisors)
        self.fast_boot = fast_boot
        self._shared_volumes = volumes
        self.password = secrets.token_urlsafe(12)

    # -- addresses -------------------------------------------------------------------------------

    @property
    def master_address(self) -> str:
        """What the cluster's name stands for."""
        return str(self.subnet[10])

    @property
    def host(self) -> str:
        """Address at which the host reaches RAPI."""
        return self.master_address

    @property
    def names(self) -> dict[str, str]:
        """Host names of this cluster and their addresses."""
        return {self.cluster_name: self.master_address, self.hostname: self.address}

    @property
    def queue_dir(self) -> Path:
        """The job queue, as a path that works inside and outside."""
        return self.directory / "var-lib-ganeti" / "queue"

    @property
    def hosts_file(self) -> Path:
        """An /etc/hosts with this cluster's names; see :meth:`with_names`."""
        return self.directory / "etc-hosts"

    def with_names(self, command: Sequence[str | Path]) -> list[str]:
        """The command line that runs ``command`` on the host, able to resolve the cluster's names."""
        return with_hosts_file(self.hosts_file, command)

    # -- life cycle ------------------------------------------------------------------------------

    def _start(self) -> None:
        super()._start()
        self._make_private()
        self._make_monitors_patient()
        self._make_programs_cheap()
        self._initialise()
        self.install_stub_os()
        self.install_volume_provider()

    def _make_private(self) -> None:
        lines = ["127.0.0.1 localhost"]
        lines += [f"{address} {name} {name.partition('.')[0]}" for name, address in self.names.items()]
        self.bind_file("/etc/hosts", "\n".join(lines) + "\n")
        self.run(["sh", "-ec", "mount -t tmpfs tmpfs /run && mkdir -p /run/lock && chmod 1777 /run/lock"])
        etc = self.bind("/etc/ganeti", copy=True)
        self.bind("/var/lib/ganeti")
        self.bind("/var/log/ganeti")
        self.bind("/srv")
        self.bind("/etc/ssh")
        for kind in ("rsa", "ed25519", "ecdsa"):
            # Nobody logs in here, but Ganeti wants to know an RSA key.
            key, size = f"/etc/ssh/ssh_host_{kind}_key", ["-b", "1024"] if kind == "rsa" else []
            self.run(["ssh-keygen", "-q", "-t", kind, *size, "-N", "", "-f", key])
        # Ganeti trusts its own certificate only, but all of these would be read for every call to a node.
        self.bind("/etc/ssl/certs")
        storage = ["/srv/ganeti/file-storage", "/srv/ganeti/shared-file-storage"]
        self.run(["mkdir", "-p", *storage, _OS_DIRECTORY, "/srv/ganeti/export"])
        (etc / "file-storage-paths").write_text("\n".join(storage) + "\n")
        install_network_scripts(str(etc), sys.executable, str(_PROJECT))
        allocators = self.bind("/usr/lib/ganeti/iallocators")
        (allocators / "hail").write_text(_HAIL)
        (allocators / "hail").chmod(0o755)
        defaults = self.bind("/etc/default", copy=True)
        # Nodes answer each call in a process of its own, which would lock all of its memory first.
        (defaults / "ganeti").write_text(
            'RAPI_ARGS="-b 0.0.0.0 --require-authentication"\nNODED_ARGS="--no-mlock"\n'
        )

    def _make_monitors_patient(self) -> None:
        """Wait for QEMU's monitor as long as it takes.

        Ganeti 3.0 plugs disks into a running guest through socat, which hangs up half a second after it has
        passed the command on. A guest that had no processor in that time never reads it: the job says "Could
        not hotplug device: … can't find value", and ends with success. With nothing to wait for, this costs
        nothing: QEMU hangs up itself.
        """
        self.run(["cp", _SOCAT, "/run/socat"])
        self.bind_file(_SOCAT, '#!/bin/sh\nexec /run/socat -t 60 "$@"\n').chmod(0o755)

    def _initialise(self) -> None:
        self.run(["/usr/lib/ganeti/ensure-dirs", "--full-run"])
        users = "/var/lib/ganeti/rapi/users"
        line = f"{self.user} {{cleartext}}{self.password} write\n"
        self.run(["sh", "-ec", f"mkdir -p $(dirname {users}) && cat > {users}"], input=line)
        self.run(["/usr/lib/ganeti/ensure-dirs", "--full-run"])
        options = [
            f"--enabled-hypervisors={','.join(self.hypervisors)}",
            "--enabled-disk-templates=file,diskless,sharedfile,ext",
            "--file-storage-dir=/srv/ganeti/file-storage",
            "--shared-file-storage-dir=/srv/ganeti/shared-file-storage",
            "--no-ssh-init",
            "--no-etc-hosts",
            "--master-netdev=br0",
            "--master-netmask=24",
            "--nic-parameters=link=br0,mode=bridged",
            "--default-iallocator=hail",
            # Guests are bigger than what one small test machine has; nothing here runs for long.
            f"--ipolicy-bounds-specs={_POLICY}",
            "--ipolicy-vcpu-ratio=64",
        ]
        if "kvm" in self.hypervisors:
            given = {**_KVM_PARAMETERS, **(_fast_boot() if self.fast_boot else {})}
            parameters = ",".join(f"{key}={value}" for key, value in given.items())
            options += ["-H", f"kvm:{parameters}"]
        if self.hypervisors[0] == "kvm":
            # Else disks can't be plugged into running guests: see docs/administrators/volumes.md.
            options += ["--disk-parameters", "ext:access=userspace"]
        self.run(["gnt-cluster", "init", *options, self.cluster_name])
        wait_until(self._rapi_answers, timeout=240, what=f"RAPI of {self.name}")

    def _rapi_answers(self) -> bool:
        try:
            return bool(self.rapi("GET", "/2/info")["name"] == self.cluster_name)
        except (OSError, RapiError):
            return False

    def _make_programs_cheap(self) -> None:
        """See :mod:`tests.lab.ganeti_processes`; another release of Ganeti goes on as it is."""
        programs = ganeti_processes.PROGRAMS
        if not all(Path(program).exists() for program in programs):
            return
        # What other packages do whenever a Python starts would take longer than to start it.
        self.run(
            ["sh", "-ec", f"for file in {_PYTHON_PACKAGES}/*.pth; do mount --bind /dev/null $file; done"]
        )
        folder = "/run/ganeti-programs"
        self.run(["sh", "-ec", f'mkdir {folder} && cp "$@" {folder}', "sh", *programs])
        server = self.spawn(
            ["/usr/bin/python3", "-I", ganeti_processes.__file__, f"{folder}/socket"], log="programs.log"
        )
        log = self.directory / "programs.log"
        self.wait_for(lambda: "ready" in log.read_text(), child=server, log="programs.log", timeout=240)
        for program in programs:
            original = f"{folder}/{Path(program).name}"
            text = ganeti_processes.stand_in(program, f"{folder}/socket", original)
            self.bind_file(program, text).chmod(0o755)

    # -- masters that die --------------------------------------------------------------------------

    def kill_master(self) -> None:
        """SIGKILL Ganeti's daemons; guests and the jobs that are running go on without them."""
        self._kill("/run/ganeti/ganeti-*.pid")

    def kill_daemon(self, name: str) -> None:
        """SIGKILL one of :attr:`daemons`."""
        self._kill(f"/run/ganeti/ganeti-{name}.pid")

    def _kill(self, files: str) -> None:
        # start-stop-daemon refuses to look at the file of a dead process that did not run as root.
        script = f'for file in {files}; do kill -KILL "$(cat "$file")" || true; rm -f "$file"; done'
        self.run(["sh", "-c", script])

    def start_daemon(self, name: str) -> None:
        """Start it again, as a service manager does."""
        self.run(["/usr/lib/ganeti/daemon-util", "start", f"ganeti-{name}"])
        wait_until(self._rapi_answers, timeout=240, what=f"RAPI of {self.name}")

    def start_master(self) -> None:
        """Start the daemons again."""
        self.run(["/usr/lib/ganeti/daemon-util", "start-all"])
        wait_until(self._rapi_answers, timeout=240, what=f"RAPI of {self.name}")

    @property
    def event_daemon_arguments(self) -> list[str]:
        """Where eventd keeps its things; the job queue is where it looks by itself."""
        return [
            "--spool-dir", "/var/lib/ganeti/eventd-spool", "--pid-file", "/run/snf-ganeti-eventd.pid"
        ]  # fmt: skip

    def around_event_daemon(self, command: Sequence[str | Path]) -> list[str]:
        """eventd runs on the node."""
        return self.inside(command)

    # -- operating systems -------------------------------------------------------------------------

    def install_os(self, name: str, source: Path) -> None:
        """Install an OS definition; ``name+default`` works afterwards."""
        target = self.directory / "srv" / "ganeti" / "os" / name
        if target.exists():
            shutil.rmtree(target)
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        for script in ("create", "import", "export", "rename", "verify"):
            if (target / script).exists():
                (target / script).chmod(0o755)
        if not (target / "variants.list").exists():
            (target / "variants.list").write_text("default\n")

    def install_os_provider(self, python_path: Path, settings: Mapping[str, str | Path]) -> None:
        """Install the project's own OS definition ``snf-image`` in place of the stub.

        ``settings`` are what an administrator writes to ``/etc/default/snf-image``. The scripts run with this
        interpreter and the project's tree at ``python_path``.
        """
        target = self.directory / "srv" / "ganeti" / "os" / "snf-image"
        if target.exists():
            shutil.rmtree(target)
        options = ["--python", sys.executable, "--python-path", str(python_path)]
        program = ["env", f"PYTHONPATH={python_path}", sys.executable, "-m", "gtools.osprovider"]
        self.run([*program, "install", "/srv/ganeti/os/snf-image", *options])
        lines = [f"{name}={shlex.quote(str(value))}\n" for name, value in settings.items()]
        (self.directory / "etc-default" / "snf-image").write_text("".join(lines))

    def install_volume_provider(self) -> None:
        """The ExtStorage provider ``snffile`` with a store of its own, as an administrator installs it."""
        project = str(Path(__file__).resolve().parents[2])
        self.run(["mkdir", "-p", _VOLUMES, "/srv/ganeti/extstorage", "/var/log/ganeti/extstorage"])
        if self._shared_volumes is not None:
            self._shared_volumes.mkdir(exist_ok=True)
            self.run(["mount", "--bind", self._shared_volumes, _VOLUMES])
        program = ["env", f"PYTHONPATH={project}", sys.executable, "-m", "gtools.extstorage", "install"]
        options = ["--python", sys.executable, "--python-path", project, "--store", _VOLUMES]
        self.run([*program, "/srv/ganeti/extstorage/snffile", *options])

    def stored_volumes(self) -> list[str]:
        """Names of the volumes that the provider keeps."""
        return sorted(self.run(["ls", _VOLUMES]).stdout.split())

    def install_stub_os(self, name: str = "snf-image") -> None:
        """The OS definition of fast tests: writes nothing to the disk, reports progress, and succeeds.

        Its messages go to the program of :meth:`set_progress_monitor`, if there is one.
        """
        self.install_os(name, _STUB_OS)

    @property
    def progress_monitor(self) -> Path:
        """The program of :meth:`set_progress_monitor`, as the node sees it."""
        return Path("/etc/ganeti/progress-monitor")

    def set_progress_monitor(self, command: Sequence[str | Path]) -> None:
        """The program that OS definitions feed their messages to; the instance's name is appended."""
        words = " ".join(str(word) for word in command)
        path = self.directory / "etc-ganeti" / "progress-monitor"
        path.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        path.chmod(0o755)

    def fail_next_create(self) -> None:
        """Let the stub OS definition fail once."""
        (self.directory / "srv" / "ganeti" / "fail-next-create").touch()

    def boot_from_disk(self, instance: str) -> None:
        """Let a guest of a cluster with ``fast_boot`` boot as every other does, from its next start on."""
        changes = {"hvparams": {"kernel_path": "", "initrd_path": ""}}
        job = self.wait_job(self.rapi("PUT", f"/2/instances/{instance}/modify", changes))
        if job["status"] != "success":
            raise LabError(str(job["opresult"]))

    # -- guests --------------------------------------------------------------------------------------

    def serve_guests(self, gateway: str) -> None:
        """Give br0 the address ``gateway`` (``a.b.c.d/len``) and tell this node's guests their addresses.

        Only those in networks with the tag ``nfdhcpd``, as on every node.
        """
        self.run(["ip", "address", "add", gateway, "dev", "br0"])
        command = [sys.executable, "-m", "gtools.network.responder"]
        self.spawn(command, log="dhcp.log", environment={"PYTHONPATH": str(_PROJECT)})

    def guest_answers(self, address: str) -> bool:
        """Whether a guest answers ping."""
        command = ["busybox", "ping", "-c", "1", "-W", "2", address]
        return self.run(command, check=False).returncode == 0

    def guest_shell(self, address: str, command: str, *, password: str) -> str:
        """Run a command as root inside a guest over SSH; LabError when that fails."""
        client = ["dbclient", "-y", "-y", "-T", f"root@{address}", command]
        return self.run(
            client, environment={"DROPBEAR_PASSWORD": password, "HOME": "/run"}, timeout=60
        ).stdout

    def _stop(self) -> None:
        super()._stop()
        detach_loop_devices(self.directory)


def _fast_boot() -> dict[str, str]:
    """Hypervisor parameters that hand the lab guest's kernel to QEMU."""
    kernel, initrd = kernel_files()
    return {
        "kernel_path": str(kernel),
        "initrd_path": str(initrd),
        "root_path": "/dev/vda1",
        "kernel_args": KERNEL_ARGUMENTS,
    }


def with_hosts_file(hosts: Path, command: Sequence[str | Path]) -> list[str]:
    """The command line that runs ``command`` with another /etc/hosts."""
    script = 'mount --bind "$1" /etc/hosts && shift && exec "$@"'
    words = [str(word) for word in command]
    return ["unshare", "--mount", "sh", "-c", script, "sh", str(hosts), *words]


def detach_loop_devices(directory: Path) -> None:
    """Free loop devices whose files lie below ``directory``: an OS script was killed half-way."""
    listing = subprocess.run(["losetup", "--list", "--json"], check=False, capture_output=True, text=True)
    if listing.returncode != 0 or not listing.stdout.strip():
        return
    for device in json.loads(listing.stdout)["loopdevices"]:
        if str(device["back-file"]).startswith((f"{directory}/", "/srv/ganeti/")):
            subprocess.run(["losetup", "--detach", device["name"]], check=False, capture_output=True)
