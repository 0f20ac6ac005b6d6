"""Evaluations at the end of a training: the final weights, the test split, and noise."""

import torch
from lightning.pytorch import Trainer

from lit_effnet.experiment.lightning_cli import Experiment
from lit_effnet.network.weight_sources import find
from lit_effnet.runs.folder import FINISHED
from lit_effnet.training.checkpoints import read_checkpoint
from lit_effnet.training.progress import say
from lit_effnet.training.recorder import RunRecord, first_process


def check_evaluation(experiment: Experiment) -> None:
    """Look at what the weights at the training's end shall be evaluated on.

    Raises:
        ValueError: there is none, or it has bad images.
    """
    data = experiment.datamodule
    if not experiment.config.run.test:
        return
    if "test" not in data.splits:
        raise ValueError(f"run.test true: {data.name} has only {', '.join(data.splits)}")
    data.setup("test")


def evaluate_under_noise(experiment: Experiment, recorder: RunRecord, device: torch.device) -> None:
    """Evaluate the last checkpoint under every level of noise that has no row yet.

    And on clean images, with which the others compare.
    """
    from lit_effnet.data.corruptions.noise import GaussianNoise
    from lit_effnet.evaluation.conditions import Condition
    from lit_effnet.evaluation.evaluator import Evaluator, View

    folder, data, model = recorder.folder, experiment.datamodule, experiment.model
    levels = experiment.config.run.noise or ()
    say(f"noise    sigma {', '.join(f'{sigma:g}' for sigma in levels)}")
    weights = find(str(folder.path))
    weights.load_into(model.network)
    model.to(device)  # Lightning brought it home after the training
    evaluator = Evaluator(model.network, data, "validation", weights.fingerprint, View.of(data))
    done = {row.get("id") for row in folder.read_evaluations()}
    noise = [Condition(GaussianNoise(sigma), corrupt_at="reference") for sigma in levels]
    for condition in evaluator.with_clean(noise):
        if evaluator.id(condition) not in done:
            folder.add_evaluation(evaluator.row(condition))
    recorder.record["noise"] = list(levels)
    recorder.write(FINISHED)


def evaluate_final_weights(experiment: Experiment, trainer: Trainer, recorder: RunRecord) -> None:
    """Validate the weights at the training's end, where the last validation was of earlier ones."""
    load_last_checkpoint(experiment, recorder)
    (scores,) = trainer.validate(experiment.model, experiment.datamodule, verbose=False)
    recorder.add_final_scores(scores)


def evaluate_on_test_split(experiment: Experiment, trainer: Trainer, recorder: RunRecord) -> None:
    """Evaluate the last checkpoint on the test split and record it; this happens once."""
    if first_process():
        say(f"test     {experiment.datamodule.sizes()['test']:,} images")
    load_last_checkpoint(experiment, recorder)
    (metrics,) = trainer.test(experiment.model, experiment.datamodule, verbose=False)
    recorder.record["test"] = dict(metrics)
    recorder.write(FINISHED)


def load_last_checkpoint(experiment: Experiment, recorder: RunRecord) -> None:
    """Fill the network with the kept weights; where none are kept it has the final ones.

    Not as it is where they are kept: it holds no averaged weights where a run was stopped after
    its last epoch. Not by way of Lightning, which gives an averaging callback the averages and the
    network the others.
    """
    # The strategy hands the first process's weights to the others.
    if first_process() and recorder.folder.last_checkpoint.exists():
        checkpoint = read_checkpoint(recorder.folder.last_checkpoint)
        experiment.model.load_state_dict(checkpoint["state_dict"])
