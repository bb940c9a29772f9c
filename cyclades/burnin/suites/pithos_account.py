"""The account of the object storage."""

from __future__ import annotations

import datetime
from urllib.parse import quote, unquote

from cyclades.burnin.failures import check, same
from cyclades.burnin.suite import Run, Suite, step
from cyclades.burnin.suites.storage import Storage, asctime

#: Keys and values of metadata and groups, with and without letters outside ASCII.
PAIRS = (("colour", "blue and green"), ("χρώμα", "μπλε"))
_LONG_AGO = "1000000000"


class StorageSuite(Suite):
    """Base of the suites of the object storage."""

    services = ("object-store", "account")
    group = "PithosTestSuite"

    def __init__(self, run: Run, *, variant: str = "") -> None:
        super().__init__(run, variant=variant)
        self.store = Storage(self)

    def check_dates(self, method: str, path: str) -> None:
        """The two conditions on a date exclude each other."""
        moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=-1)
        seen = {
            self.store.ask(method, path, headers={name: asctime(moment)}, expect=None).status_code
            for name in ("If-Modified-Since", "If-Unmodified-Since")
        }
        check(len(seen) == 2, f"both conditions on a date answer {seen}")
        check(seen & {304, 412}, f"no condition on a date was applied: {seen}")

    def check_metadata(self, path: str, level: str, params: dict[str, str]) -> None:
        """Metadata is set, read, changed and deleted, one key without touching the other."""
        prefix = f"x-{level.lower()}-meta-"
        for key, value in PAIRS:
            self._set(path, {f"X-{level}-Meta-{quote(key)}": quote(value)}, params)
        same("the metadata", self._metadata(path, prefix), dict(PAIRS))
        (first, _), (second, value) = PAIRS
        self._set(path, {f"X-{level}-Meta-{quote(first)}": ""}, params)
        same("the metadata after a deletion", self._metadata(path, prefix), {second: value})
        self._set(path, {f"X-{level}-Meta-{quote(second)}": ""}, params)
        same("the metadata after both deletions", self._metadata(path, prefix), {})

    def _set(self, path: str, headers: dict[str, str], params: dict[str, str]) -> None:
        self.store.ask("POST", path, headers=headers, params=params, expect=202)

    def _metadata(self, path: str, prefix: str) -> dict[str, str]:
        wanted = {key for key, _ in PAIRS}
        found = {}
        for name, value in self.store.head(path).items():
            key = unquote(name)[len(prefix) :].lower()
            if unquote(name).lower().startswith(prefix) and key in wanted:
                found[key] = unquote(value)
        return found


class AccountTestSuite(StorageSuite):
    """The account: its headers, listings of containers, groups and metadata."""

    name = "AccountTestSuite"
    chain = False
    #: Groups and metadata belong to the account, which has only one of each name.
    alone = True

    @step("HEAD shows the account, now and as it was long ago")
    def head(self) -> None:
        answer = self.store.ask("HEAD", "", expect=204)
        quotas = [name for name in answer.headers if name.lower().startswith("x-account-policy-quota")]
        check(quotas, "no header X-Account-Policy-Quota")
        headers = self.store.ask("HEAD", "", params={"until": _LONG_AGO}, expect=204).headers
        same(
            "X-Account-Until-Timestamp", headers["x-account-until-timestamp"], "Sun, 09 Sep 2001 01:46:40 GMT"
        )
        self.check_dates("HEAD", "")

    @step("containers are created once and listed by pages")
    def containers(self) -> None:
        names = sorted(self.store.create_container(self, f"account {number}") for number in (1, 2))
        self.store.ask("PUT", names[0], expect=202)
        listed = [item["name"] for item in self.store.listing()]
        same("names listed twice", len(listed) - len(set(listed)), 0)
        check(set(names) <= set(listed), "a new container is not in the list")
        same("the length of a page of one", len(self.store.listing(limit=1)), 1)
        after = [item["name"] for item in self.store.listing(marker=names[0])]
        check(names[0] not in after and names[1] in after, "'marker' is not strictly greater")
        same(
            "a page of one after a marker",
            [i["name"] for i in self.store.listing(marker=names[0], limit=1)],
            after[:1],
        )
        past = self.store.listing(until=f"{datetime.datetime.now(datetime.UTC).timestamp() - 3600:.3f}")
        check(len(past) <= len(listed), "an older list is longer")
        self.check_dates("GET", "")

    @step("a container with a shared object is in the list of shared ones")
    def shared(self) -> None:
        name = self.store.create_container(self, "account shared")
        self.store.put(f"{name}/object", b"x", headers={"X-Object-Sharing": "read=*"})
        check(name in [item["name"] for item in self.store.listing(shared="")], "it is not in the list")

    @step("an empty POST is accepted")
    def empty_post(self) -> None:
        self.store.ask("POST", "", params={"update": ""}, expect=202)

    @step("groups: bad ones are refused, others are set, read and removed, with Greek names as well")
    def groups(self) -> None:
        def group(name: str, member: str, expect: tuple[int, ...] = (202,)) -> None:
            headers = {f"X-Account-Group-{quote(name)}": member}
            self.store.ask("POST", "", headers=headers, params={"update": ""}, expect=expect)

        group("with-dash", self.user_id, (400,))
        group("strangers", "00000000-0000-0000-0000-000000000000", (400,))
        for name in ("burnin", "ομάδα"):
            group(name, self.user_id)
            self.on_cleanup(f"group {name}", lambda n=name: group(n, ""))  # type: ignore[misc]
            same(f"the members of {name}", self._group(name), self.user_id)
            group(name, "")
            same(f"the members of {name} after its removal", self._group(name), None)

    def _group(self, name: str) -> str | None:
        found = {unquote(key).lower(): value for key, value in self.store.head("").items()}
        return found.get(f"x-account-group-{name}")

    @step("metadata of the account, with Greek keys and values")
    def metadata(self) -> None:
        self.check_metadata("", "Account", {"update": ""})
