"""Photos over HTTP: nothing the camera wrote is kept, rights are the element's, and they are off by default."""

from __future__ import annotations

import io
from typing import Any

import httpx
import pytest
from PIL import Image

from gridmap.services import photos
from tests.api.conftest import World, item_path
from tests.support.district import ADMIN, OFFICER_EAST, OFFICER_WEST, VIEWER

SECRET = b"Canon of officer 121.42 30.92"


def picture(
    kind: str = "JPEG", size: tuple[int, int] = (400, 200), mode: str = "RGB", **options: Any
) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, "red").save(file, kind, **options)
    return file.getvalue()


def from_a_camera() -> bytes:
    """Taken with the camera on its side, and written all over."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, SECRET.decode()
    exif.get_ifd(0x8825)[2] = (30.0, 55.0, 12.0)
    return picture(exif=exif, comment=SECRET)


@pytest.fixture
def open_world(world: World) -> World:
    return world.with_settings(allows_photos=True)


def path(world: World, rest: str = "") -> str:
    return f"/api/elements/workstation/{world.elements['JWZ01'].id}/photos{rest}"


def add(world: World, content: bytes, who: Any = OFFICER_WEST, kind: str = "image/jpeg") -> httpx.Response:
    return world.client(who).post(path(world), content=content, headers={"Content-Type": kind})


def test_a_photo_is_kept_upright_and_without_what_the_camera_wrote(open_world: World) -> None:
    sent = from_a_camera()
    assert SECRET in sent
    made = add(open_world, sent)
    answer = open_world.client(VIEWER).get(path(open_world, f"/{made.json()['id']}"))

    assert made.status_code == 201, made.text
    assert (answer.headers["content-type"], SECRET in answer.content) == ("image/jpeg", False)
    kept = Image.open(io.BytesIO(answer.content))
    assert (kept.size, dict(kept.getexif()), kept.info.get("comment")) == ((200, 400), {}, None)
    listed = open_world.client(VIEWER).get(path(open_world)).json()["photos"]
    assert [(one["width"], one["height"], one["created_by"]) for one in listed] == [(200, 400, "officer1")]


def test_a_large_photo_is_made_smaller_and_a_png_becomes_a_jpeg(open_world: World) -> None:
    made = add(open_world, picture("PNG", (3000, 1500), "RGBA"), kind="image/png").json()
    assert (made["width"], made["height"]) == (2048, 1024)


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"", "image/jpeg", 422),
        (b"<script>alert(1)</script>", "image/jpeg", 422),
        (picture()[:400], "image/jpeg", 422),
        (picture("GIF"), "image/jpeg", 422),
        (picture(), "text/html", 415),
        (picture("PNG", (9000, 6000), "1"), "image/png", 413),
        (b"x" * (photos.MAX_BYTES + 1), "image/jpeg", 413),
    ],
    ids=["empty", "script", "cut off", "gif", "other type", "too many pixels", "too long"],
)
def test_what_is_no_small_photo_is_refused(open_world: World, content: bytes, kind: str, status: int) -> None:
    assert add(open_world, content, kind=kind).status_code == status


def test_photos_go_by_the_rights_of_the_element(open_world: World) -> None:
    made = add(open_world, picture()).json()["id"]

    assert add(open_world, picture(), OFFICER_EAST).status_code == 403
    assert add(open_world, picture(), VIEWER).status_code == 403
    assert open_world.client().get(path(open_world, f"/{made}")).status_code == 401
    assert open_world.client(OFFICER_EAST).delete(path(open_world, f"/{made}")).status_code == 403
    assert open_world.client(OFFICER_WEST).delete(path(open_world, f"/{made}")).status_code == 204
    assert open_world.client(VIEWER).get(path(open_world, f"/{made}")).status_code == 404


def test_one_elements_photo_is_not_found_at_another(open_world: World) -> None:
    made = add(open_world, picture()).json()["id"]
    care = open_world.elements["JWZ02"]
    assert (
        open_world.client(ADMIN).get(f"/api/elements/workstation/{care.id}/photos/{made}").status_code == 404
    )


def test_an_element_has_so_many_photos_at_most(open_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos, "MOST", 2)
    assert [add(open_world, picture()).status_code for _ in range(3)] == [201, 201, 409]


def test_photos_are_off_unless_the_deployment_wants_them(world: World) -> None:
    answer = add(world, picture())
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/photos-off")
    assert world.client(ADMIN).get("/api/catalogue").json()["photos"] is False


def test_a_photo_is_no_new_revision(open_world: World) -> None:
    add(open_world, picture())
    assert open_world.client(ADMIN).get(item_path(open_world.elements["JWZ01"])).headers["ETag"] == '"1"'
