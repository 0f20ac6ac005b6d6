"""Our figures for the tables of the design document, from what the project counts and writes."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import permutations
from statistics import mean
from typing import Any

from lit_effnet.network.golden import golden_complexity
from lit_effnet.results.design_doc.quantities import Measured
from lit_effnet.results.design_doc.tables import tables
from lit_effnet.scaling import arms
from lit_effnet.scaling.compound import BASE_IMAGE_SIZE, VARIANTS
from lit_effnet.scaling.cost import count

Figures = dict[tuple[str, str], Measured | str]
JsonRow = Mapping[str, Any]

IMAGENET = "imagenet"
# For each data set the quantity of the tables, and the split on which it is reported.
ACCURACIES = {
    IMAGENET: ("top1", "validation"),
    "cifar100": ("cifar100_top1", "test"),
    "flowers102": ("flowers102_top1", "test"),
    "stanford_dogs": ("stanford_dogs_top1", "test"),
}
DEVICES = {"pixel 4": "pixel4", "iphone 12": "iphone12", "jetson nano": "jetson_nano"}


def counted() -> Figures:
    """Return parameters and MACs of the networks and arms in the tables."""
    figures: Figures = {}
    golden = golden_complexity()
    rows = [row for table in tables() for row in table.rows if row.quantity.name == "macs"]
    for name in dict.fromkeys(row.name for row in rows):
        if name in golden:
            params, macs = golden[name]["params"], golden[name]["macs"]
        else:
            scaling = arms.choose(arm=name).settle(BASE_IMAGE_SIZE, count)
            costs = count(scaling, scaling.image_size())
            params, macs = costs.params, costs.macs
        command = f"python -m lit_effnet.scale {_flag(name)}"
        figures[name, "parameters"] = Measured(params / 1e6, "counted, on no device", command)
        figures[name, "macs"] = Measured(macs / 1e9, "counted, on no device", command)
    return figures


def evaluated(name: str, runs: Sequence[Sequence[JsonRow]]) -> Figures:
    """Return accuracies of a network or arm, in percent, on the data sets of the tables.

    The newest evaluation of a run counts, on images as the network was trained to see them.

    Args:
        name: Name of the row.
        runs: The rows of `evaluations.jsonl` of each run.
    """
    figures: Figures = {}
    for data, (quantity, split) in ACCURACIES.items():
        wanted = {"condition": "clean", "data": data, "split": split}
        percents = [
            100 * matching[-1]["top1"]
            for rows in runs
            if (matching := [row for row in rows if _has(row, wanted) and not row["not_own"]])
        ]
        if percents:
            figures[name, quantity] = Measured(
                mean(percents),
                device=f"{data} {split}",
                command=f"python -m lit_effnet.evaluate RUN --split {split}",
                repeats=len(percents),
                interval=(min(percents), max(percents)) if len(percents) > 1 else None,
            )
    return figures


def measured(rows: Iterable[JsonRow]) -> Figures:
    """Return latency, its ratios, throughput, utilisation and energy.

    Of two rows of one network the later counts. A network at another image size than the tables'
    has a reason instead.

    Args:
        rows: Rows of `measure --output`, also those of `--from_log`.
    """
    figures: Figures = {}
    latencies: dict[str, JsonRow] = {}
    for row in rows:
        if "log" in row:
            figures |= _on_other_device(row)
            continue
        name, size = row["name"], _image_size(row["name"])
        if size not in (None, row["image_size"]):
            figures[name, "latency_ms"] = f"measured at {row['image_size']} px, not at {size}"
            continue
        if isinstance(row["latency"], str) or isinstance(row["inference"], str):
            continue  # the network could not be measured
        figures |= _on_this_device(row)
        latencies[name] = row
    for upper, lower in permutations(latencies.values(), 2):
        if _device(upper) == _device(lower):
            figures[f"{upper['name']} / {lower['name']}", "latency_ratio"] = _ratio(upper, lower)
    return figures


def quantised(
    name: str, rows: Sequence[JsonRow], device: str, backend: str | None = None
) -> Figures:
    """Return accuracy, file size, and latency at batch 1 of INT8 beside eager float32.

    Args:
        name: Name of the row.
        rows: Rows of the network's `evaluations.jsonl`.
        device: Name of the device that timed them.
        backend: INT8 backend; None for the fastest.
    """
    int8 = [
        row
        for row in rows
        if row["condition"] == "int8"
        and row.get("latency")
        and backend in (None, row["parameters"]["backend"])
    ]
    if not int8:
        return {}
    row = min(int8, key=lambda row: float(row["latency"]["1"]["cpu_ms"]))
    used = row["parameters"]["backend"]
    figure = partial(
        Measured,
        device=f"{device}, {used}",
        command=f"python -m lit_effnet.quantize RUN --backends {used}",
    )
    figures: Figures = {(name, "int8_mb"): figure(row["file_bytes"] / 1e6)}
    clean = next((other for other in rows if other.get("id") == row["clean"]), None)
    if row["data"] != IMAGENET:
        reason = f"evaluated on {row['data']}, not on ImageNet"
        figures |= {(name, "float32_top1"): reason, (name, "int8_drop"): reason}
    elif clean is not None:
        figures[name, "float32_top1"] = figure(100 * clean["top1"])
        figures[name, "int8_drop"] = figure(100 * (clean["top1"] - row["top1"]))
    size = _image_size(name)
    if size not in (None, row["image_size"]):
        reason = f"timed at {row['image_size']} px, not at {size}"
        times = ("int8_ms", "float32_ms", "int8_speedup")
        return figures | {(name, quantity): reason for quantity in times}
    timing = row["latency"]["1"]
    speedup, repeats = timing["eager_over_this"], timing["runs"]
    figures[name, "int8_ms"] = figure(timing["cpu_ms"], repeats=repeats)
    figures[name, "int8_speedup"] = figure(speedup, repeats=repeats)
    # Of the very rounds in which INT8 took turns; another call timed eager mode again.
    figures[name, "float32_ms"] = figure(timing["cpu_ms"] * speedup, repeats=repeats)
    return figures


def exported(name: str, description: JsonRow) -> Figures:
    """Return size and latency of an exported file.

    Args:
        name: Name of the row.
        description: Content of the `FILE.json` beside it.
    """
    precision, latency = description["precision"], description["cost"]["latency"]
    if precision not in ("float32", "int8"):
        return {}
    target = description["format"]
    command = f"python -m lit_effnet.export RUN --format {target} --precision {precision}"
    megabytes = description["cost"]["file_bytes"] / 1e6
    figures: Figures = {
        (name, f"{precision}_mb"): Measured(megabytes, f"{target}, {precision}", command)
    }
    image_size = description["preprocessing"]["image_size"]
    if precision == "float32" and _image_size(name) in (None, image_size):
        threads = f"the machine that wrote it, threads: {latency['threads']}"
        figures[name, "exported_ms"] = _latency(
            latency, device=f"{target}, {precision}, {threads}", command=command
        )
    return figures


def _latency(latency: JsonRow, device: str, command: str) -> Measured:
    interval = (latency["p5_ms"], latency["p95_ms"])
    return Measured(latency["median_ms"], device, command, latency["runs"], interval)


def _on_this_device(row: JsonRow) -> Figures:
    name, work = row["name"], row["inference"]
    device = _device(row)
    command = f"python -m lit_effnet.measure {name} {_measure_flags(row)}"
    figure = partial(Measured, device=device, command=command, repeats=work["rounds"])
    figures: Figures = {
        (name, "latency_ms"): _latency(row["latency"], device, command),
        (name, "images_per_s"): figure(work["images_per_s"]),
    }
    if work["utilisation"] is not None:
        figures[name, "utilisation"] = figure(100 * work["utilisation"])
    energy = work["energy"]
    if isinstance(energy, str):
        figures[name, "images_per_wh"] = energy
    elif energy["images_per_wh"] is not None:
        figures[name, "images_per_wh"] = Measured(energy["images_per_wh"], device, command)
    return figures


def _ratio(upper: JsonRow, lower: JsonRow) -> Measured:
    """Compare processor times where there are any: other programs disturb them less."""
    above, below = (
        row["latency"]["cpu_ms"] or row["latency"]["median_ms"] for row in (upper, lower)
    )
    names = f"{lower['name']} {upper['name']}"
    return Measured(
        above / below,
        device=_device(upper),
        command=f"python -m lit_effnet.measure {names} {_measure_flags(upper)}",
        repeats=min(upper["latency"]["runs"], lower["latency"]["runs"]),
    )


def _on_other_device(row: JsonRow) -> Figures:
    """Return a log's latency if the tables have the device; the model file names the network."""
    device = next((key for name, key in DEVICES.items() if name in row["device"].lower()), None)
    value = row["median_ms"] if row["median_ms"] is not None else row["mean_ms"]
    if device is None or value is None:
        return {}
    stem = (row["model"] or row["log"]).rsplit("/", 1)[-1].rsplit(".", 1)[0].lower()
    quantity = f"{device}_int8_ms" if stem.endswith("_int8") else f"{device}_ms"
    figure = Measured(
        value,
        device=f"{row['device']}, {row['program']}, threads: {row['threads'] or 'unknown'}",
        command=f"python -m lit_effnet.measure --from_log {row['log']}",
        repeats=row["runs"] or 1,
    )
    return {(stem.removesuffix("_int8"), quantity): figure}


def _device(row: JsonRow) -> str:
    threads = f"{row['threads']} thread{'s' if row['threads'] != 1 else ''}"
    compiled = ", compiled" if row["compiled"] else ""
    return f"{row['device']}, {threads}, {row['precision']}{compiled}"


def _measure_flags(row: JsonRow) -> str:
    """Return flags of `measure`; an exported file has its precision in it."""
    flags = [f"--threads {row['threads']}"]
    if row["params"] is not None and row["precision"] != "float32":
        flags.append(f"--precision {row['precision']}")
    if row["compiled"]:
        flags.append("--compile true")
    return " ".join(flags)


def _image_size(name: str) -> int | None:
    """Return the image size of a network in the tables; None for other rows."""
    size = golden_complexity().get(name, {}).get("image_size")
    return None if size is None else int(size)


def _has(row: JsonRow, wanted: Mapping[str, Any]) -> bool:
    return all(row.get(key) == value for key, value in wanted.items())


def _flag(name: str) -> str:
    """Return the flag of `scale` for a network or arm."""
    if name in VARIANTS:
        return f"--variant {name}"
    return f"--network {name}" if name in golden_complexity() else f"--scaling.arm {name}"
