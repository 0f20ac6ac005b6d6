"""Export a network: its tensors as safetensors, or a file for another runtime.

python -m lit_effnet.export runs/photos/RUN --output photos_b0/model.safetensors
python -m lit_effnet.export runs/photos/RUN --layout torchvision --output b0.safetensors
python -m lit_effnet.export runs/photos/RUN --format onnx --output b0.onnx
python -m lit_effnet.export timm/NAME --format litert --output b0.tflite --data.name FOLDER

The logits of an onnx, openvino, executorch or litert file are compared with the network's on real
images. If they differ too much, no file is written. FILE.json describes how to use the file.
"""

from typing import Any, Literal

from lit_effnet.cli.errors import fail, stopping
from lit_effnet.cli.output import prepare_output
from lit_effnet.cli.parser import OneLineErrors
from lit_effnet.cli.shared_flags import add_image_flags
from lit_effnet.deploy.calibration_flags import add_calibration_flags
from lit_effnet.runs.paths import local, locate

TENSORS = "safetensors"
TENSOR_FLAGS = ("run", "output", "format", "layout", "precision")


def make_parser() -> OneLineErrors:
    """Return the parser of the command's flags."""
    parser = OneLineErrors(prog="python -m lit_effnet.export", description=__doc__)
    add = parser.add_argument
    add("run", type=str, help="A run folder; for all formats but safetensors released weights too.")
    add("--output", type=str, help="File to write.", required=True)
    add(
        "--format",
        type=Literal["safetensors", "onnx", "openvino", "executorch", "litert"],
        default=TENSORS,
        help="safetensors: tensors only; onnx: .onnx; openvino: .xml; executorch: .pte; "
        "litert: .tflite.",
    )
    add(
        "--layout",
        type=str,
        default="timm",
        help="Tensor names of safetensors: timm, torchvision, efficientnet_pytorch or lit_effnet.",
    )
    add(
        "--precision",
        type=Literal["float32", "float16", "int8"],
        default="float32",
        help="float16: litert's weights; int8: all four formats.",
    )
    add("--images", type=int, default=64, help="Number of images of the comparison.")
    add("--split", type=str, default="validation", help="Split of these images.")
    add(
        "--keep_float",
        type=Literal["nothing", "se", "silu", "se+silu"],
        default="nothing",
        help="Parts that int8 leaves in float; se is squeeze-and-excite.",
    )
    parser.renamed["kept"] = "keep_float"
    add(
        "--method",
        type=str | None,
        help="Calibration method of int8, as quantize's --methods; for onnx and openvino.",
    )
    add_calibration_flags(parser)
    add("--agreement", type=float | None, help="Minimum top-1 agreement, from 0 to 1.")
    add("--relative_error", type=float | None, help="Maximum relative error.")
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
            write_checked(config)


def write_checked(config: Any) -> None:
    """Write a file for another runtime and print its parity and cost."""
    if config.layout != "timm":
        fail(f"--layout {config.layout}: is for --format {TENSORS}")
    from rich.console import Console

    from lit_effnet.cli.tables import as_rich
    from lit_effnet.deploy.export_job import export_network
    from lit_effnet.deploy.export_spec import ExportSpec
    from lit_effnet.deploy.tables import parity_notes, parity_table
    from lit_effnet.evaluation.target import overrides_of

    output = local(config.output, "output")
    spec = ExportSpec.of_flags(config, output)
    # int8 calibrated on the network's own data needs their training split.
    whole = spec.precision != "int8" or bool(spec.calibration.data)
    try:
        target, metadata = export_network(config.run, overrides_of(config, whole=whole), spec)
    except OSError as error:
        fail(f"--output {output}: cannot be written ({error.strerror or error})")
    console = Console()
    console.print(as_rich(parity_table(output, metadata)), highlight=False)
    for note in parity_notes(output, metadata, target.note):
        console.print(note, style="dim", highlight=False, soft_wrap=True)


def write_tensors(parser: OneLineErrors, config: Any) -> None:
    """Write a run's tensors as safetensors, and the config.json that timm needs."""
    if config.precision != "float32":
        fail(f"--precision {config.precision}: {TENSORS} hold the run's own float32")
    defaults = make_parser().get_defaults()
    for name, value in config.items():
        if name not in TENSOR_FLAGS and value != defaults[name]:
            fail(f"--{name} {value}: is for other formats than {TENSORS}")
    with parser.bad_input():
        output = local(config.output, "output")
    if output.suffix != ".safetensors":
        fail(f"--output {output}: must end in .safetensors")
    timm_config = output.with_name("config.json")
    if config.layout == "timm" and timm_config.exists() and not output.exists():
        fail(f"--output {output}: {timm_config} belongs to another file; choose another folder")
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
        print(f"preprocessing, and the network that timm builds ({name}): {timm_config}")
    elif conventions := described(network):
        print(f"in its header: {conventions}, and the preprocessing")
    if (status := record["status"]) != FINISHED:
        print(f"the run is {status}: these are the weights of its last whole epoch")


if __name__ == "__main__":
    main()
