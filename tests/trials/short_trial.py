"""A trial of a fraction of a second, with the run folder that `fit` leaves.

`--run.root ROOT --run.id ID --seconds S [--exit STATUS] [--values 0.1,0.2] [--gate FILE]`; `main` is what the
launcher calls. Each epoch takes its part of the seconds, and those from the third wait for the file; it goes on where it was, and writes a
line to `times_run` whenever it begins, so that tests can count.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

from lit_effnet.runs.folder import FINISHED, INTERRUPTED, RUNNING, RunFolder


def main(arguments: list[str]) -> None:
    if arguments[0] == "--resume":
        folder = RunFolder(Path(arguments[1]))
        words = json.loads((folder.path / "config.yaml").read_text())
    else:
        words = arguments
    parser = argparse.ArgumentParser()
    parser.add_argument("--config")
    for name, default in {
        "--run.root": "", "--run.id": "", "--run.group": "group",
        "--seconds": "0.2", "--exit": "0", "--values": "0.5",
        "--gate": "",
    }.items():  # fmt: skip
        parser.add_argument(name, default=default)
    given = vars(parser.parse_args(words))
    folder = RunFolder(Path(given["run.root"]) / given["run.group"] / given["run.id"])
    folder.path.mkdir(parents=True, exist_ok=True)
    (folder.path / "config.yaml").write_text(json.dumps(words))
    with (folder.path / "times_run").open("a") as file:
        file.write(f"{os.getpid()}\n")
    values = [float(value) for value in given["values"].split(",")]
    rows = [dict(row) for row in folder.read_metrics()]

    def write(status: str) -> None:
        metrics = {"val/top1": float(rows[-1]["val/top1"])} if rows else {}
        folder.write(
            {
                "status": status, "asked": [], "metrics": metrics, "max_epochs": len(values),
                "cost": {"epochs": len(rows), "seconds": 0.1 * len(rows)},
            }
        )  # fmt: skip

    write(RUNNING)
    try:
        for epoch in range(len(rows), len(values)):
            while epoch >= 2 and given["gate"] and not Path(given["gate"]).exists():
                time.sleep(0.02)
            time.sleep(float(given["seconds"]) / len(values))
            rows.append({"epoch": epoch, "val/top1": values[epoch]})
            folder.write_metrics(rows)
            write(RUNNING)
    except KeyboardInterrupt:
        write(INTERRUPTED)
        sys.exit(130)
    if int(given["exit"]):
        print("line before the last")
        print("failed: it was told to", file=sys.stderr)
        sys.exit(int(given["exit"]))
    write(FINISHED)
