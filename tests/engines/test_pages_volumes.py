"""Data: kept, in use, in the trash; back and forth."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from engines.models import Cluster, Volume
from tenants.models import Tenant, User
from tests import factories


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def test_an_empty_page_says_where_data_comes_from(as_alice: Client) -> None:
    assert "Every engine brings a volume" in as_alice.get("/acme/data/").content.decode()


def test_kept_data_goes_to_the_trash_and_back(as_alice: Client, acme: Tenant, alice: User, cluster: Cluster) -> None:
    volume = factories.make_volume(acme, alice, cluster, name="Plates")
    assert as_alice.post(f"/acme/data/{volume.slug}/trash/").status_code == 302
    volume.refresh_from_db()
    assert volume.state == Volume.State.TRASHED
    shown = as_alice.get("/acme/data/").content.decode()
    assert "Trash" in shown
    assert f"/acme/data/{volume.slug}/restore/" in shown
    assert as_alice.post(f"/acme/data/{volume.slug}/restore/").status_code == 302
    volume.refresh_from_db()
    assert (volume.state, volume.purge_at) == (Volume.State.ACTIVE, None)


def test_data_in_use_is_not_trashed(as_alice: Client, acme: Tenant, alice: User, cluster: Cluster) -> None:
    instance = factories.make_instance(acme, alice, cluster, name="Key visuals")
    answer = as_alice.post(f"/acme/data/{instance.volume.slug}/trash/")
    assert answer.status_code == 422
    assert "is in use by Key visuals." in answer.content.decode()
    assert Volume.objects.get().state == Volume.State.ACTIVE


def test_a_restored_volume_does_not_take_anothers_name(as_alice: Client, acme: Tenant, alice: User, cluster: Cluster) -> None:
    due = timezone.now() + timedelta(days=1)
    trashed = factories.make_volume(acme, alice, cluster, name="Plates", state="trashed", purge_at=due)
    factories.make_volume(acme, alice, cluster, name="plates")
    answer = as_alice.post(f"/acme/data/{trashed.slug}/restore/")
    assert answer.status_code == 422
    assert "another volume named “Plates”" in answer.content.decode()
    trashed.refresh_from_db()
    assert trashed.state == Volume.State.TRASHED


def test_a_colleagues_data_cannot_be_touched(client: Client, acme: Tenant, alice: User, cluster: Cluster) -> None:
    volume = factories.make_volume(acme, alice, cluster)
    carl = factories.make_user("carl")
    factories.join(carl, acme)
    client.force_login(carl)
    assert client.post(f"/acme/data/{volume.slug}/trash/").status_code == 403
    volume.refresh_from_db()
    assert volume.state == Volume.State.ACTIVE
