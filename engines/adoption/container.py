"""Which of a Pod's containers is the engine, and on which port its page listens."""

from collections.abc import Iterator, Mapping
from itertools import pairwise

from engines.adoption.findings import Decider, Fields
from engines.adoption.network import Exposed
from engines.adoption.quantities import port

_PORT_SWITCHES = ("--port", "--server-port", "--server_port")
_FILES = "filebrowser"


def engine_container(pod: Fields, exposed: list[Exposed]) -> Fields | None:
    """Choose the engine and report the others; None, and a refusal, if there is no container at all."""
    containers = pod.mappings("containers")
    if not containers:
        pod.notes.refuse(pod.at("containers"), "is required: there is nothing to run")
        return None
    engine = max(containers, key=lambda each: (_score(each, exposed), -containers.index(each)))
    for each in containers:
        if each is not engine:
            _report_sidecar(each)
    for each in pod.mappings("initContainers"):
        text = f"“{each.peek('name')}” ({each.peek('image')}) is not run: let the image or the engine itself prepare its data"
        each.notes.note(each.path, text, Decider.IMAGE)
    return engine


def _score(container: Fields, exposed: list[Exposed]) -> int:
    """The container that people were led to comes first, then the one with a GPU."""
    named = any(each.container and each.container == container.peek("name") for each in exposed)
    declared = [each.get("containerPort") for each in container.peek_mappings("ports")]
    listens = any(each.port in declared for each in exposed)
    resources = container.peek("resources")
    limits = resources.get("limits") if isinstance(resources, Mapping) else None
    return 4 * named + 2 * listens + (isinstance(limits, Mapping) and any("/" in str(key) for key in limits))


def _report_sidecar(container: Fields) -> None:
    image = str(container.peek("image") or "")
    if _FILES in image or _FILES in str(container.peek("name")):
        text, decider = f"“{container.peek('name')}” is not run: the portal has a page for an instance's files", Decider.NOBODY
    else:
        text, decider = f"“{container.peek('name')}” ({image}) is not run: an engine is one container", Decider.IMAGE
    container.notes.note(container.path, text, decider)


def page_port(container: Fields, exposed: list[Exposed], *, words: list[str], probed: int, guess: int) -> int:
    """The port of the engine's page: exposed, declared, probed, in its arguments, or what its family listens on; 0 if refused."""
    declared = list(_declared(container))
    known = [each.port for each in [*exposed, *declared]] + _in_arguments(words) + ([probed] if probed else [])
    if not known and guess:
        container.notes.note(container.at("ports"), f"names no port; {guess} is what this family listens on", Decider.OPERATOR)
    elif not known:
        text = "names no TCP port, and neither do the network, the probes and the arguments: add one to ports"
        container.notes.refuse(container.path, text)
    chosen = known[0] if known else guess
    for other in {each.port: each for each in [*exposed, *declared] if each.port != chosen}.values():
        text = f"port {other.port} is not reachable: an engine has one page, on {chosen}"
        container.notes.note(other.path, text, Decider.OPERATOR)
    return chosen


def _declared(container: Fields) -> Iterator[Exposed]:
    for entry in container.mappings("ports"):
        number, protocol = entry.take("containerPort", "name"), entry.take("protocol")
        if protocol not in (None, "TCP"):
            entry.notes.note(entry.path, f"{number}/{protocol} is not carried over: engines are reached by HTTP")
        elif port(number):
            yield Exposed(port(number), "", entry.path)
        else:
            entry.notes.refuse(entry.at("containerPort"), "must be a whole number from 1 to 65535")
        entry.report_rest(dict.fromkeys(("hostPort", "hostIP"), ("the portal's gateway is the only way in", Decider.NOBODY)))


def _in_arguments(args: list[str]) -> list[int]:
    found = [word.partition("=")[2] for word in args if word.startswith(tuple(f"{switch}=" for switch in _PORT_SWITCHES))]
    found += [after for word, after in pairwise(args) if word in _PORT_SWITCHES]
    return [port(each) for each in found if port(each)]
