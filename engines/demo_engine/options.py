"""The few SD WebUI options that mean something here, kept in config.json as there."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engines.demo_engine import files
from engines.demo_engine.parameters import MODELS, InvalidRequest, Problem

DEFAULTS: dict[str, Any] = {"sd_model_checkpoint": MODELS[0], "samples_format": "png", "live_previews_enable": True}
_CHOICES: dict[str, tuple[Any, ...]] = {
    "sd_model_checkpoint": MODELS,
    "samples_format": ("png",),
    "live_previews_enable": (True, False),
}


class Options:
    """Read once, written at each change."""

    def __init__(self, data_dir: Path):
        self._data_dir = data_dir
        self._path = data_dir / "config.json"
        saved = json.loads(self._path.read_text()) if self._path.is_file() else {}
        self.values = DEFAULTS | {name: value for name, value in saved.items() if value in _CHOICES.get(name, ())}

    def change(self, wanted: Mapping[str, Any]) -> None:
        """Set what is known; options of the real WebUI that have no meaning here are passed over."""
        problems: list[Problem] = []
        for name in wanted.keys() & DEFAULTS.keys():
            if wanted[name] not in _CHOICES[name]:
                msg = f"Input should be one of {', '.join(map(str, _CHOICES[name]))}"
                problems.append({"type": "enum", "loc": ["body", name], "msg": msg, "input": wanted[name]})
        if problems:
            raise InvalidRequest(problems)
        values = self.values | {name: wanted[name] for name in wanted.keys() & DEFAULTS.keys()}
        files.write_file(self._data_dir, self._path, json.dumps(values, indent=2).encode())
        self.values = values
