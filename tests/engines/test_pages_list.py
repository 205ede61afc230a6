"""My engines: rows for everybody in the tenant, offers for those who may, a constant number of queries."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from engines.faces import Offer, face_of, offers_of
from engines.models import Cluster, Instance
from engines.reasons import Reason
from engines.states import DesiredState, InstanceState
from tenants.models import Role, Tenant, User
from tests import factories

S, D = InstanceState, DesiredState


def queries_of(client: Client, url: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


def test_the_list_costs_the_same_queries_however_long_it_is(acme: Tenant, alice: User, cluster: Cluster, client: Client) -> None:
    client.force_login(alice)
    factories.make_instance(acme, alice, cluster, state=S.RUNNING)
    client.get("/acme/")
    few = queries_of(client, "/acme/")
    for state in (S.RUNNING, S.STOPPED, S.FAILED, S.STARTING, S.QUEUED, S.RUNNING, S.RUNNING, S.STOPPED):
        factories.make_instance(acme, alice, cluster, state=state, reason=Reason.READY)
    assert queries_of(client, "/acme/") == few


def test_an_empty_list_says_what_to_do(alice: User, client: Client) -> None:
    client.force_login(alice)
    page = client.get("/acme/").content.decode()
    assert "No engine yet" in page
    assert 'href="/acme/launch/"' in page


def test_a_viewer_is_not_told_to_launch(acme: Tenant, client: Client) -> None:
    vera = factories.make_user("vera")
    factories.join(vera, acme, Role.VIEWER)
    client.force_login(vera)
    page = client.get("/acme/").content.decode()
    assert "No engine yet" in page
    assert "/acme/launch/" not in page


def test_a_name_is_text_never_markup(acme: Tenant, alice: User, cluster: Cluster, client: Client) -> None:
    factories.make_instance(acme, alice, cluster, name="<script>alert(1)</script>", state=S.RUNNING)
    client.force_login(alice)
    page = client.get("/acme/").content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_colleague_sees_the_row_but_no_buttons_and_no_costs(
    acme: Tenant, alice: User, cluster: Cluster, client: Client
) -> None:
    instance = factories.make_instance(acme, alice, cluster, name="Key visuals", state=S.RUNNING)
    carl = factories.make_user("carl")
    factories.join(carl, acme)
    client.force_login(carl)
    page = client.get("/acme/").content.decode()
    assert "Key visuals" in page
    assert f"{instance.slug}.engines" not in page
    assert f"/acme/instances/{instance.slug}/pause/" not in page
    assert f"/acme/instances/{instance.slug}/delete/" not in page
    assert "instance__cost" in page
    assert "today" not in page


def test_a_filter_shows_only_its_group(acme: Tenant, alice: User, cluster: Cluster, client: Client) -> None:
    factories.make_instance(acme, alice, cluster, name="Runs", state=S.RUNNING)
    factories.make_instance(acme, alice, cluster, name="Broke", state=S.FAILED, settled_generation=1)
    client.force_login(alice)
    page = client.get("/acme/?state=failed").content.decode()
    assert "Broke" in page
    assert "Runs" not in page


@pytest.mark.parametrize(
    ("state", "desired", "fields", "word", "offers"),
    [
        (S.QUEUED, D.RUNNING, {}, "Requested", {"cancel", "change_class"}),
        (S.QUEUED, D.RUNNING, {"reason": "no_capacity"}, "Waiting for a GPU", {"cancel", "change_class"}),
        (S.PROVISIONING, D.RUNNING, {}, "Provisioning", {"cancel"}),
        (S.STARTING, D.RUNNING, {}, "Starting", {"cancel"}),
        (S.STARTING, D.STOPPED, {}, "Pausing", {"resume"}),
        (S.RUNNING, D.RUNNING, {"applied_generation": 1}, "Running", {"open", "pause", "restart"}),
        (S.RUNNING, D.RUNNING, {"applied_generation": 1, "restart_generation": 2}, "Restarting", {"pause"}),
        (S.RUNNING, D.STOPPED, {}, "Pausing", {"resume"}),
        (S.STOPPING, D.STOPPED, {}, "Pausing", {"resume"}),
        (S.STOPPING, D.RUNNING, {}, "Restarting", {"pause"}),
        (S.STOPPED, D.STOPPED, {}, "Paused", {"resume", "change_class"}),
        (S.STOPPED, D.RUNNING, {}, "Resuming", {"pause", "change_class"}),
        (S.FAILED, D.RUNNING, {"settled_generation": 1}, "Failed", {"retry", "change_class"}),
        (S.FAILED, D.RUNNING, {"settled_generation": 0}, "Retrying", {"change_class"}),
        (S.FAILED, D.STOPPED, {}, "Failed", {"resume", "change_class"}),
        (S.RUNNING, D.DELETED, {}, "Deleting", None),
        (S.DELETING, D.DELETED, {}, "Deleting", None),
        (S.DELETED, D.DELETED, {}, "Deleted", None),
    ],
)
def test_every_situation_has_a_word_and_its_offers(
    state: S, desired: D, fields: dict[str, int], word: str, offers: set[str] | None
) -> None:
    instance = Instance(state=state, desired_state=desired, **fields)
    always = set() if offers is None else {"rename", "delete"}
    assert str(face_of(instance).word) == word
    assert offers_of(instance) == {Offer(each) for each in (offers or set()) | always}
