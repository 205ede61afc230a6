"""What is in an instance and on its volume: events, log, files; who else may enter; when it stops."""

import asyncio
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from engines.clusters import get_cluster
from engines.models import Cluster, Instance
from tenants.audit.models import AuditEvent
from tenants.models import Tenant, User
from tests import factories
from tests.api.conftest import Program
from tests.api.test_frame import problem


@pytest.fixture
def instance(acme: Tenant, alice: User, cluster: Cluster) -> Instance:
    made = factories.make_instance(acme, alice, cluster, state="running", name="Dragon")
    get_cluster(cluster).ensure_volume(made.volume.ref, tenant="acme", size_gib=1)
    return made


@pytest.fixture
def path(instance: Instance) -> str:
    return f"/tenants/acme/instances/{instance.slug}"


@pytest.fixture
def files(instance: Instance) -> str:
    return f"/tenants/acme/volumes/{instance.volume.slug}/files"


def test_what_happened_is_told_newest_first(alices: Program, path: str) -> None:
    alices("PATCH", path, {"name": "Wyvern"})
    alices("POST", f"{path}/pause")
    events = alices("GET", f"{path}/events?limit=1").json()
    assert [(each["code"], each["actor"]) for each in events["items"]] == [("paused", "alice")]
    rest = alices("GET", f"{path}/events?cursor={events['next_cursor']}").json()
    assert [(each["code"], each["evidence"]) for each in rest["items"]] == [("renamed", "Dragon → Wyvern")]
    assert rest["next_cursor"] is None


def test_a_log_is_read_and_followed(alices: Program, path: str, instance: Instance) -> None:
    log = alices("GET", f"{path}/log").json()
    assert (log["text"], log["ended"]) == ("", False)
    stream = alices("GET", f"{path}/log/stream")
    assert stream["Content-Type"] == "text/event-stream"

    async def first() -> Any:
        async for event in stream.streaming_content:
            return event
        return None

    assert asyncio.run(first()) == b"retry: 500\n\n"


def test_a_file_goes_up_in_pieces_and_comes_down_in_parts(alices: Program, files: str, instance: Instance) -> None:
    upload = "0123456789abcdef" * 2

    def send(offset: int, body: bytes) -> Any:
        url = f"/api/v1{files}/content?path=plans.bin&upload={upload}&offset={offset}&size=6"
        return alices.client.put(url, body, content_type="application/octet-stream", headers=alices.headers).json()

    assert [send(0, b"abc")["done"], send(3, b"def")["done"]] == [False, True]
    whole = alices("GET", f"{files}/content?path=plans.bin")
    assert (b"".join(whole), whole["Content-Disposition"]) == (b"abcdef", 'attachment; filename="plans.bin"')
    part = alices("GET", f"{files}/content?path=plans.bin", range="bytes=2-3")
    assert (part.status_code, b"".join(part), part["Content-Range"]) == (206, b"cd", "bytes 2-3/6")
    beyond = alices("GET", f"{files}/content?path=plans.bin", range="bytes=9-")
    assert problem(beyond) == (416, "range-not-satisfiable")
    assert beyond["Content-Range"] == "bytes */6"
    assert [each["name"] for each in alices("GET", files).json()["items"]] == ["plans.bin"]
    assert alices("PATCH", f"{files}?path=plans.bin", {"name": "done.bin"}).status_code == 204
    assert alices("PUT", f"{files}/folder?path=out").status_code == 204
    assert problem(alices("PUT", f"{files}/folder?path=out")) == (409, "name-taken")
    assert alices("DELETE", f"{files}?path=done.bin").status_code == 204
    assert problem(alices("GET", f"{files}/content?path=done.bin")) == (404, "not-found")
    assert problem(alices("GET", f"{files}?path=../..")) == (422, "invalid")
    disk = Path(instance.cluster.config["root"]) / "volumes" / instance.volume.ref.name
    assert [each.name for each in disk.iterdir() if not each.name.startswith(".")] == ["out"]


def test_sharing_lets_somebody_in_and_ends(alices: Program, path: str, anna: User, program_of: Any) -> None:
    annas = program_of(anna)
    assert annas("GET", path).json()["url"] is None
    shared = alices("POST", f"{path}/shares", {"member": "anna"}).json()
    assert annas("GET", path).json()["url"].startswith("http://")
    past = {"until": "2020-01-01T00:00:00Z"}
    assert problem(alices("PATCH", f"{path}/shares/{shared['id']}", past)) == (409, "unavailable")
    assert problem(alices("POST", f"{path}/shares", {"member": "nobody"})) == (422, "invalid")
    assert alices("DELETE", f"{path}/shares/{shared['id']}").status_code == 204
    assert annas("GET", path).json()["url"] is None
    assert alices("GET", f"{path}/shares").json()["items"] == []


def test_a_schedule_is_made_and_removed(alices: Program, path: str) -> None:
    asked = {"action": "stop", "days": [0, 4], "at": "18:30", "time_zone": "Europe/Berlin"}
    made = alices("POST", f"{path}/schedules", asked).json()
    assert {name: made[name] for name in asked} == asked
    assert problem(alices("POST", f"{path}/schedules", asked | {"time_zone": "Mars"})) == (422, "invalid")
    assert problem(alices("POST", "/tenants/acme/schedules", {"days": [0], "at": "18:30"})) == (403, "not-allowed")
    assert alices("DELETE", f"/tenants/acme/schedules/{made['id']}").status_code == 204
    assert alices("GET", f"{path}/schedules").json()["items"] == []


def test_data_is_trashed_and_restored(alices: Program, acme: Tenant, alice: User, cluster: Cluster, instance: Instance) -> None:
    kept = factories.make_volume(acme, alice, cluster, name="Kept")
    places = {each["name"]: each["place"] for each in alices("GET", "/tenants/acme/volumes").json()["items"]}
    assert places == {"Kept": "kept", instance.volume.name: "used"}
    path = f"/tenants/acme/volumes/{kept.slug}"
    assert alices("POST", f"{path}/trash").json()["place"] == "trash"
    assert alices("GET", "/tenants/acme/volumes?place=trash").json()["items"][0]["purge_at"].endswith("Z")
    assert alices("POST", f"{path}/restore").json()["place"] == "kept"
    assert problem(alices("POST", f"/tenants/acme/volumes/{instance.volume.slug}/trash")) == (409, "unavailable")


def test_classes_have_prices_and_what_is_free(alices: Program, cluster: Cluster, instance: Instance) -> None:
    (found,) = alices("GET", "/tenants/acme/catalog/gpu-classes").json()["items"]
    assert (found["slug"], found["total"], found["free"], found["refusal"]) == ("cpu-small", 4, 3, "")
    assert found["price_per_hour"] is None
    (engine,) = alices("GET", "/tenants/acme/catalog/engines").json()["items"]
    assert (engine["slug"], engine["runnable"], engine["versions"][0]["recommended"]) == ("double", True, True)
    costs = alices("GET", "/tenants/acme/costs").json()
    assert (costs["total"]["amount"], costs["own_only"], costs["instances"]) == ("0.000000000", True, [])
    assert problem(alices("GET", "/tenants/acme/costs?month=2999-01")) == (422, "invalid")
    assert alices("GET", "/tenants/acme/charges").json() == {"items": [], "next_cursor": None}


def test_an_archive_has_what_is_named_and_the_log_knows_who_took_it(alices: Program, files: str, alice: User) -> None:
    for name in ("one.txt", "two.txt"):
        url = f"/api/v1{files}/content?path={name}"
        alices.client.put(url, name.encode(), content_type="application/octet-stream", headers=alices.headers)

    def taken(query: str) -> dict[str, bytes]:
        answer = alices("GET", f"{files}/archive{query}")
        assert (answer.status_code, answer["Content-Type"], answer["Cache-Control"]) == (200, "application/zip", "no-store")
        with zipfile.ZipFile(io.BytesIO(b"".join(answer))) as book:
            return {name: book.read(name) for name in book.namelist()}

    assert taken("?name=one.txt") == {"one.txt": b"one.txt"}
    assert taken("?name=one.txt&name=two.txt") == taken("") == {"one.txt": b"one.txt", "two.txt": b"two.txt"}
    assert problem(alices("GET", f"{files}/archive?name=missing")) == (404, "not-found")
    assert problem(alices("GET", f"{files}/archive?path=../..")) == (422, "invalid")
    events = AuditEvent.objects.filter(kind="volume.archived").order_by("pk").values_list("actor", "details__files", "via")
    assert list(events) == [(alice.pk, names, "api") for names in (["one.txt"], ["one.txt", "two.txt"], [])]
