"""What people and teams choose: which e-mail they get, and when engines are released."""

from collections.abc import Callable

import pytest

from engines.models import IdleRule
from tenants.models import Membership, Role, Tenant, User
from tenants.notifications.kinds import KINDS
from tenants.notifications.models import EmailOptOut
from tests.api.conftest import Program
from tests.api.test_frame import problem

MAIL = "/me/mail"
RELEASE = "/tenants/acme/release"
STRICT = {"idle_minutes": 5, "maximum_life_minutes": 60, "maximum_keep_minutes": 0, "end_busy": True, "release_unknown": False}


def wanted_in(answer: dict) -> dict[str, bool]:
    return {each["kind"]: each["wanted"] for each in answer["kinds"]}


def test_people_choose_which_mail_they_get(alices: Program, alice: User) -> None:
    before = alices("GET", MAIL).json()
    assert before["language"] is None
    assert wanted_in(before) == {kind.name: not kind.on_request for kind in KINDS.values() if kind.optional}
    assert "invitation" not in wanted_in(before)  # nobody can do without
    after = alices("PUT", MAIL, {"kinds": ["member_joined"], "language": "zh-hans"}).json()
    assert {kind for kind, wanted in wanted_in(after).items() if wanted} == {"member_joined"}
    assert (after["language"], alices("GET", MAIL).json()) == ("zh-hans", after)
    assert EmailOptOut.objects.filter(user=alice).count() == sum(wanted_in(before).values()) - 1
    usual = [kind for kind, wanted in wanted_in(before).items() if wanted]
    assert alices("PUT", MAIL, {"kinds": usual}).json() == before | {"language": "zh-hans"}


@pytest.mark.parametrize("body", [{"kinds": ["invitation"]}, {"kinds": ["nothing"]}, {"kinds": [], "language": "tlh"}, {}])
def test_a_choice_that_is_none_changes_nothing(alices: Program, alice: User, body: dict[str, object]) -> None:
    assert problem(alices("PUT", MAIL, body)) == (422, "invalid")
    alice.refresh_from_db()
    assert (alice.language, EmailOptOut.objects.count()) == ("", 0)


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("PUT", {"kinds": []})])
def test_a_token_of_one_tenant_does_not_reach_what_holds_in_all(
    method: str, body: object, alice: User, alice_in_acme: Membership, program_of: Callable[..., Program]
) -> None:
    bound = program_of(alice, membership=alice_in_acme)
    assert problem(bound(method, MAIL, body)) == (403, "not-allowed")
    assert not EmailOptOut.objects.exists()


@pytest.fixture
def annas(acme: Tenant, anna: User, program_of: Callable[..., Program]) -> Program:
    return program_of(anna)


def test_a_team_is_stricter_than_operators_and_leaves_it_to_them_again(annas: Program, alices: Program) -> None:
    before = alices("GET", RELEASE).json()
    assert (before["operators"]["idle_minutes"], before["own"]) == (20, None)
    after = annas("PUT", RELEASE, STRICT).json()
    sentence = "Released when it is free and nobody has used it for 5 minutes. On for at most 1 h at a time."
    assert after == before | {"own": STRICT | {"sentence": sentence}}
    assert alices("GET", RELEASE).json() == after
    assert annas("DELETE", RELEASE).status_code == 204
    assert annas("DELETE", RELEASE).status_code == 204
    assert alices("GET", RELEASE).json() == before


def test_no_team_is_looser_than_operators(annas: Program) -> None:
    IdleRule.objects.create(name="All", idle_minutes=10, maximum_life_minutes=600)
    for looser in ({"idle_minutes": 11}, {"maximum_life_minutes": None}):
        answer = annas("PUT", RELEASE, STRICT | looser)
        assert problem(answer) == (409, "unavailable")
    assert "operators allow 600 at most" in answer.json()["detail"]
    assert not IdleRule.objects.filter(author="tenant").exists()


def test_members_read_the_rule_and_set_none(alices: Program, alice_in_acme: Membership) -> None:
    assert alice_in_acme.role == Role.MEMBER
    assert problem(alices("PUT", RELEASE, STRICT)) == (403, "not-allowed")
    assert not IdleRule.objects.exists()
