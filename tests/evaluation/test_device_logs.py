"""Logs of other devices are read as what their programs wrote."""

import pytest

from lit_effnet.evaluation.device_logs import read

ANDROID = """\
INFO: STARTING!
INFO: Graph: [/data/local/tmp/lite0.tflite]
INFO: #threads used for CPU inference: [4]
INFO: Running benchmark for at least 1 iterations and at least 0.5 seconds.
INFO: count=40 first=13001 curr=12400 min=12111 max=13001 avg=12500.5 std=120 p5=12150 median=12490 p95=12800

INFO: Running benchmark for at least 50 iterations and at least 1 seconds.
INFO: count=81 first=12301 curr=12244 min=12017 max=12951 avg=1.23455e+04 std=142 p5=12060 median=12310 p95=12600

INFO: Inference timings in us: Init: 5685, First inference: 13001, Warmup (avg): 12500.5, Inference (avg): 12345.5
INFO: Note: as the benchmark tool itself affects memory footprint, the following is only APPROXIMATE.
INFO: Memory footprint delta from the start of the tool (MB): init=4.1 overall=21.5
"""

OLDER = """\
Num threads: [1]
Graph: [mobilenet.tflite]
count=50 first=249042 curr=250889 min=247067 max=254474 avg=249684 std=1442

Inference timings in us: Init: 16242, First inference: 360262, Warmup (avg): 304586, Inference (avg): 249684
Overall peak memory footprint (MB) via periodic monitoring: 55.25
"""

JETSON = """\
&&&& RUNNING TensorRT.trtexec [TensorRT v8201] # trtexec --onnx=/home/jetson/b0.onnx --fp16
[12/02/2021-19:58:58] [I] Timing trace has 312 queries over 3.02 s
[12/02/2021-19:58:58] [I] === Performance summary ===
[12/02/2021-19:58:58] [I] Throughput: 103.2 qps
[12/02/2021-19:58:58] [I] Latency: min = 9.42 ms, max = 11.5 ms, mean = 9.65 ms, median = 9.61 ms, percentile(90%) = 9.8 ms, percentile(95%) = 9.91 ms, percentile(99%) = 10.2 ms
[12/02/2021-19:58:58] [I] Enqueue Time: min = 0.5 ms, max = 1.6 ms, mean = 0.7 ms, median = 0.6 ms
"""


def test_benchmark_models_steady_state_is_read_and_not_its_warm_up() -> None:
    found = read(ANDROID)
    assert (found.model, found.threads, found.runs) == ("lite0.tflite", 4, 81)
    assert (found.mean_ms, found.median_ms) == (12.3455, 12.31)
    assert (found.p5_ms, found.p95_ms, found.load_ms, found.peak_mb) == (12.06, 12.6, 5.685, 21.5)


def test_an_older_log_without_percentiles_leaves_them_empty() -> None:
    found = read(OLDER)
    assert (found.model, found.threads, found.runs) == ("mobilenet.tflite", 1, 50)
    assert (found.mean_ms, found.median_ms, found.peak_mb) == (249.684, None, 55.25)


def test_trtexecs_latency_is_read_and_not_its_other_times() -> None:
    found = read(JETSON)
    assert (found.model, found.program, found.runs) == ("b0.onnx", "TensorRT trtexec", 312)
    assert (found.mean_ms, found.median_ms, found.p95_ms) == (9.65, 9.61, 9.91)
    assert found.threads is None


def test_another_text_is_refused() -> None:
    with pytest.raises(ValueError, match=r"neither benchmark_model's output .* nor trtexec's"):
        read("It took 12 ms.")
