"""What an image of the double does: its name is its behaviour.

double/process                    the command as a real process of this machine
double/sleep                      runs until it is told to end; answers its probes at once
double/ready-after-2.5s           the same, but answers only after that time
double/never-ready                runs and never answers
double/stubborn                   runs, answers, and does not heed SIGTERM
double/frozen                     neither answers nor heeds SIGTERM
double/exit-1                     ends at once with that code, having said why
double/exit-137-after-6s          answers, and ends by itself after that time
double/slow-pull, …-5s            as sleep, but it takes 3 (5) seconds to pull
double/no-such, double/denied     cannot be pulled
double/bad-command                cannot be started
anything else                     not found in its registry, unless the double was given `images`
Seconds in names are real ones, whatever the double's speed.
"""

import re
from dataclasses import dataclass

PATTERNS = {
    "ready-after": re.compile(r"double/ready-after-(?P<seconds>[\d.]+)s"),
    "exit": re.compile(r"double/exit-(?P<code>\d+)(-after-(?P<seconds>[\d.]+)s)?"),
    "slow-pull": re.compile(r"double/slow-pull(-(?P<seconds>[\d.]+)s)?"),
}
NEVER = float("inf")


@dataclass(frozen=True)
class Behaviour:
    """How a container of an image lives."""

    process: bool = False
    pull_seconds: float = 0
    pull_error: str = ""
    start_error: str = ""
    ready_after: float = 0
    exit_after: float = NEVER
    exit_code: int = 0
    heeds_term: bool = True


def not_found(image: str) -> str:
    full = image if "/" in image and "." in image.partition("/")[0] else f"docker.io/{image}"
    return f'failed to pull and unpack image "{full}": failed to resolve reference "{full}": {full}: not found'


def denied(image: str) -> str:
    full = f"docker.io/{image}"
    return (
        f'failed to pull and unpack image "{full}": failed to resolve reference "{full}": pull access denied, repository does '
        f"not exist "
        "or may require authorization: server message: insufficient_scope: authorization failed"
    )


def behaviour_of(image: str, images: dict[str, str]) -> Behaviour:
    """Look an image up; `images` maps regular expressions to images of the double."""
    name = next((double for pattern, double in images.items() if re.search(pattern, image)), image)
    name = name.partition("@")[0]
    name = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
    fixed = {
        "double/process": Behaviour(process=True),
        "double/sleep": Behaviour(),
        "double/never-ready": Behaviour(ready_after=NEVER),
        "double/stubborn": Behaviour(heeds_term=False),
        "double/frozen": Behaviour(ready_after=NEVER, heeds_term=False),
        "double/denied": Behaviour(pull_error=denied(image)),
        "double/bad-command": Behaviour(start_error='exec: "nope": executable file not found in $PATH: unknown'),
    }
    return fixed.get(name) or patterned(name) or Behaviour(pull_error=not_found(image))


def patterned(name: str) -> Behaviour | None:
    for kind, pattern in PATTERNS.items():
        if found := pattern.fullmatch(name):
            given = found.groupdict()
            seconds = float(given["seconds"]) if given.get("seconds") else None
            if kind == "ready-after":
                return Behaviour(ready_after=seconds or 0)
            if kind == "slow-pull":
                return Behaviour(pull_seconds=3 if seconds is None else seconds)
            code = int(given["code"])
            return (
                Behaviour(exit_after=seconds, exit_code=code)
                if seconds
                else Behaviour(exit_after=0, ready_after=NEVER, exit_code=code)
            )
    return None
