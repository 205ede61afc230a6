"""What costs are for: chosen at launch, changed at any time, noted for the instance and its data alike."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from engines.models import Cluster, Engine, Instance, InstanceEvent, TagChange, Volume, VolumeFact
from engines.operations.instances import launch_instance
from engines.operations.tags import change_tag
from engines.states import InstanceState
from engines.volume_facts import note_volume
from tenants.audit.models import AuditEvent
from tenants.errors import NotAllowed, NotPossible, NotVisible
from tenants.models import Membership, Tenant, User
from tests import factories

NOW = datetime(2026, 3, 10, 10, tzinfo=UTC)


@pytest.fixture
def instance(acme: Tenant, alice: User, cluster: Cluster) -> Instance:
    made = factories.make_instance(acme, alice, cluster, state=InstanceState.RUNNING, name="Dragon")
    Volume.objects.update(provisioned_at=NOW)
    note_volume(made.volume, VolumeFact.Kind.PROVISIONED, at=NOW)
    made.volume.refresh_from_db()
    return made


def test_a_change_is_one_row_of_each_kind(instance: Instance, alice_in_acme: Membership, valkey) -> None:
    before = datetime.now(tz=UTC)
    change_tag(instance=instance, by=alice_in_acme, tag="  Spring   campaign ")
    instance.refresh_from_db()
    assert instance.tag == "Spring campaign"
    change, fact = TagChange.objects.get(), VolumeFact.objects.latest("pk")
    assert (change.from_tag, change.to_tag, change.actor) == ("", "Spring campaign", alice_in_acme.user)
    assert before <= change.at <= datetime.now(tz=UTC)
    assert (fact.kind, fact.at, fact.tag) == ("changed", change.at, "Spring campaign")
    assert InstanceEvent.objects.get().reason == "tag_changed"
    event = AuditEvent.objects.get(kind="instance.tag_changed")
    assert event.details == {"from": "", "to": "Spring campaign"}


def test_the_same_again_writes_nothing_and_a_tag_keeps_its_spelling(
    instance: Instance, acme: Tenant, alice: User, alice_in_acme: Membership
) -> None:
    factories.make_instance(acme, alice, instance.cluster, tag="Spring", state=InstanceState.DELETED)
    change_tag(instance=instance, by=alice_in_acme, tag="SPRING")
    change_tag(instance=instance, by=alice_in_acme, tag="spring ")
    assert TagChange.objects.values_list("to_tag", flat=True).get() == "Spring"
    assert VolumeFact.objects.count() == 2
    change_tag(instance=instance, by=alice_in_acme, tag="")
    assert TagChange.objects.latest("pk").to_tag == ""
    assert VolumeFact.objects.latest("pk").tag == ""


@pytest.mark.parametrize("tag", ["x" * 61, 'the "best"', "tab\x07", "a\N{RIGHT-TO-LEFT OVERRIDE}b"])
def test_what_is_no_name_is_refused(tag: str, instance: Instance, alice_in_acme: Membership) -> None:
    with pytest.raises(NotPossible):
        change_tag(instance=instance, by=alice_in_acme, tag=tag)
    assert not TagChange.objects.exists()
    assert Instance.objects.get().tag == ""


def test_only_who_may_operate_it_changes_it(instance: Instance, acme: Tenant, bob_in_bolt: Membership) -> None:
    colleague = factories.join(factories.make_user("carol"), acme)
    for by, refusal in ((colleague, NotAllowed), (bob_in_bolt, NotVisible)):
        with pytest.raises(refusal):
            change_tag(instance=instance, by=by, tag="Mine")
    assert not TagChange.objects.exists()


def test_kept_data_serves_the_project_of_its_next_instance(
    instance: Instance, acme: Tenant, alice_in_acme: Membership, engine_version
) -> None:
    Instance.objects.update(state=InstanceState.DELETED)
    volume = instance.volume
    for name, tag, facts in (("one", "Autumn", 2), ("two", "Autumn", 2), ("three", "", 3)):
        choices = {"engine_version": engine_version, "gpu_class": instance.gpu_class, "name": name}
        made = launch_instance(membership=alice_in_acme, volume=volume, tag=tag, **choices)
        assert (made.tag, VolumeFact.objects.count(), VolumeFact.objects.latest("pk").tag) == (tag, facts, tag)
        Instance.objects.update(state=InstanceState.DELETED)


def test_it_is_changed_on_the_settings_tab_and_shown(instance: Instance, alice: User, client: Client) -> None:
    client.force_login(alice)
    page = f"/acme/instances/{instance.slug}/"
    answer = client.post(f"{page}project/", {"tag": "Spring & co"})
    assert (answer.status_code, answer["Location"]) == (302, f"{page}?tab=settings")
    shown = client.get(f"{page}?tab=settings").content.decode()
    assert '<option value="Spring &amp; co"></option>' in shown
    assert "Spring &amp; co" in client.get(page).content.decode()
    refused = client.post(f"{page}project/", {"tag": 'no "quotes"'})
    assert refused.status_code == 422
    assert "neither double quotes" in refused.content.decode()


def test_the_list_is_filtered_by_it(instance: Instance, acme: Tenant, alice: User, client: Client) -> None:
    Instance.objects.update(tag="Spring & co")
    factories.make_instance(acme, alice, instance.cluster, name="Griffin", tag="Autumn")
    client.force_login(alice)
    everything = client.get("/acme/").content.decode()
    assert 'href="/acme/?project=Spring%20%26%20co"' in everything
    found = client.get("/acme/?project=Spring%20%26%20co").content.decode()
    assert ("Dragon" in found, "Griffin" in found) == (True, False)
    nothing = client.get("/acme/?project=Winter").content.decode()
    assert "No engine is for this project" in nothing


def test_the_launch_page_remembers_the_last_one(
    instance: Instance, acme: Tenant, alice: User, client: Client, engine_version
) -> None:
    Instance.objects.update(tag="Spring")
    factories.make_instance(
        acme, factories.make_user("carol"), instance.cluster, tag="Autumn", created_at=NOW + timedelta(days=900)
    )
    client.force_login(alice)
    page = client.get("/acme/launch/").content.decode()
    assert re.search(r'<input[^>]* id="id_tag"[^>]* value="Spring"', page)
    assert page.index('<option value="Spring">') < page.index('<option value="Autumn">')
    typed = {"engine": "double", "version": engine_version.version, "gpu_class": "cpu-small", "storage": "new"}
    client.post("/acme/launch/", typed | {"size_gib": "1", "name": "Wyvern", "tag": "winter"})
    assert Instance.objects.get(name="Wyvern").tag == "winter"


def test_an_engine_that_cannot_run_here_is_not_the_next_choice_but_its_project_is(
    instance: Instance, acme: Tenant, alice: User, client: Client, cluster: Cluster
) -> None:
    elsewhere = Engine.objects.create(slug="elsewhere", name="Elsewhere")
    version = factories.make_engine_version(engine=elsewhere, image="registry.example.org/engine:1", command=[])
    factories.make_instance(acme, alice, cluster, engine_version=version, tag="Autumn")
    client.force_login(alice)
    page = client.get("/acme/launch/").content.decode()
    assert re.search(r'<input[^>]* id="id_tag"[^>]* value="Autumn"', page)
    assert re.search(r'<input[^>]* value="double" checked', page)
