"""What the image service relies on (object-storage contract 20.1)."""

from __future__ import annotations

import pytest

from pithos import public
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, Forbidden, NotFound

pytestmark = pytest.mark.db


def of(person) -> Credentials:
    return Credentials(person.uuid)


@pytest.fixture
def image(maria, small_blocks) -> str:
    maria.put("docs/disk", b"0123456789", x_object_meta_color="blue")
    uuid = maria.head("docs/disk")["X-Object-UUID"]
    public.update_domain_metadata(
        of(maria), uuid=uuid, domain="plankton", metadata={"name": "Debian", "x": "1"}
    )
    return uuid


def test_an_object_is_found_by_id_and_by_path(maria, image):
    info = public.get_object(of(maria), uuid=image, domain="plankton")
    assert info.metadata == {"name": "Debian", "x": "1"}
    assert (info.account, info.container, info.name, info.size) == (maria.uuid, "docs", "disk", 10)
    assert info.available == 1
    assert info.mapfile == f"{info.hash}_2"
    at = public.get_object_at(of(maria), account=maria.uuid, container="docs", name="disk", domain="plankton")
    assert at == info
    assert public.get_object(None, uuid=image).metadata == {}


def test_domains_do_not_disturb_each_other(maria, image):
    maria.post("docs/disk", type="", x_object_meta_size="big")
    assert public.get_object(of(maria), uuid=image, domain="plankton").metadata["name"] == "Debian"
    maria.put("docs/disk", b"new")
    info = public.get_object(of(maria), uuid=image, domain="plankton")
    assert (info.metadata["name"], info.size) == ("Debian", 3)
    public.update_domain_metadata(of(maria), uuid=image, domain="plankton", metadata={"x": "", "y": "2"})
    info = public.update_domain_metadata(of(maria), uuid=image, domain="plankton", metadata={"z": "3"})
    assert info.metadata == {"name": "Debian", "y": "2", "z": "3"}
    info = public.update_domain_metadata(
        of(maria), uuid=image, domain="plankton", metadata={"a": "1"}, replace=True
    )
    assert info.metadata == {"a": "1"}


def test_an_older_version_has_its_own_metadata(maria, image):
    version = public.get_object(of(maria), uuid=image).version
    public.update_domain_metadata(of(maria), uuid=image, domain="plankton", metadata={"name": "Other"})
    assert (
        public.get_object(of(maria), uuid=image, version=version, domain="plankton").metadata["name"]
        == "Debian"
    )
    with pytest.raises(NotFound):
        public.get_object(of(maria), uuid=image, version=10**6)


def test_members_read_and_do_not_write(maria, nikos, image):
    with pytest.raises(Forbidden):
        public.get_object(of(nikos), uuid=image)
    assert public.list_domain_objects(of(nikos), domain="plankton") == []
    public.update_readers(of(maria), uuid=image, readers=[nikos.uuid])
    info = public.get_object(of(nikos), uuid=image, domain="plankton")
    assert info.readers == {nikos.uuid}
    assert [found.uuid for found in public.list_domain_objects(of(nikos), domain="plankton")] == [image]
    assert b"".join(public.open_object(of(nikos), uuid=image)) == b"0123456789"
    with pytest.raises(Forbidden):
        public.update_domain_metadata(of(nikos), uuid=image, domain="plankton", metadata={"a": "b"})
    with pytest.raises(Forbidden):
        public.update_readers(of(nikos), uuid=image, readers=["*"])


def test_everybody_sees_a_public_image(maria, nikos, image):
    public.update_readers(of(maria), uuid=image, readers=["*"])
    (found,) = public.list_domain_objects(of(nikos), domain="plankton")
    assert found.readers == {"*"}
    assert found.metadata["name"] == "Debian"


def test_an_image_in_a_shared_directory_is_listed(maria, nikos, image):
    maria.put("docs/dir", b"", type="application/directory", x_object_sharing="read=*")
    maria.call("MOVE", "docs/disk", type="", destination="/docs/dir/disk")
    assert [found.uuid for found in public.list_domain_objects(of(nikos), domain="plankton")] == [image]


def test_a_deleted_image_is_gone_and_a_copied_one_is_an_image(maria, image):
    maria.call("COPY", "docs/disk", type="", destination="/docs/copy")
    assert len(public.list_domain_objects(of(maria), domain="plankton")) == 2
    maria.delete("docs/disk")
    assert len(public.list_domain_objects(of(maria), domain="plankton")) == 1
    with pytest.raises(NotFound):
        public.get_object(None, uuid=image)


def test_an_unknown_id_is_not_found(db):
    for uuid in ("none", "", "a\0b", "x" * 300):
        with pytest.raises(NotFound):
            public.get_object(None, uuid=uuid)


@pytest.mark.parametrize("items", [{"": "x"}, {"k" * 129: "x"}, {"k": "x" * 257}, {"k": "\0"}])
def test_metadata_that_cannot_be_stored_is_refused(maria, image, items):
    with pytest.raises(BadRequest):
        public.update_domain_metadata(of(maria), uuid=image, domain="plankton", metadata=items)


def test_blocks_are_reachable_for_deployment(maria, image):
    info = public.get_object(None, uuid=image)
    data = b""
    for name in public.block_hashes(info.mapfile, size=info.size):
        with open(public.block_path_of(name), "rb") as file:
            data += file.read()
    assert data == b"0123456789"


def test_listing_images_takes_a_fixed_number_of_queries(maria, nikos, django_assert_max_num_queries):
    for number in range(5):
        maria.put(f"docs/{number}", b"x", x_object_sharing="read=*")
        uuid = maria.head(f"docs/{number}")["X-Object-UUID"]
        public.update_domain_metadata(of(maria), uuid=uuid, domain="plankton", metadata={"name": "n"})
    with django_assert_max_num_queries(6):
        assert len(public.list_domain_objects(of(nikos), domain="plankton")) == 5
