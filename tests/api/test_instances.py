"""Instances through the API."""

from engines.models import Cluster, EngineVersion, GpuClass, Instance
from tenants.models import Tenant, User
from tests import factories
from tests.api.conftest import Program


def test_launch_read_rename_pause_and_delete(
    alices: Program, cluster: Cluster, engine_version: EngineVersion, gpu_class: GpuClass
) -> None:
    launched = alices("POST", "/tenants/acme/instances", {"engine": "double", "gpu_class": "cpu-small", "name": "Dragon"})
    assert launched.status_code == 201, launched.content
    found = launched.json()
    assert (found["name"], found["state"], found["desired_state"]) == ("Dragon", "queued", "running")
    assert found["engine"] == {"slug": "double", "name": "Double", "version": engine_version.version}
    assert launched["Location"] == f"/api/v1/tenants/acme/instances/{found['id']}"
    path = f"/tenants/acme/instances/{found['id']}"
    assert alices("PATCH", path, {"name": "Wyvern"}).json()["name"] == "Wyvern"
    paused = alices("POST", f"{path}/pause")
    assert (paused.status_code, paused.json()["desired_state"]) == (200, "stopped")
    deleted = alices("DELETE", f"{path}?data=trash")
    assert (deleted.status_code, deleted.json()["desired_state"]) == (202, "deleted")
    assert Instance.objects.get().desired_state == "deleted"


def test_two_hundred_take_as_many_queries_as_one(
    alices: Program, acme: Tenant, alice: User, cluster: Cluster, django_assert_num_queries: object
) -> None:
    version = factories.make_engine_version()
    for _ in range(200):
        factories.make_instance(acme, alice, cluster, engine_version=version, state="stopped")
    with django_assert_num_queries(3):  # token, membership, instances
        alices("GET", "/me")
    with django_assert_num_queries(3):
        found = alices("GET", "/tenants/acme/instances?limit=200").json()
    assert len(found["items"]) == 200


def test_programs_launch_for_a_project_change_and_find_it(
    alices: Program, cluster: Cluster, engine_version: EngineVersion, gpu_class: GpuClass
) -> None:
    wanted = {"engine": "double", "gpu_class": "cpu-small", "project": "Spring"}
    made = alices("POST", "/tenants/acme/instances", wanted).json()
    assert made["project"] == "Spring"
    path = f"/tenants/acme/instances/{made['id']}"
    etag = alices("GET", path)["ETag"]
    assert alices("PATCH", path, {"project": "Autumn"}).json()["project"] == "Autumn"
    assert alices("PATCH", path, {"project": "Winter"}, If_Match=etag).status_code == 412
    refused = alices("PATCH", path, {"project": 'a"b'})
    assert (refused.status_code, refused.json()["code"]) == (409, "unavailable")
    found = [alices("GET", f"/tenants/acme/instances?project={each}").json()["items"] for each in ("Autumn", "Spring", "")]
    assert [len(items) for items in found] == [1, 0, 0]
