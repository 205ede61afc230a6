"""The Limits tab, asking for more, and where else pages speak of limits."""

import pytest
from django.test import Client

from engines.models import Cluster, GpuClass, Instance
from tenants.models import Membership, Role, Tenant, User
from tenants.quotas.models import Quota, QuotaRequest
from tests import factories

LIMITS = "/acme/team/limits/"
RESTS = {"state": "stopped", "desired_state": "stopped"}


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def as_alice(alice: User) -> Client:
    return signed_in(alice)


@pytest.fixture
def as_anna(anna: User) -> Client:
    return signed_in(anna)


@pytest.fixture
def asked(acme: Tenant, alice: User) -> QuotaRequest:
    Quota.objects.create(tenant=acme, author="tenant", user=alice, measure="gpus", limit=1000)
    return QuotaRequest.objects.create(tenant=acme, asker=alice, measure="gpus", wanted=1500, reason="Two shots.")


@pytest.fixture
def resting(acme: Tenant, alice: User, cluster: Cluster) -> Instance:
    factories.cap(acme, running=0)
    return factories.make_instance(acme, alice, cluster, name="Dragon", **RESTS)


def text(answer: object) -> str:
    return " ".join(answer.content.decode().split())  # type: ignore[attr-defined]


def test_the_tab_shows_what_is_used_and_by_whom(
    as_alice: Client, acme: Tenant, alice: User, anna: User, cluster: Cluster, gpu_class: GpuClass
) -> None:
    factories.make_instance(acme, alice, cluster, state="running")
    Quota.objects.create(tenant=acme, author="tenant", role=Role.MEMBER, measure="running", limit=2, set_by=anna)
    page = as_alice.get(LIMITS)
    assert [(use.limit.measure, use.used, use.limit.limit) for use in page.context["own_uses"]] == [("running", 1, 2)]
    assert [(use.limit.measure, use.used, use.limit.limit) for use in page.context["team_uses"]] == [
        ("running", 1, 5),
        ("instances", 1, 50),
    ]
    people = [(row.user.username, [cell.used for cell in row.cells]) for row in page.context["people"]]
    assert people == [("alice", ["1", "0", "1", "50"]), ("anna", ["0", "0", "0", "0"])]
    assert "For your role, set by anna" in text(page)
    assert "Set the limit" not in text(page)


def test_whoever_has_left_engines_behind_is_shown(as_alice: Client, acme: Tenant, cluster: Cluster) -> None:
    factories.make_instance(acme, factories.make_user("gone"), cluster)
    assert [(row.user.username, row.role) for row in as_alice.get(LIMITS).context["people"]][-1] == ("gone", None)


def test_the_number_of_queries_does_not_grow_with_the_team(
    as_alice: Client, acme: Tenant, alice: User, cluster: Cluster, django_assert_max_num_queries: object
) -> None:
    for number in range(5):
        person = factories.make_user(f"artist{number}")
        factories.join(person, acme)
        factories.make_instance(acme, person, cluster)
        Quota.objects.create(tenant=acme, author="tenant", user=person, measure="running", limit=2, set_by=alice)
    with django_assert_max_num_queries(19):  # type: ignore[operator]
        as_alice.get(LIMITS)


@pytest.mark.parametrize(
    ("whom", "scope"),
    [("team", {"role": "", "user": None}), ("role:member", {"role": "member", "user": None}), ("user:{alice}", {"role": ""})],
)
def test_an_owner_sets_and_removes_limits(
    as_anna: Client, acme: Tenant, alice: User, whom: str, scope: dict[str, object]
) -> None:
    form = {"whom": whom.format(alice=alice.pk), "measure": "gpus", "gpu_class": "", "amount": "1.5"}
    assert as_anna.post(f"{LIMITS}set/", form).status_code == 302
    quota = Quota.objects.get(tenant=acme, author="tenant", **scope)
    assert (quota.measure, quota.limit, quota.user_id) == ("gpus", 1500, alice.pk if "user:" in whom else None)
    assert as_anna.post(f"{LIMITS}{quota.pk}/remove/").status_code == 302
    assert not Quota.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"amount": "1.5"}, "Only GPUs can be counted in parts."),
        ({"amount": "6"}, "Operators let Acme Studio have at most 5. Only they can raise that."),
        ({"amount": "-1"}, "greater than or equal to 0"),
        ({"amount": ""}, "This field is required."),
        ({"measure": "storage", "with_class": "1"}, "Storage has no GPU class."),
    ],
)
def test_what_cannot_be_set_is_said_beside_the_field(
    as_anna: Client, gpu_class: GpuClass, wrong: dict[str, str], said: str
) -> None:
    form = {"whom": "team", "measure": "running", "gpu_class": "", "amount": "2"} | wrong
    if form.pop("with_class", ""):
        form["gpu_class"] = str(gpu_class.pk)
    answer = as_anna.post(f"{LIMITS}set/", form)
    assert answer.status_code == 422
    assert said in text(answer)
    assert not Quota.objects.exists()


def test_an_operators_ceiling_is_not_removed_by_owners(as_anna: Client, acme: Tenant) -> None:
    factories.cap(acme, running=3)
    assert as_anna.post(f"{LIMITS}{Quota.objects.get().pk}/remove/").status_code == 403


def test_asking_and_granting_by_pages(as_alice: Client, as_anna: Client, acme: Tenant, alice: User) -> None:
    Quota.objects.create(tenant=acme, author="tenant", user=alice, measure="gpus", limit=1000)
    form = {"measure": "gpus", "gpu_class": "", "whole": "", "amount": "2", "reason": "Two shots."}
    assert as_alice.post(f"{LIMITS}ask/", form).status_code == 302
    asked = QuotaRequest.objects.get()
    assert "Two shots." in text(as_alice.get(LIMITS))
    assert 'value="2"' in text(as_anna.get(LIMITS))
    answer = as_anna.post(f"{LIMITS}requests/{asked.pk}/approve/", {"amount": "1.5", "word": "For now."})
    assert answer.status_code == 302
    assert Quota.objects.get(user=alice).limit == 1500
    page = text(as_alice.get(LIMITS))
    assert "Earlier requests" in page
    assert "“For now.”" in page


def test_colleagues_do_not_read_each_others_reasons(asked: QuotaRequest, acme: Tenant) -> None:
    carol = factories.make_user("carol")
    factories.join(carol, acme)
    assert "Two shots." not in text(signed_in(carol).get(LIMITS))
    assert signed_in(carol).post(f"{LIMITS}requests/{asked.pk}/withdraw/").status_code == 403
    asked.refresh_from_db()
    assert asked.state == "open"


@pytest.mark.parametrize(("way", "state"), [("refuse", "refused"), ("pass-on", "passed_on")])
def test_refusing_and_passing_on(as_anna: Client, asked: QuotaRequest, way: str, state: str) -> None:
    assert as_anna.post(f"{LIMITS}requests/{asked.pk}/{way}/", {"amount": "1.5", "word": "Busy."}).status_code == 302
    asked.refresh_from_db()
    assert asked.state == state


def test_a_refusal_without_a_word_is_refused(as_anna: Client, asked: QuotaRequest) -> None:
    answer = as_anna.post(f"{LIMITS}requests/{asked.pk}/refuse/", {"word": ""})
    assert answer["Location"] == f"{LIMITS}#request-{asked.pk}"
    page = text(as_anna.get(LIMITS))
    assert "Say why, in a word or two." in page
    assert f'id="request-{asked.pk}"' in page
    asked.refresh_from_db()
    assert asked.state == "open"


@pytest.mark.parametrize("amount", ["-1", "many"])
def test_an_amount_that_is_none_leads_back_to_the_request(as_anna: Client, asked: QuotaRequest, amount: str) -> None:
    answer = as_anna.post(f"{LIMITS}requests/{asked.pk}/approve/", {"amount": amount, "word": ""})
    assert answer["Location"] == f"{LIMITS}#request-{asked.pk}"
    assert 'class="toast toast--bad"' in text(as_anna.get(LIMITS))
    asked.refresh_from_db()
    assert asked.state == "open"


def test_taking_a_request_back(as_alice: Client, asked: QuotaRequest) -> None:
    assert as_alice.post(f"{LIMITS}requests/{asked.pk}/withdraw/").status_code == 302
    asked.refresh_from_db()
    assert asked.state == "withdrawn"


def test_requests_of_other_tenants_are_not_there(asked: QuotaRequest, bob: User) -> None:
    as_bob = signed_in(bob)
    for way in ("approve", "refuse", "pass-on", "withdraw"):
        answer = as_bob.post(f"/bolt/team/limits/requests/{asked.pk}/{way}/", {"amount": "9", "word": "Mine."})
        assert answer.status_code == 404


def test_the_link_of_a_refusal_fills_the_form_in(as_alice: Client, resting: Instance) -> None:
    page = text(as_alice.get(f"/acme/instances/{resting.slug}/"))
    assert "This would exceed the limit of 0 running instances for Acme Studio" in page
    link = "/acme/team/limits/ask/?measure=running&amp;whole=1"
    assert link in page
    form = as_alice.get(link.replace("&amp;", "&")).context["form"]
    assert (form["measure"].value(), form["whole"].value()) == ("running", "1")


def test_a_refused_resume_says_where_to_ask(as_alice: Client, resting: Instance) -> None:
    address = f"/acme/instances/{resting.slug}/resume/"
    answer = as_alice.post(address, {"origin": "row"}, headers={"HX-Request": "true"})
    assert answer.status_code == 422
    assert "/acme/team/limits/ask/?measure=running&amp;whole=1" in text(answer)
    assert "/acme/team/limits/ask/?measure=running&amp;whole=1" in text(as_alice.post(address))


def test_nobody_is_sent_to_ask_for_somebody_elses_limit(as_anna: Client, acme: Tenant, alice: User, cluster: Cluster) -> None:
    instance = factories.make_instance(acme, alice, cluster, **RESTS)
    Quota.objects.create(tenant=acme, author="tenant", user=alice, measure="running", limit=0)
    answer = text(as_anna.post(f"/acme/instances/{instance.slug}/resume/"))
    assert "limit of 0 running instances for alice" in answer
    assert "limits/ask" not in answer


def test_names_in_refusals_are_shown_as_they_are(as_alice: Client, acme: Tenant, alice: User, cluster: Cluster) -> None:
    Tenant.objects.filter(pk=acme.pk).update(name="<b>Acme</b>")
    factories.cap(acme, running=0)
    instance = factories.make_instance(acme, alice, cluster, **RESTS)
    page = text(as_alice.get(f"/acme/instances/{instance.slug}/"))
    assert "for &lt;b&gt;Acme&lt;/b&gt;:" in page
    assert "<b>Acme" not in page


def test_the_launch_page_shows_the_limits_it_counts_against(as_alice: Client, acme: Tenant, cluster: Cluster) -> None:
    factories.make_engine_version(is_default=True)
    factories.cap(acme, gpus=1000, storage=60)
    page = as_alice.get("/acme/launch/")
    assert [use.limit.measure for use in page.context["uses"]] == ["running", "instances", "storage"]
    assert page.context["shortage"] == ""
    factories.cap(acme, storage=49)
    assert "limit of 49 GiB of storage for Acme Studio: 0 GiB exist" in text(as_alice.get("/acme/launch/"))


def test_viewers_look_and_do_not_ask(acme: Tenant) -> None:
    membership: Membership = factories.join(factories.make_user("victor"), acme, Role.VIEWER)
    as_victor = signed_in(membership.user)
    assert "Ask for more" not in text(as_victor.get(LIMITS))
    assert as_victor.get(f"{LIMITS}ask/").status_code == 403
