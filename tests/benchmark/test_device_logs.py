"""Logs of benchmark programs on other devices."""

from dataclasses import asdict

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


BENCHMARK_MODEL = "TensorFlow Lite benchmark_model"


@pytest.mark.parametrize(
    ("log", "program", "fields"),
    [
        (
            ANDROID,
            BENCHMARK_MODEL,
            {"model": "lite0.tflite", "threads": 4, "runs": 81, "mean_ms": 12.3455, "p5_ms": 12.06,
             "median_ms": 12.31, "p95_ms": 12.6, "load_ms": 5.685, "peak_mb": 21.5},
        ),
        (
            OLDER,
            BENCHMARK_MODEL,
            {"model": "mobilenet.tflite", "threads": 1, "runs": 50, "mean_ms": 249.684,
             "load_ms": 16.242, "peak_mb": 55.25},
        ),
        (
            JETSON,
            "TensorRT trtexec",
            {"model": "b0.onnx", "runs": 312, "mean_ms": 9.65, "median_ms": 9.61, "p95_ms": 9.91},
        ),
        (
            PERF_TEST,
            "ONNX Runtime onnxruntime_perf_test",
            {"model": "b0.onnx", "threads": 1, "runs": 5, "mean_ms": 98.961997,
             "median_ms": 99.5086, "p95_ms": 101.5, "load_ms": 217.932, "peak_mb": 271.122432},
        ),
        (
            OLDER_PERF_TEST,
            "ONNX Runtime onnxruntime_perf_test",
            {"runs": 100, "mean_ms": 62.2935, "peak_mb": 114.634752},
        ),
        (
            EXECUTOR_RUNNER,
            "ExecuTorch executor_runner",
            {"model": "b0.pte", "threads": 1, "runs": 3, "mean_ms": 24, "p5_ms": 20.2,
             "median_ms": 22, "p95_ms": 29.2, "load_ms": 37.1},
        ),
        (
            "\n".join(line for line in EXECUTOR_RUNNER.splitlines() if "Iteration" not in line),
            "ExecuTorch executor_runner",
            {"model": "b0.pte", "threads": 1, "runs": 3, "mean_ms": 24, "load_ms": 37.1},
        ),
        (
            BENCHMARK_APP,
            "OpenVINO benchmark_app",
            {"model": "b0.xml", "threads": 1, "runs": 50, "mean_ms": 13.63e-3,
             "median_ms": 11.37e-3, "load_ms": 231.76},
        ),
        (
            BENCHMARK_APP.replace(" us", " ms").replace("Median:   ", "95 percentile:"),
            "OpenVINO benchmark_app",
            {"model": "b0.xml", "threads": 1, "runs": 50, "mean_ms": 13.63, "p95_ms": 11.37,
             "load_ms": 231.76},
        ),
    ],
)  # fmt: skip
def test_a_log_is_read_with_its_units_and_without_its_warm_up(
    log: str, program: str, fields: dict[str, object]
) -> None:
    timing = {name: value for name, value in asdict(read(log)).items() if value is not None}
    assert timing == pytest.approx({"program": program, **fields})


def test_another_text_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must be the output of a known .*benchmark_app's"):
        read("It took 12 ms.")
