"""Which family an engine belongs to, guessed from its names, and what that family needs in order to be reached and watched."""

from dataclasses import dataclass

from engines.adoption.findings import Decider, Fields


@dataclass(frozen=True)
class Family:
    """An entry of the catalog's `family`, the words by which it is recognised, and its habits."""

    name: str
    words: tuple[str, ...] = ()
    port: int = 0
    health_path: str = "/"
    needs: tuple[tuple[str, str], ...] = ()  # switch → why


_LISTEN = ("--listen", "without it the page listens inside its container only, where the gateway does not reach it")
_FAMILIES = (
    Family("comfyui", ("comfyui", "comfy-ui"), 8188, "/system_stats", (_LISTEN,)),
    Family(
        "sd-webui",
        ("stable-diffusion", "sd-webui", "sdwebui", "automatic1111", "a1111", "webui-forge", "sdnext"),
        7860,
        "/",
        (_LISTEN, ("--api", "without it nobody can tell whether it is busy")),
    ),
    Family("gradio", ("gradio", "fooocus", "kohya"), 7860),
)
_ANY_PAGE = Family("http")


def recognise(names: list[str]) -> Family:
    """The family whose word is in one of the names; any web page if there is none."""
    text = " ".join(names).lower()
    return next((family for family in _FAMILIES if any(word in text for word in family.words)), _ANY_PAGE)


def report_family(family: Family, words: list[str], env: dict[str, str], container: Fields) -> None:
    """Tell what was guessed, and which switches the family needs that neither the arguments nor the environment hold."""
    if family is _ANY_PAGE:
        text = "no family is recognised, so its use is read from its web traffic alone; change family if it is another"
    else:
        text = f"taken for an engine of the family {family.name} by its names; change family if it is another"
    container.notes.note(container.at("image"), text, Decider.OPERATOR)
    said = {word.partition("=")[0] for text in [*words, *env.values()] for word in text.split()}
    for switch, why in family.needs:
        if switch not in said:
            container.notes.note(container.at("args"), f"{switch} is missing: {why}", Decider.OPERATOR)
