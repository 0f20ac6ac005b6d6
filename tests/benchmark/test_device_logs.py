"""Logs of other devices are read as what their programs wrote."""

import pytest

from lit_effnet.benchmark.device_logs import read

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

PERF_TEST = """\
b0.onnx
Setting intra_op_num_threads to 1
Disabling intra-op thread spinning between runs
Session creation time cost: 0.217932 s
First inference time cost: 196 ms
Total inference time cost: 0.49481 s
Total inference requests: 5
Average inference time cost total: 98.961997 ms
Total inference run time: 0.494854 s
Number of inferences per second: 10.104
Avg CPU usage: 11 %
Peak working set size: 271122432 bytes
Min Latency: 0.0958204 s
Max Latency: 0.101519 s
P50 Latency: 0.0995086 s
P95 Latency: 0.1015 s
"""

# onnxruntime_perf_test as it was before.
OLDER_PERF_TEST = """\
Total inference requests: 100
Average inference time cost: 62.2935 ms
Peak working set size: 114634752 bytes
"""

EXECUTOR_RUNNER = """\
I 00:00:00.000326 executorch:executor_runner.cpp:350] Resetting threadpool with num threads = 1
I 00:00:00.003452 executorch:executor_runner.cpp:400] Model file b0.pte is loaded.
I 00:00:00.003468 executorch:executor_runner.cpp:410] Using method forward
I 00:00:00.040512 executorch:executor_runner.cpp:520] Model loaded in 37.100000 ms.
I 00:00:00.100000 executorch:executor_runner.cpp:640] Iteration 1 of 3: 30.000000 ms
I 00:00:00.120000 executorch:executor_runner.cpp:640] Iteration 2 of 3: 20.000000 ms
I 00:00:00.141000 executorch:executor_runner.cpp:640] Iteration 3 of 3: 22.000000 ms
I 00:00:00.141010 executorch:executor_runner.cpp:650] Model executed successfully 3 time(s) in 72.000000 ms.
"""

BENCHMARK_APP = """\
b0.xml
[Step 7/11] Loading the model to the device
[ INFO ] Compile model took 231.76 ms
[ INFO ]   INFERENCE_NUM_THREADS: 1
[ INFO ] First inference took 31.44 ms
[Step 11/11] Dumping statistics report
[ INFO ] Execution Devices:['CPU']
[ INFO ] Count:            50 iterations
[ INFO ] Duration:         0.93 ms
[ INFO ] Latency:
[ INFO ]    Median:        11.37 us
[ INFO ]    Average:       13.63 us
[ INFO ]    Min:           11.28 us
[ INFO ]    Max:           61.15 us
[ INFO ] Throughput:   53736.98 FPS
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


def test_perf_tests_seconds_become_milliseconds() -> None:
    found = read(PERF_TEST)
    assert (found.model, found.threads, found.runs) == ("b0.onnx", 1, 5)
    assert found.program == "ONNX Runtime onnxruntime_perf_test"
    assert (found.mean_ms, found.median_ms) == (98.961997, pytest.approx(99.5086))
    assert (found.p95_ms, found.load_ms) == (pytest.approx(101.5), pytest.approx(217.932))
    assert found.peak_mb == pytest.approx(271.122432)
    older = read(OLDER_PERF_TEST)
    assert (older.mean_ms, older.runs, older.median_ms, older.model) == (62.2935, 100, None, None)


def test_executor_runners_calls_are_read_where_it_tells_them() -> None:
    found = read(EXECUTOR_RUNNER)
    assert (found.model, found.threads, found.runs) == ("b0.pte", 1, 3)
    assert (found.mean_ms, found.median_ms, found.load_ms) == (24, 22, 37.1)
    older = read(
        "\n".join(line for line in EXECUTOR_RUNNER.splitlines() if "Iteration" not in line)
    )
    assert (older.mean_ms, older.median_ms, older.p95_ms) == (24, None, None)


@pytest.mark.parametrize(("unit", "factor"), [("us", 1e-3), ("ms", 1)])
def test_benchmark_apps_unit_is_heeded(unit: str, factor: float) -> None:
    found = read(BENCHMARK_APP.replace(" us", f" {unit}"))
    assert (found.model, found.threads, found.runs) == ("b0.xml", 1, 50)
    assert (found.median_ms, found.mean_ms) == (
        pytest.approx(11.37 * factor), pytest.approx(13.63 * factor),
    )  # fmt: skip
    assert found.load_ms == 231.76
    other = read(BENCHMARK_APP.replace("Median:   ", "95 percentile:"))
    assert (other.median_ms, other.p95_ms) == (None, pytest.approx(11.37e-3))


def test_another_text_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must be the output of a known .*benchmark_app's"):
        read("It took 12 ms.")
