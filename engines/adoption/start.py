"""How the engine is started: its words and its environment, without secrets and without doors of its own."""

import re

from engines import catalog_schema as schema
from engines.adoption.findings import Decider, Fields, below, misfit

# Switches with which an engine lets people in by itself, or lets them run code. The first kind may carry a password as its value.
_PASSWORDS = {"--gradio-auth", "--gradio-auth-path", "--api-auth", "--ngrok", "--username", "--password"}
_DOORS = _PASSWORDS | {"--share"}
_CODE = {"--enable-insecure-extension-access", "--allow-code"}
_SECRET_NAME = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIAL|(API|ACCESS|PRIVATE)_?KEY", re.IGNORECASE)
_REFERENCE = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")
_SECRETS = "secrets are not part of the catalog"


def read_start(container: Fields) -> tuple[list[str], dict[str, str]]:
    """The catalog's `args` and `env`."""
    command, args = _safe("command", container), _safe("args", container)
    if command:
        text = (
            "the catalog keeps the image's own entry point, so these words were put before the arguments: right for an image "
            "without an entry point, or whose entry point runs the words it is given; otherwise build an image that starts so"
        )
        container.notes.note(container.at("command"), text, Decider.IMAGE)
    env = _environment(container)
    words = command + args
    missing = {name for word in [*words, *env.values()] for name in _REFERENCE.findall(word)} - set(env)
    for name in sorted(missing):
        container.notes.note(container.path, f"uses $({name}), which is not part of its environment here", Decider.OPERATOR)
    return words, env


def _safe(key: str, container: Fields) -> list[str]:
    """The words of `command` or `args` without those that open a door."""
    kept: list[str] = []
    skip = False
    for position, word in enumerate(container.texts(key)):
        switch, equals, _ = word.partition("=")
        if skip and not word.startswith("--"):
            skip = False
            continue
        skip = switch in _PASSWORDS and not equals
        path = below(container.at(key), position)
        if switch in _DOORS:
            container.notes.note(path, f"{switch} is left out: the gateway decides who may enter")
        elif switch in _CODE:
            text = f"{switch} is left out: it lets whoever reaches the page run any code; add it again if that is wanted"
            container.notes.note(path, text, Decider.OPERATOR)
        else:
            kept.append(word)
    return kept


def _environment(container: Fields) -> dict[str, str]:
    env: dict[str, str] = {}
    for entry in container.mappings("env"):
        name, source = entry.text("name"), entry.mapping("valueFrom")
        value = entry.text("value")
        where = next((kind for kind, _ in source.unread()), "")
        if where:
            entry.notes.note(entry.path, f"{name} comes from a {where}: {_why(where)}", Decider.OPERATOR)
        elif wrong := misfit(schema.EnvName, name):
            entry.notes.note(entry.path, f"{name} is not carried over: {wrong}", Decider.OPERATOR)
        elif _holds_a_secret(name, value):
            entry.notes.note(entry.path, f"{name} looks like a secret and is not carried over: {_SECRETS}", Decider.OPERATOR)
        else:
            env[name] = value
        entry.report_rest()
    for entry in container.mappings("envFrom"):
        entry.take("prefix")
        where = next((kind for kind, _ in entry.unread()), "source")
        entry.notes.note(entry.path, f"variables from a {where} are not carried over: {_why(where)}", Decider.OPERATOR)
    return env


def _holds_a_secret(name: str, value: str) -> bool:
    return bool(value) and (
        _SECRET_NAME.search(name) is not None or any(word.partition("=")[0] in _PASSWORDS for word in value.split())
    )


def _why(kind: str) -> str:
    return _SECRETS if "secret" in kind else "write the value itself into env if it is needed"
