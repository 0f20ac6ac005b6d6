"""Train one network on one data set with one recipe, in one run folder.

python -m lit_effnet.fit                                     # the embedded photographs
python -m lit_effnet.fit --config experiments/photos.yaml --scaling.phi 1
python -m lit_effnet.fit --resume runs/photos/RUN
"""

import sys

from lit_effnet.cli.errors import stopping
from lit_effnet.cli.output import prepare_output, quiet_libraries
from lit_effnet.experiment.lightning_cli import Experiment
from lit_effnet.experiment.run import resume, start
from lit_effnet.experiment.run_folder import folder_to_resume
from lit_effnet.trials.command import usual_setting


@stopping("the training had not begun")
def main(args: list[str] | None = None) -> None:
    """Run the command: exit status 0 finished, 1 failed, 2 bad input, 130 stopped."""
    prepare_output()
    quiet_libraries()
    arguments = [
        usual_setting(argument)
        for argument in (sys.argv[1:] if args is None else args)
        if not argument.startswith("--_wandb=")  # added by W&B's agent when it resumes a trial
    ]
    if (folder := folder_to_resume(arguments)) is not None:
        resume(folder)
    else:
        start(Experiment(arguments, description=__doc__))


if __name__ == "__main__":
    main()
