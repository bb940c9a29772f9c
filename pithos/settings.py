"""Settings of object storage (object-storage contract 21)."""

from __future__ import annotations

import string

from synnefo.settings_registry import declare

_CONF = "20-snf-pithos-app-settings"
_BACKEND = "20-snf-pithos-backend"

declare(
    "PITHOS_BASE_URL",
    "https://object-store.example.synnefo.org/pithos/",
    type=str,
    conf=_CONF,
    help="Where clients reach object storage: scheme, host and base path of every URL it hands out.",
)
declare(
    "PITHOS_BACKEND_STORAGE",
    "nfs",
    type=str,
    choices=("nfs", "rados"),
    conf=_BACKEND,
    help="Kind of block store: nfs is a directory, local or shared by all hosts; rados is Ceph.",
)
declare(
    "PITHOS_BACKEND_BLOCK_PATH",
    "/tmp/pithos-data/",  # noqa: S108  (the documented default; installations set their own)
    type=str,
    conf=_BACKEND,
    help="Directory of the block store; the same storage on every host.",
)
declare(
    "PITHOS_BACKEND_BLOCK_UMASK",
    0o022,
    type=int,
    conf=_BACKEND,
    help="Permission bits that files and directories of the block store do not get.",
)
declare(
    "PITHOS_BACKEND_BLOCK_FSYNC",
    "always",
    type=(str, bool),
    choices=("always", "rename", "never", True, False),
    conf=_BACKEND,
    help="What an upload waits for: always, until block and name are on disk; rename, until the block is, so "
    "that a power failure may lose it but never leaves half of it; never, for nothing. True and False are "
    "always and never.",
)
declare(
    "PITHOS_BACKEND_BLOCK_VERIFY",
    "cached",
    type=str,
    choices=("always", "cached", "sample", "never"),
    conf=_BACKEND,
    help="Check blocks against their hash when read: always; cached, once per hour, process and change of "
    "the block; sample, one read of sixteen; never.",
)
declare(
    "PITHOS_RADOS_CEPH_CONF",
    "/etc/ceph/ceph.conf",
    type=str,
    conf=_BACKEND,
    help="Ceph's configuration file, for the store rados.",
)
declare(
    "PITHOS_RADOS_CLIENT",
    "client.admin",
    type=str,
    conf=_BACKEND,
    help="Name under which the store rados speaks to Ceph; its key is where Ceph's configuration says.",
)
declare(
    "PITHOS_RADOS_POOL_BLOCKS",
    "blocks",
    type=str,
    conf=_BACKEND,
    help="Pool of the store rados for blocks; made if it is missing.",
)
declare(
    "PITHOS_RADOS_POOL_MAPS",
    "maps",
    type=str,
    conf=_BACKEND,
    help="Pool of the store rados for maps; made if it is missing.",
)
declare(
    "PITHOS_RADOS_CONNECT_TIMEOUT",
    5,
    type=int,
    conf=_BACKEND,
    help="Seconds to wait for a connection to Ceph before a request is answered with 503.",
)
declare(
    "PITHOS_RADOS_OPERATION_TIMEOUT",
    10,
    type=int,
    conf=_BACKEND,
    help="Seconds to wait for one operation of Ceph before a request is answered with 503.",
)
declare(
    "PITHOS_GC_GRACE_HOURS",
    48,
    type=int,
    conf=_BACKEND,
    help="Hours for which pithos-gc spares blocks and maps after their last use; at least 24.",
)
declare(
    "PITHOS_WORK_DIRECTORY",
    "",
    type=str,
    conf=_BACKEND,
    help="Where pithos-gc and pithos-scrub keep temporary files, about 40 bytes for each block; empty is the "
    "system's directory.",
)
declare(
    "PITHOS_BACKEND_BLOCK_SIZE",
    4194304,
    type=int,
    conf=_BACKEND,
    help="Bytes of a block. Never change it once there is data.",
)
declare(
    "PITHOS_BACKEND_HASH_ALGORITHM",
    "sha256",
    type=str,
    choices=("sha256", "sha384", "sha512"),
    conf=_BACKEND,
    help="Hash of blocks and objects. Never change it once there is data.",
)
declare(
    "PITHOS_DEDUP_SCOPE",
    "account",
    type=str,
    choices=("account", "global"),
    conf=_BACKEND,
    help="Which stored blocks an upload may name by hash alone: those its account has had, or any.",
)
declare(
    "PITHOS_BACKEND_CONTAINER_QUOTA",
    0,
    type=int,
    conf=_BACKEND,
    help="Quota of a new container in bytes; 0 is unlimited.",
)
declare(
    "PITHOS_BACKEND_VERSIONING",
    "auto",
    type=str,
    choices=("auto", "none"),
    conf=_BACKEND,
    help="Whether a new container keeps superseded versions of its objects.",
)
declare(
    "PITHOS_BACKEND_FREE_VERSIONING",
    True,
    type=bool,
    conf=_BACKEND,
    help="Superseded versions are not charged.",
)
declare(
    "PITHOS_UPDATE_MD5",
    False,
    type=bool,
    conf=_CONF,
    help="ETags are MD5 as in OpenStack instead of the object hash; hashmap uploads then read all blocks.",
)
declare(
    "PITHOS_PUBLIC_URL_SECURITY",
    16,
    type=int,
    conf=_CONF,
    help="Random bytes in the id of a public link; at least 16.",
)
declare(
    "PITHOS_PUBLIC_URL_ALPHABET",
    string.digits + string.ascii_lowercase + string.ascii_uppercase,
    type=str,
    conf=_CONF,
    help="Characters of the ids of public links.",
)
declare(
    "PITHOS_UNSAFE_DOMAIN",
    None,
    type=(str, type(None)),
    conf=_CONF,
    help="Host (and port unless it is the usual one) that alone serves users' files to browsers. It must "
    "share no cookies with the rest of the site. None serves them from the host of PITHOS_BASE_URL.",
)
declare(
    "PITHOS_OAUTH2_CLIENT_CREDENTIALS",
    (None, None),
    type=(tuple, list),
    conf=_CONF,
    secret=True,
    help="Identifier and secret of the OAuth2 client for viewing files in a browser (oauth2-client-add).",
)
declare(
    "PITHOS_PROXY_PREFIX",
    "_astakos",
    type=str,
    conf=_CONF,
    help="Path below PITHOS_BASE_URL under which object storage answers identity's calls for its clients.",
)
declare(
    "PITHOS_TRANSLATE_UUIDS",
    False,
    type=bool,
    conf=_CONF,
    help="Let requests name an account by its user's e-mail address. Answers always have the uuid.",
)
declare(
    "PITHOS_API_LIST_LIMIT",
    10000,
    type=int,
    conf=_CONF,
    help="Most entries of one listing.",
)
declare(
    "PITHOS_RESOURCE_MAX_METADATA",
    32,
    type=int,
    conf=_CONF,
    help="Most metadata items of one account, container or object in a domain.",
)
declare("PITHOS_ACC_MAX_GROUPS", 32, type=int, conf=_CONF, help="Most sharing groups of one account.")
declare("PITHOS_ACC_MAX_GROUP_MEMBERS", 32, type=int, conf=_CONF, help="Most members of one sharing group.")
