"""The table of costs that tests, `lit_effnet.scale` and the README share; needs no torch."""

import json
from importlib.resources import files
from typing import Any


def golden_complexity() -> dict[str, dict[str, Any]]:
    """By network: `image_size` in pixels, `params`, `macs` and `activations` of one image.

    They were counted on timm's networks with torch's FLOP counter, those whose `task` is detection
    on effdet's with class and box heads; null where no package carries the network. `published`
    has parameters in millions, MACs in billions and ImageNet top-1 in percent, null where no
    source was checked.
    """
    text = files("lit_effnet.network").joinpath("complexity.json").read_text(encoding="utf-8")
    rows: dict[str, dict[str, Any]] = json.loads(text)
    return rows


def published_only() -> list[str]:
    """The networks that no package carries, of which nothing was counted."""
    return [name for name, row in golden_complexity().items() if row["params"] is None]
