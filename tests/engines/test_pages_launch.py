"""The launch form: offers, refusals beside their fields, nothing typed is lost."""

import pytest
from django.test import Client
from django.utils import timezone

from engines.models import Cluster, Engine, EngineVersion, GpuClass, Instance
from engines.states import InstanceState
from tenants.models import Tenant, User
from tests import factories

S = InstanceState


@pytest.fixture
def version(cluster: Cluster) -> EngineVersion:
    return factories.make_engine_version(version="2.0", is_default=True)


@pytest.fixture
def typed(version: EngineVersion, gpu_class: GpuClass) -> dict[str, str]:
    return {
        "engine": version.engine.slug,
        "version": "2.0",
        "gpu_class": gpu_class.slug,
        "storage": "new",
        "size_gib": "20",
        "name": "Key visuals",
    }


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def test_launching_creates_the_instance_and_goes_to_the_list(as_alice: Client, typed: dict[str, str]) -> None:
    answer = as_alice.post("/acme/launch/", typed)
    assert (answer.status_code, answer["Location"]) == (302, "/acme/")
    instance = Instance.objects.get()
    assert (instance.name, instance.owner.username, instance.volume.size_gib) == ("Key visuals", "alice", 20)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": " "}, "Give it a name."),
        ({"size_gib": "0"}, "At least 1 GiB."),
        ({"size_gib": "99999"}, "At most 10,000 GiB."),
        ({"size_gib": ""}, "Say how large it should be."),
        ({"gpu_class": ""}, "Choose a GPU class."),
        ({"gpu_class": "unheard-of"}, "One of your choices is no longer offered."),
        ({"version": "9.9"}, "One of your choices is no longer offered."),
        ({"engine": "unheard-of"}, "One of your choices is no longer offered."),
    ],
)
def test_a_bad_wish_is_refused_and_keeps_what_was_typed(
    change: dict[str, str], sentence: str, as_alice: Client, typed: dict[str, str]
) -> None:
    answer = as_alice.post("/acme/launch/", typed | change)
    shown = answer.content.decode()
    assert answer.status_code == 422
    assert sentence in shown
    assert f'value="{(typed | change)["name"]}"' in shown
    assert not Instance.objects.exists()


def test_what_is_no_longer_offered_is_refused_although_it_exists(
    as_alice: Client, typed: dict[str, str], cluster: Cluster, gpu_class: GpuClass
) -> None:
    elsewhere = factories.make_gpu_class("elsewhere")
    hidden = factories.make_gpu_class("hidden", hidden=True)
    cluster.capacities.create(gpu_class=hidden, slots=1)
    for change in ({"gpu_class": elsewhere.slug}, {"gpu_class": hidden.slug}):
        answer = as_alice.post("/acme/launch/", typed | change)
        assert (answer.status_code, "One of your choices is no longer offered." in answer.content.decode()) == (422, True)
    Engine.objects.update(hidden=True)
    assert "An operator has to publish an engine" in as_alice.post("/acme/launch/", typed).content.decode()
    assert not Instance.objects.exists()


def test_a_class_too_small_and_one_used_up_are_refused(
    as_alice: Client, typed: dict[str, str], acme: Tenant, alice: User, cluster: Cluster, gpu_class: GpuClass
) -> None:
    GpuClass.objects.filter(pk=gpu_class.pk).update(max_per_tenant=1)
    factories.make_instance(acme, alice, cluster, gpu_class=gpu_class, state=S.RUNNING)
    assert "limit of 1 running instances on cpu-small" in as_alice.post("/acme/launch/", typed).content.decode()
    GpuClass.objects.filter(pk=gpu_class.pk).update(max_per_tenant=None, memory_mib=1)
    EngineVersion.objects.update(min_gpu_memory_mib=2)
    assert "One of your choices is no longer offered." in as_alice.post("/acme/launch/", typed).content.decode()
    assert Instance.objects.count() == 1


def test_a_taken_name_is_refused_beside_the_field(
    as_alice: Client, typed: dict[str, str], acme: Tenant, alice: User, cluster: Cluster
) -> None:
    factories.make_instance(acme, alice, cluster, name="key visuals")
    answer = as_alice.post("/acme/launch/", typed)
    assert answer.status_code == 422
    assert 'id="name-error"' in answer.content.decode()
    assert Instance.objects.count() == 1


def test_a_full_tenant_is_told_before_and_refused_after(
    as_alice: Client, typed: dict[str, str], acme: Tenant, alice: User, cluster: Cluster
) -> None:
    factories.cap(acme, running=1)
    factories.make_instance(acme, alice, cluster, state=S.RUNNING)
    assert "the limit of 1 running instances for Acme Studio" in as_alice.get("/acme/launch/").content.decode()
    answer = as_alice.post("/acme/launch/", typed)
    assert answer.status_code == 422
    assert "the limit of 1 running instances for Acme Studio" in answer.content.decode()
    assert Instance.objects.count() == 1


def test_updating_the_offers_launches_nothing_and_loses_nothing(as_alice: Client, typed: dict[str, str]) -> None:
    answer = as_alice.post("/acme/launch/", typed | {"update": "1"})
    assert answer.status_code == 200
    assert 'value="Key visuals"' in answer.content.decode()
    assert not Instance.objects.exists()


def test_a_suggested_name_follows_the_engine_until_somebody_types(as_alice: Client, typed: dict[str, str]) -> None:
    follows = as_alice.post("/acme/launch/", typed | {"update": "1", "name": "Other", "suggested": "Other"})
    assert 'value="Double"' in follows.content.decode()


def test_classes_say_how_many_are_free_and_why_they_cannot_be_used(
    as_alice: Client, acme: Tenant, alice: User, cluster: Cluster, gpu_class: GpuClass
) -> None:
    factories.make_engine_version(min_gpu_memory_mib=8192)
    large = factories.make_gpu_class("large", memory_mib=24_576)
    cluster.capacities.create(gpu_class=large, slots=2)
    factories.make_gpu_class("nowhere", memory_mib=24_576)
    factories.make_instance(acme, alice, cluster, gpu_class=large, state=S.STOPPING)
    Instance.objects.update(engine_version=EngineVersion.objects.get(min_gpu_memory_mib=8192))
    shown = as_alice.get("/acme/launch/").content.decode()
    assert "1 of 2 free" in shown
    assert "needs 8 GB of GPU memory." in shown
    assert "No cluster offers it for this version now." in shown


def test_when_all_are_in_use_the_page_says_that_one_would_wait(
    as_alice: Client, version: EngineVersion, acme: Tenant, alice: User, cluster: Cluster, gpu_class: GpuClass
) -> None:
    cluster.capacities.update(slots=1)
    factories.make_instance(acme, alice, cluster, state=S.RUNNING, engine_version=version)
    factories.make_instance(acme, alice, cluster, state=S.QUEUED, engine_version=version)
    shown = as_alice.get("/acme/launch/").content.decode()
    assert "The only one is in use: you would wait" in shown
    assert "1 launch ahead" in shown


def test_kept_data_is_attached(as_alice: Client, typed: dict[str, str], acme: Tenant, alice: User, cluster: Cluster) -> None:
    kept = factories.make_volume(acme, alice, cluster, name="Plates")
    assert "Plates" in as_alice.get("/acme/launch/", {"storage": "attach"}).content.decode()
    answer = as_alice.post("/acme/launch/", typed | {"storage": "attach", "volume": kept.slug})
    assert answer.status_code == 302
    assert Instance.objects.get().volume == kept


def test_data_that_another_engine_wrote_is_not_attached(
    as_alice: Client, typed: dict[str, str], acme: Tenant, alice: User, cluster: Cluster
) -> None:
    writer = factories.make_engine_version(engine=Engine.objects.create(slug="other", name="Other"))
    volume = factories.make_volume(acme, alice, cluster, name="Foreign tongue", written_by=writer)
    answer = as_alice.post("/acme/launch/", typed | {"storage": "attach", "volume": volume.slug})
    assert answer.status_code == 422
    assert "This data cannot be attached now." in answer.content.decode()
    assert not Instance.objects.exists()


def test_another_tenants_data_is_not_attached(
    as_alice: Client, typed: dict[str, str], bolt: Tenant, bob: User, cluster: Cluster
) -> None:
    volume = factories.make_volume(bolt, bob, cluster, name="Secret")
    answer = as_alice.post("/acme/launch/", typed | {"storage": "attach", "volume": volume.slug})
    assert answer.status_code == 422
    assert "Secret" not in answer.content.decode()
    assert not Instance.objects.exists()


def test_without_a_catalog_the_page_says_who_can_help(as_alice: Client) -> None:
    assert "An operator has to publish an engine" in as_alice.get("/acme/launch/").content.decode()


def test_the_smallest_fitting_class_is_suggested(
    as_alice: Client, version: EngineVersion, cluster: Cluster, gpu_class: GpuClass
) -> None:
    GpuClass.objects.filter(pk=gpu_class.pk).update(name="A large one", cpu_millis=4000)
    small = factories.make_gpu_class(slug="small", name="Small", cpu_millis=500)
    cluster.capacities.create(gpu_class=small, slots=1)
    page = as_alice.get("/acme/launch/")
    assert [each.gpu_class.slug for each in page.context["choices"].present_options] == ["small", gpu_class.slug]
    assert page.context["choices"].option.gpu_class == small


def test_a_class_that_the_tenant_has_used_up_stays_in_sight(
    as_alice: Client, version: EngineVersion, acme: Tenant, alice: User, cluster: Cluster, gpu_class: GpuClass
) -> None:
    GpuClass.objects.filter(pk=gpu_class.pk).update(max_per_tenant=1)
    absent = factories.make_gpu_class(slug="absent")
    factories.make_instance(acme, alice, cluster, gpu_class=gpu_class, state=S.RUNNING)
    choices = as_alice.get("/acme/launch/").context["choices"]
    refusals = [(each.gpu_class.slug, each.refusal) for each in choices.present_options]
    said = "This would exceed the limit of 1 running instances on cpu-small for Acme Studio: 1 in use, 1 more needed."
    assert refusals == [(gpu_class.slug, f"{said} Only operators can raise it.")]
    assert [each.gpu_class for each in choices.absent_options] == [absent]


def test_engines_that_cannot_run_here_are_folded_away_unless_chosen(as_alice: Client, version: EngineVersion) -> None:
    engine = Engine.objects.create(slug="elsewhere", name="Elsewhere")
    foreign = factories.make_engine_version(engine=engine, command=[], image="registry.example.com/elsewhere:1", port=8188)
    fold = "1 engine that no cluster here can run"
    page = as_alice.get("/acme/launch/")
    assert [each.engine for each in page.context["choices"].foreign_engines] == [foreign.engine]
    assert fold in page.content.decode()
    assert '<details class="more" open>' not in page.content.decode()
    assert '<details class="more" open>' in as_alice.get("/acme/launch/?engine=elsewhere").content.decode()


def test_the_first_wrong_field_has_the_focus(as_alice: Client, typed: dict[str, str]) -> None:
    page = as_alice.post("/acme/launch/", typed | {"size_gib": "0", "name": " "}).content.decode()
    size, name = page.index('id="id_size_gib"'), page.index('id="id_name"')
    assert "autofocus" in page[size : page.index(">", size)]
    assert "autofocus" in page[name : page.index(">", name)]
    assert "autofocus" not in as_alice.get("/acme/launch/").content.decode()


def test_nothing_is_promised_of_a_cluster_that_fell_silent(as_alice: Client, version: EngineVersion, cluster: Cluster) -> None:
    Cluster.objects.update(watched_at=timezone.now())
    page = as_alice.get("/acme/launch/").content.decode()
    assert "free free--good" in page
    Cluster.objects.update(watched_at=timezone.now() - 2 * Cluster.SILENT_AFTER)
    page = as_alice.get("/acme/launch/").content.decode()
    assert "free free--good" not in page
    assert "does not answer now" in page
