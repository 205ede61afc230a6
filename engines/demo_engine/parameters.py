"""What a picture is made from: the txt2img fields that matter here, checked, and written as SD WebUI does."""

import math
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

Problem = dict[str, Any]

SAMPLERS = ("Euler a", "Euler")
MODELS = ("loom-auto", "loom-silk", "loom-mandala", "loom-tide", "loom-bloom", "loom-strata")
PROMPT_CHARACTERS = 4000
LARGEST_SEED = 2**32 - 1
MOST_PICTURES = 64


class InvalidRequest(Exception):
    """The body cannot be used; `problems` has the shape of FastAPI's `detail`."""

    def __init__(self, problems: list[Problem]):
        super().__init__("; ".join(f"{problem['loc'][-1]}: {problem['msg']}" for problem in problems))
        self.problems = problems


class UnknownSampler(Exception):
    """No sampler of that name."""


@dataclass(frozen=True)
class Parameters:
    """One request, complete: `seed` is resolved, picture number n (from 0) uses seed + n."""

    prompt: str = ""
    negative_prompt: str = ""
    seed: int = -1
    width: int = 512
    height: int = 512
    steps: int = 20
    cfg_scale: float = 7.0
    batch_size: int = 1
    n_iter: int = 1
    sampler_name: str = "Euler a"
    model: str = "loom-auto"
    save_images: bool = True

    @property
    def picture_count(self) -> int:
        """Pictures in the whole job."""
        return self.batch_size * self.n_iter

    def infotext(self, number: int = 0) -> str:
        """The text SD WebUI writes into the `parameters` chunk; other programs read it back."""
        lines = [self.prompt]
        if self.negative_prompt:
            lines.append(f"Negative prompt: {self.negative_prompt}")
        lines.append(
            f"Steps: {self.steps}, Sampler: {self.sampler_name}, CFG scale: {self.cfg_scale:g}, "
            f"Seed: {self.seed + number}, Size: {self.width}x{self.height}, Model: {self.model}, Version: Loom"
        )
        return "\n".join(lines)

    def of_picture(self, number: int) -> dict[str, Any]:
        """The parameters that make picture `number` again, alone."""
        return asdict(self) | {"seed": self.seed + number, "batch_size": 1, "n_iter": 1}


@dataclass(frozen=True)
class _Whole:
    at_least: int
    at_most: int
    multiple_of: int = 1

    def check(self, value: object) -> Problem | None:
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
            return {"type": "int_type", "msg": "Input should be a valid integer"}
        if value < self.at_least:
            msg = f"Input should be greater than or equal to {self.at_least}"
            return {"type": "greater_than_equal", "msg": msg, "ctx": {"ge": self.at_least}}
        if value > self.at_most:
            msg = f"Input should be less than or equal to {self.at_most}"
            return {"type": "less_than_equal", "msg": msg, "ctx": {"le": self.at_most}}
        if value % self.multiple_of:
            msg = f"Input should be a multiple of {self.multiple_of}"
            return {"type": "multiple_of", "msg": msg, "ctx": {"multiple_of": self.multiple_of}}
        return None


@dataclass(frozen=True)
class _Number:
    at_least: float
    at_most: float

    def check(self, value: object) -> Problem | None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return {"type": "float_type", "msg": "Input should be a valid number"}
        if not self.at_least <= value <= self.at_most:
            msg = f"Input should be between {self.at_least:g} and {self.at_most:g}"
            return {"type": "value_error", "msg": msg, "ctx": {"ge": self.at_least, "le": self.at_most}}
        return None


@dataclass(frozen=True)
class _Text:
    def check(self, value: object) -> Problem | None:
        if not isinstance(value, str):
            return {"type": "string_type", "msg": "Input should be a valid string"}
        if len(value) > PROMPT_CHARACTERS:
            msg = f"String should have at most {PROMPT_CHARACTERS} characters"
            return {"type": "string_too_long", "msg": msg, "ctx": {"max_length": PROMPT_CHARACTERS}}
        return None


@dataclass(frozen=True)
class _Flag:
    def check(self, value: object) -> Problem | None:
        return None if isinstance(value, bool) else {"type": "bool_type", "msg": "Input should be a valid boolean"}


FIELDS: dict[str, _Whole | _Number | _Text | _Flag] = {
    "prompt": _Text(),
    "negative_prompt": _Text(),
    "seed": _Whole(-1, LARGEST_SEED),
    "width": _Whole(64, 1024, multiple_of=8),
    "height": _Whole(64, 1024, multiple_of=8),
    "steps": _Whole(1, 60),
    "cfg_scale": _Number(1, 30),
    "batch_size": _Whole(1, 8),
    "n_iter": _Whole(1, 8),
    "sampler_name": _Text(),
    "save_images": _Flag(),
}


def read_parameters(body: Mapping[str, Any], default_model: str = "loom-auto") -> Parameters:
    """A txt2img body to parameters; fields that have no meaning here are passed over, null means the default."""
    given = {name: body[name] for name in FIELDS if body.get(name) is not None}
    if "sampler_name" not in given and body.get("sampler_index") is not None:
        given["sampler_name"] = body["sampler_index"]
    problems = []
    for name, value in given.items():
        problem = FIELDS[name].check(value)
        if problem:
            problems.append(problem | {"loc": ["body", name], "input": value})
    model = _read_model(body, default_model, problems)
    if problems:
        raise InvalidRequest(problems)
    return _complete(given, model)


def _read_model(body: Mapping[str, Any], default_model: str, problems: list[Problem]) -> str:
    override = body.get("override_settings") or {}
    asked = override.get("sd_model_checkpoint") if isinstance(override, dict) else None
    model = next((name for name in (asked, body.get("model")) if name is not None), default_model)
    if model not in MODELS:
        msg = f"Input should be one of {', '.join(MODELS)}"
        problems.append({"type": "enum", "loc": ["body", "model"], "msg": msg, "input": model})
    return str(model)


def _complete(given: dict[str, Any], model: str) -> Parameters:
    sampler = given.get("sampler_name", SAMPLERS[0])
    if sampler not in SAMPLERS:
        raise UnknownSampler(sampler)
    whole = {name: int(value) for name, value in given.items() if isinstance(FIELDS[name], _Whole)}
    complete = Parameters(**(given | whole | {"model": model}))
    if complete.seed != -1:
        return complete
    drawn = secrets.randbelow(LARGEST_SEED - MOST_PICTURES)
    return Parameters(**(asdict(complete) | {"seed": drawn}))
