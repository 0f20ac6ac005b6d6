"""Read what the usual benchmark programs of phones and boards print.

TensorFlow Lite's `benchmark_model` (Android, iOS), ONNX Runtime's `onnxruntime_perf_test`,
ExecuTorch's `executor_runner`, OpenVINO's `benchmark_app` and TensorRT's `trtexec` (Jetson).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from lit_effnet.runs.paths import local

NUMBER = r"([\d.]+(?:e[+-]?\d+)?)"


@dataclass(frozen=True)
class DeviceTiming:
    """Latency of one model on another device; None where the log does not have a number.

    Args:
        model: Name of the model file.
        program: The benchmark program.
        runs: Number of timed calls.
        threads: Threads of a CPU.
        mean_ms: Mean latency in milliseconds.
        median_ms: Median latency.
        p5_ms: 5th percentile.
        p95_ms: 95th percentile.
        load_ms: Time to load the model.
        peak_mb: Peak memory in megabytes.
    """

    model: str | None
    program: str
    runs: int | None
    threads: int | None
    mean_ms: float | None
    median_ms: float | None
    p5_ms: float | None
    p95_ms: float | None
    load_ms: float | None
    peak_mb: float | None


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
            return program.reader(text)
    known = ", ".join(f"{program.name}'s (a line {program.line!r})" for program in PROGRAMS)
    raise ValueError(f"must be the output of a known benchmark program: {known}")


def _benchmark_model(text: str) -> DeviceTiming:
    # The last line of counts is the steady state; the one before is the warm-up.
    counts = re.findall(r"count=\d+[^\n]*", text)
    steady = counts[-1] if counts else ""
    timings = re.search(rf"Init: {NUMBER}.*Inference \(avg\): {NUMBER}", text)
    return DeviceTiming(
        model=_name(_text(r"[Gg]raph: \[([^\]]+)\]", text) or _text(r"--graph=(\S+)", text)),
        program="TensorFlow Lite benchmark_model",
        runs=_whole(_text(r"count=(\d+)", steady)),
        threads=_whole(
            _text(r"(?:#threads used for CPU inference|Num threads): \[(\d+)\]", text)
            or _text(r"--num_threads=(\d+)", text)
        ),
        mean_ms=_thousandth(timings[2] if timings else _text(rf"avg={NUMBER}", steady)),
        median_ms=_thousandth(_text(rf"median={NUMBER}", steady)),
        p5_ms=_thousandth(_text(rf"p5={NUMBER}", steady)),
        p95_ms=_thousandth(_text(rf"p95={NUMBER}", steady)),
        load_ms=_thousandth(timings[1] if timings else None),
        peak_mb=_number(_text(rf"peak memory footprint \(MB\)[^:]*: {NUMBER}", text))
        or _number(_text(rf"(?:Memory footprint delta)[^\n]*overall={NUMBER}", text)),
    )


def _trtexec(text: str) -> DeviceTiming:
    latency = _text(r"\] (Latency: min = [^\n]*)", text) or ""
    return DeviceTiming(
        model=_name(_text(r"--(?:onnx|loadEngine)=(\S+)", text)),
        program="TensorRT trtexec",
        runs=_whole(_text(r"Timing trace has (\d+) queries", text)),
        threads=None,
        mean_ms=_number(_text(rf"mean = {NUMBER} ms", latency)),
        median_ms=_number(_text(rf"median = {NUMBER} ms", latency)),
        p5_ms=None,
        p95_ms=_number(_text(rf"percentile\(95%\) = {NUMBER} ms", latency)),
        load_ms=None,
        peak_mb=None,
    )


def _perf_test(text: str) -> DeviceTiming:
    p50, p95 = (_seconds(_text(rf"P{part} Latency: {NUMBER} s", text)) for part in (50, 95))
    peak_bytes = _number(_text(r"Peak working set size: ?(\d+)", text))
    return DeviceTiming(
        model=_name(_text(r"(\S+\.(?:onnx|ort))\b", text)),
        program="ONNX Runtime onnxruntime_perf_test",
        runs=_whole(_text(r"Total inference requests: (\d+)", text)),
        threads=_whole(_text(r"Setting intra_op_num_threads to (\d+)", text)),
        mean_ms=_number(_text(rf"Average inference time cost(?: total)?: {NUMBER} ms", text)),
        median_ms=p50,
        p5_ms=None,
        p95_ms=p95,
        load_ms=_seconds(_text(rf"Session creation time cost: {NUMBER} s", text)),
        peak_mb=None if peak_bytes is None else peak_bytes / 1e6,
    )


def _executor_runner(text: str) -> DeviceTiming:
    runs, total = _EXECUTED.findall(text)[-1]
    # Newer versions print each call too.
    calls = [float(ms) for ms in re.findall(rf"Iteration \d+ of \d+: {NUMBER} ms", text)]
    p5, median, p95 = np.percentile(calls, (5, 50, 95)).tolist() if calls else (None,) * 3
    return DeviceTiming(
        model=_name(_text(r"Model file (\S+) is loaded", text)),
        program="ExecuTorch executor_runner",
        runs=int(runs),
        threads=_whole(_text(r"Resetting threadpool with num threads = (\d+)", text)),
        mean_ms=float(total) / int(runs),
        median_ms=median,
        p5_ms=p5,
        p95_ms=p95,
        load_ms=_number(_text(rf"Model loaded in {NUMBER} ms", text)),
        peak_mb=None,
    )


def _benchmark_app(text: str) -> DeviceTiming:
    return DeviceTiming(
        model=_name(_text(r"(\S+\.(?:xml|onnx))\b", text)),
        program="OpenVINO benchmark_app",
        runs=_whole(_text(r"Count: +(\d+) iterations", text)),
        threads=_whole(_text(r"INFERENCE_NUM_THREADS: (\d+)", text)),
        mean_ms=_in_unit(r"Average", text),
        median_ms=_in_unit(r"Median", text),
        p5_ms=None,
        p95_ms=_in_unit(r"95 percentile", text),
        load_ms=_number(_text(rf"Compile model took {NUMBER} ms", text)),
        peak_mb=None,
    )


@dataclass(frozen=True)
class _Program:
    """A program: a line of its output, the pattern of that line, and the function that reads it."""

    name: str
    line: str
    sign: str
    reader: Callable[[str], DeviceTiming]


_EXECUTED = re.compile(rf"Model executed successfully (\d+) time\(s\) in {NUMBER} ms")

PROGRAMS = (
    _Program(
        "benchmark_model", "Inference timings in us", "Inference timings in us", _benchmark_model
    ),
    _Program("trtexec", "Latency: min = ", r"\] Latency: min = ", _trtexec),
    _Program(
        "onnxruntime_perf_test",
        "Average inference time cost",
        "Average inference time cost",
        _perf_test,
    ),
    _Program("executor_runner", "Model executed successfully", _EXECUTED.pattern, _executor_runner),
    _Program(
        "benchmark_app", "Median: ", r"\] +(?:Median|95 percentile): +[\d.]+ [mu]s", _benchmark_app
    ),
)


def _text(pattern: str, text: str) -> str | None:
    match = re.search(pattern, text)
    return match[1] if match else None


def _name(path: str | None) -> str | None:
    return PurePosixPath(path).name if path else None


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)


def _whole(text: str | None) -> int | None:
    return None if text is None else int(text)


def _thousandth(text: str | None) -> float | None:
    return None if text is None else float(text) / 1e3


def _seconds(text: str | None) -> float | None:
    return None if text is None else 1e3 * float(text)


def _in_unit(label: str, text: str) -> float | None:
    """Return milliseconds; the program prints shorter times in microseconds."""
    match = re.search(rf"{label}: +{NUMBER} ([mu]s)", text)
    return float(match[1]) / (1e3 if match[2] == "us" else 1) if match else None
