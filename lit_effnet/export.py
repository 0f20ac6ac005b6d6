"""Write a run's network for other programs: its tensors under timm's or torchvision's names.

python -m lit_effnet.export runs/photos/RUN --output photos_b0/model.safetensors
python -m lit_effnet.export runs/photos/RUN --layout torchvision --output b0.safetensors
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lit_effnet.command_line import OneLineErrors, fail, plain_warnings

if TYPE_CHECKING:
    from torch import nn

    from lit_effnet.network.weights import Weights


def make_parser() -> OneLineErrors:
    """The command's flags."""
    parser = OneLineErrors(prog="python -m lit_effnet.export", description=__doc__)
    parser.add_argument("run", type=str, help="A run folder.")
    parser.add_argument("--output", type=str, help="File of safetensors to write.", required=True)
    parser.add_argument(
        "--layout",
        type=str,
        default="timm",
        help="Whose names: timm, torchvision, efficientnet_pytorch or lit_effnet.",
    )
    return parser


def main(args: list[str] | None = None) -> None:
    """Run the command."""
    plain_warnings()
    parser = make_parser()
    config = parser.parse_args(args)
    output = Path(config.output)
    if output.suffix != ".safetensors":
        fail(f"--output {output}: must end in .safetensors")
    beside = output.with_name("config.json")
    if config.layout == "timm" and beside.exists() and not output.exists():
        fail(f"--output {output}: {beside} belongs to another file; give it a folder of its own")
    from safetensors.torch import save

    from lit_effnet.network.layouts import to_layout
    from lit_effnet.network.trained import network_of_run
    from lit_effnet.training.record import FINISHED, RunFolder, write_whole

    with parser.bad_input():
        network, weights = network_of_run(Path(config.run))
        state = to_layout(network, config.layout)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_whole(output, save({key: tensor.contiguous() for key, tensor in state.items()}))
        if config.layout == "timm":
            write_timm_config(network, weights, beside)
    except OSError as error:
        fail(f"--output {output}: cannot be written ({error.strerror or error})")
    print(f"{len(state)} tensors in {config.layout}'s layout: {output}")
    if config.layout == "timm":
        print(f"what timm needs to build the network: {beside}")
    if (status := RunFolder(Path(config.run)).read()["status"]) != FINISHED:
        print(f"the run is {status}: these are the weights of its last whole epoch")


def write_timm_config(network: "nn.Module", weights: "Weights", file: Path) -> None:
    """Write what timm's `config.json` tells of a network, so that `timm` can build and load it.

    A scaling that is no released variant has no name in timm, and its architecture is null.
    """
    import json

    from lit_effnet.network.efficientnet import EfficientNet
    from lit_effnet.training.record import write_whole

    config: dict[str, Any] = {
        "architecture": None,
        "num_classes": weights.num_classes,
        "pretrained_cfg": {
            "input_size": [3, weights.image_size, weights.image_size],
            "crop_pct": weights.crop_fraction,
            "interpolation": weights.interpolation,
            "mean": list(weights.mean),
            "std": list(weights.std),
        },
    }
    if isinstance(network, EfficientNet) and weights.variant is not None:
        family = "efficientnet_lite" if weights.lite else "efficientnet_b"
        config["architecture"] = family + weights.variant.removeprefix("b")
        config["model_args"] = {
            "bn_eps": network.bn_eps,
            "pad_type": "same" if network.padding == "same" else "",
        }
    write_whole(file, json.dumps(config, indent=2) + "\n")


if __name__ == "__main__":
    main()
