"""Fixtures of the Cyclades tests, one module per area."""

from __future__ import annotations

from tests.cyclades.compute_fixtures import (  # noqa: F401
    _fresh_cache,
    anonymous,
    backend,
    bigger_flavor,
    create_body,
    cyclades_component,
    flavor,
    image,
    make_person,
    make_server,
    person,
    stranger,
    submitted,
    volume_type,
)
from tests.cyclades.ganeti_fixtures import (  # noqa: F401
    building,
    cluster,
    public_network,
)
from tests.cyclades.image_fixtures import (  # noqa: F401
    make_image_user,
    object_store,
    owner,
    reader,
    registered_image,
)
from tests.cyclades.network_fixtures import (  # noqa: F401
    api,
    internet,
    mac_pool,
    make_public_network,
    private_network,
)
from tests.cyclades.volume_fixtures import (  # noqa: F401
    cinder,
    detachable_flavor,
    detachable_type,
    host,
    make_volume,
    volume_api,
)
