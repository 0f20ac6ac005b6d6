"""Evaluations at the end of a training: the final weights, the test split, and noise."""

import torch
from lightning.pytorch import Trainer

from lit_effnet.cli.progress import say
from lit_effnet.experiment.lightning_cli import Experiment
from lit_effnet.network.weight_sources import find
from lit_effnet.runs.folder import FINISHED
from lit_effnet.training.checkpoints import read_checkpoint
from lit_effnet.training.recorder import RunRecorder, is_first_process


def check_evaluation(experiment: Experiment) -> None:
    """Check that the data have a readable test split if `--run.test` asks for it.

    Raises:
        ValueError: The test split is missing or has unreadable images.
    """
    data = experiment.datamodule
    if not experiment.config.run.test:
        return
    if "test" not in data.splits:
        raise ValueError(f"run.test true: {data.name} has only {', '.join(data.splits)}")
    data.setup("test")


def evaluate_under_noise(
    experiment: Experiment, recorder: RunRecorder, device: torch.device
) -> None:
    """Evaluate the last checkpoint on clean images and at every noise level without a row."""
    from lit_effnet.data.corruptions.noise import GaussianNoise
    from lit_effnet.evaluation.conditions import Condition
    from lit_effnet.evaluation.evaluator import Evaluator, View

    folder, data, model = recorder.folder, experiment.datamodule, experiment.model
    levels = experiment.config.run.noise or ()
    say(f"noise    sigma {', '.join(f'{sigma:g}' for sigma in levels)}")
    weights = find(str(folder.path))
    weights.load_into(model.network)
    model.to(device)  # after the training, Lightning moves it to the CPU
    evaluator = Evaluator(model.network, data, "validation", weights.fingerprint, View.of(data))
    done = {row.get("id") for row in folder.read_evaluations()}
    noise = [Condition(GaussianNoise(sigma), corrupt_at="reference") for sigma in levels]
    for condition in evaluator.with_clean(noise):
        if evaluator.id(condition) not in done:
            folder.add_evaluation(evaluator.row(condition))
    recorder.record["noise"] = list(levels)
    recorder.write(FINISHED)


def evaluate_final_weights(experiment: Experiment, trainer: Trainer, recorder: RunRecorder) -> None:
    """Validate the final weights, where the last validation was of earlier ones."""
    load_last_checkpoint(experiment, recorder)
    (scores,) = trainer.validate(experiment.model, experiment.datamodule, verbose=False)
    recorder.add_final_scores(scores)


def evaluate_on_test_split(experiment: Experiment, trainer: Trainer, recorder: RunRecorder) -> None:
    """Evaluate the last checkpoint on the test split, and record the result."""
    if is_first_process():
        say(f"test     {experiment.datamodule.sizes()['test']:,} images")
    load_last_checkpoint(experiment, recorder)
    (metrics,) = trainer.test(experiment.model, experiment.datamodule, verbose=False)
    recorder.record["test"] = dict(metrics)
    recorder.write(FINISHED)


def load_last_checkpoint(experiment: Experiment, recorder: RunRecorder) -> None:
    """Load the last checkpoint into the network; without one, the network has the final weights.

    A run that stopped after its last epoch has no EMA weights in the network. Restoring the
    checkpoint through Lightning would put them into the callback, and the raw weights into the
    network.
    """
    # The strategy sends the first process's weights to the others.
    if is_first_process() and recorder.folder.last_checkpoint.exists():
        checkpoint = read_checkpoint(recorder.folder.last_checkpoint)
        experiment.model.load_state_dict(checkpoint["state_dict"])
