"""Lines that `fit` prints before a training and after it."""

from lit_effnet.experiment.lightning_cli import Experiment
from lit_effnet.experiment.training_plan import TrainingPlan
from lit_effnet.runs.folder import HEADLINE, RunFolder
from lit_effnet.training.progress import percent
from lit_effnet.training.recorder import RunRecorder


def opening_lines(experiment: Experiment, recorder: RunRecorder) -> str:
    """Return network, weights, data, recipe and run folder, a line each."""
    record = recorder.record
    scaling, cost, data = record["scaling"], record["complexity"], record["data"]
    images = ", ".join(f"{count:,} {split}" for split, count in data["images"].items())
    notes = [*data["notes"], *(record["weights"] or {}).get("notes", ())]
    if data["seen_in_pretraining"]:
        notes.append("the weights were pretrained on these images (ImageNet)")
    weights = []
    if record["weights"] is not None:
        began = record["weights"]["name"]
        resumed = experiment.weights.name != began
        loaded = "the run began with these" if resumed else experiment.loaded
        weights = [f"weights  {began}: {loaded}"]
    return "\n".join(
        (
            f"network  {record['model']['name']}, depth {scaling['depth']:.4g}, width "
            f"{scaling['width']:.4g}, {data['image_size']} px: {cost['params'] / 1e6:.2f} M "
            f"parameters, {cost['macs'] / 1e6:,.1f} M MACs",
            *weights,
            f"data     {data['name']}: {images} images, {data['classes']} classes",
            *(f"         {note}" for note in notes),
            f"recipe   {record['recipe']['name']}, {experiment.plan}, "
            f"{batch_text(experiment.plan)}, {record['precision']} on {record['device']}",
            f"run      {recorder.folder.path}",
        )
    )


def batch_text(plan: TrainingPlan) -> str:
    """Return the images of an optimiser step, and how they are made up."""
    parts = [f"{plan.batch_size} images"]
    if plan.processes > 1:
        statistics = "shared" if plan.synchronised else "each its own"
        parts.append(f"{plan.processes} processes (batch norm: {statistics})")
    if plan.accumulated > 1:
        parts.append(f"{plan.accumulated} accumulated batches")
    product = f" = {' x '.join(parts)}" if len(parts) > 1 else ""
    return f"batch {plan.global_batch}{product}"


def closing_line(folder: RunFolder) -> str:
    """Return top-1 accuracy, time, MACs and the run folder."""
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
