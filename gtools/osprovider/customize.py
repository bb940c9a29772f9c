"""Making a Linux image the user's own: host name, passwords, keys, files (image contract 7)."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gtools.osprovider import accounts, tools
from gtools.osprovider.errors import DeployError
from gtools.osprovider.image_root import ImageRoot
from gtools.osprovider.parameters import Parameters
from gtools.osprovider.progress import Progress

HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
SSH_KEY_FILE = re.compile(r"ssh_host_(rsa|ecdsa|ed25519|dsa|)_?key(\.pub)?")
NEW_KEY_TYPES = ("rsa", "ecdsa", "ed25519")


@dataclass(frozen=True)
class Guest:
    """What the tasks work on."""

    root: ImageRoot
    parameters: Parameters
    hostname: str
    progress: Progress


def delete_ssh_keys(guest: Guest) -> None:
    """Replace the image's SSH host keys, which all its guests would share, by new ones of the same kinds."""
    names = [name for name in guest.root.names("/etc/ssh") if SSH_KEY_FILE.fullmatch(name)]
    for name in names:
        guest.root.remove(f"/etc/ssh/{name}")
    for kind in NEW_KEY_TYPES:
        if f"ssh_host_{kind}_key" not in names or tools.find("ssh-keygen") is None:
            continue
        with tempfile.TemporaryDirectory(prefix="snf-image-") as directory:
            key = Path(directory) / "key"
            comment = f"root@{guest.hostname}"
            tools.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", comment, "-f", str(key)])
            target = f"/etc/ssh/ssh_host_{kind}_key"
            guest.root.write(target, key.read_bytes(), uid=0, gid=0, mode=0o600)
            public = key.with_suffix(".pub").read_bytes()
            guest.root.write(f"{target}.pub", public, uid=0, gid=0, mode=0o644)


def relabel_selinux(guest: Guest) -> None:
    """Have a guest with SELinux label the files that we wrote at its first boot."""
    content = guest.root.read("/etc/selinux/config") or b""
    if re.search(rb"^\s*SELINUX\s*=\s*(enforcing|permissive)", content, re.MULTILINE):
        guest.root.write("/.autorelabel", b"", uid=0, gid=0, mode=0o644)


def assign_hostname(guest: Guest) -> None:
    """Name the guest as its instance."""
    name = guest.hostname
    if not HOSTNAME.fullmatch(name):
        raise DeployError(f"{name[:64]!r} is no valid host name")
    guest.root.write("/etc/hostname", f"{name}\n".encode(), uid=0, gid=0, mode=0o644)
    hosts = (guest.root.read("/etc/hosts") or b"127.0.0.1\tlocalhost\n").decode("utf-8", "surrogateescape")
    lines = [line for line in hosts.splitlines() if not re.match(r"\s*127\.0\.1\.1\s", line)]
    lines.append(f"127.0.1.1\t{name}")
    guest.root.rewrite("/etc/hosts", ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape"))


def change_password(guest: Guest) -> None:
    """Set the password of the image's users."""
    parameters = guest.parameters
    hashed = parameters.password_hash
    if not hashed and parameters.password:
        method = parameters.properties.get("PASSWORD_HASHING_METHOD", "").strip().lower()
        hashed = accounts.hash_password(parameters.password, method)
    if not hashed:
        return
    missing = accounts.set_passwords(guest.root, parameters.users, hashed)
    if len(missing) == len(parameters.users):
        raise DeployError(f"the image has none of its USERS: {', '.join(missing)}")
    if missing:
        guest.progress.warning(f"users without an account in the image: {', '.join(missing)}")


def enforce_personality(guest: Guest) -> None:
    """Write the user's files, SSH keys and cloud-init data."""
    known = accounts.accounts(guest.root)
    groups = accounts.groups(guest.root)
    owners = {name: account.uid for name, account in known.items()}
    for file in guest.parameters.personality:
        uid = accounts.id_of(file.owner, owners, "user")
        gid = accounts.id_of(file.group, groups, "group")
        directory = file.path.rpartition("/")[0]
        if directory:
            guest.root.make_directory(directory)
        guest.root.write(file.path, file.contents, uid=uid, gid=gid, mode=file.mode)
    if guest.parameters.auth_keys:
        for user in guest.parameters.users:
            _authorize_keys(guest, known.get(user), user)
    if guest.parameters.userdata:
        _seed_cloud_init(guest)


def _authorize_keys(guest: Guest, account: accounts.Account | None, user: str) -> None:
    if account is None:
        guest.progress.warning(f"no account {user} in the image: no SSH keys for it")
        return
    folder = f"{account.home}/.ssh"
    guest.root.make_directory(account.home, uid=account.uid, gid=account.gid, mode=0o700)
    guest.root.make_directory(folder, uid=account.uid, gid=account.gid, mode=0o700)
    path = f"{folder}/authorized_keys"
    present = (guest.root.read(path) or b"").decode("utf-8", "surrogateescape").splitlines()
    lines = present + [key for key in guest.parameters.auth_keys if key not in present]
    content = ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")
    guest.root.write(path, content, uid=account.uid, gid=account.gid, mode=0o600)


def _seed_cloud_init(guest: Guest) -> None:
    folder = "/var/lib/cloud/seed/nocloud"
    guest.root.make_directory(folder)
    data = {"instance-id": guest.hostname, "local-hostname": guest.hostname}
    guest.root.write(f"{folder}/meta-data", (json.dumps(data) + "\n").encode(), uid=0, gid=0, mode=0o644)
    guest.root.write(f"{folder}/user-data", guest.parameters.userdata, uid=0, gid=0, mode=0o600)


def unsupported(properties: Mapping[str, str]) -> list[str]:
    """Return what an image asks for that this provider does not do."""
    wishes = {"CUSTOM_TASK": "a program of its own (CUSTOM_TASK)"}
    return [text for name, text in wishes.items() if properties.get(name)]


# In the order in which they run on the mounted file system.
TASKS: tuple[tuple[str, Callable[[Guest], None]], ...] = (
    ("DeleteSSHKeys", delete_ssh_keys),
    ("SELinuxAutorelabel", relabel_selinux),
    ("AssignHostname", assign_hostname),
    ("ChangePassword", change_password),
    ("EnforcePersonality", enforce_personality),
)
