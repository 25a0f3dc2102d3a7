"""
Photos of places: re-drawn before they are kept, so that nothing travels along that the camera wrote.

They are off unless the deployment switches them on, and belong to whoever may edit the element.
"""

from __future__ import annotations

import io
import warnings

from PIL import Image, ImageOps, UnidentifiedImageError
from sqlalchemy import Connection

from gridmap.domain.elements import Element, new_id
from gridmap.domain.roles import User
from gridmap.errors import GridmapError, InvalidInput, NotFound, StateConflict, TooLarge
from gridmap.services import access, elements
from gridmap.services.district import District
from gridmap.storage import access_log
from gridmap.storage import photos as kept
from gridmap.storage.photos import Photo

MAX_BYTES = 12 * 2**20
MAX_PIXELS = 50_000_000
MAX_SIDE = 2048
MOST = 12
_QUALITY = 85


class PhotosOff(GridmapError):
    """The deployment keeps no photos."""

    status = 403
    title = "照片功能未开启"


class NoPhoto(InvalidInput):
    """The file is no photo that can be read: not JPEG or PNG, or damaged."""

    title = "不是可用的照片"


def add(district: District, user: User, layer_id: str, element_id: str, content: bytes) -> Photo:
    """
    Keep a JPEG or PNG file as a photo of the element.

    Raises
    ------
    PhotosOff, PermissionDenied, NotFound, NoPhoto, TooLarge, StateConflict (the element has enough)
    """
    _require_on(district)
    element = _owned(district, user, layer_id, element_id)
    picture = redrawn(content)
    with Image.open(io.BytesIO(picture)) as image:
        width, height = image.size
    photo = Photo(new_id(), element.id, width, height, len(picture), district.clock(), user.username)
    with district.database.write() as connection:
        if kept.count(connection, element.id) >= MOST:
            raise StateConflict(
                f"element {element.id} has {MOST} photos; delete one first",
                zh=f"每个要素最多 {MOST} 张照片,请先删除旧照片。",
            )
        kept.add(connection, photo, picture)
        _note(district, connection, user, "add", element, photo.id)
    return photo


def redrawn(content: bytes) -> bytes:
    """
    The picture as a fresh JPEG file, upright, at most 2,048 pixels on a side, with nothing but the picture in it.

    Raises
    ------
    NoPhoto
        Not JPEG or PNG, or damaged.
    TooLarge
        More than 12 MB or 50 million pixels.
    """
    if len(content) > MAX_BYTES:
        raise TooLarge(
            f"a photo has at most {MAX_BYTES} bytes", zh="照片超过 12 MB,请缩小后再试。", max_bytes=MAX_BYTES
        )
    try:
        with warnings.catch_warnings():
            # our own limit below is the smaller one
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content), formats=("JPEG", "PNG"))
        if image.width * image.height > MAX_PIXELS:
            raise TooLarge(
                f"a photo has at most {MAX_PIXELS} pixels",
                zh="照片像素过多,请缩小后再试。",
                max_pixels=MAX_PIXELS,
            )
        image.draft("RGB", (MAX_SIDE, MAX_SIDE))
        upright = ImageOps.exif_transpose(image)
        upright.thumbnail((MAX_SIDE, MAX_SIDE))
        if upright.mode in ("RGBA", "LA", "PA", "P"):
            upright = upright.convert("RGBA")
            ground = Image.new("RGB", upright.size, "white")
            ground.paste(upright, mask=upright.getchannel("A"))
            upright = ground
        # a new picture: no EXIF, no profile, no comment comes along
        plain = Image.frombytes("RGB", upright.size, upright.convert("RGB").tobytes())
    except GridmapError:
        raise
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise NoPhoto(
            f"no readable JPEG or PNG: {error}", zh="只支持 JPEG 或 PNG 照片,文件可能已损坏。"
        ) from None
    file = io.BytesIO()
    plain.save(file, "JPEG", quality=_QUALITY, optimize=True)
    return file.getvalue()


def listed(district: District, user: User, layer_id: str, element_id: str) -> list[Photo]:
    """The element's photos, oldest first, for everybody who sees the element."""
    element = elements.get(district, user, layer_id, element_id)
    with district.database.read() as connection:
        return kept.of_element(connection, element.id)


def content(district: District, user: User, layer_id: str, element_id: str, photo_id: str) -> bytes:
    """A photo's JPEG file; raises NotFound or PermissionDenied."""
    element = elements.get(district, user, layer_id, element_id)
    with district.database.read() as connection:
        found = kept.content(connection, element.id, photo_id)
    if found is None:
        raise _missing(photo_id)
    return found


def delete(district: District, user: User, layer_id: str, element_id: str, photo_id: str) -> None:
    """Delete a photo for good: it may show what must not be kept."""
    element = _owned(district, user, layer_id, element_id)
    with district.database.write() as connection:
        if not kept.drop(connection, element.id, photo_id):
            raise _missing(photo_id)
        _note(district, connection, user, "delete", element, photo_id)


def _require_on(district: District) -> None:
    if not district.settings.allows_photos:
        raise PhotosOff(
            "photos are off; GRIDMAP_PHOTOS=1 switches them on",
            zh="本系统未开启照片功能,如需要请联系系统管理员。",
        )


def _owned(district: District, user: User, layer_id: str, element_id: str) -> Element:
    layer = district.catalogue.layer(layer_id)
    access.require_edit(district, user, layer)
    found = elements.living(district, layer, element_id)
    access.require_inside(district, user, layer, [found.geometry], f"{layer_id}/{element_id}")
    return found


def _missing(photo_id: str) -> NotFound:
    return NotFound(f"no photo {photo_id}", zh="没有这张照片,可能已被删除。", photo=photo_id)


def _note(
    district: District, connection: Connection, user: User, action: str, element: Element, photo: str
) -> None:
    access_log.append(
        connection, at=district.clock(), kind="photo", username=user.username, address=user.address,
        action=action, target=f"{element.layer}/{element.id}", detail=photo,
    )  # fmt: skip
