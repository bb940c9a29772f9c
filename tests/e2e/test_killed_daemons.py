"""Whatever is killed while a server is created: database, quota and Ganeti agree afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from cyclades.ganeti import jobs
from tests.e2e.cloud_user import COMPUTE, CloudUser, eventually
from tests.lab.cloud import Cloud

pytestmark = [pytest.mark.e2e, pytest.mark.fault, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def image(fast_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Any image: the fake hypervisor never reads it."""
    path = tmp_path_factory.mktemp("image") / "tiny.diskdump"
    path.write_bytes(b"\0" * 4096)
    with fast_cloud.client() as client:
        owner = CloudUser(client, fast_cloud.credentials["user_uuid"])
        owner.upload("images", "tiny.diskdump", path)
        yield owner.register_image("tiny", "images", "tiny.diskdump", OS="lab", OSFAMILY="linux")


def assert_agreement(cloud: Cloud, user: CloudUser, before: dict[str, int], flavor: dict[str, int]) -> None:
    """Servers of the API, instances of Ganeti and the quota say the same, and nothing is pending."""
    servers = user.call("GET", f"{COMPUTE}/servers/detail")["servers"]
    living = [server for server in servers if server["status"] != "DELETED"]
    assert all(server["status"] == "ACTIVE" for server in living), living
    assert all(not server["SNF:task_state"] for server in living), living
    instances = {item["id"] for item in cloud.cluster.rapi("GET", "/2/instances")}
    assert instances == {f"snf-{server['id']}" for server in living}
    usage = user.usage()
    assert usage["cyclades.vm"] == before["cyclades.vm"] + len(living)
    assert usage["cyclades.ram"] == before["cyclades.ram"] + len(living) * (flavor["ram"] << 20)
    assert user.pending() == {}


def remove_all(user: CloudUser, before: dict[str, int]) -> None:
    """Delete every server and wait until nothing is charged."""
    for server in user.call("GET", f"{COMPUTE}/servers/detail")["servers"]:
        user.delete_server(server["id"])

    def clean() -> None:
        assert user.call("GET", f"{COMPUTE}/servers/detail")["servers"] == []
        assert user.usage() == before

    eventually(clean, timeout=60)


def settle(cloud: Cloud, check: Callable[[], None]) -> None:
    """Wait for agreement; at most one run of the reconciler may be needed."""
    try:
        # The repair task gives a submission 15 s, and Ganeti needs its time too.
        eventually(check, timeout=45)
    except AssertionError:
        cloud.manage("reconcile-servers", "--fix-all", check=False)
        # A submission that died in the middle of its call is taken over when its lease ends.
        eventually(check, timeout=jobs.lease().total_seconds() + 50)


@pytest.mark.parametrize("moment", [0.0, 0.4, 1.0, 2.0])
def test_the_dispatcher_is_killed(fast_cloud: Cloud, fast_user: CloudUser, image: str, moment: float) -> None:
    flavor = dict(fast_user.smallest_flavor())
    before = fast_user.usage()
    fast_user.create_server("a", image, flavor["id"])
    fast_user.create_server("b", image, flavor["id"])
    time.sleep(moment)
    fast_cloud.restart("dispatcher")
    settle(fast_cloud, lambda: assert_agreement(fast_cloud, fast_user, before, flavor))
    remove_all(fast_user, before)


@pytest.mark.parametrize("moment", [0.0, 0.5, 1.5])
def test_rabbitmq_is_killed(fast_cloud: Cloud, fast_user: CloudUser, image: str, moment: float) -> None:
    flavor = dict(fast_user.smallest_flavor())
    before = fast_user.usage()
    fast_user.create_server("a", image, flavor["id"])
    time.sleep(moment)
    fast_cloud.broker.kill()
    # The API must not notice.
    started = time.monotonic()
    fast_user.create_server("b", image, flavor["id"])
    assert time.monotonic() - started < 5
    time.sleep(3)
    fast_cloud.broker.restart()
    settle(fast_cloud, lambda: assert_agreement(fast_cloud, fast_user, before, flavor))
    remove_all(fast_user, before)


@pytest.mark.parametrize("moment", [0.1, 0.2, 0.4, 0.8])
def test_the_web_server_is_killed(fast_cloud: Cloud, fast_user: CloudUser, image: str, moment: float) -> None:
    flavor = dict(fast_user.smallest_flavor())
    before = fast_user.usage()
    answers: list[int] = []
    # A server that was started a moment ago is slow at its first request.
    for _ in range(4):
        _lists(fast_user)

    def order() -> None:
        body = {"server": {"name": "w", "imageRef": image, "flavorRef": flavor["id"]}}
        with fast_cloud.client() as client:
            try:
                answers.append(client.post(f"{COMPUTE}/servers", json=body).status_code)
            except httpx.HTTPError:
                answers.append(0)

    threads = [threading.Thread(target=order) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(moment)
    fast_cloud.kill("web")
    for thread in threads:
        thread.join()
    fast_cloud.start_process("web")
    settle(fast_cloud, lambda: assert_agreement(fast_cloud, fast_user, before, flavor))
    servers = fast_user.call("GET", f"{COMPUTE}/servers/detail")["servers"]
    # A client that got no answer may have its server; one that got 202 must.
    assert answers.count(202) <= len(servers) <= len(threads)
    remove_all(fast_user, before)


def test_the_event_daemon_is_killed(fast_cloud: Cloud, fast_user: CloudUser, image: str) -> None:
    flavor = dict(fast_user.smallest_flavor())
    before = fast_user.usage()
    fast_cloud.kill("eventd")
    fast_user.create_server("a", image, flavor["id"])
    time.sleep(4)
    fast_cloud.start_process("eventd")
    settle(fast_cloud, lambda: assert_agreement(fast_cloud, fast_user, before, flavor))
    remove_all(fast_user, before)


def test_memcached_is_restarted(fast_cloud: Cloud, fast_user: CloudUser, image: str) -> None:
    fast_cloud.cache.restart()
    assert fast_user.client.get(f"{COMPUTE}/servers").status_code == 200


def test_postgresql_is_restarted(fast_cloud: Cloud, fast_user: CloudUser, image: str) -> None:
    flavor = dict(fast_user.smallest_flavor())
    before = fast_user.usage()
    fast_user.create_server("a", image, flavor["id"])
    fast_cloud.database.restart()
    eventually(lambda: _lists(fast_user), timeout=5)
    settle(fast_cloud, lambda: assert_agreement(fast_cloud, fast_user, before, flavor))
    remove_all(fast_user, before)


def _lists(user: CloudUser) -> None:
    assert user.client.get(f"{COMPUTE}/servers").status_code == 200
