"""Our figures for the tables of the design document."""

from dataclasses import asdict

import pytest
import torch

from lit_effnet.benchmark.device_logs import DeviceTiming
from lit_effnet.deploy.running import Cost
from lit_effnet.deploy.timing import Timing
from lit_effnet.network.golden import golden_complexity
from lit_effnet.profiling.latency import Latency
from lit_effnet.profiling.timing import Times
from lit_effnet.results.design_doc.ours import counted, evaluated, exported, measured, quantised
from lit_effnet.results.design_doc.quantities import Measured
from lit_effnet.results.design_doc.tables import document_table, tables

LATENCY = Latency.of(Times([9.0, 10.0, 11.0], [8.0, 8.0, 8.0]), 1, "float32", torch.device("cpu"))
NO_ENERGY = "the system shows no energy counter of its processors (RAPL)"


def evaluation(data: str, top1: float, split: str = "test", **changes) -> dict:
    row = {"id": "1", "condition": "clean", "data": data, "split": split, "not_own": []}
    return {**row, "image_size": 224, "top1": top1, **changes}


def cost(name: str, image_size: int = 224, cpu_ms: float = 8.0, **changes) -> dict:
    """A row as `measure` writes it, with the fields that the tables need."""
    work = {"images_per_s": 40.0, "rounds": 5, "utilisation": 0.25, "energy": NO_ENERGY}
    row = {"name": name, "image_size": image_size, "params": 1, "device": "AMD EPYC", "threads": 1}
    row |= {"precision": "float32", "compiled": False, "inference": work}
    return {**row, "latency": {**asdict(LATENCY), "cpu_ms": cpu_ms}, **changes}


def int8(backend: str, top1: float, cpu_ms: float, **changes) -> dict:
    timing = Timing(cpu_ms, cpu_ms, cpu_ms, cpu_ms, 1, 50, 1)
    eager = Timing(20.0, 20.0, 20.0, 20.0, 1, 50, 1)
    row = evaluation("imagenet", top1, "validation", condition="int8", clean="1", id=backend)
    row |= {"parameters": {"backend": backend}, "file_bytes": 5_200_000}
    return {**row, "latency": {"1": timing.as_row(eager)}, **changes}


def test_every_network_with_macs_is_counted() -> None:
    figures = counted()
    for table in tables(figures):
        for row in table.rows:
            if row.quantity.name == "macs":
                assert row.ours.command.startswith("python -m lit_effnet.scale --"), row.name
    assert figures["b4", "macs"].value == golden_complexity()["b4"]["macs"] / 1e9
    assert figures["depth=4", "macs"].value == pytest.approx(1.575, abs=0.001)
    assert figures["phi=1.455,rounding=round", "parameters"].value == pytest.approx(
        8.045, abs=0.001
    )


def test_accuracies_are_means_over_runs() -> None:
    runs = [[evaluation("cifar100", 0.5), evaluation("cifar100", top1)] for top1 in (0.87, 0.89)]
    figures = evaluated("b0", runs)
    assert list(figures) == [("b0", "cifar100_top1")]
    accuracy = figures["b0", "cifar100_top1"]
    assert (accuracy.value, accuracy.repeats) == (pytest.approx(88), 2)
    assert accuracy.interval == pytest.approx((87, 89))
    assert document_table(5, figures).cell("b0", "cifar100_top1").marks == ()


def test_other_splits_conditions_and_views_are_left_out() -> None:
    others = [
        evaluation("photos", 0.9),
        evaluation("cifar100", 0.9, "validation"),
        evaluation("imagenet", 0.9),
        evaluation("cifar100", 0.9, condition="fog"),
        evaluation("cifar100", 0.9, not_own=["image_size 32 instead of 224"]),
    ]
    assert evaluated("b0", [others]) == {}
    single = evaluated("b0", [[evaluation("imagenet", 0.77, "validation")]])
    assert single["b0", "top1"].interval is None


def test_measured_rows_fill_tables_three_and_six() -> None:
    figures = measured([cost("b0"), cost("b7", 600, 640.0), cost("resnet152", cpu_ms=96.0)])
    latency = document_table(3, figures).cell("b7", "latency_ms").ours
    assert (latency.value, latency.interval) == (10.0, pytest.approx((9.1, 10.9)))
    assert (latency.device, latency.repeats) == ("AMD EPYC, 1 thread, float32", 3)
    ratio = document_table(3, figures).cell("b7 / b0", "latency_ratio").ours
    assert (ratio.value, ratio.command.split()[3:5]) == (80.0, ["b0", "b7"])
    cells = document_table(6, figures)
    assert cells.cell("b7", "utilisation").ours.value == 25.0
    assert cells.cell("b7", "images_per_wh").why_empty["ours"] == NO_ENERGY


def test_energy_is_taken_where_there_is_a_counter() -> None:
    work = cost("b4")["inference"] | {"energy": {"images_per_wh": 1234.0}, "utilisation": None}
    figures = measured([cost("b4", 380, inference=work)])
    assert figures["b4", "images_per_wh"].value == 1234.0
    assert ("b4", "utilisation") not in figures


def test_another_image_size_is_a_reason_and_other_settings_give_no_ratio() -> None:
    figures = measured([cost("b0", 64), cost("b4", 380), cost("b7", 600, precision="bf16")])
    assert figures["b0", "latency_ms"] == "measured at 64 px, not at 224"
    assert not [key for key in figures if key[1] == "latency_ratio"]
    assert figures["b7", "latency_ms"].command.endswith("--threads 1 --precision bf16")


@pytest.mark.parametrize(
    ("device", "model", "key"),
    [
        ("Pixel 4, GPU", "b0.tflite", ("b0", "pixel4_ms")),
        ("Google pixel 4", "models/lite0_int8.tflite", ("lite0", "pixel4_int8_ms")),
        ("Jetson Nano", "B0.onnx", ("b0", "jetson_nano_ms")),
        ("iPhone 12", "b0.tflite", ("b0", "iphone12_ms")),
    ],
)
def test_logs_of_phones_fill_table_eight(device: str, model: str, key: tuple[str, str]) -> None:
    timing = DeviceTiming(program="a program", model=model, runs=50, threads=1, mean_ms=13.0)
    figures = measured([{"device": device, "log": "a.log", **asdict(timing)}])
    assert list(figures) == [key]
    assert figures[key].value == document_table(8, figures).cell(*key).ours.value == 13.0


def test_a_phone_without_a_row_is_left_out() -> None:
    timing = DeviceTiming(program="a program", model="b0.tflite", mean_ms=13.0)
    assert measured([{"device": "Pixel 9", "log": "a.log", **asdict(timing)}]) == {}


def test_the_quickest_int8_fills_table_seven() -> None:
    clean = evaluation("imagenet", 0.77, "validation")
    rows = [clean, int8("onnxruntime", 0.70, 8.0), int8("openvino_mixed", 0.76, 5.0)]
    table = document_table(7, quantised("b0", rows, "AMD EPYC, 1 thread"))
    values = {
        row.quantity.name: row.ours.value for row in table.rows if row.name == "b0" and row.ours
    }
    assert values == {
        "float32_top1": pytest.approx(77),
        "int8_drop": pytest.approx(1),
        "float32_ms": pytest.approx(20),
        "int8_ms": 5.0,
        "int8_speedup": 4.0,
        "int8_mb": 5.2,
    }
    named = quantised("b0", rows, "AMD EPYC", "onnxruntime")
    assert named["b0", "int8_drop"].value == pytest.approx(7)
    assert quantised("b0", [clean], "AMD EPYC") == {}


def test_int8_on_other_images_says_so() -> None:
    rows = [int8("onnxruntime", 0.9, 5.0, data="photos", image_size=64)]
    figures = quantised("b0", rows, "AMD EPYC")
    assert figures["b0", "int8_drop"] == "evaluated on photos, not on ImageNet"
    assert figures["b0", "int8_speedup"] == "timed at 64 px, not at 224"
    assert isinstance(figures["b0", "int8_mb"], Measured)


@pytest.mark.parametrize(
    ("precision", "size", "quantities"),
    [
        ("float32", 224, ["float32_mb", "exported_ms"]),
        ("float32", 64, ["float32_mb"]),
        ("int8", 224, ["int8_mb"]),
        ("float16", 224, []),
    ],
)
def test_an_exports_json_has_the_size_and_the_latency(
    precision: str, size: int, quantities: list[str]
) -> None:
    spent = asdict(Cost(1.0, LATENCY, None, "unknown"))
    description = {
        "format": "litert",
        "precision": precision,
        "preprocessing": {"image_size": size},
    }
    figures = exported("b0", {**description, "cost": {"file_bytes": 21_120_000, **spent}})
    assert [quantity for _, quantity in figures] == quantities
    if "float32_mb" in quantities:
        assert document_table(8, figures).cell("b0", "float32_mb").marks == ()
