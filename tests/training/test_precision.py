"""The precision that a recipe means on a device."""

import pytest
import torch

from lit_effnet.training import precision
from lit_effnet.training.precision import choose_precision


@pytest.mark.parametrize("accelerator", ["auto", "cpu", "cuda", "mps"])
def test_a_recipe_in_float32_stays_there(accelerator: str) -> None:
    assert choose_precision(False, accelerator) == "32-true"


@pytest.mark.parametrize(("computes", "expected"), [(True, "bf16-mixed"), (False, "32-true")])
def test_a_cpu_takes_bf16_only_where_it_computes_in_it(
    computes: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "cpu_computes_bf16", lambda: computes)
    assert choose_precision(True, "cpu") == expected


def test_cuda_takes_fp16_and_other_devices_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_precision(True, "cuda") == "16-mixed"
    assert choose_precision(True, "mps") == "32-true"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_precision(True, "auto") == "16-mixed"


def test_what_the_cpu_says_is_asked_of_torch() -> None:
    known = torch.cpu.get_capabilities()
    told = bool(known.get("avx512_bf16") or known.get("amx_bf16"))
    assert precision.cpu_computes_bf16() == told
