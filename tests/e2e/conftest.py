"""Clouds of real components, started once, and their logs in the report of a failed test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache

from astakos import public
from tests.conftest import started
from tests.e2e.cloud_user import NETWORK, CloudUser
from tests.e2e.guest import Guest, Guests
from tests.lab.burnin import register_guest_image
from tests.lab.cloud import Cloud, SimulatedCloud
from tests.lab.guest import guest_image
from tests.lab.instance import Unavailable
from tests.lab.names import resolve_here
from tests.lab.packages import why_missing

_clouds: list[Cloud] = []
#: Floating IPs of the demo user of the real cloud.
_ADDRESSES = 4


def _cloud(cloud: Cloud) -> Iterator[Cloud]:
    started(lambda: cloud)
    _clouds.append(cloud)
    with resolve_here(cloud.names):
        yield cloud
    _clouds.remove(cloud)
    cloud.stop()


@pytest.fixture(scope="session")
def real_cloud() -> Iterator[Cloud]:
    """A cloud whose servers are QEMU guests."""
    try:
        guest_image()
    except Unavailable as error:
        pytest.skip(why_missing(str(error)))
    for cloud in _cloud(Cloud(hypervisor="kvm", fast_boot=True)):
        with cloud.client() as client:
            # Servers whose orders name no network use these.
            for _ in range(_ADDRESSES):
                CloudUser(client, "").call("POST", f"{NETWORK}/floatingips", json={"floatingip": {}})
        yield cloud


@pytest.fixture(scope="session")
def fast_cloud() -> Iterator[SimulatedCloud]:
    """A cloud over two simulated clusters, under real PostgreSQL, RabbitMQ and memcached."""
    yield from _cloud(SimulatedCloud(clusters=2, speed=20))


@pytest.fixture
def user(real_cloud: Cloud) -> Iterator[CloudUser]:
    """The demo user of the real cloud."""
    with real_cloud.client() as client:
        yield CloudUser(client, real_cloud.credentials["user_uuid"])


@pytest.fixture(scope="session")
def image(real_cloud: Cloud) -> str:
    """The lab's guest image, uploaded to Pithos and registered by the demo user."""
    return register_guest_image(real_cloud)


@pytest.fixture(scope="session")
def guests(real_cloud: Cloud, image: str) -> Iterator[Guests]:
    """The maker of the guest that tests share."""
    with real_cloud.client() as client:
        yield Guests(real_cloud, CloudUser(client, real_cloud.credentials["user_uuid"]), image)


@pytest.fixture
def guest(guests: Guests) -> Guest:
    """A running guest, the same for all tests until one removes it."""
    return guests.running()


@pytest.fixture
def fast_user(fast_cloud: Cloud) -> Iterator[CloudUser]:
    """The demo user of the fast cloud."""
    with fast_cloud.client() as client:
        yield CloudUser(client, fast_cloud.credentials["user_uuid"])


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One Chromium for all tests; it takes half a second to start."""
    from tests.e2e.browser import chromium

    yield from chromium()


@pytest.fixture
def site(browser: Any, live_server: Any) -> str:
    """The address of a site with one user and one service."""
    from tests.e2e.browser import EMAIL, PASSWORD

    cache.clear()
    definition = public.ServiceDefinition(
        name="demo_compute",
        type="compute",
        prefix="compute",
        endpoints=({"versionId": "v2.0"},),
        resources=(public.ResourceDefinition("demo.vm", "Servers"),),
    )
    public.register_component(
        name="demo",
        base_url=f"{live_server.url}/demo",
        ui_url="https://demo.example/ui",
        services=[definition],
    )
    public.create_user(email=EMAIL, password=PASSWORD, first_name="Maria", last_name="Doe")
    return live_server.url


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Add the logs of the running clouds to what is shown of a failure."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.failed:
        report.sections += [(f"logs of {cloud.name}", cloud.logs()) for cloud in _clouds]
