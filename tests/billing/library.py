"""The pure modules of billing as one value, so that laws can be asked of them as they are, or with one line changed."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace

PURE = ("money", "periods", "calendars", "doubts", "metering", "storage", "pricebook", "rating", "ledger", "digests")
"""In the order in which they stand on each other."""


def present() -> SimpleNamespace:
    """Return the modules as they are."""
    return SimpleNamespace(**{name: importlib.import_module(f"billing.{name}") for name in PURE})


@contextmanager
def mutated(name: str, old: str, new: str) -> Iterator[SimpleNamespace]:
    """Return fresh copies of the modules, of which one has `new` in place of `old`; afterwards all are as before."""
    package = importlib.import_module("billing")
    before = {each: sys.modules[f"billing.{each}"] for each in PURE}
    source = _source(before[name])
    assert source.count(old) == 1, f"billing/{name}.py has {source.count(old)} times: {old}"
    try:
        for each in PURE:
            del sys.modules[f"billing.{each}"]
            module = _load(f"billing.{each}", _source(before[each]).replace(old, new) if each == name else _source(before[each]))
            setattr(package, each, module)
        yield present()
    finally:
        for each, module in before.items():
            sys.modules[f"billing.{each}"] = module
            setattr(package, each, module)


def _source(module: ModuleType) -> str:
    assert module.__file__ is not None
    return Path(module.__file__).read_text()


def _load(name: str, source: str) -> ModuleType:
    module = ModuleType(name)
    sys.modules[name] = module
    exec(compile(source, name, "exec"), module.__dict__)
    return module
