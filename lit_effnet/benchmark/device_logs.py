"""Read what the usual benchmark programs of phones and boards print.

TensorFlow Lite's `benchmark_model` (Android, iOS), ONNX Runtime's `onnxruntime_perf_test`,
ExecuTorch's `executor_runner`, OpenVINO's `benchmark_app` and TensorRT's `trtexec` (Jetson).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from lit_effnet.runs.paths import local

NUMBER = r"([\d.]+(?:e[+-]?\d+)?)"
EXECUTED = rf"Model executed successfully (\d+) time\(s\) in {NUMBER} ms"
# The last line of counts is the steady state; the one before is the warm-up.
STEADY = r"(?s:.*)count=\d+[^\n]*"
US, S, BYTES = 1e3, 1e-3, 1e6  # in a millisecond and a megabyte


@dataclass(frozen=True, kw_only=True)
class DeviceTiming:
    """Latency of one model on another device; None where the log does not have a number.

    Args:
        program: The benchmark program.
        model: Name of the model file.
        runs: Number of timed calls.
        threads: Threads of a CPU.
        mean_ms: Mean latency in milliseconds.
        median_ms: Median latency.
        p5_ms: 5th percentile.
        p95_ms: 95th percentile.
        load_ms: Time to load the model.
        peak_mb: Peak memory in megabytes.
    """

    program: str
    model: str | None = None
    runs: int | None = None
    threads: int | None = None
    mean_ms: float | None = None
    median_ms: float | None = None
    p5_ms: float | None = None
    p95_ms: float | None = None
    load_ms: float | None = None
    peak_mb: float | None = None


@dataclass(frozen=True)
class Program:
    """A benchmark program and the patterns of its output.

    Args:
        name: Name of the program, with its project.
        line: Part of a line by which the output is recognised.
        sign: Pattern of that line.
        fields: For each field patterns in order of preference, with their unit.
    """

    name: str
    line: str
    sign: str
    fields: Mapping[str, Sequence[tuple[str, float]]]


PROGRAMS = (
    Program(
        "TensorFlow Lite benchmark_model",
        "Inference timings in us",
        "Inference timings in us",
        {
            "model": [(r"[Gg]raph: \[([^\]]+)\]", 1), (r"--graph=(\S+)", 1)],
            "runs": [(r"(?s:.*)count=(\d+)", 1)],
            "threads": [
                (r"(?:#threads used for CPU inference|Num threads): \[(\d+)\]", 1),
                (r"--num_threads=(\d+)", 1),
            ],
            "mean_ms": [(rf"Inference \(avg\): {NUMBER}", US), (rf"{STEADY}avg={NUMBER}", US)],
            "median_ms": [(rf"{STEADY}median={NUMBER}", US)],
            "p5_ms": [(rf"{STEADY}p5={NUMBER}", US)],
            "p95_ms": [(rf"{STEADY}p95={NUMBER}", US)],
            "load_ms": [(rf"Init: {NUMBER}", US)],
            "peak_mb": [
                (rf"peak memory footprint \(MB\)[^:]*: {NUMBER}", 1),
                (rf"(?:Memory footprint delta)[^\n]*overall={NUMBER}", 1),
            ],
        },
    ),
    Program(
        "TensorRT trtexec",
        "Latency: min = ",
        r"\] Latency: min = ",
        {
            "model": [(r"--(?:onnx|loadEngine)=(\S+)", 1)],
            "runs": [(r"Timing trace has (\d+) queries", 1)],
            "mean_ms": [(rf"\] Latency: [^\n]*mean = {NUMBER} ms", 1)],
            "median_ms": [(rf"\] Latency: [^\n]*median = {NUMBER} ms", 1)],
            "p95_ms": [(rf"\] Latency: [^\n]*percentile\(95%\) = {NUMBER} ms", 1)],
        },
    ),
    Program(
        "ONNX Runtime onnxruntime_perf_test",
        "Average inference time cost",
        "Average inference time cost",
        {
            "model": [(r"(\S+\.(?:onnx|ort))\b", 1)],
            "runs": [(r"Total inference requests: (\d+)", 1)],
            "threads": [(r"Setting intra_op_num_threads to (\d+)", 1)],
            "mean_ms": [(rf"Average inference time cost(?: total)?: {NUMBER} ms", 1)],
            "median_ms": [(rf"P50 Latency: {NUMBER} s", S)],
            "p95_ms": [(rf"P95 Latency: {NUMBER} s", S)],
            "load_ms": [(rf"Session creation time cost: {NUMBER} s", S)],
            "peak_mb": [(r"Peak working set size: ?(\d+)", BYTES)],
        },
    ),
    Program(
        "ExecuTorch executor_runner",
        "Model executed successfully",
        EXECUTED,
        {
            "model": [(r"Model file (\S+) is loaded", 1)],
            "threads": [(r"Resetting threadpool with num threads = (\d+)", 1)],
            "load_ms": [(rf"Model loaded in {NUMBER} ms", 1)],
        },
    ),
    Program(
        "OpenVINO benchmark_app",
        "Median: ",
        r"\] +(?:Median|95 percentile): +[\d.]+ [mu]s",
        {
            "model": [(r"(\S+\.(?:xml|onnx))\b", 1)],
            "runs": [(r"Count: +(\d+) iterations", 1)],
            "threads": [(r"INFERENCE_NUM_THREADS: (\d+)", 1)],
            # Times below a millisecond are in microseconds.
            "mean_ms": [(rf"Average: +{NUMBER} ms", 1), (rf"Average: +{NUMBER} us", US)],
            "median_ms": [(rf"Median: +{NUMBER} ms", 1), (rf"Median: +{NUMBER} us", US)],
            "p95_ms": [
                (rf"95 percentile: +{NUMBER} ms", 1),
                (rf"95 percentile: +{NUMBER} us", US),
            ],
            "load_ms": [(rf"Compile model took {NUMBER} ms", 1)],
        },
    ),
)


def read_files(names: Sequence[str], device: str) -> list[dict[str, Any]]:
    """Return a row for each log of a device.

    Args:
        names: Files of logs.
        device: Name of the device that wrote them.

    Raises:
        ValueError: A file cannot be read, or is not such a log.
    """
    rows = []
    for name in names:
        try:
            timing = read(local(name, "from_log").read_text(encoding="utf-8", errors="replace"))
        except OSError as error:
            raise ValueError(f"from_log {name}: cannot be read ({error.strerror})") from error
        except ValueError as error:
            raise ValueError(f"from_log {name}: {error}") from error
        rows.append({"device": device, "log": name, **asdict(timing)})
    return rows


def read(text: str) -> DeviceTiming:
    """Return the timing in a log.

    Raises:
        ValueError: No known program wrote the text.
    """
    for program in PROGRAMS:
        if re.search(program.sign, text):
            fields = {name: _field(name, text, ways) for name, ways in program.fields.items()}
            return DeviceTiming(program=program.name, **{**fields, **_executor_runner(text)})
    known = ", ".join(f"{p.name.split()[-1]}'s (a line {p.line!r})" for p in PROGRAMS)
    raise ValueError(f"must be the output of a known benchmark program: {known}")


def _field(name: str, text: str, ways: Sequence[tuple[str, float]]) -> Any:
    """Return a field by the first pattern that matches; None where none does."""
    for pattern, unit in ways:
        if match := re.search(pattern, text):
            if name == "model":
                return PurePosixPath(match[1]).name
            return int(match[1]) if name in ("runs", "threads") else float(match[1]) / unit
    return None


def _executor_runner(text: str) -> dict[str, Any]:
    """Return the times of ExecuTorch, which prints a sum and in newer versions each call."""
    if not (executed := re.findall(EXECUTED, text)):
        return {}
    runs, total = executed[-1]
    calls = [float(ms) for ms in re.findall(rf"Iteration \d+ of \d+: {NUMBER} ms", text)]
    names = ("p5_ms", "median_ms", "p95_ms")
    percentiles = np.percentile(calls, (5, 50, 95)).tolist() if calls else (None,) * 3
    figures = dict(zip(names, percentiles, strict=True))
    return {"runs": int(runs), "mean_ms": float(total) / int(runs), **figures}
