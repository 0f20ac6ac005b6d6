"""Table of network costs, shared by tests, `lit_effnet.scale` and the README; needs no torch."""

import json
from importlib.resources import files
from typing import Any


def golden_complexity() -> dict[str, dict[str, Any]]:
    """Return the costs by network: `image_size` in pixels, `params`, `macs`, `activations`.

    Costs are of one image, counted on timm's networks with torch's FLOP counter. Networks whose
    `task` is detection were counted on effdet's, with class and box heads. Costs are None if no
    package has the network. `published` has parameters in millions, MACs in billions and ImageNet
    top-1 in percent, None where no source was checked.
    """
    text = files("lit_effnet.network").joinpath("complexity.json").read_text(encoding="utf-8")
    rows: dict[str, dict[str, Any]] = json.loads(text)
    return rows


def published_only() -> list[str]:
    """Return the networks that no package has, with published figures only."""
    return [name for name, row in golden_complexity().items() if row["params"] is None]
