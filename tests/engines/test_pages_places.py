"""What artists and operators see of where slots are: on premises, in the cloud, with others."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from engines.forms import GpuClassForm
from engines.models import Capacity, GpuClass
from engines.queries.launching import Place, class_options
from engines.quotas import standing_of
from tests import factories


@pytest.fixture
def here(gpu_class):
    return factories.make_cluster("/nowhere", slots=2, slug="here")


@pytest.fixture
def cloud(gpu_class):
    return factories.make_cluster("/nowhere", slots=4, slug="cloud", location="cloud")


@pytest.fixture
def bursting(acme):
    acme.may_burst = True
    acme.save()
    return acme


def option(membership, version, volume=None, slug="cpu-small"):
    membership.refresh_from_db()
    return next(
        each
        for each in class_options(standing_of(membership.tenant, membership.user), version, volume)
        if each.gpu_class.slug == slug
    )


def fill(tenant, owner, cluster, count):
    for _ in range(count):
        factories.make_instance(tenant, owner, cluster, state="running")


def test_a_tenant_that_may_not_burst_sees_its_own_premises(alice_in_acme, engine_version, here, cloud):
    offer = option(alice_in_acme, engine_version)
    assert (offer.places, offer.total, offer.free, offer.is_apart) == ([Place("onprem", 2, 2)], 2, 2, False)


def test_a_tenant_that_may_burst_sees_both(alice, alice_in_acme, bursting, engine_version, here, cloud):
    fill(bursting, alice, here, 1)
    offer = option(alice_in_acme, engine_version)
    assert offer.places == [Place("onprem", 2, 1), Place("cloud", 4, 4)]
    assert (offer.total, offer.free, offer.burst_seconds, offer.is_apart) == (6, 5, None, True)


def test_once_all_are_in_use_it_is_said_when_it_moves(*, client, alice, alice_in_acme, bursting, engine_version, here, cloud):
    fill(bursting, alice, here, 2)
    assert option(alice_in_acme, engine_version).burst_seconds == 45
    client.force_login(alice)
    text = client.get("/acme/launch/", {"engine": "double"}).content.decode()
    assert "on premises 0 of 2 free · cloud 4 of 4 free · moves to the cloud after 45 seconds" in " ".join(text.split())


def test_one_place_is_not_worth_a_line(client, alice, bursting, engine_version, here):
    client.force_login(alice)
    text = client.get("/acme/launch/").content.decode()
    assert "2 of 2 free" in text
    assert "on premises" not in text


def test_slots_of_one_cluster_do_not_make_up_for_those_of_another(acme, alice, alice_in_acme, engine_version, here):
    other = factories.make_cluster("/nowhere", slots=1, slug="other")
    fill(acme, alice, other, 3)  # it has fewer slots than it had
    assert option(alice_in_acme, engine_version).free == 2


@pytest.mark.parametrize(
    ("case", "refusal"),
    [
        ("cloud", "Only in the cloud, which your team may not use."),
        ("nowhere", "No cluster offers it for this version now."),
        ("elsewhere", "Not on here, where the data is."),
        ("shared", "Another team uses it now, and its memory is shared."),
    ],
)
def test_why_a_class_cannot_be_chosen(case, refusal, acme, alice_in_acme, engine_version):
    volume = None
    tenant, owner = factories.make_tenant("other"), factories.make_user("other")
    match case:
        case "cloud":
            factories.make_cluster("/nowhere", location="cloud")
        case "nowhere":
            factories.make_gpu_class()
        case "elsewhere":
            home = factories.make_cluster("/nowhere", slug="here", gpu_class=factories.make_gpu_class("another"))
            factories.make_cluster("/nowhere", slug="there")
            volume = factories.make_volume(acme, alice_in_acme.user, home)
        case "shared":
            factories.make_gpu_class(sharing="time-slicing")
            place = factories.make_cluster("/nowhere")
            factories.make_instance(tenant, owner, place, state="running")
    offer = option(alice_in_acme, engine_version, volume)
    assert (offer.refusal, offer.total, offer.burst_seconds) == (refusal, 0, None)


def test_the_offers_cost_the_same_queries_however_many_clusters_there_are(alice_in_acme, engine_version, here):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            class_options(standing_of(alice_in_acme.tenant, alice_in_acme.user), engine_version, None)
        return len(captured)

    alice_in_acme.refresh_from_db()
    _ = alice_in_acme.tenant, alice_in_acme.user
    before = queries()
    for number in range(4):
        factories.make_cluster("/nowhere", gpu_class=factories.make_gpu_class(f"class{number}"))
    assert queries() == before <= 6


@pytest.mark.parametrize(("provisioned", "words"), [(True, "Those of &lt;b&gt;here, where its data is."), (False, "")])
def test_the_form_says_that_data_binds_an_instance_to_its_cluster(acme, alice, gpu_class, provisioned, words):
    cluster = factories.make_cluster("/nowhere", slug="here")
    cluster.name = "<b>here"
    cluster.save()
    volume = factories.make_volume(acme, alice, cluster, provisioned_at=timezone.now() if provisioned else None)
    form = GpuClassForm(instance=factories.make_instance(acme, alice, cluster, volume=volume, state="stopped"))
    assert form.fields["gpu_class"].help_text == words


def test_operators_see_total_free_waiting_and_where(client, olga, acme, alice, here, cloud):
    fill(acme, alice, cloud, 3)
    factories.make_instance(acme, alice, here, state="queued")
    empty = factories.make_gpu_class("empty")
    Capacity.objects.create(cluster=here, gpu_class=empty, slots=0, evidence="no node has the labels gpu=l4")
    client.force_login(olga)
    page = client.get(reverse("admin:index"))
    seen = [
        (str(each.cluster), str(each.gpu_class), each.free, each.slots, each.waiting)
        for each in page.context["figures"]["capacities"]
    ]
    assert seen == [("cloud", "cpu-small", 1, 4, 0), ("here", "cpu-small", 2, 2, 1)]
    assert [str(each.gpu_class) for each in page.context["figures"]["without_slots"]] == ["empty"]
    text = " ".join(page.content.decode().split())
    assert "cloud, cloud" in text
    assert "here, on premises" in text
    assert "2 free" in text
    assert "1 waiting" in text
    assert "no node has the labels gpu=l4" in text


def test_hidden_classes_are_no_offers(alice_in_acme, engine_version, here):
    GpuClass.objects.update(hidden=True)
    assert class_options(standing_of(alice_in_acme.tenant, alice_in_acme.user), engine_version, None) == []
