"""The way in: which TCP ports a GameServerSet exposes. The rest of its network the portal's own gateway takes over."""

import json
from dataclasses import dataclass

from engines.adoption.findings import Decider, Fields, Notes, Reasons, below
from engines.adoption.quantities import port

# Parameters of OpenKruiseGame's network plugins: docs/en/user_manuals/network.md of github.com/openkruise/kruise-game.
_GATEWAY = "the portal's gateway gives every instance an address of its own"
_BALANCER = "the portal's gateway is the only way in, so nothing is balanced or mapped"
_PARAMETERS: Reasons = {
    "Host": (_GATEWAY, Decider.NOBODY),
    "TlsHosts": (f"{_GATEWAY}, with its own certificate", Decider.NOBODY),
    "TlsSecretName": (f"{_GATEWAY}, with its own certificate", Decider.NOBODY),
    "IngressClassName": (_GATEWAY, Decider.NOBODY),
    "PathType": (_GATEWAY, Decider.NOBODY),
}
_SIGN_IN = ("nginx.ingress.kubernetes.io/auth-url", "nginx.ingress.kubernetes.io/auth-signin")
_PORTS = {"Port", "Ports", "PortProtocols", "ContainerPorts"}
_TCP = {"", "TCP", "TCPUDP"}

TYPE_ANNOTATION = "game.kruise.io/network-type"
CONF_ANNOTATION = "game.kruise.io/network-conf"


@dataclass(frozen=True)
class Exposed:
    """One TCP port that was reachable from outside; `container` is empty where the plugin does not name one."""

    port: int
    container: str
    path: str


def exposed_ports(network: Fields, annotations: Fields) -> list[Exposed]:
    """The ports of `spec.network`, and of the annotations that say the same on a Pod, in their order."""
    ports = _of_plugin(network.text("networkType"), network.mappings("networkConf"), network.at("networkType"))
    network.report_rest()
    kind, conf = annotations.text(TYPE_ANNOTATION), annotations.text(CONF_ANNOTATION)
    path = annotations.at(CONF_ANNOTATION)
    return ports + _of_plugin(kind, _parameters(conf, path, annotations.notes), annotations.at(TYPE_ANNOTATION))


def _parameters(conf: str, path: str, notes: Notes) -> list[Fields]:
    """The annotation holds the same list as `networkConf`, as JSON."""
    if not conf:
        return []
    try:
        parameters = json.loads(conf)
    except ValueError:
        parameters = None
    if not isinstance(parameters, list):
        notes.note(path, "is not a JSON list and is not carried over", Decider.OPERATOR)
        return []
    return [Fields(each, below(path, index), notes) for index, each in enumerate(parameters)]


def _of_plugin(kind: str, parameters: list[Fields], path: str) -> list[Exposed]:
    found: list[Exposed] = []
    for parameter in parameters:
        if kind:
            parameter.notes.note(path, f"{kind} is not used: {_BALANCER}")
            kind = ""
        name, value = parameter.text("name"), parameter.text("value")
        if name in _PORTS:
            found += _ports(value, parameter)
        else:
            _report(name, value, parameter)
        parameter.report_rest()
    return found


def _ports(value: str, parameter: Fields) -> list[Exposed]:
    """Read `7860`, `80,8080`, `80/TCP,7777/UDP` or `container:80/TCP`."""
    container, colon, ports = value.rpartition(":")
    found = []
    for each in ports.split(","):
        number, _, protocol = each.strip().partition("/")
        if protocol.upper() not in _TCP:
            parameter.notes.note(parameter.at("value"), f"{each.strip()} is not carried over: engines are reached by HTTP")
        elif port(number):
            found.append(Exposed(port(number), container if colon else "", parameter.at("value")))
        else:
            parameter.notes.note(parameter.at("value"), f"“{each.strip()}” is not a port", Decider.OPERATOR)
    return found


def _report(name: str, value: str, parameter: Fields) -> None:
    if name == "Path" and value != "/":
        text, decider = (
            f"the engine was reached below {value}; here it has a host of its own: take the path out of its arguments",
            Decider.OPERATOR,
        )
    elif name == "Annotation" and value.startswith(_SIGN_IN):
        text, decider = "who may enter is decided by the portal's gateway", Decider.NOBODY
    elif name == "Annotation":
        text, decider = f"{value.partition(':')[0]}: how an Ingress treats requests is not carried over", Decider.OPERATOR
    elif name == "Path":
        text, decider = _GATEWAY, Decider.NOBODY
    else:
        text, decider = _PARAMETERS.get(name, (_BALANCER, Decider.NOBODY))
    parameter.notes.note(parameter.path, f"{name}: {text}", decider)
