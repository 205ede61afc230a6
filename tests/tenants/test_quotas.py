"""Who sets limits, within what, and what becomes of requests for more."""

import pytest
from django.db import IntegrityError, transaction

from engines.models import GpuClass
from tenants import access
from tenants.audit.models import AuditEvent
from tenants.errors import NotAllowed, NotVisible
from tenants.models import Membership, Role
from tenants.notifications.models import Notification
from tenants.quotas.measures import Scope
from tenants.quotas.models import Quota, QuotaRequest, QuotaRequestStep
from tenants.quotas.operations import remove_quota, set_quota
from tenants.quotas.refusal import BeyondCeiling, CannotAsk
from tenants.quotas.requests import approve_request, ask_for_more, pass_on_request, refuse_request, withdraw_request
from tests import factories


@pytest.fixture
def operator(olga, acme) -> Membership:
    return access.as_operator(olga, acme, permission="tenants.change_quota")


@pytest.fixture
def asked(acme, alice, alice_in_acme) -> QuotaRequest:
    """Alice has one GPU and asks for two."""
    Quota.objects.create(tenant=acme, author="tenant", user=alice, measure="gpus", limit=1000)
    return ask_for_more(by=alice_in_acme, scope=Scope("gpus", user_id=alice.pk), wanted=2000, reason="Two shots.")


def told(kind: str) -> list[tuple[str, ...]]:
    found = Notification.objects.filter(kind=kind).order_by("pk")
    return [tuple(each.recipients.order_by("user__username").values_list("user__username", flat=True)) for each in found]


def test_admins_set_limits_and_the_log_knows(acme, alice, anna, anna_in_acme):
    scope = Scope("running", user_id=alice.pk)
    first = set_quota(by=anna_in_acme, scope=scope, limit=2)
    again = set_quota(by=anna_in_acme, scope=scope, limit=3)
    assert (first.pk, again.limit, again.author, again.set_by) == (again.pk, 3, "tenant", anna)
    set_quota(by=anna_in_acme, scope=scope, limit=3)
    remove_quota(by=anna_in_acme, quota=again)
    remove_quota(by=anna_in_acme, quota=again)
    events = AuditEvent.objects.order_by("pk").values_list("kind", "actor", "tenant", "subject_name", "details")
    about = (anna.pk, acme.pk, "running · alice")
    assert list(events) == [
        ("quota.set", *about, {"from": None, "to": 2}),
        ("quota.set", *about, {"from": 2, "to": 3}),
        ("quota.removed", *about, {"from": 3}),
    ]
    assert not Quota.objects.exists()


def test_members_set_none(acme, alice, alice_in_acme):
    with pytest.raises(NotAllowed):
        set_quota(by=alice_in_acme, scope=Scope("running", user_id=alice.pk), limit=100)
    assert not Quota.objects.exists()


def test_admins_stay_within_the_ceiling(acme, alice, anna_in_acme, operator, gpu_class):
    with pytest.raises(BeyondCeiling, match="at most 5"):
        set_quota(by=anna_in_acme, scope=Scope("running", user_id=alice.pk), limit=6)
    set_quota(by=operator, scope=Scope("running"), limit=8)
    set_quota(by=anna_in_acme, scope=Scope("running", user_id=alice.pk), limit=8)
    GpuClass.objects.update(max_per_tenant=2)
    with pytest.raises(BeyondCeiling, match="at most 2"):
        set_quota(by=anna_in_acme, scope=Scope("running", gpu_class.pk, role=Role.MEMBER), limit=3)
    set_quota(by=anna_in_acme, scope=Scope("gpus", gpu_class.pk, role=Role.MEMBER), limit=99_000)


def test_a_tenant_may_limit_itself_and_leaves_the_ceiling_alone(acme, anna_in_acme, operator):
    set_quota(by=operator, scope=Scope("running"), limit=8)
    set_quota(by=anna_in_acme, scope=Scope("running"), limit=4)
    assert list(Quota.objects.order_by("pk").values_list("author", "limit")) == [("operator", 8), ("tenant", 4)]
    with pytest.raises(NotAllowed):
        remove_quota(by=anna_in_acme, quota=Quota.objects.get(author="operator"))


def test_only_members_and_known_roles_are_limited(acme, bob, anna_in_acme):
    for scope in (Scope("running", user_id=bob.pk), Scope("running", role="king")):
        with pytest.raises(NotVisible):
            set_quota(by=anna_in_acme, scope=scope, limit=1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"author": "operator", "role": "member"},
        {"author": "tenant", "role": "member", "with_user": True},
        {"author": "tenant", "measure": "storage", "with_class": True},
        {"author": "tenant", "measure": "happiness"},
    ],
)
def test_the_database_refuses_what_makes_no_sense(acme, alice, gpu_class, wrong):
    wrong = dict(wrong)
    row = {
        "user": alice if wrong.pop("with_user", False) else None,
        "gpu_class": gpu_class if wrong.pop("with_class", False) else None,
    }
    with pytest.raises(IntegrityError), transaction.atomic():
        Quota.objects.create(**{"tenant": acme, "measure": "running", "limit": 1} | row | wrong)


def test_the_database_keeps_one_row_for_each_scope(acme):
    factories.cap(acme, running=1)
    with pytest.raises(IntegrityError), transaction.atomic():
        Quota.objects.create(tenant=acme, author="operator", measure="running", limit=2)


def test_a_request_reaches_owners_and_admins(acme, anna, asked):
    assert told("limit_asked") == [("anna",)]
    assert (asked.state, asked.scope) == ("open", Scope("gpus", user_id=asked.asker_id))


def test_an_admin_grants_and_the_asker_is_told(anna, asked, alice, anna_in_acme):
    approve_request(by=anna_in_acme, request=asked, amount=1500, word="For now.")
    asked.refresh_from_db()
    assert (asked.state, asked.granted) == ("approved", 1500)
    assert Quota.objects.get(user=alice).limit == 1500
    notification = Notification.objects.get(kind="limit_raised")
    assert told("limit_raised") == [("alice",)]
    words = notification.about.words(notification.context)
    assert words.sentence == "It is about GPUs. anna raised it to 1.5. For now."
    assert list(asked.steps.values_list("kind", "by__username", "amount", "word")) == [
        ("asked", "alice", 2000, "Two shots."),
        ("approved", "anna", 1500, "For now."),
    ]
    kinds = list(AuditEvent.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds == ["quota_request.asked", "quota.set", "quota_request.approved"]


def test_an_admin_cannot_grant_beyond_the_ceiling_and_passes_it_on(asked, acme, alice, anna_in_acme, operator):
    factories.cap(acme, gpus=1000)
    with pytest.raises(BeyondCeiling):
        approve_request(by=anna_in_acme, request=asked, amount=2000)
    pass_on_request(by=anna_in_acme, request=asked, word="I am for it.")
    with pytest.raises(CannotAsk, match="Operators have this request already"):
        pass_on_request(by=anna_in_acme, request=asked)
    assert told("limit_passed_on") == [("alice",)]
    approve_request(by=operator, request=asked, amount=2000)
    limits = {(each.author, each.user_id): each.limit for each in Quota.objects.all()}
    assert limits == {("operator", None): 2000, ("tenant", alice.pk): 2000}
    assert asked.steps.last().by_operator


def test_a_refusal_says_why(asked, anna_in_acme, alice):
    with pytest.raises(CannotAsk, match="Say why"):
        refuse_request(by=anna_in_acme, request=asked, word=" ")
    refuse_request(by=anna_in_acme, request=asked, word="Not this month.")
    assert (told("limit_refused"), Quota.objects.get(user=alice).limit) == ([("alice",)], 1000)
    with pytest.raises(CannotAsk, match="This request is closed: refused"):
        approve_request(by=anna_in_acme, request=asked, amount=2000)


def test_one_open_request_for_each_limit_and_withdrawing(asked, acme, alice, alice_in_acme, anna_in_acme):
    again = {"by": alice_in_acme, "scope": Scope("gpus", user_id=alice.pk), "wanted": 3000, "reason": "Three."}
    with pytest.raises(CannotAsk, match="asked for more of this already"):
        ask_for_more(**again)
    with pytest.raises(NotAllowed):
        withdraw_request(by=anna_in_acme, request=asked)
    withdraw_request(by=alice_in_acme, request=asked)
    assert ask_for_more(**again).pk != asked.pk
    assert not Notification.objects.filter(kind__in=["limit_raised", "limit_refused"]).exists()


def test_what_has_no_limit_or_enough_is_not_asked_for(acme, alice, alice_in_acme):
    own = {"by": alice_in_acme, "scope": Scope("running", user_id=alice.pk), "reason": "Why not."}
    with pytest.raises(CannotAsk, match="There is no such limit"):
        ask_for_more(wanted=2, **own)
    whole = own | {"scope": Scope("running")}
    with pytest.raises(CannotAsk, match="The limit is 5 already"):
        ask_for_more(wanted=5, **whole)
    with pytest.raises(CannotAsk, match="Say what you need it for"):
        ask_for_more(wanted=6, **whole | {"reason": " "})
    assert not QuotaRequest.objects.exists()


def test_a_member_asks_for_the_whole_team_by_way_of_its_admins(acme, alice_in_acme, anna_in_acme, operator):
    request = ask_for_more(by=alice_in_acme, scope=Scope("running"), wanted=9, reason="A film.")
    assert request.state == "open"
    with pytest.raises(BeyondCeiling):
        approve_request(by=anna_in_acme, request=request, amount=9)
    approve_request(by=operator, request=request, amount=9)
    assert list(Quota.objects.values_list("author", "limit")) == [("operator", 9)]


def test_owners_ask_operators_directly(acme, anna_in_acme):
    request = ask_for_more(by=anna_in_acme, scope=Scope("running"), wanted=9, reason="A film.")
    request.refresh_from_db()
    assert (request.state, told("limit_asked")) == ("passed_on", [])


def test_a_ceiling_of_a_class_rises_with_the_request(acme, anna_in_acme, operator, gpu_class):
    GpuClass.objects.update(max_per_tenant=2)
    request = ask_for_more(by=anna_in_acme, scope=Scope("running", gpu_class.pk), wanted=7, reason="A film.")
    approve_request(by=operator, request=request, amount=7)
    limits = {each.gpu_class_id: each.limit for each in Quota.objects.all()}
    assert limits == {None: 7, gpu_class.pk: 7}


def test_to_grant_less_than_there_is_lowers_nothing(asked, acme, alice, anna_in_acme):
    set_quota(by=anna_in_acme, scope=Scope("gpus", user_id=alice.pk), limit=4000)
    approve_request(by=anna_in_acme, request=asked, amount=2000)
    assert Quota.objects.get(user=alice).limit == 4000


def test_whoever_has_left_is_granted_nothing(asked, alice_in_acme, anna_in_acme):
    alice_in_acme.delete()
    with pytest.raises(CannotAsk, match="alice is no member of Acme Studio any more"):
        approve_request(by=anna_in_acme, request=asked, amount=2000)
    refuse_request(by=anna_in_acme, request=asked, word="Good-bye.")


def test_a_right_that_is_gone_meanwhile_sets_nothing(acme, anna_in_acme):
    stale = Membership.objects.select_related("tenant", "user").get(pk=anna_in_acme.pk)
    Membership.objects.filter(pk=anna_in_acme.pk).update(role=Role.MEMBER)
    with pytest.raises(NotAllowed):
        set_quota(by=stale, scope=Scope("running"), limit=1)
    assert not Quota.objects.exists()


def test_strangers_decide_nothing(asked, bob_in_bolt):
    for decide in (
        lambda: approve_request(by=bob_in_bolt, request=asked, amount=1),
        lambda: refuse_request(by=bob_in_bolt, request=asked, word="No."),
        lambda: withdraw_request(by=bob_in_bolt, request=asked),
    ):
        with pytest.raises(NotVisible):
            decide()
    assert asked.steps.count() == 1


def test_viewers_do_not_ask(acme):
    viewer = factories.join(factories.make_user("victor"), acme, Role.VIEWER)
    with pytest.raises(NotAllowed):
        ask_for_more(by=viewer, scope=Scope("running"), wanted=9, reason="A film.")


def test_requests_are_kept_as_they_were(asked, anna_in_acme):
    refuse_request(by=anna_in_acme, request=asked, word="No.")
    for change in (
        lambda: QuotaRequest.objects.filter(pk=asked.pk).update(state="approved"),
        lambda: QuotaRequestStep.objects.update(word="Yes."),
        lambda: QuotaRequestStep.objects.all().delete(),
    ):
        with pytest.raises(IntegrityError, match="kept as they were"), transaction.atomic():
            change()
    with pytest.raises(IntegrityError), transaction.atomic():
        QuotaRequest.objects.filter(pk=asked.pk)._raw_delete("default")
