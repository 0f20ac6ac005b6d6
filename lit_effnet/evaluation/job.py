"""The command `evaluate`: each network under its conditions, rows kept, tables printed."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from rich.console import Console
from tqdm import tqdm

from lit_effnet.cli.errors import written
from lit_effnet.cli.format import percent
from lit_effnet.cli.progress import say
from lit_effnet.cli.tables import PlainTable, as_rich
from lit_effnet.data.corruptions.registry import scale_of
from lit_effnet.data.images import LEAST_IMAGE_SIZE
from lit_effnet.data.preprocessing import Preprocessing
from lit_effnet.evaluation.conditions import (
    SIGMAS,
    Condition,
    ConditionOptions,
    parse_conditions,
    parse_sigmas,
)
from lit_effnet.evaluation.evaluator import Evaluator
from lit_effnet.evaluation.prediction_files import PredictionFiles
from lit_effnet.evaluation.predictions import Predictions
from lit_effnet.evaluation.row import Row
from lit_effnet.evaluation.run_folders import run_folders
from lit_effnet.evaluation.tables import (
    EvaluatedNetwork,
    ReferenceErrors,
    levels_table,
    networks_tables,
    notes,
    severities_table,
)
from lit_effnet.evaluation.target import EvaluationTarget, device_of, load_target, overrides_of
from lit_effnet.metrics.robustness import (
    ALEXNET_ERRORS,
    ALEXNET_IMAGE_SIZE,
    corruption_errors,
    same_images,
)
from lit_effnet.runs.folder import RunFolder
from lit_effnet.runs.paths import local, locate


def evaluate_networks(config: Any) -> bool:
    """Evaluate every network and print its tables; return whether one of them failed.

    Args:
        config: Flags of the command.

    Raises:
        ValueError: bad input. With several networks, a mistake that concerns one of them is
            printed, and the others are evaluated.
    """
    files = PredictionFiles(config.predictions, config.per_class)
    if config.relative_to is not None and not locate(config.relative_to, "relative_to").is_dir():
        raise ValueError(f"relative_to {config.relative_to}: no such run folder")
    console, done = Console(), []
    names = run_folders(config.runs)
    # The network that the others are relative to comes first.
    names.sort(key=lambda name: name != config.relative_to)
    for number, name in enumerate(names, start=1):
        prefix = f"{number}/{len(names)} " if len(names) > 1 else ""
        try:
            done.append(_evaluate_network(name, config, prefix, console, files))
        except (ValueError, KeyError, RuntimeError) as error:  # torch's out of memory too
            if len(names) == 1 and isinstance(error, ValueError):
                raise
            reason = " ".join(str(error).split()) or type(error).__name__
            others = "; the others go on" if len(names) > 1 else ""
            sys.stderr.write(f"failed: {name}: {reason.removeprefix(f'{name}: ')}{others}\n")
    if files.frames:
        line = written(str(config.predictions), files.write)
        console.print(line, highlight=False, soft_wrap=True)
    if len(names) > 1:
        for table in networks_tables(done, console.width):
            console.print(as_rich(table), highlight=False)
        console.print(f"{len(done)} of {len(names)} networks evaluated", highlight=False)
    return len(done) < len(names)


def _evaluate_network(
    name: str, config: Any, prefix: str, console: Console, files: PredictionFiles
) -> EvaluatedNetwork:
    job = prepare(name, config)
    is_reference = config.relative_to == name
    # Checked before the evaluation, unless its rows are only made by it.
    reference = None if is_reference else job.reference(config.relative_to)
    made: list[tuple[Row, Predictions]] = []
    rows = job.run(config.overwrite or files.any, prefix, made)
    if is_reference:
        reference = job.reference(config.relative_to)
    for table in (levels_table(job.target, rows), severities_table(rows)):
        if table is not None:
            console.print(as_rich(table), highlight=False)
    for note in notes(rows, job.target, reference):
        console.print(note, style="dim", highlight=False, soft_wrap=True)
    for shown in files.add(job.target, made):
        if isinstance(shown, PlainTable):
            console.print(as_rich(shown), highlight=False)
        lines = shown.notes if isinstance(shown, PlainTable) else [shown]
        for line in lines:
            console.print(line, highlight=False, soft_wrap=True)
    macs = job.target.record["complexity"]["macs"]
    return EvaluatedNetwork(job.target.arm, name, macs, rows)


@dataclass(frozen=True)
class EvaluationJob:
    """A network with the conditions to evaluate it under.

    Args:
        target: The network.
        evaluator: Evaluates it.
        conditions: All conditions, including the clean ones that others are compared with.
    """

    target: EvaluationTarget
    evaluator: Evaluator
    conditions: Sequence[Condition]

    def run(self, overwrite: bool, prefix: str, made: list[tuple[Row, Predictions]]) -> list[Row]:
        """Return a row for every condition, evaluating those that have none yet.

        Args:
            overwrite: Whether conditions that have a row are evaluated again.
            prefix: Text before the network's name in the progress line.
            made: Receives each new row with its predictions.
        """
        evaluator, folder, conditions = self.evaluator, self.target.folder, self.conditions
        known = {row.get("id"): row for row in folder.read_evaluations()}
        due = [c for c in conditions if overwrite or evaluator.id(c) not in known]
        if due:
            images = evaluator.images
            written(f"{folder.path}: a row", self.target.make_folder)
            old = f", {len(conditions) - len(due)} have a row" if len(due) < len(conditions) else ""
            number = f"{len(due)} condition{'s' * (len(due) != 1)}"
            say(f"{prefix}{self.target.name}: {number} of {images:,} images{old}")
            # Without a terminal for the bar, each finished condition is a line.
            with tqdm(total=len(due) * images, unit=" images", leave=False, disable=None) as bar:
                for condition in due:
                    bar.set_description(f"{prefix}{condition.label}")
                    predictions = Predictions()
                    row = evaluator.row(condition, bar.update, predictions)
                    written(f"{folder.path}: a row", folder.add_evaluation, row)
                    known[row["id"]] = row
                    made.append((row, predictions))
                    if bar.disable:
                        scores = f"top-1 {percent(row['top1'])} %, {row['seconds']:.1f} s"
                        say(f"{condition.label}: {scores}")
        return [known[evaluator.id(condition)] for condition in conditions]

    def reference(self, relative_to: str | None) -> ReferenceErrors | None:
        """Return the errors that the mean corruption error is divided by.

        AlexNet's published errors are for ImageNet at ImageNet-C's size and severities only.

        Args:
            relative_to: Run folder of the reference network; None for AlexNet, if it applies.

        Raises:
            ValueError: the run has no rows on the same corrupted images.
        """
        severe = [condition for condition in self.conditions if condition.severity is not None]
        if not severe:
            return None
        wanted = self.evaluator.identity(severe[0])
        if relative_to is None:
            as_published = (
                self.target.weights.num_classes == 1000
                and wanted["severities"] == "imagenet"
                and (wanted["made_at"], wanted["made_at_px"]) == ("reference", ALEXNET_IMAGE_SIZE)
                and not self.evaluator.adapt_batch_norm
            )
            name = "AlexNet, published for ImageNet-C"
            return ReferenceErrors(name, ALEXNET_ERRORS) if as_published else None
        rows = RunFolder(locate(relative_to)).read_evaluations()
        errors = corruption_errors(same_images(rows, wanted))
        if not errors:
            raise ValueError(
                f"relative_to {relative_to}: has no rows on these corrupted images; evaluate it "
                "with the same flags first"
            )
        return ReferenceErrors(relative_to, errors)


def prepare(name: str, config: Any) -> EvaluationJob:
    """Load a network with its images, and parse the conditions.

    Raises:
        ValueError: the network, its images or a condition is not available.
    """
    target = load_target(name, overrides_of(config, whole=True), config.root)
    data = target.data  # refuses released weights without images
    reference = _reference_view(target, config.reference_size)
    options = ConditionOptions(
        config.severities or scale_of(round(reference.image_size or 0)),
        config.corrupt_at,
        SIGMAS if config.sigmas is None else parse_sigmas(config.sigmas),
        None if config.frost_images is None else local(config.frost_images, "frost_images"),
    )
    conditions = parse_conditions(config.conditions, options)
    evaluator = Evaluator(
        network=target.network.to(device_of(config.device)).to(memory_format=torch.channels_last),
        data=data,
        split=data.split_for(config.split),
        weights=target.weights.fingerprint,
        own=target.own,
        reference=reference,
        adapt_batch_norm=config.adapt_batch_norm,
    )
    return EvaluationJob(target, evaluator, evaluator.with_clean(conditions))


def _reference_view(target: EvaluationTarget, size: int | None) -> Preprocessing:
    if size is None:
        return target.reference
    if size < LEAST_IMAGE_SIZE:
        raise ValueError(f"reference_size {size}: must be at least {LEAST_IMAGE_SIZE} pixels")
    return replace(target.reference, image_size=size)
