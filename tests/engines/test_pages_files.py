"""The file room: browsed, filled, emptied and taken home; by those who may, and with nothing that an engine wrote let loose."""

import asyncio
import io
import json
import os
import re
import zipfile
from pathlib import Path

import pytest
from django.test import Client
from django.utils.html import escape
from PIL import Image

from engines import pictures
from engines.clusters import get_cluster
from engines.clusters.base import Cluster as Adapter
from engines.clusters.base import ClusterError, ClusterUnavailable, FilesOpening
from engines.file_words import SENTENCES, FileRefused, shown_name
from engines.files.base import FileRefusal, Refusal
from engines.models import Cluster, Instance, Volume
from engines.reasons import Reason
from engines.sending import files as sending_files
from engines.sending.chunks import StreamedChunks
from engines.states import DesiredState, InstanceState
from tenants.models import Tenant, User
from tests import factories

HTMX = {"HX-Request": "true"}
UPLOAD = "0123456789abcdef" * 2


@pytest.fixture
def instance(acme: Tenant, alice: User, cluster: Cluster) -> Instance:
    instance = factories.make_instance(acme, alice, cluster, name="Key visuals", state=InstanceState.RUNNING)
    get_cluster(cluster).ensure_volume(instance.volume.ref, tenant="acme", size_gib=1)
    return instance


@pytest.fixture
def volume(instance: Instance) -> Volume:
    return instance.volume


@pytest.fixture
def disk(cluster: Cluster, volume: Volume) -> Path:
    """Where the engine's files really are: some pictures, a model, and what an engine should not have written."""
    disk = Path(cluster.config["root"]) / "volumes" / volume.ref.name
    (disk / "outputs").mkdir()
    for number in range(3):
        make_picture(disk / "outputs" / f"dragon-{number}.png", size=(900, 600))
    (disk / "model.safetensors").write_bytes(os.urandom(300_000))
    (disk / "evil.html").write_text("<script>alert(1)</script>")
    (disk / "evil.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    return disk


@pytest.fixture
def page(volume: Volume) -> str:
    return f"/acme/data/{volume.slug}/"


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def make_picture(path: Path, *, size: tuple[int, int], kind: str = "PNG") -> None:
    Image.new("RGB", size, "teal").save(path, kind)


def body(response: object) -> bytes:
    return b"".join(response.streaming_content)


def send(
    client: Client, page: str, path: str, data: bytes, *, offset: int = 0, size: int | None = None, **headers: str
) -> object:
    query = f"path={path}&upload={UPLOAD}&offset={offset}&size={len(data) if size is None else size}"
    return client.post(f"{page}upload/?{query}", data, content_type="application/octet-stream", headers=headers)


# --- browsing ---


def test_the_volumes_page_shows_its_files(as_alice: Client, page: str, disk: Path) -> None:
    shown = as_alice.get(page).content.decode()
    for name in ("outputs", "model.safetensors", "evil.html"):
        assert f"<bdi>{name}</bdi>" in shown
    assert "293.0\xa0KiB" in shown
    assert f"{page}?path=outputs" in shown
    assert "files__list--grid" not in shown


def test_a_folder_of_pictures_is_a_grid_of_thumbnails(as_alice: Client, page: str, disk: Path) -> None:
    shown = as_alice.get(page, {"path": "outputs"}).content.decode()
    assert "files__list--grid" in shown
    assert len(re.findall(rf'<img class="file__thumb" src="{page}thumbnail/\?path=outputs%2Fdragon-\d.png&amp;v=', shown)) == 3
    assert shown.index("dragon-0.png") < shown.index("dragon-2.png")


def test_the_instances_tab_stays_on_the_instance(as_alice: Client, instance: Instance, disk: Path) -> None:
    shown = as_alice.get(f"/acme/instances/{instance.slug}/", {"tab": "files", "path": "outputs"}).content.decode()
    assert "dragon-0.png" in shown
    assert f'href="/acme/instances/{instance.slug}/?tab=files"' in shown
    assert "Key visuals is running" in shown


def test_names_are_escaped_and_cannot_reorder_the_page(as_alice: Client, page: str, disk: Path) -> None:
    (disk / "<img src=x onerror=alert(1)>.png").touch()
    (disk / "\u202egnp.exe").touch()
    shown = as_alice.get(page).content.decode()
    assert "<img src=x" not in shown
    assert "<bdi>&lt;img src=x onerror=alert(1)&gt;.png</bdi>" in shown
    assert "<bdi>\u202egnp.exe</bdi>" in shown


def test_what_has_no_name_in_text_is_shown_and_cannot_be_chosen(as_alice: Client, page: str, disk: Path) -> None:
    (disk / os.fsdecode(b"caf\xe9.png")).touch()
    shown = as_alice.get(page).content.decode()
    assert '<bdi class="muted">caf�.png</bdi>' in shown
    assert 'value="caf' not in shown


def test_a_long_folder_comes_in_pages(as_alice: Client, page: str, disk: Path) -> None:
    (disk / "many").mkdir()
    for number in range(205):
        (disk / "many" / f"{number}.txt").touch()
    first = as_alice.get(page, {"path": "many"}).content.decode()
    last = as_alice.get(page, {"path": "many", "page": "3"}).content.decode()
    assert first.count('class="file"') == 100
    assert last.count('class="file"') == 5
    assert "<bdi>204.txt</bdi>" in last
    assert "Page 3 of 3" in last
    assert as_alice.get(page, {"path": "many", "page": "x"}).content.decode().count('class="file"') == 100


def test_the_newest_can_come_first(as_alice: Client, page: str, disk: Path) -> None:
    os.utime(disk / "outputs" / "dragon-0.png", (0, 0))
    shown = as_alice.get(page, {"path": "outputs", "order": "newest"}).content.decode()
    assert shown.index("dragon-1.png") < shown.index("dragon-0.png")


@pytest.mark.parametrize("path", ["..", "/etc", "outputs/../..", "nowhere", "evil.html", "a\0b", "x" * 300])
def test_a_folder_that_is_none_is_said(as_alice: Client, page: str, disk: Path, path: str) -> None:
    answer = as_alice.get(page, {"path": path})
    assert answer.status_code == 200
    assert 'class="note note--bad"' in answer.content.decode()
    assert "Back to all files" in answer.content.decode()
    assert "passwd" not in answer.content.decode()


def test_an_empty_room_says_what_comes(as_alice: Client, page: str) -> None:
    assert "There are no files yet" in as_alice.get(page).content.decode()


def test_before_the_first_start_there_is_nothing_to_see(as_alice: Client, acme: Tenant, alice: User, cluster: Cluster) -> None:
    fresh = factories.make_volume(acme, alice, cluster)
    assert "is made when its engine starts" in as_alice.get(f"/acme/data/{fresh.slug}/").content.decode()


def test_a_lost_volume_is_said(as_alice: Client, acme: Tenant, alice: User, cluster: Cluster) -> None:
    lost = factories.make_volume(acme, alice, cluster, provisioned_at=acme.created_at)
    assert "This data cannot be found" in as_alice.get(f"/acme/data/{lost.slug}/").content.decode()


@pytest.mark.parametrize(
    "case",
    [
        (FilesOpening("opening"), "Opening the files…", "every 2s"),
        (ClusterUnavailable("down"), "The files cannot be reached now", "every 10s"),
        (ClusterError(Reason.VOLUME_IN_USE, "held"), "Pause it to see its files here.", None),
        (ClusterError(Reason.CLUSTER_FORBIDS, "403"), "The files cannot be opened", None),
    ],
)
def test_a_room_that_is_closed_says_why_and_looks_again(
    case: tuple[Exception, str, str | None], as_alice: Client, instance: Instance, page: str, closed_cluster: list[Exception]
) -> None:
    error, said, again = case
    closed_cluster.append(error)
    for shown in (as_alice.get(page), as_alice.get(f"/acme/instances/{instance.slug}/", {"tab": "files"})):
        assert shown.status_code == 200
        assert escape(said) in shown.content.decode()
        assert f'hx-trigger="{again}"' in shown.content.decode() or again is None
    refused = as_alice.get(page + "file/", {"path": "model.safetensors"})
    assert refused.status_code == 422
    assert "are not open at the moment" in refused.content.decode()


@pytest.mark.parametrize("is_held", [True, False])
def test_a_room_that_nobody_wants_for_himself_any_more_opens_by_itself(
    is_held: bool, as_alice: Client, instance: Instance, page: str, closed_cluster: list[Exception]
) -> None:
    closed_cluster.append(ClusterError(Reason.VOLUME_IN_USE, "held"))
    changed = {"desired_state": DesiredState.STOPPED} if is_held else {"state": InstanceState.DELETED}
    Instance.objects.filter(pk=instance.pk).update(**changed)
    shown = as_alice.get(page).content.decode()
    assert "Something still uses the files…" in shown
    assert ("as soon as Key visuals has ended" in shown) is is_held
    assert 'hx-trigger="every 2s"' in shown
    assert "Pause Key visuals" not in shown


def test_who_pauses_to_see_the_files_comes_back_to_them(as_alice: Client, instance: Instance) -> None:
    page = f"/acme/instances/{instance.slug}/"
    assert as_alice.post(page + "pause/", {"origin": "files"}).headers["Location"] == f"{page}?tab=files"


@pytest.fixture
def closed_cluster(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """What the cluster says to whoever wants to see files; only a cluster of another kind says such things by itself."""
    errors: list[Exception] = []
    adapter: Adapter = get_cluster(cluster)

    def refuse(*_: object, **__: object) -> None:
        raise errors[0]

    monkeypatch.setattr(adapter, "open_files", refuse)
    return errors


def test_opening_the_room_measures_the_volume(as_alice: Client, page: str, disk: Path, volume: Volume) -> None:
    assert f'hx-get="{page}usage/"' in as_alice.get(page).content.decode()
    shown = as_alice.get(page + "usage/").content.decode()
    volume.refresh_from_db()
    assert volume.used_bytes is not None
    assert 300_000 < volume.used_bytes < 500_000
    assert re.search(r'value="\d+"', shown)
    assert "KiB</span> of" in shown


# --- taking home ---


@pytest.mark.parametrize("name", ["evil.html", "evil.svg", "model.safetensors"])
@pytest.mark.parametrize("show", [{}, {"show": "1"}])
def test_nothing_but_pictures_is_ever_shown(as_alice: Client, page: str, disk: Path, name: str, show: dict[str, str]) -> None:
    answer = as_alice.get(page + "file/", {"path": name} | show)
    assert body(answer) == (disk / name).read_bytes()
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"] == f'attachment; filename="{name}"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer["Content-Length"] == str((disk / name).stat().st_size)


def test_a_picture_is_shown_without_any_power(as_alice: Client, page: str, disk: Path) -> None:
    answer = as_alice.get(page + "file/", {"path": "outputs/dragon-0.png", "show": "1", "v": "1"})
    assert body(answer) == (disk / "outputs" / "dragon-0.png").read_bytes()
    assert (answer["Content-Type"], answer["Content-Disposition"]) == ("image/png", 'inline; filename="dragon-0.png"')
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer["Cache-Control"] == "private, max-age=31536000, immutable"


def test_a_page_that_calls_itself_a_picture_is_no_page(as_alice: Client, page: str, disk: Path) -> None:
    (disk / "trap.png").write_text("<script>alert(1)</script>")
    answer = as_alice.get(page + "file/", {"path": "trap.png", "show": "1"})
    assert (answer["Content-Type"], answer["X-Content-Type-Options"]) == ("image/png", "nosniff")
    assert body(answer) == b"<script>alert(1)</script>"
    assert as_alice.get(page + "thumbnail/", {"path": "trap.png"}).status_code == 404


def test_a_download_goes_on_where_it_ended(as_alice: Client, page: str, disk: Path) -> None:
    data = (disk / "model.safetensors").read_bytes()
    whole = as_alice.get(page + "file/", {"path": "model.safetensors"})
    assert body(whole) == data
    part = as_alice.get(
        page + "file/", {"path": "model.safetensors"}, headers={"Range": "bytes=100000-", "If-Range": whole["ETag"]}
    )
    assert (part.status_code, part["Content-Range"]) == (206, f"bytes 100000-{len(data) - 1}/{len(data)}")
    assert body(part) == data[100_000:]
    changed = as_alice.get(page + "file/", {"path": "model.safetensors"}, headers={"Range": "bytes=9-", "If-Range": '"old"'})
    assert (changed.status_code, body(changed)) == (200, data)
    beyond = as_alice.get(page + "file/", {"path": "model.safetensors"}, headers={"Range": "bytes=999999999-"})
    assert (beyond.status_code, beyond["Content-Range"]) == (416, f"bytes */{len(data)}")


@pytest.mark.parametrize("path", ["", "..", "../secret", "/etc/passwd", "outputs", "link", "nowhere"])
def test_what_is_no_file_of_the_volume_is_not_sent(as_alice: Client, page: str, disk: Path, path: str) -> None:
    (disk.parent / "secret").write_text("nobody's business")
    (disk / "link").symlink_to("/etc/passwd")
    for address in ("file/", "thumbnail/"):
        answer = as_alice.get(page + address, {"path": path})
        assert answer.status_code in {404, 422}
        assert not answer.streaming
        assert b"nobody" not in answer.content


def test_chosen_files_come_as_an_archive(as_alice: Client, page: str, disk: Path) -> None:
    answer = as_alice.post(page + "archive/", {"path": "", "name": ["outputs", "model.safetensors"]})
    assert answer["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(body(answer))) as book:
        assert set(book.namelist()) == {"outputs/", "model.safetensors"} | {f"outputs/dragon-{each}.png" for each in range(3)}
    whole = as_alice.post(page + "archive/", {"path": "outputs", "all": "1"})
    assert re.search(r'filename="outputs \d{4}-\d\d-\d\d\.zip"', whole["Content-Disposition"])
    with zipfile.ZipFile(io.BytesIO(body(whole))) as book:
        assert set(book.namelist()) == {f"dragon-{each}.png" for each in range(3)}


@pytest.mark.parametrize("names", [[], ["nowhere"], ["../secret"], [".."], [""]])
def test_an_archive_of_nothing_is_refused(as_alice: Client, page: str, disk: Path, names: list[str]) -> None:
    answer = as_alice.post(page + "archive/", {"path": "", "name": names})
    assert (answer.status_code, answer.streaming) == (422, False)


# --- thumbnails ---


@pytest.mark.parametrize(("name", "kind"), [("a.png", "PNG"), ("b.JPG", "JPEG"), ("c.webp", "WEBP"), ("d.gif", "GIF")])
def test_a_thumbnail_is_small_and_kept_by_the_browser(as_alice: Client, page: str, disk: Path, name: str, kind: str) -> None:
    make_picture(disk / name, size=(1200, 600), kind=kind)
    answer = as_alice.get(page + "thumbnail/", {"path": name, "v": "1"})
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/webp")
    assert Image.open(io.BytesIO(answer.content)).size == (320, 160)
    assert answer["Cache-Control"] == "private, max-age=31536000, immutable"
    again = as_alice.get(page + "thumbnail/", {"path": name}, headers={"If-None-Match": answer["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    make_picture(disk / name, size=(1200, 500), kind=kind)
    changed = as_alice.get(page + "thumbnail/", {"path": name}, headers={"If-None-Match": answer["ETag"]})
    assert changed.status_code == 200


def test_a_bomb_is_not_decoded(as_alice: Client, page: str, disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_picture(disk / "bomb.png", size=(9000, 9000))
    assert (disk / "bomb.png").stat().st_size < 500_000
    make_picture(disk / "huge.png", size=(16000, 16000))
    for name in ("bomb.png", "huge.png"):
        assert as_alice.get(page + "thumbnail/", {"path": name}).status_code == 404
    monkeypatch.setattr(pictures, "MAX_SOURCE_BYTES", 1000)
    assert as_alice.get(page + "thumbnail/", {"path": "outputs/dragon-0.png"}).status_code == 404


def test_a_picture_that_is_still_written_has_none_yet(as_alice: Client, page: str, disk: Path) -> None:
    data = (disk / "outputs" / "dragon-0.png").read_bytes()
    (disk / "half.png").write_bytes(data[: len(data) // 2])
    assert as_alice.get(page + "thumbnail/", {"path": "half.png"}).status_code == 404


def test_a_thumbnail_tells_nothing_of_the_prompt(as_alice: Client, page: str, disk: Path) -> None:
    from PIL.PngImagePlugin import PngInfo  # noqa: PLC0415 - this test alone

    told = PngInfo()
    told.add_text("parameters", "a secret prompt")
    Image.new("RGBA", (400, 400)).save(disk / "told.png", pnginfo=told)
    answer = as_alice.get(page + "thumbnail/", {"path": "told.png"})
    assert b"secret" not in answer.content
    assert Image.open(io.BytesIO(answer.content)).mode == "RGBA"


def test_when_all_are_busy_a_thumbnail_is_asked_for_again(
    as_alice: Client, page: str, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "WAIT_SECONDS", 0.01)
    for _ in range(pictures.AT_ONCE):
        pictures._decoding.acquire()
    try:
        answer = as_alice.get(page + "thumbnail/", {"path": "outputs/dragon-0.png"})
    finally:
        for _ in range(pictures.AT_ONCE):
            pictures._decoding.release()
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")


# --- bringing in ---


def test_an_upload_arrives_in_pieces(as_alice: Client, page: str, disk: Path) -> None:
    data = os.urandom(5000)
    first = send(as_alice, page, "outputs/new.bin", data[:3000], size=5000)
    assert (first.status_code, first.json()) == (200, {"done": False})
    assert "new.bin" not in as_alice.get(page, {"path": "outputs"}).content.decode()
    last = send(as_alice, page, "outputs/new.bin", data[3000:], offset=3000, size=5000)
    assert last.json() == {"done": True}
    assert (disk / "outputs" / "new.bin").read_bytes() == data


def test_an_upload_that_is_given_up_leaves_nothing(as_alice: Client, page: str, disk: Path) -> None:
    send(as_alice, page, "new.bin", b"123", size=5)
    assert list(disk.glob(".*.aigc-part"))
    answer = as_alice.post(f"{page}upload/?path=new.bin&upload={UPLOAD}&abandon=1")
    assert answer.json() == {"done": True}
    assert not list(disk.glob(".*.aigc-part"))


@pytest.mark.parametrize(
    ("path", "options", "code"),
    [
        ("model.safetensors", {}, "exists"),
        ("nowhere/new.bin", {}, "not_found"),
        ("../new.bin", {}, "bad_path"),
        ("outputs%2F..%2F..%2Fnew.bin", {}, "bad_path"),
        ("caf%E9", {}, None),
        ("a%00", {}, "bad_path"),
        ("", {}, "bad_path"),
        ("new.bin", {"offset": 3, "size": 6}, "lost"),
        ("new.bin", {"size": 2}, "bad_piece"),
        ("new.bin", {"size": 10**15}, ""),
        ("new.bin", {"offset": -1}, "bad_piece"),
    ],
)
def test_an_upload_is_refused_in_words(
    path: str, options: dict[str, int], code: str | None, as_alice: Client, page: str, disk: Path
) -> None:
    before = sorted(disk.parent.rglob("*"))
    answer = send(as_alice, page, path, b"123", **options)
    if code is None:  # bytes that are not text become a replacement character, which is a name like any other
        assert answer.json() == {"done": True}
        return
    assert (answer.status_code, answer.json()["refusal"]) == (422, code)
    assert answer.json()["sentence"]
    assert sorted(disk.parent.rglob("*")) == before


def test_limits_are_checked_before_a_byte_is_read(as_alice: Client, page: str, disk: Path, settings: object, monkeypatch) -> None:
    settings.UPLOAD_LIMIT_MIB = 1
    assert send(as_alice, page, "a.bin", b"1", size=1024 * 1024 + 1).json()["sentence"] == (
        "Files of more than 1 MiB cannot be uploaded here."
    )
    monkeypatch.setattr(sending_files, "PIECE_BYTES", 10)
    assert send(as_alice, page, "a.bin", b"1" * 11).json()["refusal"] == "bad_piece"
    assert as_alice.post(f"{page}upload/").json()["refusal"] == "bad_piece"
    assert send(as_alice, page, "a.bin", b"1" * 10).json() == {"done": True}


def test_an_upload_needs_the_token_of_its_session(alice: User, page: str, disk: Path) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)
    shown = strict.get(page).content.decode()
    token = re.search(r'"X-CSRFToken": "(\w+)"', shown)
    assert token is not None
    assert send(strict, page, "a.bin", b"1").status_code == 403
    assert not (disk / "a.bin").exists()
    origin = {"X-CSRFToken": token[1], "Origin": "http://testserver"}
    assert send(strict, page, "a.bin", b"1", **origin).json() == {"done": True}


def test_a_folder_is_made_and_entered(as_alice: Client, page: str, disk: Path, instance: Instance) -> None:
    answer = as_alice.post(page + "folder/", {"path": "outputs", "name": " best of ", "on_instance": "1"})
    assert answer["Location"] == f"/acme/instances/{instance.slug}/?tab=files&path=outputs%2Fbest+of"
    assert (disk / "outputs" / "best of").is_dir()


@pytest.mark.parametrize("name", ["", "..", "outputs", "a/../..", "a\0", "x" * 256])
def test_a_folder_that_cannot_be_is_refused(as_alice: Client, page: str, disk: Path, name: str) -> None:
    before = sorted(disk.parent.rglob("*"))
    answer = as_alice.post(page + "folder/", {"path": "", "name": name})
    assert answer.status_code == 422
    assert 'class="note note--bad"' in answer.content.decode()
    assert sorted(disk.parent.rglob("*")) == before


# --- changing ---


def test_a_rename_asks_for_the_name(as_alice: Client, page: str, disk: Path) -> None:
    asked = as_alice.post(page + "rename/", {"path": "", "name": "model.safetensors"}, headers=HTMX)
    assert 'value="model.safetensors"' in asked.content.decode()
    assert "<html" not in asked.content.decode()
    sure = {"path": "", "name": "model.safetensors", "sure": "1"}
    taken = as_alice.post(page + "rename/", sure | {"new_name": "outputs"}, headers=HTMX)
    assert taken.status_code == 422
    assert "There is something named “outputs” already." in taken.content.decode()
    done = as_alice.post(page + "rename/", sure | {"new_name": "base.safetensors"}, headers=HTMX)
    assert done["HX-Redirect"] == page
    assert (disk / "base.safetensors").exists()
    assert not (disk / "model.safetensors").exists()
    assert as_alice.post(page + "rename/", {"path": "", "name": ["outputs", "evil.svg"]}).status_code == 422


def test_deleting_names_what_is_lost_and_asks(as_alice: Client, page: str, disk: Path) -> None:
    chosen = {"path": "", "name": ["outputs", "evil.html"]}
    asked = as_alice.post(page + "delete/", chosen, headers=HTMX).content.decode()
    size = sum(path.stat().st_size for path in (*disk.glob("outputs/*"), disk / "evil.html"))
    assert "Delete 2 things?" in asked
    assert f"4 files ({size / 1024:.1f}\xa0KiB) are gone for good" in asked
    assert "Key visuals may miss them." in asked
    assert (disk / "outputs").exists()
    done = as_alice.post(page + "delete/", chosen | {"sure": "1"}, headers=HTMX)
    assert done["HX-Redirect"] == page
    assert sorted(path.name for path in disk.iterdir()) == ["evil.svg", "model.safetensors"]


def test_deleting_works_without_javascript(as_alice: Client, page: str, disk: Path) -> None:
    chosen = {"path": "outputs", "name": ["dragon-0.png"], "order": "newest"}
    assert "<html" in as_alice.post(page + "delete/", chosen).content.decode()
    done = as_alice.post(page + "delete/", chosen | {"sure": "1"})
    assert done["Location"] == f"{page}?path=outputs&order=newest"
    assert "“dragon-0.png” is deleted." in as_alice.get(done["Location"]).content.decode()


@pytest.mark.parametrize("names", [["gone"], [".."], ["/etc"], ["outputs/../../x"], ["a\0"]])
@pytest.mark.parametrize("headers", [{}, HTMX])
def test_what_is_not_there_is_not_deleted(
    names: list[str], headers: dict[str, str], as_alice: Client, page: str, disk: Path
) -> None:
    before = sorted(disk.parent.rglob("*"))
    for sure in ({}, {"sure": "1"}):
        answer = as_alice.post(page + "delete/", {"path": "", "name": names} | sure, headers=headers)
        assert answer.status_code == 422
        assert 'class="error" role="alert"' in answer.content.decode()
    assert sorted(disk.parent.rglob("*")) == before


@pytest.mark.parametrize("act", ["delete", "rename"])
def test_something_has_to_be_chosen(as_alice: Client, page: str, disk: Path, act: str) -> None:
    for names in ([], [""]):
        answer = as_alice.post(f"{page}{act}/", {"path": "", "name": names, "sure": "1"})
        assert answer.status_code == 422
        assert "Choose something first." in answer.content.decode()
    assert (disk / "model.safetensors").exists()


def test_data_in_the_trash_can_be_looked_at_and_taken_out_only(as_alice: Client, page: str, disk: Path, volume: Volume) -> None:
    Volume.objects.update(state=Volume.State.TRASHED, purge_at=volume.created_at)
    shown = as_alice.get(page).content.decode()
    assert "This data is in the trash" in shown
    for word in ("Delete…", "Rename…", "New folder", "data-upload="):
        assert word not in shown
    assert body(as_alice.get(page + "file/", {"path": "model.safetensors"}))
    before = sorted(disk.rglob("*"))
    assert send(as_alice, page, "a.bin", b"1").status_code == 422
    for act, fields in (
        ("delete", {"name": "outputs"}),
        ("rename", {"name": "outputs", "new_name": "x"}),
        ("folder", {"name": "x"}),
    ):
        refused = as_alice.post(f"{page}{act}/", {"path": "", "sure": "1"} | fields)
        assert refused.status_code == 422
        assert "is in the trash. Restore it" in refused.content.decode()
    assert sorted(disk.rglob("*")) == before


# --- who may ---


def test_a_colleague_sees_neither_files_nor_a_way_to_them(client: Client, acme: Tenant, page: str, disk: Path, instance) -> None:
    carl = factories.make_user("carl")
    factories.join(carl, acme)
    client.force_login(carl)
    assert "tab-files" not in client.get(f"/acme/instances/{instance.slug}/", {"tab": "files"}).content.decode()
    assert f'href="{page}"' not in client.get("/acme/data/").content.decode()
    before = sorted(disk.rglob("*"))
    for address in ("", "usage/", "file/?path=model.safetensors", "thumbnail/?path=outputs/dragon-0.png"):
        assert client.get(page + address).status_code == 403
    for act in ("folder/", "rename/", "delete/", "archive/"):
        assert client.post(page + act, {"path": "", "name": "model.safetensors", "sure": "1"}).status_code == 403
    assert send(client, page, "a.bin", b"1").status_code == 403
    assert sorted(disk.rglob("*")) == before


def test_a_stranger_learns_nothing_of_files(client: Client, bob: User, page: str, disk: Path) -> None:
    client.force_login(bob)
    before = sorted(disk.rglob("*"))
    for address in ("", "usage/", "file/?path=model.safetensors", "thumbnail/?path=outputs/dragon-0.png"):
        assert client.get(page + address).status_code == 404
    for act in ("folder/", "rename/", "delete/", "archive/"):
        assert client.post(page + act, {"path": "", "name": "model.safetensors", "sure": "1"}).status_code == 404
    assert send(client, page, "a.bin", b"1").status_code == 404
    assert sorted(disk.rglob("*")) == before


def test_an_admin_of_the_tenant_may_by_a_share_alone(
    client: Client, anna: User, instance: Instance, page: str, disk: Path
) -> None:
    client.force_login(anna)
    assert client.get(page).status_code == 403
    factories.share(instance, anna)
    assert "model.safetensors" in client.get(page).content.decode()
    assert send(client, page, "a.bin", b"1").json() == {"done": True}


def test_data_whose_engine_is_gone_is_its_owners_alone(
    client: Client, acme: Tenant, instance: Instance, page: str, disk: Path
) -> None:
    carl = factories.make_user("carl")
    factories.join(carl, acme)
    factories.share(instance, carl)
    client.force_login(carl)
    assert f'href="{page}"' in client.get("/acme/data/").content.decode()
    assert client.get(page).status_code == 200
    Instance.objects.update(state="deleted", desired_state="deleted")
    assert f'href="{page}"' not in client.get("/acme/data/").content.decode()
    assert client.get(page).status_code == 403


# --- words and streams ---


@pytest.mark.parametrize("refusal", Refusal)
def test_every_refusal_has_a_sentence(refusal: Refusal) -> None:
    assert set(SENTENCES) == set(Refusal)
    assert str(FileRefused(FileRefusal(refusal, "a/b.png"))).endswith((".", "!"))
    assert "%" not in str(FileRefused(FileRefusal(refusal, "a/b.png")))


def test_an_odd_name_can_be_said() -> None:
    assert shown_name("a/caf\udce9") == "caf?"
    assert len(shown_name("x" * 300)) == 80


class Slow:
    """Chunks that count how far they were read, and whether they were closed."""

    def __init__(self, count: int) -> None:
        self.left, self.closed = count, 0

    def __iter__(self):
        return self

    def __next__(self) -> bytes:
        if not self.left:
            raise StopIteration
        self.left -= 1
        return b"x"

    def close(self) -> None:
        self.closed += 1


@pytest.mark.django_db
def test_a_stream_is_read_no_further_than_it_is_wanted() -> None:
    chunks = Slow(1000)
    response = StreamedChunks(chunks, content_type="text/plain", length=1000)

    async def some() -> list[bytes]:
        taken = []
        async for chunk in response:
            taken.append(chunk)
            if len(taken) == 3:
                break
        return taken

    assert asyncio.run(some()) == [b"x"] * 3
    assert chunks.left == 997
    response.close()
    assert chunks.closed >= 1
    assert json.dumps([*response]) == "[]"
