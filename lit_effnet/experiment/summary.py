"""What a person is told of a run before it trains and when it has ended."""

from typing import Any

from lit_effnet.experiment.lightning_cli import Experiment
from lit_effnet.runs.folder import HEADLINE, RunFolder
from lit_effnet.training.progress import percent
from lit_effnet.training.recorder import RunRecord


def opening_lines(experiment: Experiment, recorder: RunRecord) -> str:
    """What is about to be trained."""
    record = recorder.record
    scaling, cost, data = record["scaling"], record["complexity"], record["data"]
    images = ", ".join(f"{count:,} {split}" for split, count in data["images"].items())
    notes = [*data["notes"], *(record["weights"] or {}).get("notes", ())]
    if data["seen_in_pretraining"]:
        notes.append("its images were seen in pretraining: they are ImageNet's")
    weights = []
    if record["weights"] is not None:
        began = record["weights"]["name"]
        resumed = experiment.weights.name != began
        told = "what the run began with" if resumed else experiment.loaded
        weights = [f"weights  {began}: {told}"]
    return "\n".join(
        (
            f"network  {record['model']['name']}, depth {scaling['depth']:.4g}, width "
            f"{scaling['width']:.4g}, {data['image_size']} px: {cost['params'] / 1e6:.2f} M "
            f"parameters, {cost['macs'] / 1e6:,.1f} M MACs",
            *weights,
            f"data     {data['name']}: {images} images, {data['classes']} classes",
            *(f"         {note}" for note in notes),
            f"recipe   {record['recipe']['name']}, {experiment.length}, "
            f"{batch_of(record, experiment)}, {record['precision']} on {record['device']}",
            f"run      {recorder.folder.path}",
        )
    )


def batch_of(record: dict[str, Any], experiment: Experiment) -> str:
    """The images of a step, and how they come together."""
    size, images, processes = (
        record["data"]["batch_size"],
        experiment.global_batch,
        experiment.processes,
    )
    accumulated = images // (size * processes)
    parts = [f"{size} images"]
    if processes > 1:
        shared = "shared" if experiment.synchronised else "each its own"
        parts.append(f"{processes} processes (batch norm: {shared})")
    if accumulated > 1:
        parts.append(f"{accumulated} accumulated batches")
    return f"batch {images}" + (f" = {' x '.join(parts)}" if len(parts) > 1 else "")


def closing_line(folder: RunFolder) -> str:
    """Top-1, time, MACs and the run folder."""
    record = folder.read()
    cost, best, narrowed = record["cost"], record.get("best"), record.get("narrowed", {})
    part = {split: f" ({why})" for split, why in narrowed.items()}
    top1 = "not validated"
    if best:
        top1 = f"val top-1 {percent(record['metrics'][HEADLINE])}{part.get('validation', '')}"
        top1 += f" (best {percent(best[HEADLINE])} in epoch {best['epoch'] + 1})"
    if "test" in record:
        top1 += f", test top-1 {percent(record['test']['test/top1'])}{part.get('test', '')}"
    top1 += part.get("training", "")
    macs = record["complexity"]["macs"] / 1e6
    return f"{top1}, {cost['seconds']:.0f} s, {macs:,.1f} M MACs, {folder.path}"
