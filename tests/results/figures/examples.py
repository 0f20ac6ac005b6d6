"""Results of all kinds, as sweeps and commands would leave them: made up, and the same each time."""

import json
from typing import Any

import numpy as np
import pandas as pd

from tests.results.runs import frame

ALIKE = {"data": "photos", "group": "made_up"}
SIGMAS = (0.0, 0.1, 0.3)


def scaling_runs(repeats: int = 3) -> pd.DataFrame:
    arms = {
        "baseline": (4, 0.82),
        "depth at 2 x MACs": (8, 0.66),
        "width at 2 x MACs": (8, 0.85),
        "resolution at 2 x MACs": (8, 0.84),
        "compound at 2 x MACs": (8, 0.86),
        "compound at 2 x MACs, round": (8, 0.87),
        "depth at 4 x MACs": (16, 0.4),
        "width at 4 x MACs": (16, 0.88),
        "compound at 4 x MACs": (16, 0.84),
    }
    return _runs(
        {arm: top1 for arm, (_, top1) in arms.items()},
        repeats,
        macs={arm: macs * 10**6 for arm, (macs, _) in arms.items()},
    )


def coefficient_runs(best: str = "phi 1, gamma 1.2") -> pd.DataFrame:
    rest = ("alpha 1.3, beta 1.05, gamma 1.2", "beta 1.2, gamma 1.05", "beta 1.3, gamma 1")
    arms = ["phi 1", "phi 1, gamma 1.2", *(f"phi 1, {text}" for text in rest)]
    macs = {arm: 7_000_000 + 400_000 * index for index, arm in enumerate(arms)}
    return _runs({arm: 0.9 if arm == best else 0.8 for arm in arms}, 3, macs=macs)


def se_runs(full: float = 0.85) -> pd.DataFrame:
    ratios = {"baseline, se_ratio=0.0": 0.0, "baseline, se_ratio=0.125": 0.125}
    ratios["baseline, se_ratio=0.25"] = 0.25
    costs = {
        name: {arm: round(base * (1 + step * ratio)) for arm, ratio in ratios.items()}
        for name, base, step in (("parameters", 270_000, 0.6), ("macs", 3_840_000, 0.04))
    }
    costs["latency_ms"] = {arm: 1.5 + ratio for arm, ratio in ratios.items()}  # type: ignore[misc]
    return _runs(dict(zip(ratios, (0.8, 0.82, full), strict=True)), 3, se_ratio=ratios, **costs)


def transfer_runs(b4: float = 0.91) -> pd.DataFrame:
    macs = {"B0": 400_000_000, "B4": 4_400_000_000, "resnet50": 4_100_000_000}
    parts = []
    for recipe, less in (("finetune", 0.0), ("linear_probe", 0.1)):
        for data in ("cifar100", "flowers102"):
            values = {"B0": 0.88 - less, "B4": b4 - less, "resnet50": 0.87 - less}
            made = {"macs": macs, "data": data, "recipe": recipe, "began_with": "released"}
            parts.append(_runs(values, 3, **made))
            for name in ("run", "id"):
                parts[-1][name] += f"/{recipe}/{data}"
    return pd.concat(parts, ignore_index=True)


def noise_runs(left: float = 0.3) -> pd.DataFrame:
    parts = []
    for sigma in SIGMAS:
        told = {"condition": "gaussian_noise" if sigma else "clean", "recipe": "plain"}
        told["condition_parameters"] = json.dumps({"sigma": sigma} if sigma else {})
        part = sigma / SIGMAS[-1]
        values = {"baseline": 0.8 - part * (0.8 - left), "width at 4 x MACs": 0.85 - part * 0.8}
        parts.append(_runs(values, 3, macs=5_000_000, **told))
    return pd.concat(parts, ignore_index=True)


def efficiency_rows(b4_ms: float = 140.0) -> list[dict[str, Any]]:
    networks = {
        "b0": (385_814_752, 17.0, 0.3),
        "b4": (4_393_771_024, b4_ms, 0.27),
        "resnet50": (4_089_184_256, 78.0, 0.75),
    }
    return [
        {
            "name": name,
            "macs": macs,
            "device": "a processor",
            "precision": "float32",
            "threads": 1,
            "compiled": False,
            "latency": {
                "median_ms": ms,
                "p5_ms": round(0.95 * ms, 3),
                "p95_ms": round(1.1 * ms, 3),
            },
            "inference": {"utilisation": part},
        }
        for name, (macs, ms, part) in networks.items()
    ]


def int8_rows(top1: float = 0.8) -> list[dict[str, Any]]:
    variants = [
        ("float32 by PyTorch eager", {"backend": "eager"}, 16.0, 0.85),
        ("float32 by OpenVINO", {"backend": "OpenVINO"}, 5.7, 0.85),
        ("int8", {"backend": "openvino_mixed", "method": "mse", "kept": "nothing"}, 2.8, top1),
        ("int8", {"backend": "openvino_mixed", "method": "mse", "kept": "se"}, 3.1, 0.84),
        ("int8", {"backend": "onnxruntime", "method": "min-max", "kept": "nothing"}, 4.0, 0.83),
    ]
    return [
        {
            "condition": condition,
            "parameters": parameters,
            "weights": "w0",
            "top1": value,
            "images": 1000,
            "agreement": 0.97,
            "evaluated": "2026-01-02T03:04:05Z",
            "latency": {"1": {"cpu_ms": ms, "eager_over_this": round(16 / ms, 2)}},
        }
        for condition, parameters, ms, value in variants
    ]


def _runs(values: dict[str, float], repeats: int, **columns: Any) -> pd.DataFrame:
    """Finished runs of each arm, whose repeats are some hundredths apart."""
    noise = np.random.default_rng(0)
    arms = {arm: [*(mean + 0.01 * noise.standard_normal(repeats))] for arm, mean in values.items()}
    made = frame(arms, **{**ALIKE, **columns})
    return made.assign(id=made["arm"] + made["seed"].astype(str))
