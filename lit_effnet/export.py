"""Write a network for other programs: its tensors, or a file that they run.

python -m lit_effnet.export runs/photos/RUN --output photos_b0/model.safetensors
python -m lit_effnet.export runs/photos/RUN --layout torchvision --output b0.safetensors
python -m lit_effnet.export runs/photos/RUN --format onnx --output b0.onnx
python -m lit_effnet.export timm/NAME --format litert --output b0.tflite --data.name FOLDER

A file of onnx, openvino, executorch or litert is compared with the network on real images, and is
not there if it is not the network. FILE.json beside it tells how to use it.
"""

from typing import Any, Literal

from lit_effnet.cli.errors import fail, stopping
from lit_effnet.cli.output import prepare_output
from lit_effnet.cli.parser import OneLineErrors
from lit_effnet.cli.shared_flags import add_image_flags
from lit_effnet.deploy.calibration_data import add_calibration_flags, calibration_flags
from lit_effnet.runs.paths import local, locate

TENSORS = "safetensors"
FOR_TENSORS = ("run", "output", "format", "layout", "precision")


def make_parser() -> OneLineErrors:
    """The command's flags."""
    parser = OneLineErrors(prog="python -m lit_effnet.export", description=__doc__)
    add = parser.add_argument
    add("run", type=str, help="A run folder; or released weights, but for safetensors.")
    add("--output", type=str, help="File to write.", required=True)
    add(
        "--format",
        type=Literal["safetensors", "onnx", "openvino", "executorch", "litert"],
        default=TENSORS,
        help="Tensors alone; .onnx; OpenVINO's .xml; ExecuTorch's .pte; LiteRT's .tflite.",
    )
    add(
        "--layout",
        type=str,
        default="timm",
        help="Whose names safetensors have: timm, torchvision, efficientnet_pytorch or lit_effnet.",
    )
    add(
        "--precision",
        type=Literal["float32", "float16", "int8"],
        default="float32",
        help="float16 for litert's weights; int8 for all four.",
    )
    add("--images", type=int, default=64, help="Images on which it is compared.")
    add("--split", type=str, default="validation", help="Of which split.")
    add(
        "--kept",
        type=Literal["nothing", "se", "silu", "se+silu"],
        default="nothing",
        help="What int8 leaves in float; se is squeeze-and-excite.",
    )
    add(
        "--method",
        type=str | None,
        help="How int8 finds ranges, as quantize's --methods; for onnx and openvino.",
    )
    add_calibration_flags(parser)
    add("--agreement", type=float | None, help="Least top-1 agreement that passes, from 0 to 1.")
    add("--relative_error", type=float | None, help="Largest relative error that passes.")
    add("--image_size", type=int | None, help="Another input size than the network's, in pixels.")
    add_image_flags(parser)
    return parser


@stopping("no file is written")
def main(args: list[str] | None = None) -> None:
    """Run the command: exit status 0 done, 2 bad input, 130 stopped."""
    prepare_output()
    parser = make_parser()
    config = parser.parse_args(args)
    with parser.bad_input():
        if config.format == TENSORS:
            write_tensors(parser, config)
        else:
            write_checked(parser, config)


def write_checked(parser: OneLineErrors, config: Any) -> None:
    """Write a file that another program runs, if it is the network, and print the comparison."""
    if config.layout != "timm":
        fail(f"--layout {config.layout}: is for --format {TENSORS}")
    with parser.bad_input():
        output = local(config.output, "output")
        from lit_effnet.deploy.formats import FORMATS

        FORMATS[config.format].check(output, config.precision)
        named = calibration_flags(config)
    from rich.console import Console

    from lit_effnet.deploy.export_job import Order, convert
    from lit_effnet.deploy.export_tables import notes, parity_table
    from lit_effnet.evaluation.target import overrides_of

    changes = overrides_of(config, whole=config.precision != "int8" or bool(named))
    order = Order(
        output,
        config.format,
        config.precision,
        config.images,
        config.calibration,
        config.calibration_seed,
        config.calibration_outliers,
        named,
        config.method,
        config.kept,
        config.split,
        config.agreement,
        config.relative_error,
    )
    try:
        subject, told = convert(config.run, changes, order)
    except OSError as error:
        fail(f"--output {output}: cannot be written ({error.strerror or error})")
    console = Console()
    console.print(parity_table(output, told), highlight=False)
    for note in notes(output, told, subject):
        console.print(note, style="dim", highlight=False, soft_wrap=True)


def write_tensors(parser: OneLineErrors, config: Any) -> None:
    """Write a run's tensors as safetensors, and what timm needs to build the network."""
    if config.precision != "float32":
        fail(f"--precision {config.precision}: {TENSORS} are what the run has, float32")
    usual = make_parser().get_defaults()
    for name, value in config.items():
        if name not in FOR_TENSORS and value != usual[name]:
            fail(f"--{name} {value}: is for a --format that a program runs; {TENSORS} have none")
    with parser.bad_input():
        output = local(config.output, "output")
    if output.suffix != ".safetensors":
        fail(f"--output {output}: must end in .safetensors")
    beside = output.with_name("config.json")
    if config.layout == "timm" and beside.exists() and not output.exists():
        fail(f"--output {output}: {beside} belongs to another file; give it a folder of its own")
    from lit_effnet.network import writing
    from lit_effnet.network.trained import folder_of, network_of_run
    from lit_effnet.network.weights import described
    from lit_effnet.runs.folder import FINISHED, RunFolder

    with parser.bad_input():
        network, weights = network_of_run(locate(config.run))
        record = RunFolder(folder_of(locate(config.run))).read()
    try:
        written = writing.write_tensors(network, weights, record, config.layout, output)
    except OSError as error:
        fail(f"--output {output}: cannot be written ({error.strerror or error})")
    print(f"{written.tensors} tensors in {config.layout}'s layout: {output}")
    if config.layout == "timm":
        name = written.architecture or "no name for a network of these shapes"
        print(f"how images are prepared, and how timm builds the network ({name}): {beside}")
    elif conventions := described(network):
        print(f"in its header: {conventions}, and how images are prepared")
    if (status := record["status"]) != FINISHED:
        print(f"the run is {status}: these are the weights of its last whole epoch")


if __name__ == "__main__":
    main()
