"""What a request says about the use of an engine, family by family; and which patterns may say it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.activity.classes import NO_RULES, RequestClass, classify, rules_of
from engines.activity.families import FAMILIES, activity_of, probe_of
from engines.activity.patterns import _PIECE, PATH_LENGTH, PATTERN_LENGTH, WAYS, _ways, pattern_problem
from engines.activity.schema import Activity

USER, API, WORK, POLL, ASSET = RequestClass.USER, RequestClass.API, RequestClass.WORK, RequestClass.POLL, RequestClass.ASSET


def class_in(family: str, request: str, *, token: bool = False, **given: object) -> RequestClass:
    """The class of "[METHOD] path [destination]", or of "WS path"."""
    method, path, destination = (*request.split(), "")[:3]
    return classify(
        rules_of(activity_of(family, given)),
        method="GET" if method == "WS" else method,
        path=path,
        destination=destination,
        is_websocket=method == "WS",
        is_token=token,
    )


@pytest.mark.parametrize(
    ("family", "request_", "expected"),
    [
        ("comfyui", "GET / document", USER),
        ("comfyui", "GET /queue empty", POLL),
        ("comfyui", "GET /api/queue empty", POLL),
        ("comfyui", "GET /api/prompt?x=/view empty", POLL),
        ("comfyui", "GET /history/5?max_items=64 empty", POLL),
        ("comfyui", "GET /api/system_stats empty", POLL),
        ("comfyui", "WS /ws?clientId=0091de8c", POLL),
        ("comfyui", "POST /prompt empty", USER),
        ("comfyui", "POST /api/prompt empty", USER),
        ("comfyui", "POST /upload/image empty", USER),
        ("comfyui", "POST /queue empty", USER),  # somebody clears it
        ("comfyui", "GET /view?filename=a.png image", ASSET),
        ("comfyui", "GET /assets/index-1f2e.js script", ASSET),
        ("comfyui", "GET /object_info empty", ASSET),
        ("comfyui", "GET /queuefull document", USER),  # \b
        ("sd-webui", "GET / document", USER),
        ("sd-webui", "POST /internal/progress empty", POLL),
        ("sd-webui", "GET /internal/ping empty", POLL),
        ("sd-webui", "GET /internal/pending-tasks empty", POLL),
        ("sd-webui", "GET /sdapi/v1/progress?skip_current_image=true empty", POLL),
        ("sd-webui", "WS /queue/join", WORK),
        ("sd-webui", "POST /sdapi/v1/txt2img empty", WORK),
        ("sd-webui", "POST /sdapi/v1/options empty", USER),
        ("sd-webui", "POST /run/predict empty", USER),
        ("sd-webui", "GET /file=a.png image", ASSET),
        ("sd-webui", "WS /ws", POLL),  # Loom's page
        ("sd-webui", "POST /api/jobs empty", USER),
        ("gradio", "GET / document", USER),
        ("gradio", "WS /queue/join", WORK),  # 3.x: one for each click
        ("gradio", "POST /queue/join? empty", USER),  # 4.x
        ("gradio", "POST /gradio_api/queue/join?__theme=light empty", USER),  # 5.x
        ("gradio", "GET /queue/data?session_hash=a empty", WORK),
        ("gradio", "GET /gradio_api/queue/data?session_hash=a empty", WORK),
        ("gradio", "GET /gradio_api/call/predict/61d7 empty", WORK),
        ("gradio", "POST /run/predict empty", WORK),
        ("gradio", "GET /gradio_api/heartbeat/a empty", POLL),
        ("gradio", "GET /heartbeat/a empty", POLL),
        ("gradio", "GET /gradio_api/startup-events empty", POLL),
        ("gradio", "GET /gradio_api/queue/status empty", POLL),
        ("gradio", "GET /gradio_api/file=/tmp/a.webp image", ASSET),
        ("http", "GET / document", USER),
        ("http", "POST /ws/socket.io/?EIO=4&transport=polling empty", POLL),
        ("http", "WS /ws/socket.io/?EIO=4&transport=websocket", POLL),
        ("http", "GET /ws/socket.io/?EIO=4&transport=polling empty", POLL),
        ("http", "POST /api/v1/queue/default/enqueue_batch empty", USER),
        ("http", "DELETE /api/v1/images/i/a.png empty", USER),
        ("http", "GET /api/v1/queue/default/status empty", ASSET),
        ("http", "WS /anything", POLL),
        ("http", "OPTIONS /anything", ASSET),
        ("http", "HEAD /", ASSET),
    ],
)
def test_requests_of_each_family(family, request_, expected):
    assert class_in(family, request_) is expected


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ("POST /prompt", API),
        ("GET /view?filename=a.png", API),
        ("GET /history/61d7", POLL),  # a program that asks whether its picture is done is not use: the engine's queue is
        ("WS /ws?clientId=a", POLL),
        ("WS /other", API),
    ],
)
def test_a_program_with_a_token(request_, expected):
    assert class_in("comfyui", request_, token=True) is expected


def test_a_version_may_say_otherwise_than_its_family():
    assert class_in("http", "WS /terminal", websocket_is_user=True) is USER
    assert class_in("http", "POST /tick", poll=["POST ^/tick$"]) is POLL
    assert class_in("http", "GET /tick document", poll=["POST ^/tick$"]) is USER
    assert class_in("http", "POST /generate", work=["POST ^/generate$"]) is WORK
    assert class_in("comfyui", "GET /queue document", poll=[]) is USER
    assert class_in("comfyui", "POST /prompt", work=["POST ^/prompt$"], poll=["POST ^/prompt$"]) is WORK
    assert class_in("comfyui", "WS /ws", websocket_is_user=True) is POLL  # what a list names is told first


def test_what_is_left_out_is_the_familys():
    own = activity_of("comfyui", {"poll": ["^/x$"]})
    assert own == Activity(probe=FAMILIES["comfyui"].probe, poll=("^/x$",), work=(), websocket_is_user=False)
    assert probe_of("comfyui", {"probe": {"kind": "none"}}).kind == "none"
    assert {family: probe_of(family, {}).kind for family in FAMILIES} == {
        "comfyui": "comfyui",
        "sd-webui": "sdwebui",
        "gradio": "gradio",
        "http": "none",
    }


def test_of_an_unknown_engine_pages_and_changes_are_use():
    said = [
        classify(NO_RULES, method=method, path="/x", destination=destination, is_websocket=False, is_token=False)
        for method, destination in (("GET", "document"), ("PUT", ""), ("GET", "empty"), ("GET", "iframe"))
    ]
    assert said == [USER, USER, ASSET, ASSET]


FAMILY_PATTERNS = sorted({pattern for usual in FAMILIES.values() for pattern in (*(usual.poll or ()), *(usual.work or ()))})


@pytest.mark.parametrize("pattern", FAMILY_PATTERNS)
def test_our_own_patterns_are_allowed(pattern):
    assert pattern_problem(pattern) is None


PIECES = "may use ( ), (?: ), |, ?, *, + and [ ], but not {n}, look-around, named groups or references"


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("queue", "must start with ^/, or with a method and ^/ (POST ^/generate)"),
        ("FETCH ^/queue", "must start with ^/, or with a method and ^/ (POST ^/generate)"),
        ("^/" + "a" * PATTERN_LENGTH, f"is longer than {PATTERN_LENGTH} characters"),
        ("^/(", "is not a regular expression: missing ), unterminated subpattern at position 2"),
        ("^/a**", "is not a regular expression: multiple repeat at position 4"),
        ("^/[[]", "is not a regular expression: Possible nested set at position 3"),
        ("^/队列", "must hold printable ASCII characters only, as paths do"),
        ("^/(a+)+b", "must not repeat a group"),
        ("^/(?:a|a)*b", "must not repeat a group"),
        ("^/.*a.*b", "must not hold more than one * or +"),
        ("^/[^/]+/x", None),
        ("^/[]*(]+/x", None),
        ("^/a{3}", PIECES),
        ("^/(?=a)b", PIECES),
        ("^/(?P<n>a)", PIECES),
        ("^/(a)" + chr(92) + "1", PIECES),
        ("^/" + "a?" * 6, None),
        ("^/" + "a?" * 7, f"branches in more than {WAYS} ways"),
        ("^/" + "(a|b)" * 7, f"branches in more than {WAYS} ways"),
        ("^/a" + "|^/b" * 64, f"is longer than {PATTERN_LENGTH} characters"),
    ],
)
def test_patterns_that_could_take_long_are_refused(pattern, problem):
    assert pattern_problem(pattern) == problem


@given(st.text(alphabet="ab/^$|?*+()[]{}.\\:-", max_size=40).map("^/{}".format))
def test_whatever_is_allowed_compiles_and_branches_little(pattern):
    if pattern_problem(pattern) is None:
        assert re.compile(pattern)
        assert _ways(_PIECE.findall(pattern)) <= WAYS


def test_only_the_beginning_of_a_path_is_looked_at():
    tail = "^/" + "[^/]+" + "/end$"
    assert class_in("http", f"GET /{'a' * (PATH_LENGTH - 5)}/end document", poll=[tail]) is POLL
    assert class_in("http", f"GET /{'a' * PATH_LENGTH}/end document", poll=[tail]) is USER
