"""What every entry of a catalog file is made of. Pure."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Strict


class Entry(BaseModel):
    """Unknown keys are refused; a loaded catalog is never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def in_form(pattern: str, problem: str) -> AfterValidator:
    """Match the whole text against the pattern, or refuse it with a sentence instead of the pattern."""

    def check(value: str) -> str:
        if re.fullmatch(pattern, value) is None:
            raise ValueError(problem)
        return value

    return AfterValidator(check)


HttpPath = Annotated[str, Strict(), in_form(r"/[^\s#]*", "must start with / and hold no spaces")]
