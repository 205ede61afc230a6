"""What every route has in common: who calls, how it is refused, lists in parts, ETags, rates, languages."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from engines.models import Cluster
from tenants.access_tokens.models import AccessToken
from tenants.access_tokens.operations import Made, revoke_access_token
from tenants.models import Membership, Tenant, User
from tests import factories
from tests.api.conftest import Program

ABSENT = {
    "type": "http://portal.localhost:8000/api/v1/docs#not-found",
    "title": "Not found",
    "status": 404,
    "code": "not-found",
    "detail": "There is nothing here, or it is not yours.",
}


def problem(answer: Any) -> tuple[int, str]:
    """Status and code of a refusal, which has to be in the one form."""
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["type"].endswith(f"/api/v1/docs#{body['code']}")
    return answer.status_code, body["code"]


@pytest.fixture
def within_a_minute(time_machine: Any) -> None:
    """No minute ends while the test counts."""
    time_machine.move_to(timezone.now().replace(second=10), tick=False)


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"authorization": "Basic YTpi"},
        {"authorization": "Bearer"},
        {"authorization": "Bearer aigc_pat_guess"},
        {"authorization": "Bearer aigc_pat_" + "a" * 46},
    ],
)
def test_without_a_living_token_nothing_is_told(sent: dict[str, str], db: None) -> None:
    program = Program()
    program.headers = sent
    answer = program("GET", "/me")
    assert problem(answer) == (401, "unauthenticated")
    assert answer["WWW-Authenticate"].startswith('Bearer realm="api"')


def test_a_session_of_the_pages_opens_nothing(alice: User, client: Client) -> None:
    client.force_login(alice)
    assert problem(client.get("/api/v1/me")) == (401, "unauthenticated")


def test_a_token_ends_when_revoked_run_out_or_its_person_is_shut_out(
    alice: User, make_token: Callable[..., Made], alice_in_acme: Membership
) -> None:
    revoked, over, bound = make_token(alice), make_token(alice), make_token(alice, membership=alice_in_acme)
    programs = [Program(each.secret) for each in (revoked, over, bound)]
    assert [each("GET", "/me").status_code for each in programs] == [200, 200, 200]
    revoke_access_token(token=revoked.token, by=alice)
    past = timezone.now() - timedelta(days=2)
    AccessToken.objects.filter(pk=over.token.pk).update(created_at=past, expires_at=past + timedelta(days=1))
    alice_in_acme.delete()
    assert [each("GET", "/me").status_code for each in programs] == [401, 401, 401]
    other = Program(make_token(alice).secret)
    assert other("GET", "/me").json()["tenants"] == []
    User.objects.update(is_active=False)
    assert other("GET", "/me").status_code == 401


def test_a_token_for_one_tenant_reaches_no_other(
    alice: User, alice_in_acme: Membership, bolt: Tenant, program_of: Callable[..., Program]
) -> None:
    factories.join(alice, bolt)
    bound, free = program_of(alice, membership=alice_in_acme), program_of(alice)
    assert [each["slug"] for each in bound("GET", "/tenants").json()["items"]] == ["acme"]
    assert [each["slug"] for each in free("GET", "/tenants").json()["items"]] == ["acme", "bolt"]
    assert free("GET", "/tenants/bolt").status_code == 200
    assert bound("GET", "/tenants/bolt").json() == ABSENT


def test_what_is_not_there_and_what_is_not_ones_look_alike(alices: Program, bolt: Tenant, bob: User, cluster: Cluster) -> None:
    theirs = factories.make_instance(bolt, bob, cluster)
    answers = [
        alices("GET", path)
        for path in (
            "/tenants/bolt",
            "/tenants/nowhere",
            f"/tenants/bolt/instances/{theirs.slug}",
            f"/tenants/acme/instances/{theirs.slug}",
            "/tenants/acme/instances/bcdfghjkmn",
            "/nothing/at/all",
            "/tenants/%00",
        )
    ]
    assert [answer.json() for answer in answers] == [ABSENT] * len(answers)
    assert len({answer.content for answer in answers}) == 1


def test_scopes_narrow_what_the_person_may_do(alice: User, program_of: Callable[..., Program]) -> None:
    reader = program_of(alice, scopes=["instances:read"])
    assert reader("GET", "/tenants/acme/instances").status_code == 200
    answer = reader("POST", "/tenants/acme/instances", {"engine": "double", "gpu_class": "cpu-small"})
    assert problem(answer) == (403, "insufficient-scope")
    assert answer["WWW-Authenticate"] == 'Bearer realm="api", error="insufficient_scope", scope="instances:write"'
    writer = program_of(alice, scopes=["instances:write"])
    assert writer("GET", "/tenants/acme/instances").status_code == 200, "whoever may change may look"


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("GET", "/me?verbose=1", None, (422, "invalid")),
        ("GET", "/tenants/acme/instances?limit=201", None, (422, "invalid")),
        ("GET", "/tenants/acme/instances?cursor=%21", None, (422, "invalid")),
        ("GET", "/tenants/acme/instances?cursor=WzEsMl0", None, (422, "invalid")),
        ("GET", "/tenants/acme/instances?name=%00", None, (400, "bad-request")),
        ("POST", "/tenants/acme/instances", {"engine": "x", "gpu_class": "y", "gpus": 8}, (422, "invalid")),
        ("POST", "/tenants/acme/instances", [], (422, "invalid")),
        ("POST", "/tenants/acme/instances", {"engine": "\ud800", "gpu_class": "y"}, (400, "bad-request")),
        ("POST", "/tenants/acme/instances", {"engine": "x", "gpu_class": "y", "name": "a\0b"}, (400, "bad-request")),
        ("POST", "/tenants/acme/instances", {"engine": "x", "gpu_class": "y", "size_gib": float("nan")}, (400, "bad-request")),
        ("DELETE", "/me", None, (405, "method-not-allowed")),
        ("POST", "/tenants/acme/instances", {"name": "x" * 1_100_000}, (413, "too-large")),
    ],
)
def test_what_cannot_be_meant_is_refused(method: str, path: str, body: Any, expected: tuple[int, str], alices: Program) -> None:
    assert problem(alices(method, path, body)) == expected


def test_a_refusal_names_each_field(alices: Program) -> None:
    errors = alices("POST", "/tenants/acme/instances", {"gpu_class": 7, "gpus": 8}).json()["errors"]
    assert {(each["in"], each["field"]) for each in errors} == {("body", "engine"), ("body", "gpu_class"), ("body", "gpus")}


def test_bodies_are_json(alices: Program) -> None:
    answer = alices.client.post("/api/v1/tenants/acme/instances", {"engine": "double"}, headers=alices.headers)
    assert problem(answer) == (415, "unsupported-media-type")
    broken = alices.client.post("/api/v1/tenants/acme/instances", "{", content_type="application/json", headers=alices.headers)
    assert problem(broken) == (400, "bad-request")


def test_people_are_answered_in_their_language(alices: Program) -> None:
    answer = alices("GET", "/nothing", accept_language="zh-hans")
    assert answer["Content-Language"] == "zh-hans"
    assert "Accept-Language" in answer["Vary"]


def test_a_list_in_parts_shows_each_row_once(alices: Program, acme: Tenant, alice: User, cluster: Cluster) -> None:
    version = factories.make_engine_version()
    made = [factories.make_instance(acme, alice, cluster, engine_version=version).slug for _ in range(5)]
    seen, cursor = [], ""
    for _ in range(3):
        part = alices("GET", f"/tenants/acme/instances?limit=2&cursor={cursor}").json()
        seen += [each["id"] for each in part["items"]]
        cursor = part["next_cursor"]
        factories.make_instance(acme, alice, cluster, engine_version=version)  # what comes meanwhile moves nothing
    assert seen == made[::-1]
    assert cursor is None


def test_an_unchanged_answer_is_not_sent_again(alices: Program) -> None:
    first = alices("GET", "/me")
    second = alices("GET", "/me", if_none_match=first["ETag"])
    assert (second.status_code, second.content) == (304, b"")
    assert alices("GET", "/me", if_none_match='"other"').status_code == 200


def test_requests_are_counted_per_user(
    alice: User, anna: User, program_of: Callable[..., Program], settings: Any, within_a_minute: None
) -> None:
    settings.API_REQUESTS_PER_MINUTE = 3
    first, second, other = program_of(alice), program_of(alice), program_of(anna)
    answers = [program("GET", "/me") for program in (first, second, first, second)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer["RateLimit"].partition(";t=")[0] for answer in answers] == [f'"user";r={left}' for left in (2, 1, 0, 0)]
    assert answers[0]["RateLimit-Policy"] == '"user";q=3;w=60'
    assert problem(answers[3]) == (429, "rate-limited")
    assert 1 <= int(answers[3]["Retry-After"]) <= 60
    assert other("GET", "/me").status_code == 200


def test_guessing_ends_soon(make_token: Callable[..., Made], alice: User, within_a_minute: None) -> None:
    made = make_token(alice)
    AccessToken.objects.filter(pk=made.token.pk).delete()
    guesser = Program(made.secret)
    assert [guesser("GET", "/me").status_code for _ in range(20)] == [401] * 20
    assert problem(guesser("GET", "/me")) == (429, "rate-limited")


def test_use_is_written_once_a_minute(alice: User, make_token: Callable[..., Made]) -> None:
    made = make_token(alice)
    program = Program(made.secret)
    program("GET", "/me")
    first = AccessToken.objects.get(pk=made.token.pk).last_used_at
    program("GET", "/me")
    assert AccessToken.objects.get(pk=made.token.pk).last_used_at == first
    earlier = timezone.now() - timedelta(minutes=2)
    AccessToken.objects.update(last_used_at=earlier)
    program("GET", "/me")
    assert AccessToken.objects.get(pk=made.token.pk).last_used_at > earlier


def test_a_failure_of_ours_is_a_problem_too(alices: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenants.api.me._tenants", lambda *_: 1 / 0)
    answer = alices("GET", "/me")
    assert problem(answer) == (500, "internal")
    assert b"ZeroDivision" not in answer.content


def test_the_document_is_for_everybody(client: Client, db: None) -> None:
    document = client.get("/api/v1/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    assert document["components"]["securitySchemes"]["AccessToken"]["scheme"] == "bearer"
    assert client.get("/api/v1/docs").status_code == 200
