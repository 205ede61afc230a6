"""How an engine's use is told, as an entry of a catalog file: what its requests mean, and how to ask whether it works. Pure."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, Strict, StrictBool, StrictInt, model_validator

from engines.activity.patterns import pattern_problem
from engines.catalog_entry import Entry, HttpPath, in_form

PATTERNS_LIMIT = 32
COMPARISONS = ("above", "longer_than", "equals", "differs_from")


def _pattern(value: str) -> str:
    if problem := pattern_problem(value):
        raise ValueError(problem)
    return value


Pattern = Annotated[str, Strict(), AfterValidator(_pattern)]
Patterns = Annotated[tuple[Pattern, ...], Field(max_length=PATTERNS_LIMIT)]
Pointer = Annotated[
    str, Strict(), Field(max_length=200), in_form(r"(/([^~/]|~[01])*)*", "must be a JSON pointer, such as /queue/pending")
]
Text = Annotated[str, Strict(), Field(max_length=500), in_form(r"[^\x00-\x1f]*", "must hold no control characters")]
Word = Annotated[Text, Field(min_length=1)]
Number = StrictInt | Annotated[float, Strict(), Field(allow_inf_nan=False)]
Scalar = StrictBool | Number | Text | None


class Condition(Entry):
    """One value of a JSON answer (RFC 6901) beside one comparison; where it holds, the engine is busy."""

    value: Pointer
    above: Number | None = None
    longer_than: Annotated[StrictInt, Field(ge=0)] | None = None  # of a list or an object
    equals: Scalar = None
    differs_from: Scalar = None

    @model_validator(mode="after")
    def _one_comparison(self) -> Self:
        if len(self.model_fields_set & set(COMPARISONS)) != 1:
            raise ValueError("needs exactly one of “above”, “longer_than”, “equals” and “differs_from”")
        return self


class Probe(Entry):
    """How to ask an engine whether it works."""

    kind: Literal["comfyui", "sdwebui", "gradio", "http_json", "command", "none"]
    path: HttpPath | None = None
    busy_if: Annotated[tuple[Condition, ...], Field(max_length=8)] = ()
    command: Annotated[tuple[Word, ...], Field(max_length=32)] = ()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.kind == "http_json") != bool(self.path and self.busy_if) or (self.kind != "http_json" and self.path):
            raise ValueError("“path” and “busy_if” belong to the kind http_json, which needs both")
        if (self.kind == "command") != bool(self.command):
            raise ValueError("“command” belongs to the kind command, which needs it")
        if self.command and not self.command[0].startswith("/"):
            raise ValueError("“command” must begin with the absolute path of a program beside the portal")
        return self


class Activity(Entry):
    """What is left out is as the engine's family has it."""

    probe: Probe | None = None
    poll: Patterns | None = None
    work: Patterns | None = None
    websocket_is_user: StrictBool | None = None
