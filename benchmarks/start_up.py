"""Measure the time to the help text, relative to the imports that it needs.

python benchmarks/start_up.py --repeats 7
"""

import argparse
import os
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "import torch, lightning": ["-c", "import torch, lightning"],
    "lit_effnet.fit --help": ["-m", "lit_effnet.fit", "--help"],
    "lit_effnet.scale --help": ["-m", "lit_effnet.scale", "--help"],
}


def seconds(arguments: list[str]) -> tuple[float, float]:
    """Return wall and CPU seconds of one new interpreter."""
    before, started = os.times(), time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - started, os.times()
    cpu = after.children_user + after.children_system
    return wall, cpu - before.children_user - before.children_system


def main() -> None:
    """Alternate the commands; print medians, ranges and ratios to the bare imports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7, help="timed rounds")
    repeats = parser.parse_args().repeats
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for counted in range(-1, repeats):  # the first round fills the disk cache
        for name, arguments in COMMANDS.items():
            measured = seconds(arguments)
            if counted >= 0:
                times[name].append(measured)
    (base, *_) = times.values()
    print(f"{'command':26}{'wall s':>22}{'ratio':>8}{'CPU s':>22}{'ratio':>8}")
    for name, measured in times.items():
        row = f"{name:26}"
        for clock in (0, 1):
            mine = [sample[clock] for sample in measured]
            ratios = [m / b[clock] for m, b in zip(mine, base, strict=True)]
            spread = f"{statistics.median(mine):.2f} ({min(mine):.2f}..{max(mine):.2f})"
            row += f"{spread:>22}{statistics.median(ratios):8.2f}"
        print(row)


if __name__ == "__main__":
    main()
