"""Our figures for the design document's tables, from what the project counts and writes."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations
from statistics import mean
from typing import Any

from lit_effnet.network.golden import golden_complexity
from lit_effnet.results.design_doc.cells import Measured
from lit_effnet.results.design_doc.tables import tables
from lit_effnet.scaling import arms
from lit_effnet.scaling.compound import BASE_IMAGE_SIZE, VARIANTS
from lit_effnet.scaling.cost import count

Found = dict[tuple[str, str], Measured | str]
JsonRow = Mapping[str, Any]

IMAGENET = "imagenet"
# The tables' quantity of a data set's accuracy, and the split on which it is reported.
ACCURACIES = {
    IMAGENET: ("top1", "validation"),
    "cifar100": ("cifar100_top1", "test"),
    "flowers102": ("flowers102_top1", "test"),
    "stanford_dogs": ("stanford_dogs_top1", "test"),
}
DEVICES = {"pixel 4": "pixel4", "iphone 12": "iphone12", "jetson nano": "jetson_nano"}
COUNTED = "counted, on no device"


def counted() -> Found:
    """Parameters and MACs of the networks and arms of which the tables have them."""
    found: Found = {}
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
        found[name, "parameters"] = Measured(params / 1e6, "M", COUNTED, command, 1)
        found[name, "macs"] = Measured(macs / 1e9, "G", COUNTED, command, 1)
    return found


def evaluated(name: str, repeats: Sequence[Sequence[JsonRow]]) -> Found:
    """Accuracies of a network or arm, in percent, on the data sets that the tables have.

    The newest row of a run counts, in the network's own view of the images.

    Args:
        name: The row, as the tables name it.
        repeats: For each run of it, the rows of its `evaluations.jsonl`.
    """
    found: Found = {}
    for data, (quantity, split) in ACCURACIES.items():
        wanted = {"condition": "clean", "data": data, "split": split}
        newest = [
            matching[-1]["top1"]
            for rows in repeats
            if (matching := [row for row in rows if _has(row, wanted) and not row["not_own"]])
        ]
        if newest:
            percents = [100 * top1 for top1 in newest]
            interval = (min(percents), max(percents)) if len(percents) > 1 else None
            command = f"python -m lit_effnet.evaluate RUN --split {split}"
            device = f"{data} {split}"
            found[name, quantity] = Measured(
                mean(percents), "%", device, command, len(percents), interval
            )
    return found


def measured(rows: Iterable[JsonRow]) -> Found:
    """Latency, its ratios, throughput, utilisation and energy, from rows of `measure --output`.

    Of two rows of one network the later counts. Networks at another size than the tables' are
    left out, with the reason.

    Args:
        rows: Of one file, those of other devices among them.
    """
    found: Found = {}
    latencies: dict[str, JsonRow] = {}
    for row in rows:
        if "log" in row:
            found |= _on_device(row)
            continue
        name, size = row["name"], _image_size(row["name"])
        if size not in (None, row["image_size"]):
            found[name, "latency_ms"] = f"measured at {row['image_size']} px, not at {size}"
            continue
        if isinstance(row["latency"], str) or isinstance(row["inference"], str):
            continue  # why it could not be measured
        found |= _on_this_machine(row)
        latencies[name] = row
    for upper, lower in permutations(latencies.values(), 2):
        if _device(upper) == _device(lower):
            found[f"{upper['name']} / {lower['name']}", "latency_ratio"] = _ratio(upper, lower)
    return found


def quantised(name: str, rows: Sequence[JsonRow], device: str, backend: str | None = None) -> Found:
    """What INT8 costs and saves: accuracy, file size, and latency at batch 1 beside eager float32.

    Args:
        name: The row, as the tables name it.
        rows: Of the network's `evaluations.jsonl`.
        device: What it was quantised and timed on, as it is to be told.
        backend: Of INT8; null for the quickest.
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
    command = f"python -m lit_effnet.quantize RUN --backends {used}"
    where = f"{device}, {used}"

    def figure(value: float, unit: str, repeats: int = 1) -> Measured:
        return Measured(value, unit, where, command, repeats)

    found: Found = {(name, "int8_mb"): figure(row["file_bytes"] / 1e6, "MB")}
    clean = next((other for other in rows if other.get("id") == row["clean"]), None)
    if row["data"] != IMAGENET:
        reason = f"evaluated on {row['data']}, not on ImageNet"
        found |= {(name, "float32_top1"): reason, (name, "int8_drop"): reason}
    elif clean is not None:
        found[name, "float32_top1"] = figure(100 * clean["top1"], "%")
        found[name, "int8_drop"] = figure(100 * (clean["top1"] - row["top1"]), "points")
    size = _image_size(name)
    if size not in (None, row["image_size"]):
        reason = f"timed at {row['image_size']} px, not at {size}"
        quantities = ("int8_ms", "float32_ms", "int8_speedup")
        return found | {(name, quantity): reason for quantity in quantities}
    timing = row["latency"]["1"]
    found[name, "int8_ms"] = figure(timing["cpu_ms"], "ms", timing["runs"])
    found[name, "int8_speedup"] = figure(timing["eager_over_this"], "", timing["runs"])
    # Of the very rounds that INT8 took turns in; another call timed eager mode anew.
    eager = timing["cpu_ms"] * timing["eager_over_this"]
    found[name, "float32_ms"] = figure(eager, "ms", timing["runs"])
    return found


def exported(name: str, told: JsonRow) -> Found:
    """Size and latency of an exported file.

    Args:
        name: The row, as the tables name it.
        told: What `FILE.json` beside it has.
    """
    precision, latency = told["precision"], told["cost"]["latency"]
    if precision not in ("float32", "int8"):
        return {}
    where = f"{told['format']}, {precision}"
    command = f"python -m lit_effnet.export RUN --format {told['format']} --precision {precision}"
    megabytes = Measured(told["cost"]["file_bytes"] / 1e6, "MB", where, command, 1)
    found: Found = {(name, f"{precision}_mb"): megabytes}
    size, seen = _image_size(name), told["preprocessing"]["image_size"]
    if precision == "float32" and size in (None, seen):
        found[name, "exported_ms"] = Measured(
            latency["median_ms"],
            "ms",
            f"{where}, the machine that wrote it, threads: {latency['threads']}",
            command,
            latency["runs"],
            (latency["p5_ms"], latency["p95_ms"]),
        )
    return found


def _on_this_machine(row: JsonRow) -> Found:
    name, device, latency, work = row["name"], _device(row), row["latency"], row["inference"]
    command = f"python -m lit_effnet.measure {name} {_how(row)}"
    between = (latency["p5_ms"], latency["p95_ms"])
    found: Found = {
        (name, "latency_ms"): Measured(
            latency["median_ms"], "ms", device, command, latency["runs"], between
        ),
        (name, "images_per_s"): Measured(
            work["images_per_s"], "images/s", device, command, work["rounds"]
        ),
    }
    if work["utilisation"] is not None:
        percent = 100 * work["utilisation"]
        found[name, "utilisation"] = Measured(percent, "%", device, command, work["rounds"])
    energy = work["energy"]
    if isinstance(energy, str):
        found[name, "images_per_wh"] = energy
    elif energy["images_per_wh"] is not None:
        per_wh = energy["images_per_wh"]
        found[name, "images_per_wh"] = Measured(per_wh, "images/Wh", device, command, 1)
    return found


def _ratio(upper: JsonRow, lower: JsonRow) -> Measured:
    """Of processor times where there are any: others on the machine disturb them less."""
    above, below = (
        row["latency"]["cpu_ms"] or row["latency"]["median_ms"] for row in (upper, lower)
    )
    runs = min(upper["latency"]["runs"], lower["latency"]["runs"])
    command = f"python -m lit_effnet.measure {lower['name']} {upper['name']} {_how(upper)}"
    return Measured(above / below, "", _device(upper), command, runs)


def _on_device(row: JsonRow) -> Found:
    """A log's latency, where the tables have the device; the model file is named by the network."""
    device = next((key for name, key in DEVICES.items() if name in row["device"].lower()), None)
    value = row["median_ms"] if row["median_ms"] is not None else row["mean_ms"]
    if device is None or value is None:
        return {}
    stem = (row["model"] or row["log"]).rsplit("/", 1)[-1].rsplit(".", 1)[0].lower()
    name, is_int8 = stem.removesuffix("_int8"), stem.endswith("_int8")
    quantity = f"{device}_int8_ms" if is_int8 else f"{device}_ms"
    told = f"{row['device']}, {row['program']}, threads: {row['threads'] or 'not told'}"
    command = f"python -m lit_effnet.measure --from_log {row['log']}"
    return {(name, quantity): Measured(value, "ms", told, command, row["runs"] or 1)}


def _device(row: JsonRow) -> str:
    threads = f"{row['threads']} thread{'s' if row['threads'] != 1 else ''}"
    compiled = ", compiled" if row["compiled"] else ""
    return f"{row['device']}, {threads}, {row['precision']}{compiled}"


def _how(row: JsonRow) -> str:
    """Flags of `measure`; another program's file has its precision in it."""
    flags = [f"--threads {row['threads']}"]
    if row["params"] is not None and row["precision"] != "float32":
        flags.append(f"--precision {row['precision']}")
    if row["compiled"]:
        flags.append("--compile true")
    return " ".join(flags)


def _image_size(name: str) -> int | None:
    """Of the network that the tables have; null where its name does not tell."""
    size = golden_complexity().get(name, {}).get("image_size")
    return None if size is None else int(size)


def _has(row: JsonRow, wanted: Mapping[str, Any]) -> bool:
    return all(row.get(key) == value for key, value in wanted.items())


def _flag(name: str) -> str:
    """A network or arm as `scale` takes it."""
    if name in VARIANTS:
        return f"--variant {name}"
    return f"--network {name}" if name in golden_complexity() else f"--scaling.arm {name}"
