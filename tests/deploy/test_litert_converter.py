"""Which tensors of a LiteRT file are those of a module that stays in float."""

import re

from lit_effnet.deploy.litert_converter import tensor_pattern

TENSOR = (
    "program.NamedTensors/efficientnet.EfficientNet_network/container.Sequential_stages/"
    "container.Sequential_1/efficientnet.MBConv_0/efficientnet.SqueezeExcite_se"
)


def test_a_module_and_what_is_in_it_are_found_and_others_are_not() -> None:
    pattern = tensor_pattern(["stem", "stages.1.0.se"])
    assert re.search(pattern, f"{TENSOR};")
    assert re.search(pattern, f"{TENSOR}/torch.nn.modules.conv.Conv2d_reduce;1")
    assert not re.search(pattern, f"{TENSOR}cond;")
    assert not re.search(pattern, TENSOR.replace("Sequential_1/", "Sequential_11/") + ";")
    assert not re.search(pattern, TENSOR.replace("_se", "_depthwise") + ";")
    assert re.search(
        pattern, "program.NamedTensors/efficientnet.EfficientNet_network/x.Sequential_stem/a;"
    )
