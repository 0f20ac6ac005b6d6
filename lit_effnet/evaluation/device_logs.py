"""What the usual benchmark programs of phones and boards print, as rows of one form.

TensorFlow Lite's `benchmark_model` (Android, iOS) and TensorRT's `trtexec` (Jetson).
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

NUMBER = r"([\d.]+(?:e[+-]?\d+)?)"


@dataclass(frozen=True)
class DeviceTiming:
    """Latency of one model on another device, in milliseconds; null where the log does not tell.

    Args:
        model: The model file's name.
        program: What measured.
        runs: How often.
        threads: Of a CPU.
        mean_ms: Mean latency.
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


def read(text: str) -> DeviceTiming:
    """The timing that a log holds.

    Raises:
        ValueError: it is none of the programs' whose output is known.
    """
    if "Inference timings in us" in text:
        return _benchmark_model(text)
    if re.search(r"\] Latency: min = ", text):
        return _trtexec(text)
    raise ValueError(
        "neither benchmark_model's output (a line 'Inference timings in us') nor trtexec's (a line "
        "'Latency: min = ')"
    )


def _benchmark_model(text: str) -> DeviceTiming:
    # The last line of counts is that of the steady state; the one before is the warm-up.
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


def _text(pattern: str, text: str) -> str | None:
    found = re.search(pattern, text)
    return found[1] if found else None


def _name(path: str | None) -> str | None:
    return PurePosixPath(path).name if path else None


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)


def _whole(text: str | None) -> int | None:
    return None if text is None else int(text)


def _thousandth(text: str | None) -> float | None:
    return None if text is None else float(text) / 1e3
