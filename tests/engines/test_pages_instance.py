"""One instance: tabs, buttons with and without htmx, settings, deletion."""

import pytest
from django.test import Client

from engines.models import Cluster, Instance, InstanceEvent, Volume
from engines.reasons import Reason
from engines.states import DesiredState, InstanceState
from tenants.models import Tenant, User
from tests import factories

S, D = InstanceState, DesiredState
HTMX = {"HX-Request": "true"}


@pytest.fixture
def running(acme: Tenant, alice: User, cluster: Cluster) -> Instance:
    return factories.make_instance(acme, alice, cluster, name="Key visuals", state=S.RUNNING, applied_generation=1)


@pytest.fixture
def page(running: Instance) -> str:
    return f"/acme/instances/{running.slug}/"


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.mark.parametrize("tab", ["overview", "timeline", "log", "costs", "data", "settings", "unheard-of"])
def test_every_tab_answers(tab: str, as_alice: Client, page: str) -> None:
    answer = as_alice.get(page, {"tab": tab})
    assert answer.status_code == 200
    assert "Key visuals" in answer.content.decode()


def test_a_colleague_gets_no_log_and_no_settings(client: Client, acme: Tenant, page: str) -> None:
    carl = factories.make_user("carl")
    factories.join(carl, acme)
    client.force_login(carl)
    shown = client.get(page, {"tab": "settings"}).content.decode()
    assert "tab-overview" in shown
    assert "tab-log" not in shown
    assert "tab-settings" not in shown
    assert client.get(page + "log.txt").status_code == 403
    assert client.get(page + "log/").status_code == 403


def test_a_button_without_javascript_comes_back_to_its_page(as_alice: Client, running: Instance, page: str) -> None:
    answer = as_alice.post(page + "pause/", {"origin": "page"})
    assert (answer.status_code, answer["Location"]) == (302, page)
    running.refresh_from_db()
    assert running.desired_state == D.STOPPED


@pytest.mark.parametrize(("origin", "element"), [("row", "instance"), ("page", "page")])
def test_a_button_with_htmx_gets_the_part_it_changed(
    origin: str, element: str, as_alice: Client, running: Instance, page: str
) -> None:
    answer = as_alice.post(page + "pause/", {"origin": origin}, headers=HTMX)
    content = answer.content.decode()
    assert answer.status_code == 200
    assert f'id="{element}-{running.slug}"' in content
    assert 'hx-swap-oob="true"' in content
    assert "Pausing" in content


def test_a_refusal_is_said_in_words_and_changes_nothing(as_alice: Client, running: Instance, page: str) -> None:
    answer = as_alice.post(page + "cancel/", {"origin": "row"}, headers=HTMX)
    assert answer.status_code == 422
    assert "Pause it instead." in answer.content.decode()
    without = as_alice.post(page + "cancel/")
    assert without.status_code == 422
    assert "Pause it instead." in without.content.decode()
    running.refresh_from_db()
    assert (running.desired_state, running.generation) == (D.RUNNING, 1)


def test_a_colleague_may_not_press_the_buttons(client: Client, acme: Tenant, running: Instance, page: str) -> None:
    carl = factories.make_user("carl")
    factories.join(carl, acme)
    client.force_login(carl)
    for action in ("pause", "resume", "restart", "cancel", "rename", "gpu-class", "delete"):
        assert client.post(f"{page}{action}/", {"name": "Mine", "volume": "keep"}).status_code == 403
    running.refresh_from_db()
    assert (running.name, running.desired_state, running.generation) == ("Key visuals", D.RUNNING, 1)


def test_the_timeline_names_who_wished_and_why(as_alice: Client, page: str) -> None:
    as_alice.post(page + "pause/")
    shown = as_alice.get(page, {"tab": "timeline"}).content.decode()
    assert "Paused on request. The data is kept, and the GPU goes back to the others." in shown
    assert "alice" in shown


def test_a_failure_says_who_can_fix_it_and_shows_the_evidence_escaped(
    as_alice: Client, acme: Tenant, alice: User, cluster: Cluster
) -> None:
    failed = factories.make_instance(
        acme, alice, cluster, state=S.FAILED, reason=Reason.START_REFUSED, evidence="<b>boom</b>", settled_generation=1
    )
    shown = as_alice.get(f"/acme/instances/{failed.slug}/").content.decode()
    assert "An operator can put this right." in shown
    assert "&lt;b&gt;boom&lt;/b&gt;" in shown
    assert "<b>boom" not in shown


def test_renaming_refuses_a_taken_name_beside_its_field(
    as_alice: Client, acme: Tenant, alice: User, cluster: Cluster, running: Instance, page: str
) -> None:
    factories.make_instance(acme, alice, cluster, name="Taken")
    refused = as_alice.post(page + "rename/", {"name": "taken"})
    assert refused.status_code == 422
    assert "already has an instance named" in refused.content.decode()
    assert 'value="taken"' in refused.content.decode()
    accepted = as_alice.post(page + "rename/", {"name": "Fresh"})
    assert accepted["Location"] == page + "?tab=settings"
    running.refresh_from_db()
    assert running.name == "Fresh"


def test_the_gpu_class_changes_while_paused_only(as_alice: Client, cluster: Cluster, running: Instance, page: str) -> None:
    large = factories.make_gpu_class("large")
    cluster.capacities.create(gpu_class=large, slots=1)
    refused = as_alice.post(page + "gpu-class/", {"gpu_class": large.pk})
    assert refused.status_code == 422
    assert "Pause Key visuals first" in refused.content.decode()
    Instance.objects.filter(pk=running.pk).update(state=S.STOPPED, desired_state=D.STOPPED)
    assert as_alice.post(page + "gpu-class/", {"gpu_class": large.pk}).status_code == 302
    running.refresh_from_db()
    assert running.gpu_class == large


def test_deleting_and_keeping_the_data_needs_no_name(as_alice: Client, running: Instance, page: str) -> None:
    answer = as_alice.post(page + "delete/", {"volume": "keep"})
    assert (answer.status_code, answer["Location"]) == (302, "/acme/")
    running.refresh_from_db()
    assert running.desired_state == D.DELETED
    assert Volume.objects.get().state == Volume.State.ACTIVE


@pytest.mark.parametrize("typed", ["", "key visuals", "Key"])
def test_trashing_the_data_needs_the_name(typed: str, as_alice: Client, running: Instance, page: str) -> None:
    answer = as_alice.post(page + "delete/", {"volume": "trash", "name": typed})
    assert answer.status_code == 422
    assert "Type “Key visuals” to move its data to the trash." in answer.content.decode()
    running.refresh_from_db()
    assert running.desired_state == D.RUNNING
    assert not InstanceEvent.objects.exists()


def test_trashing_the_data_with_the_name(as_alice: Client, running: Instance, page: str) -> None:
    answer = as_alice.post(page + "delete/", {"volume": "trash", "name": "Key visuals"}, headers=HTMX)
    assert answer["HX-Redirect"] == "/acme/"
    assert Volume.objects.get().state == Volume.State.TRASHED


def test_the_delete_page_works_with_and_without_a_dialog(as_alice: Client, page: str) -> None:
    assert "<html" in as_alice.get(page + "delete/").content.decode()
    assert "<html" not in as_alice.get(page + "delete/", headers=HTMX).content.decode()
