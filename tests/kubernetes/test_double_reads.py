"""Lists and watches: selectors, pages, versions, bookmarks, 410, and connections that die."""

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.kubernetes.double import KubernetesDouble
from tests.kubernetes.scenes import NAMESPACE, PODS, Client, Connect, namespace
from tests.waiting import wait_until

MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"


def config_map(name: str, where: str = NAMESPACE, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": where, "labels": labels}}


def names(answer: dict[str, Any]) -> list[str]:
    return [item["metadata"]["name"] for item in answer["items"]]


@pytest.fixture
def maps(double: KubernetesDouble) -> None:
    double.load(
        [
            namespace("other"),
            config_map("a", app="x", tier="1"),
            config_map("b", app="y"),
            config_map("c"),
            config_map("d", "other"),
        ]
    )


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("app=x", ["a"]),
        ("app==y", ["b"]),
        ("app!=x", ["b", "c"]),
        ("app", ["a", "b"]),
        ("!app", ["c"]),
        ("app in (x, y)", ["a", "b"]),
        ("app notin (x)", ["b", "c"]),
        ("app in (x,y),tier=1", ["a"]),
        ("app=x,app!=x", []),
    ],
)
def test_labels_choose(maps: None, client: Client, selector: str, found: list[str]) -> None:
    assert names(client.ask("GET", MAPS, labelSelector=selector)[1]) == found


@pytest.mark.parametrize(
    ("selector", "found"),
    [("metadata.name=a", ["a"]), ("metadata.name!=a", ["b", "c", "d"]), ("metadata.namespace=other", ["d"])],
)
def test_fields_choose(maps: None, client: Client, selector: str, found: list[str]) -> None:
    assert names(client.ask("GET", "/api/v1/configmaps", fieldSelector=selector)[1]) == found


def test_a_field_that_is_not_known_is_refused(client: Client) -> None:
    status, refusal = client.ask("GET", PODS, fieldSelector="spec.hostname=x")
    assert (status, refusal["message"]) == (400, "field label not supported: spec.hostname")


def test_a_list_comes_in_pages(maps: None, double: KubernetesDouble, client: Client) -> None:
    _, first = client.ask("GET", "/api/v1/configmaps", limit="3")
    assert (names(first), first["metadata"]["remainingItemCount"]) == (["a", "b", "c"], 1)
    _, second = client.ask("GET", "/api/v1/configmaps", limit="3", **{"continue": first["metadata"]["continue"]})
    assert (names(second), "continue" in second["metadata"]) == (["d"], False)
    double.compact()
    status, refusal = client.ask("GET", "/api/v1/configmaps", limit="3", **{"continue": first["metadata"]["continue"]})
    assert (status, refusal["reason"]) == (410, "Expired")


def test_a_watch_goes_on_from_a_list(maps: None, double: KubernetesDouble, client: Client) -> None:
    version = client.ask("GET", MAPS)[1]["metadata"]["resourceVersion"]
    double.load([config_map("e")])
    double.delete("configmaps", NAMESPACE, "a")
    double.delete("configmaps", "other", "d")
    events = list(client.watch(MAPS, resourceVersion=version, timeoutSeconds="1"))
    assert [(event["type"], event["object"]["metadata"]["name"]) for event in events] == [("ADDED", "e"), ("DELETED", "a")]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert int(version) < versions[0] < versions[1]


def test_a_selector_makes_changes_comings_and_goings(maps: None, double: KubernetesDouble, client: Client) -> None:
    version = client.ask("GET", MAPS)[1]["metadata"]["resourceVersion"]
    double.merge("configmaps", NAMESPACE, "a", {"metadata": {"labels": {"app": "y"}}})
    double.merge("configmaps", NAMESPACE, "b", {"metadata": {"labels": {"app": "z"}}})
    events = client.watch(MAPS, resourceVersion=version, labelSelector="app=y", timeoutSeconds="1")
    assert [(event["type"], event["object"]["metadata"]["name"]) for event in events] == [("ADDED", "a"), ("DELETED", "b")]


def test_a_watch_without_a_version_begins_with_what_is_there(maps: None, client: Client) -> None:
    events = list(client.watch(MAPS, timeoutSeconds="1", sendInitialEvents="true", allowWatchBookmarks="true"))
    assert [event["type"] for event in events] == ["ADDED", "ADDED", "ADDED", "BOOKMARK", "BOOKMARK"]
    assert events[3]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_bookmarks_move_a_quiet_watch_on(double: KubernetesDouble, client: Client) -> None:
    version = client.ask("GET", MAPS)[1]["metadata"]["resourceVersion"]
    double.load([namespace("other")])
    [bookmark] = client.watch(MAPS, resourceVersion=version, timeoutSeconds="1", allowWatchBookmarks="true")
    assert bookmark["type"] == "BOOKMARK"
    assert int(bookmark["object"]["metadata"]["resourceVersion"]) > int(version)


def test_an_old_version_may_be_answered_with_http_410(double: KubernetesDouble, client: Client) -> None:
    double.compact()
    double.gone_as_http()
    status, refusal = client.ask("GET", MAPS, watch="true", resourceVersion="5")
    assert (status, refusal["reason"]) == (410, "Expired")


def test_a_version_of_the_future_is_too_large(client: Client) -> None:
    status, refusal = client.ask("GET", MAPS, resourceVersion="99999999")
    assert (status, refusal["reason"]) == (504, "Timeout")


class Listener:
    """A watch in a thread: what it heard, and how it ended."""

    def __init__(self, events: Iterator[dict[str, Any]]) -> None:
        self.heard: list[str] = []
        self.end: Exception | str = ""
        self.thread = threading.Thread(target=self.run, args=(events,))
        self.thread.start()

    def run(self, events: Iterator[dict[str, Any]]) -> None:
        try:
            for event in events:
                self.heard.append(event["object"]["metadata"]["name"])
        except httpx.HTTPError as error:
            self.end = error
        else:
            self.end = "finished"


def test_a_watch_is_cut(double: KubernetesDouble, client: Client, connect: Connect) -> None:
    listener = Listener(connect(double).watch(MAPS, resourceVersion="0"))
    wait_until(lambda: double.watches("configmaps") == 1)
    double.load([config_map("a")])
    wait_until(lambda: listener.heard == ["a"])
    assert double.drop_watches("configmaps") == 1
    listener.thread.join()
    assert isinstance(listener.end, httpx.RemoteProtocolError | httpx.ReadError)
    assert double.watches() == 0


def test_a_watch_is_ended_in_good_order(double: KubernetesDouble, connect: Connect) -> None:
    listener = Listener(connect(double).watch(MAPS))
    wait_until(lambda: double.watches() == 1)
    double.finish_watches()
    listener.thread.join()
    assert listener.end == "finished"


def test_a_watch_dies_without_a_word(double: KubernetesDouble, connect: Connect) -> None:
    listener = Listener(connect(double).watch(MAPS))
    wait_until(lambda: double.watches() == 1)
    assert double.silence_watches() == 1
    double.load([config_map("a")])
    other = Listener(connect(double).watch(MAPS, timeoutSeconds="1"))
    other.thread.join()
    assert (listener.heard, other.heard) == ([], ["a"])
    double.drop_watches()
    listener.thread.join()


def test_a_restarted_server_has_what_it_had(double: KubernetesDouble, connect: Connect) -> None:
    listener = Listener(connect(double).watch(MAPS))
    wait_until(lambda: double.watches() == 1)
    double.load([config_map("a")])
    double.stop_serving()
    listener.thread.join()
    with pytest.raises(httpx.ConnectError):
        connect(double).ask("GET", MAPS)
    double.serve()
    assert names(connect(double).ask("GET", MAPS)[1]) == ["a"]


def test_a_watch_that_is_left_is_forgotten(double: KubernetesDouble, connect: Connect) -> None:
    client = connect(double)
    events = client.watch(MAPS, resourceVersion="0")
    double.load([config_map("a")])
    next(events)
    events.close()  # type: ignore[attr-defined]
    client.http.close()
    wait_until(lambda: double.watches() == 0)
