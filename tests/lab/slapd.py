"""A private LDAP directory with two departments, a group and entries that carry a binary objectGUID."""

from __future__ import annotations

import base64
import shutil
import subprocess
import uuid
from pathlib import Path

from tests.lab.certificates import self_signed
from tests.lab.instance import Instance, Unavailable, free_ports, port_answers

SUFFIX = "dc=lab,dc=example"
ADMIN_DN = f"cn=admin,{SUFFIX}"
ADMIN_PASSWORD = "directory-secret"

#: (user, department, guid, given name, surname, mail)
PEOPLE = (
    (
        "maria",
        "physics",
        uuid.UUID("00112233-4455-6677-8899-aabbccddeeff"),
        "Maria",
        "Doe",
        "maria@lab.example",
    ),
    (
        "nikos",
        "biology",
        uuid.UUID("ffeeddcc-bbaa-9988-7766-554433221100"),
        "Nikos",
        "Doe",
        "nikos@lab.example",
    ),
    ("nomail", "biology", uuid.UUID("10000000-0000-0000-0000-0000000000ff"), "No", "Mail", ""),
)

_CONFIGURATION = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
attributetype ( 1.2.840.113556.1.4.2 NAME 'objectGUID' EQUALITY octetStringMatch
    SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
objectclass ( 1.2.840.113556.1.5.9999 NAME 'labPerson' SUP top AUXILIARY MAY ( objectGUID ) )
pidfile {folder}/slapd.pid
TLSCertificateFile {folder}/cert.pem
TLSCertificateKeyFile {folder}/key.pem
database ldif
suffix "{suffix}"
directory {folder}/data
rootdn "{admin}"
rootpw {password}
access to attrs=userPassword by anonymous auth by * none
access to * by users read by anonymous auth
"""


def password_of(user: str) -> str:
    """The password of one of ``PEOPLE``."""
    return f"{user}-password"


def _entries() -> str:
    parts = [
        f"dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: Lab\ndc: lab\n",
        *(
            f"dn: ou={unit},{SUFFIX}\nobjectClass: organizationalUnit\nou: {unit}\n"
            for unit in ("physics", "biology", "groups")
        ),
    ]
    for user, unit, guid, given, surname, mail in PEOPLE:
        lines = [
            f"dn: uid={user},ou={unit},{SUFFIX}",
            "objectClass: inetOrgPerson",
            "objectClass: labPerson",
            f"uid: {user}",
            f"cn: {given} {surname}",
            f"givenName: {given}",
            f"sn: {surname}",
            f"userPassword: {password_of(user)}",
            f"objectGUID:: {base64.b64encode(guid.bytes_le).decode()}",
        ]
        if mail:
            lines.append(f"mail: {mail}")
        parts.append("\n".join(lines) + "\n")
    parts.append(
        f"dn: cn=researchers,ou=groups,{SUFFIX}\nobjectClass: groupOfNames\ncn: researchers\n"
        f"member: uid=maria,ou=physics,{SUFFIX}\n"
    )
    return "\n".join(parts)


class Slapd(Instance):
    """OpenLDAP on a free port of the loopback address, with TLS by StartTLS."""

    component = "slapd"

    def __init__(self) -> None:
        super().__init__()
        found = {
            name: shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin")
            for name in ("slapd", "slapadd")
        }
        if None in found.values() or not Path("/etc/ldap/schema/core.schema").exists():
            raise Unavailable("slapd is not installed")
        self._programs = found
        self.port = free_ports(1)[0]
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def certificate_path(self) -> str:
        """The certificate that clients must trust for StartTLS."""
        return str(self.directory / "cert.pem")

    def _start(self) -> None:
        (self.directory / "data").mkdir()
        certificate, key = self_signed("127.0.0.1")
        (self.directory / "cert.pem").write_bytes(certificate)
        (self.directory / "key.pem").write_bytes(key)
        configuration = self.directory / "slapd.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                folder=self.directory, suffix=SUFFIX, admin=ADMIN_DN, password=ADMIN_PASSWORD
            )
        )
        entries = self.directory / "entries.ldif"
        entries.write_text(_entries())
        subprocess.run(
            [str(self._programs["slapadd"]), "-f", str(configuration), "-l", str(entries)],
            check=True,
            capture_output=True,
            timeout=30,
        )
        self._server = self.spawn_process(
            [str(self._programs["slapd"]), "-f", str(configuration), "-h", self.url, "-d", "0"],
            log="slapd.log",
        )
        self.wait_for(lambda: port_answers(self.port), child=self._server, log="slapd.log", timeout=15)
