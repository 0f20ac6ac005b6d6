"""Evaluate trained or released networks under conditions; each gives a row that is kept.

python -m lit_effnet.evaluate runs/photos/RUN --conditions clean,noise
python -m lit_effnet.evaluate runs/scaling_ablation_photos --conditions corruptions
python -m lit_effnet.evaluate timm/resnet50.tv_in1k --data.name imagenet --data.path FOLDER
python -m lit_effnet.evaluate RUN --conditions gaussian_noise:sigma=0.1,fog:3 --made_at input
python -m lit_effnet.evaluate RUN --per_class true --predictions predictions.csv

Conditions: clean; noise (a curve of Gaussian noise, and shot, impulse and speckle noise) and
corruptions (ImageNet-C's); blur, weather, digital and extra; or names of corruptions, each with a
severity (fog:3) or a level (gaussian_noise:sigma=0.1). What has a row already is not repeated.
"""

import sys
from typing import TYPE_CHECKING, Any, Literal

from lit_effnet.cli.errors import stopping, written
from lit_effnet.cli.output import prepare_output, quiet_libraries
from lit_effnet.cli.parser import OneLineErrors
from lit_effnet.cli.shared_flags import add_network_flags, add_row_flags
from lit_effnet.runs.paths import local, locate

if TYPE_CHECKING:
    from rich.console import Console

    from lit_effnet.evaluation.conditions import Condition
    from lit_effnet.evaluation.evaluator import Evaluator
    from lit_effnet.evaluation.prediction_files import PredictionFiles
    from lit_effnet.evaluation.predictions import Predictions
    from lit_effnet.evaluation.target import EvaluationTarget

FAILURE = 1


def make_parser() -> OneLineErrors:
    """The command's flags."""
    parser = OneLineErrors(
        prog="python -m lit_effnet.evaluate",
        usage="%(prog)s RUN [RUN ...] [--NAME VALUE ...]",
        description=__doc__,
    )
    add_network_flags(parser)
    add_row_flags(parser)
    add = parser.add_argument
    add("--conditions", type=str, default="clean", help="Names and families, with commas.")
    add(
        "--made_at",
        type=Literal["reference", "input"],
        default="reference",
        help="Where images are corrupted: at the data set's size at resolution 1, the same images "
        "for all networks, or at the network's input size.",
    )
    add("--reference_size", type=int | None, help="Another reference size, in pixels.")
    add(
        "--severities",
        type=Literal["imagenet", "cifar", "tiny"] | None,
        help="For which images the constants of severities 1 to 5 were made: 224, 32 or 64 "
        "pixels; by the reference size if null.",
    )
    add(
        "--sigmas",
        type=str | None,
        help="Levels of the curve of Gaussian noise, of pixels from 0 to 1, with commas.",
    )
    add("--frost_images", type=str | None, help="Folder of ImageNet-C's frost1.png to frost5.jpg.")
    add("--recalibrate", type=bool, default=False, help="Batch norm gets the images' statistics.")
    add(
        "--predictions",
        type=str | None,
        help="A .csv or .parquet file for what is predicted for each image; evaluates again.",
    )
    add(
        "--per_class",
        type=bool,
        default=False,
        help="Accuracy of each class and confusion matrix, also as files in the run's per_class/; "
        "evaluates again.",
    )
    add("--relative_to", type=str | None, help="Run whose errors the mean is relative to.")
    return parser


def main(args: list[str] | None = None) -> None:
    """Run the command: exit status 0 done, 1 a network failed, 2 bad input, 130 stopped."""
    prepare_output()
    quiet_libraries()
    parser = make_parser()
    config = parser.parse_args(args)
    with stopping("what has a row is kept, the same command goes on"), parser.bad_input():
        failed = evaluate_all(config)
    raise SystemExit(FAILURE if failed else 0)


def evaluate_all(config: Any) -> bool:
    """Evaluate every network and print its table; whether one of them failed.

    Raises:
        ValueError: bad input; where there are several networks, only what concerns all of them.
    """
    from rich.console import Console

    from lit_effnet.evaluation.prediction_files import PredictionFiles
    from lit_effnet.evaluation.tables import networks_tables
    from lit_effnet.evaluation.target import run_folders

    asked = PredictionFiles(config.predictions, config.per_class)
    if config.relative_to is not None and not locate(config.relative_to, "relative_to").is_dir():
        raise ValueError(f"relative_to {config.relative_to}: no such run folder")
    console, done = Console(), []
    names = run_folders(config.runs)
    # What the others are relative to is evaluated before them.
    names.sort(key=lambda name: name != config.relative_to)
    for number, name in enumerate(names, start=1):
        try:
            done.append(evaluate_one(name, config, (number, len(names)), console, asked))
        except (ValueError, KeyError, RuntimeError) as error:  # torch's, for lack of memory, too
            if len(names) == 1 and isinstance(error, ValueError):
                raise
            reason = " ".join(str(error).split()) or type(error).__name__
            others = "; the others go on" if len(names) > 1 else ""
            sys.stderr.write(f"failed: {name}: {reason.removeprefix(f'{name}: ')}{others}\n")
    if asked.frames:
        line = written(str(config.predictions), asked.write)
        console.print(line, highlight=False, soft_wrap=True)
    if len(names) > 1:
        for table in networks_tables(done, console.width):
            console.print(table, highlight=False)
        console.print(f"{len(done)} of {len(names)} networks evaluated", highlight=False)
    return len(done) < len(names)


def evaluate_one(
    name: str,
    config: Any,
    place: tuple[int, int],
    console: "Console",
    asked: "PredictionFiles",
) -> tuple[str, str, int, list[dict[str, Any]]]:
    """Evaluate a network and print its table; its arm, name, MACs and rows.

    Args:
        name: The network.
        config: The flags.
        place: Its number, and of how many.
        console: Where tables are printed.
        asked: The files of predictions that are asked for.

    Raises:
        ValueError: the network or its images cannot be had.
    """
    from lit_effnet.evaluation.tables import levels_table, notes, severities_table

    subject, evaluator, conditions = prepare(name, config)
    first = config.relative_to == name
    # Before the hours that the evaluation takes, unless the rows are only made there.
    reference = None if first else reference_of(config, subject, evaluator, conditions)
    found: list[tuple[dict[str, Any], Predictions]] = []
    again = config.overwrite or asked.any
    rows = evaluate(subject, evaluator, conditions, again, place=place, found=found)
    if first:
        reference = reference_of(config, subject, evaluator, conditions)
    for table in (levels_table(subject, rows), severities_table(rows)):
        if table is not None:
            console.print(table, highlight=False)
    for note in notes(rows, subject, reference):
        console.print(note, style="dim", highlight=False, soft_wrap=True)
    for shown in asked.taken(subject, found):
        console.print(shown, highlight=False, soft_wrap=isinstance(shown, str))
    return subject.arm, name, subject.record["complexity"]["macs"], rows


def prepare(name: str, config: Any) -> tuple["EvaluationTarget", "Evaluator", list["Condition"]]:
    """A network, what evaluates it, and the conditions, the clean ones among them.

    Raises:
        ValueError: one of them is not there.
    """
    from dataclasses import replace

    import torch

    from lit_effnet.data.corruptions.families import scale_of
    from lit_effnet.data.images import LEAST_IMAGE_SIZE
    from lit_effnet.evaluation import conditions
    from lit_effnet.evaluation.evaluator import Evaluator
    from lit_effnet.evaluation.target import device_of, load_target, overrides_of

    found = load_target(name, overrides_of(config, whole=True), config.root)
    data_there = found.data  # which must be named with released weights
    reference = found.reference
    if config.reference_size is not None:
        if config.reference_size < LEAST_IMAGE_SIZE:
            least = f"must be at least {LEAST_IMAGE_SIZE} pixels"
            raise ValueError(f"reference_size {config.reference_size}: {least}")
        reference = replace(reference, image_size=config.reference_size)
    choices = conditions.Choices(
        config.severities or scale_of(round(reference.image_size or 0)),
        config.made_at,
        conditions.SIGMAS if config.sigmas is None else conditions.levels(config.sigmas),
        None if config.frost_images is None else local(config.frost_images, "frost_images"),
    )
    wanted = conditions.named(config.conditions, choices)
    evaluator = Evaluator(
        found.network.to(device_of(config.device)).to(memory_format=torch.channels_last),
        data_there,
        data_there.split_for(config.split),
        found.weights.fingerprint,
        found.own,
        reference,
        config.recalibrate,
    )
    return found, evaluator, evaluator.with_clean(wanted)


def evaluate(
    subject: "EvaluationTarget",
    evaluator: "Evaluator",
    conditions: list["Condition"],
    again: bool,
    *,
    place: tuple[int, int],
    found: "list[tuple[dict[str, Any], Predictions]]",
) -> list[dict[str, Any]]:
    """A row for every condition, those that were there already among them.

    Args:
        subject: The network.
        evaluator: Gives its rows.
        conditions: Under which.
        again: Also those that have a row.
        place: Number of the network, and of how many.
        found: Gets each row that is made, with the predictions behind it.
    """
    from tqdm import tqdm

    from lit_effnet.evaluation.predictions import Predictions
    from lit_effnet.training.progress import percent, say

    folder = subject.folder
    known = {row.get("id"): row for row in folder.read_evaluations()}
    due = [c for c in conditions if again or evaluator.id(c) not in known]
    if due:
        images = evaluator.images
        written(f"{folder.path}: a row", subject.make_folder)
        which = f"{place[0]}/{place[1]} " if place[1] > 1 else ""
        old = f", {len(conditions) - len(due)} have a row" if len(due) < len(conditions) else ""
        count = f"{len(due)} condition{'s' * (len(due) != 1)}"
        say(f"{which}{subject.name}: {count} of {images:,} images{old}")
        # Where no bar can move, each condition that is done is a line.
        with tqdm(total=len(due) * images, unit=" images", leave=False, disable=None) as bar:
            for condition in due:
                bar.set_description(f"{which}{condition.label}")
                predictions = Predictions()
                row = evaluator.row(condition, bar.update, predictions)
                written(f"{folder.path}: a row", folder.add_evaluation, row)
                known[row["id"]] = row
                found.append((row, predictions))
                if bar.disable:
                    say(f"{condition.label}: top-1 {percent(row['top1'])}, {row['seconds']:.1f} s")
    return [known[evaluator.id(condition)] for condition in conditions]


def reference_of(
    config: Any, subject: "EvaluationTarget", evaluator: "Evaluator", conditions: list["Condition"]
) -> tuple[str, dict[str, float]] | None:
    """Name and errors of the network that the mean corruption error is relative to, if any.

    AlexNet's published errors are on ImageNet at ImageNet-C's size and severities, on nothing else.

    Raises:
        ValueError: the run that is named has no rows on the same corrupted images.
    """
    from lit_effnet.metrics.robustness import (
        ALEXNET_ERRORS,
        ALEXNET_IMAGE_SIZE,
        corruption_errors,
        same_images,
    )
    from lit_effnet.runs.folder import RunFolder

    severe = [condition for condition in conditions if condition.severity is not None]
    if not severe:
        return None
    wanted = evaluator.identity(severe[0])
    if config.relative_to is None:
        of_benchmark = (
            subject.weights.num_classes == 1000
            and wanted["severities"] == "imagenet"
            and (wanted["made_at"], wanted["made_at_px"]) == ("reference", ALEXNET_IMAGE_SIZE)
            and not evaluator.recalibrate
        )
        return ("AlexNet, published for ImageNet-C", ALEXNET_ERRORS) if of_benchmark else None
    rows = RunFolder(locate(config.relative_to)).read_evaluations()
    errors = corruption_errors(same_images(rows, wanted))
    if not errors:
        raise ValueError(
            f"relative_to {config.relative_to}: has no rows on these corrupted images; evaluate it "
            "with the same flags first"
        )
    return config.relative_to, errors


if __name__ == "__main__":
    main()
