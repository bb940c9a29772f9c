"""Names of images for administrators' tables, looked up together (administrator's contract 4.4)."""

from __future__ import annotations

from collections.abc import Collection

from cyclades.logic import images
from synnefo.credentials import Credentials
from synnefo.errors import SynnefoError

#: Up to so many images are looked up one by one; for more, all there are are listed once.
_FEW = 3


def names_of(image_ids: Collection[str]) -> dict[str, str]:
    """Return the names of those images that still exist."""
    wanted = {image_id for image_id in image_ids if image_id}
    if len(wanted) > _FEW:
        everything = images.list_images(Credentials.administrator())
        return {image.id: image.name for image in everything if image.id in wanted}
    found = {}
    for image_id in sorted(wanted):
        try:
            found[image_id] = images.find_image(None, image_id).name
        except SynnefoError:
            continue
    return found


class ImageNames:
    """The names of all images of the servers in a table, loaded when the first is asked for."""

    def __init__(self) -> None:
        self._names: dict[str, str] | None = None

    def forget(self) -> None:
        """Look the names up again for the next table."""
        self._names = None

    def of(self, image_id: str) -> str:
        """Return the name of an image, empty when it is gone."""
        if self._names is None:
            everything = images.list_images(Credentials.administrator())
            self._names = {image.id: image.name for image in everything}
        return self._names.get(image_id, "")
