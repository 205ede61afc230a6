"""What every body has in common."""

from typing import Annotated, Generic, TypeVar

from ninja import Schema
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

T = TypeVar("T")
Name = Annotated[str, Field(min_length=1, max_length=60)]
Slug = Annotated[str, Field(pattern=r"^[-a-zA-Z0-9_]+$", max_length=100)]


class Input(Schema):
    """What a caller sends; a field that is not known is refused, since it was meant to do something."""

    model_config = ConfigDict(extra="forbid")


class Output(Schema):
    """What a caller is sent. Times are UTC as in RFC 3339, amounts decimal numbers as text."""


class CamelInput(Input):
    """What a caller sends to routes that speak as others' APIs of their kind do: with camelCase names."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class CamelOutput(BaseModel):
    """What a caller is sent by such routes, which say `by_alias=True`.

    No Schema of ninja's, which looks each field up as Django's templates do: that takes longer than all else for a thousand rows.
    So it is made by its constructor, or of a dict, and never of a model.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Page(Output, Generic[T]):
    """Part of a list. `next_cursor` leads to the part after it, and is null in the last one."""

    items: list[T]
    next_cursor: str | None = None


class Person(Output):
    """Somebody as their colleagues know them."""

    username: str
    name: str
