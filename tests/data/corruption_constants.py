"""ImageNet-C's constants a second time, read from the scripts anew and written as they write them.

hendrycks/robustness @8190fe32, ImageNet-C/create_c: make_imagenet_c.py, make_cifar_c.py and
make_tinyimagenet_c.py.
"""

import numpy as np

Constants = dict[str, list]


def rows(text: str) -> list[tuple[float, ...]]:
    """Severities separated by semicolons, their numbers by blanks."""
    return [tuple(float(number) for number in row.split()) for row in text.split(";")]


def ranges(*stops_and_steps: tuple[float, float]) -> list[np.ndarray]:
    return [np.arange(1, stop, step) for stop, step in stops_and_steps]


IMAGENET: Constants = {
    "gaussian_noise": rows(".08; .12; 0.18; 0.26; 0.38"),
    "shot_noise": rows("60; 25; 12; 5; 3"),
    "impulse_noise": rows(".03; .06; .09; 0.17; 0.27"),
    "speckle_noise": rows(".15; .2; 0.35; 0.45; 0.6"),
    "gaussian_blur": rows("1; 2; 3; 4; 6"),
    "glass_blur": rows("0.7 1 2; 0.9 2 1; 1 2 3; 1.1 3 2; 1.5 4 2"),
    "defocus_blur": rows("3 0.1; 4 0.5; 6 0.5; 8 0.5; 10 0.5"),
    "motion_blur": rows("10 3; 15 5; 15 8; 15 12; 20 15"),
    "zoom_blur": ranges((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
    "fog": rows("1.5 2; 2 2; 2.5 1.7; 2.5 1.5; 3 1.4"),
    "frost": rows("1 0.4 1; 0.8 0.6 1; 0.7 0.7 1; 0.65 0.7 1; 0.6 0.75 1"),
    "snow": rows(
        "0.1 0.3 3 0.5 10 4 0.8; 0.2 0.3 2 0.5 12 4 0.7; 0.55 0.3 4 0.9 12 8 0.7;"
        "0.55 0.3 4.5 0.85 12 8 0.65; 0.55 0.3 2.5 0.85 12 12 0.55"
    ),
    "spatter": rows(
        "0.65 0.3 4 0.69 0.6 0; 0.65 0.3 3 0.68 0.6 0; 0.65 0.3 2 0.68 0.5 0;"
        "0.65 0.3 1 0.65 1.5 1; 0.67 0.4 1 0.65 1.5 1"
    ),
    "contrast": rows("0.4; .3; .2; .1; .05"),
    "brightness": rows(".1; .2; .3; .4; .5"),
    "saturate": rows("0.3 0; 0.1 0; 2 0; 5 0.1; 20 0.2"),
    "jpeg_compression": rows("25; 18; 15; 10; 7"),
    "pixelate": rows("0.6; 0.5; 0.4; 0.3; 0.25"),
    "elastic_transform": [
        (244 * 2, 244 * 0.7, 244 * 0.1),
        (244 * 2, 244 * 0.08, 244 * 0.2),
        (244 * 0.05, 244 * 0.01, 244 * 0.02),
        (244 * 0.07, 244 * 0.01, 244 * 0.02),
        (244 * 0.12, 244 * 0.01, 244 * 0.02),
    ],
}

CIFAR: Constants = {
    "gaussian_noise": rows("0.04; 0.06; .08; .09; .10"),
    "shot_noise": rows("500; 250; 100; 75; 50"),
    "impulse_noise": rows(".01; .02; .03; .05; .07"),
    "speckle_noise": rows(".06; .1; .12; .16; .2"),
    "gaussian_blur": rows(".4; .6; 0.7; .8; 1"),
    "glass_blur": rows("0.05 1 1; 0.25 1 1; 0.4 1 1; 0.25 1 2; 0.4 1 2"),
    "defocus_blur": rows("0.3 0.4; 0.4 0.5; 0.5 0.6; 1 0.2; 1.5 0.1"),
    "motion_blur": rows("6 1; 6 1.5; 6 2; 8 2; 9 2.5"),
    "zoom_blur": ranges((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
    "fog": rows(".2 3; .5 3; 0.75 2.5; 1 2; 1.5 1.75"),
    "frost": rows("1 0.2 0.2; 1 0.3 0.2; 0.9 0.4 0.2; 0.85 0.4 0.2; 0.75 0.45 0.2"),
    "snow": rows(
        "0.1 0.2 1 0.6 8 3 0.95; 0.1 0.2 1 0.5 10 4 0.9; 0.15 0.3 1.75 0.55 10 4 0.9;"
        "0.25 0.3 2.25 0.6 12 6 0.85; 0.3 0.3 1.25 0.65 14 12 0.8"
    ),
    "spatter": rows(
        "0.62 0.1 0.7 0.7 0.5 0; 0.65 0.1 0.8 0.7 0.5 0; 0.65 0.3 1 0.69 0.5 0;"
        "0.65 0.1 0.7 0.69 0.6 1; 0.65 0.1 0.5 0.68 0.6 1"
    ),
    "contrast": rows(".75; .5; .4; .3; 0.15"),
    "brightness": rows(".05; .1; .15; .2; .3"),
    "saturate": rows("0.3 0; 0.1 0; 1.5 0; 2 0.1; 2.5 0.2"),
    "jpeg_compression": rows("80; 65; 58; 50; 40"),
    "pixelate": rows("0.95; 0.9; 0.85; 0.75; 0.65"),
    "elastic_transform": [
        (32 * 0, 32 * 0, 32 * 0.08),
        (32 * 0.05, 32 * 0.2, 32 * 0.07),
        (32 * 0.08, 32 * 0.06, 32 * 0.06),
        (32 * 0.1, 32 * 0.04, 32 * 0.05),
        (32 * 0.1, 32 * 0.03, 32 * 0.03),
    ],
}

TINY: Constants = {
    "gaussian_noise": rows("0.04; 0.08; .12; .15; .18"),
    "shot_noise": rows("250; 100; 50; 30; 15"),
    "impulse_noise": rows(".01; .02; .05; .08; .14"),
    "speckle_noise": rows(".15; .2; 0.25; 0.3; 0.35"),
    "gaussian_blur": rows(".5; .75; 1; 1.25; 1.5"),
    "glass_blur": rows("0.1 1 1; 0.5 1 1; 0.6 1 2; 0.7 2 1; 0.9 2 2"),
    "defocus_blur": rows("0.5 0.6; 1 0.1; 1.5 0.1; 2.5 0.01; 3 0.1"),
    "motion_blur": rows("10 1; 10 1.5; 10 2; 10 2.5; 12 3"),
    "zoom_blur": ranges((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
    "fog": rows(".4 3; .7 3; 1 2.5; 1.5 2; 2 1.75"),
    "frost": rows("1 0.3 0.3; 0.9 0.4 0.3; 0.8 0.45 0.3; 0.75 0.5 0.3; 0.7 0.55 0.3"),
    "snow": rows(
        "0.1 0.2 1 0.6 8 3 0.8; 0.1 0.2 1 0.5 10 4 0.8; 0.15 0.3 1.75 0.55 10 4 0.7;"
        "0.25 0.3 2.25 0.6 12 6 0.65; 0.3 0.3 1.25 0.65 14 12 0.6"
    ),
    "spatter": rows(
        "0.62 0.1 0.7 0.7 0.6 0; 0.65 0.1 0.8 0.7 0.6 0; 0.65 0.3 1 0.69 0.6 0;"
        "0.65 0.1 0.7 0.68 0.6 1; 0.65 0.1 0.5 0.67 0.6 1"
    ),
    "contrast": rows(".4; .3; .2; .1; 0.05"),
    "brightness": rows(".1; .2; .3; .4; .5"),
    "saturate": rows("0.3 0; 0.1 0; 2 0; 5 0.1; 30 0.2"),
    "jpeg_compression": rows("65; 58; 50; 40; 25"),
    "pixelate": rows("0.9; 0.8; 0.7; 0.6; 0.5"),
    "elastic_transform": [
        (64 * 0, 64 * 0, 64 * 0.08),
        (64 * 0.05, 64 * 0.3, 64 * 0.06),
        (64 * 0.1, 64 * 0.08, 64 * 0.06),
        (64 * 0.1, 64 * 0.03, 64 * 0.03),
        (64 * 0.16, 64 * 0.03, 64 * 0.02),
    ],
}

CONSTANTS: dict[str, Constants] = {"imagenet": IMAGENET, "cifar": CIFAR, "tiny": TINY}
