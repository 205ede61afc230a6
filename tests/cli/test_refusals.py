"""A portal that is busy, half dead or something else: what is sent again, what is said, and with which number it ends."""

import json

import pytest

from tests.cli.conftest import Aigc
from tests.cli.portal_double import LOST, Answer, PortalDouble, problem, stream

DRAGON = {
    "id": "bcdfghjkmn",
    "name": "Dragon",
    "owner": {"username": "alice", "name": ""},
    "engine": {"slug": "comfyui", "name": "ComfyUI", "version": "1"},
    "state": "running",
    "desired_state": "running",
    "status": "Running",
    "group": "running",
    "reason": None,
    "stay": None,
    "url": "https://bcdfghjkmn.engines.example.net/",
}
ENDED = {"text": "", "cursor": "c9", "ended": True}


def test_a_launch_whose_answer_was_lost_is_sent_again_under_its_key(aigc: Aigc, double: PortalDouble) -> None:
    double.will(LOST, problem(409, "request-in-progress", "Wait.", Retry_After="0"), Answer(201, DRAGON))
    done = aigc("launch", "comfyui", "--gpu", "l4", "--name", "Dragon", "--json")
    assert (done.code, json.loads(done.out)) == (0, DRAGON)
    assert [each.method for each in double.seen] == ["POST"] * 3
    keys = double.sent("Idempotency-Key")
    assert keys[0]
    assert set(keys) == {keys[0]}
    assert len({each.body for each in double.seen}) == 1


def test_two_launches_have_two_keys(aigc: Aigc, double: PortalDouble) -> None:
    double.will(Answer(201, DRAGON), Answer(201, DRAGON))
    for _ in range(2):
        aigc("launch", "comfyui", "--gpu", "l4")
    assert len(set(double.sent("Idempotency-Key"))) == 2


def test_it_waits_as_long_as_a_busy_portal_says(aigc: Aigc, double: PortalDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("aigc.api.time.sleep", waited.append)
    double.will(
        problem(429, "rate-limited", "Too many.", Retry_After="7"), Answer(503), Answer(200, {"items": [], "next_cursor": None})
    )
    done = aigc("list")
    assert (done.code, done.out, done.err) == (0, "", "There are no instances here.\n")
    assert waited == [7.0, 0.5]


def test_patience_has_an_end(aigc: Aigc, double: PortalDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIGC_PATIENCE", "5")
    double.will(problem(429, "rate-limited", "Too many.", Retry_After="7"))
    done = aigc("list")
    assert (done.code, done.out, done.err) == (5, "", "aigc: Too many. Try again in 7 s.\n")
    monkeypatch.setenv("AIGC_PATIENCE", "long")
    assert aigc("list").code == 2


def test_a_portal_that_is_away(aigc: Aigc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIGC_URL", "http://portal.localhost:9")
    monkeypatch.setenv("AIGC_TOKEN", "aigc_pat_secret")
    monkeypatch.setenv("AIGC_PATIENCE", "0")
    done = aigc("list", "--tenant", "acme")
    assert (done.code, done.out) == (5, "")
    assert done.err.startswith("aigc: http://portal.localhost:9 cannot be reached: ")
    assert "secret" not in done.err


@pytest.mark.parametrize(
    ("answer", "code", "sentence"),
    [
        (problem(401, "unauthenticated", "The token is over."), 3, "The token is over. Sign in with `aigc login`."),
        (problem(403, "insufficient-scope", "It lacks costs:read."), 1, "It lacks costs:read."),
        (problem(404, "not-found", "Nothing here."), 4, "Nothing here."),
        (problem(409, "limit-reached", "2 of 2 run."), 1, "2 of 2 run."),
        (problem(500, "internal", "It was our fault."), 5, "It was our fault."),
        (Answer(502, "<html>"), 5, "The portal answered 502 Bad Gateway."),
        (Answer(200, "<html>"), 1, "What answers at 127.0.0.1 is no AIGC portal, or another version of it."),
        (
            Answer(301, "", {"Location": "https://new.example.com/"}),
            1,
            "The portal is elsewhere: https://new.example.com/. Sign in there with `aigc login`.",
        ),
    ],
)
def test_each_refusal_is_a_sentence_and_a_number(
    answer: Answer, code: int, sentence: str, aigc: Aigc, double: PortalDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIGC_PATIENCE", "0")
    double.will(answer)
    done = aigc("costs", "--json")
    assert (done.code, done.out, done.err) == (code, "", f"aigc: {sentence}\n")


def test_what_a_portal_says_cannot_steer_the_terminal(aigc: Aigc, double: PortalDouble) -> None:
    double.will(problem(409, "unavailable", "No\x1b]0;title\x07 way\r\nat all"))
    assert aigc("costs").err == "aigc: No ]0;title  way  at all\n"


def test_a_name_that_is_anothers_id_is_refused_with_both(aigc: Aigc, double: PortalDouble) -> None:
    other = DRAGON | {"id": "zzzzzzzzzz", "name": "bcdfghjkmn", "owner": {"username": "anna", "name": ""}}
    double.will(double.lists(other), Answer(200, DRAGON))
    done = aigc("pause", "bcdfghjkmn")
    assert done.code == 1
    assert "bcdfghjkmn (zzzzzzzzzz, of anna), Dragon (bcdfghjkmn, of alice)" in done.err
    assert [each.method for each in double.seen] == ["GET", "GET"]


def test_a_deletion_whose_answer_was_lost_is_done(aigc: Aigc, double: PortalDouble) -> None:
    double.will(double.lists(DRAGON), LOST, problem(404, "not-found", "Nothing here."))
    done = aigc("delete", "Dragon", "--trash-data", "--yes")
    assert (done.code, done.err) == (0, "Dragon is being deleted. Its data goes to the trash.\n")
    assert double.seen[-1].path.endswith("/instances/bcdfghjkmn?data=trash")


def test_a_log_is_followed_over_lost_connections(aigc: Aigc, double: PortalDouble) -> None:
    double.will(
        double.lists(DRAGON),
        Answer(200, {"text": "one\ntwo\n", "cursor": "c1", "ended": False}),
        stream([("c2", "three\n"), ("c3", "four\n")]),
        LOST,
        Answer(200, {"text": "five\n", "cursor": "c4", "ended": False}),
        stream([("c5", "six\n")]),
        stream([]),
        Answer(200, ENDED),
    )
    done = aigc("logs", "-f", "--tail", "1", "Dragon")
    assert (done.code, done.out) == (0, "two\nthree\nfour\nfive\nsix\n")
    assert [each for each in double.sent("Last-Event-ID") if each] == ["c1", "c3", "c4", "c5"]


def test_progress_tells_every_change_and_the_place_in_line(
    aigc: Aigc, double: PortalDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aigc.coming_up.LOOK_EVERY_SECONDS", 0.0)
    queued = DRAGON | {"state": "queued", "status": "Waiting for a GPU", "group": "coming", "queue_position": 2}
    starting = DRAGON | {"state": "starting", "status": "Starting", "group": "coming", "queue_position": None}
    next_one = queued | {"queue_position": 1}
    double.will(*(Answer(200, each) for each in (queued, queued, next_one, starting, DRAGON)))
    done = aigc("launch", "comfyui", "--gpu", "l4", "--wait")
    assert (done.code, done.out) == (0, f"{DRAGON['url']}\n")
    said = [line.partition(" (after")[0] for line in done.err.splitlines()]
    assert said == [
        "Dragon: Waiting for a GPU (place 2)",
        "Dragon: Waiting for a GPU (place 1)",
        "Dragon: Starting",
        "Dragon: Running",
        "Dragon is running.",
    ]


def test_waiting_outlasts_a_portal_that_restarts(aigc: Aigc, double: PortalDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aigc.coming_up.LOOK_EVERY_SECONDS", 0.0)
    monkeypatch.setattr("aigc.api.BACKOFF_SECONDS", (0.0,))
    coming = DRAGON | {"state": "starting", "status": "Starting", "group": "coming"}
    double.will(Answer(201, coming), LOST, LOST, LOST, Answer(502, ""), Answer(200, DRAGON))
    assert aigc("launch", "comfyui", "--gpu", "l4", "--wait").code == 0


@pytest.mark.parametrize(
    ("seen", "code", "sentence"),
    [
        (
            {"state": "failed", "status": "Failed", "group": "failed", "reason": {"sentence": "Out of memory."}},
            1,
            "Dragon did not come up. Out of memory. See `aigc logs bcdfghjkmn`.",
        ),
        ({"group": "paused", "desired_state": "stopped"}, 1, "Dragon was asked to stop meanwhile."),
        ({"group": "coming"}, 5, "Dragon does not run after 1 s. The launch goes on: "),
    ],
)
def test_what_does_not_come_up(seen: dict[str, object], code: int, sentence: str, aigc: Aigc, double: PortalDouble) -> None:
    coming = DRAGON | {"group": "coming", "status": "Starting"}
    double.will(Answer(201, coming), *([Answer(200, coming | seen)] * 9))
    done = aigc("launch", "comfyui", "--gpu", "l4", "--wait", "--timeout", "1s")
    assert done.code == code
    assert f"aigc: {sentence}" in done.err


def test_a_token_goes_to_no_portal_but_its_own(aigc: Aigc, double: PortalDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    double.will(Answer(200, {"username": "alice", "tenants": [{"slug": "acme"}]}))
    monkeypatch.delenv("AIGC_TOKEN")
    assert aigc("login", double.address, typed="aigc_pat_alices\n").code == 0
    monkeypatch.setenv("AIGC_URL", "http://other.localhost:9")
    done = aigc("list")
    assert done.code == 3
    assert done.err.startswith("aigc: You are not signed in at http://other.localhost:9.")
    assert len(double.seen) == 1


@pytest.mark.parametrize(
    "address", ["http://portal.example.com", "ftp://portal", "https://", "https://me@portal", "https://portal:x"]
)
def test_addresses_that_are_none_or_not_safe(address: str, aigc: Aigc) -> None:
    assert aigc("login", address, typed="aigc_pat_x\n").code == 2


def test_an_id_is_no_way_to_other_addresses(aigc: Aigc, double: PortalDouble) -> None:
    double.will(double.lists())
    assert aigc("show", "../volumes/abc").code == 4
    assert len(double.seen) == 1
    assert aigc("list", "--tenant", "../me").code == 2
    assert aigc("catalog", "../x").code == 2


def test_its_language_is_the_terminals(aigc: Aigc, double: PortalDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    double.will(double.lists())
    aigc("list")
    assert double.sent("Accept-Language") == ["zh-CN, en;q=0.5"]
    assert double.sent("Authorization") == ["Bearer aigc_pat_of_nobody"]


def test_deleting_asks_first(aigc: Aigc, double: PortalDouble) -> None:
    double.will(double.lists(DRAGON))
    assert aigc("delete", "Dragon").code == 2
    assert [each.method for each in double.seen] == ["GET"]
