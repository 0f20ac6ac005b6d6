"""ImageNet-C's formulas pixel by pixel, or by the same calls of a library as the scripts make.

Each takes an image, a generator in the place of NumPy's global one, and one severity's constants.
"""

import io
import math
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import scipy.ndimage
import skimage
from numpy.random import Generator
from PIL import Image
from skimage.filters import gaussian

Formula = Callable[..., np.ndarray]


def byte(x: np.ndarray) -> np.ndarray:
    return np.uint8(np.clip(x, 0, 1) * 255)


def gaussian_noise(image: np.ndarray, g: Generator, c: float) -> np.ndarray:
    return byte(image / 255.0 + g.normal(size=image.shape, scale=c))


def shot_noise(image: np.ndarray, g: Generator, c: float) -> np.ndarray:
    return byte(g.poisson(image / 255.0 * c) / c)


def impulse_noise(image: np.ndarray, g: Generator, c: float) -> np.ndarray:
    return byte(skimage.util.random_noise(image / 255.0, mode="s&p", amount=c, rng=g))


def speckle_noise(image: np.ndarray, g: Generator, c: float) -> np.ndarray:
    x = image / 255.0
    return byte(x + x * g.normal(size=x.shape, scale=c))


def gaussian_blur(image: np.ndarray, g: Generator, c: float) -> np.ndarray:
    return byte(gaussian(image / 255.0, c, channel_axis=-1, mode="nearest", truncate=4))


def glass_blur(image: np.ndarray, g: Generator, c0: float, c1: float, c2: float) -> np.ndarray:
    reach = int(c1)
    x = np.uint8(gaussian(image / 255.0, sigma=c0, channel_axis=-1) * 255)
    for _ in range(int(c2)):
        for h in range(image.shape[0] - reach, reach, -1):
            for w in range(image.shape[1] - reach, reach, -1):
                dx, dy = g.integers(-reach, reach, size=(2,))
                x[h, w], x[h + dy, w + dx] = x[h + dy, w + dx], x[h, w]  # of views, so no swap
    return byte(gaussian(x / 255.0, sigma=c0, channel_axis=-1))


def defocus_blur(image: np.ndarray, g: Generator, c0: float, c1: float) -> np.ndarray:
    reach = max(8, int(c0))
    disk = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    for y in range(-reach, reach + 1):
        for x in range(-reach, reach + 1):
            disk[y + reach, x + reach] = x**2 + y**2 <= c0**2
    edge = (3, 3) if c0 <= 8 else (5, 5)
    disk = cv2.GaussianBlur(disk / np.sum(disk), ksize=edge, sigmaX=c1)
    return byte(np.dstack([cv2.filter2D(image[..., d] / 255.0, -1, disk) for d in range(3)]))


def motion(image: np.ndarray, radius: float, sigma: float, angle: float) -> np.ndarray:
    """ImageMagick's MotionBlurImage, one tap after the other, of pixels in 16 bits."""
    width = 2 * math.ceil(radius) + 1
    taps = [
        math.exp(-(i**2) / (2 * sigma**2)) / (math.sqrt(2 * math.pi) * sigma) for i in range(width)
    ]
    y, x = (width * f(math.radians(angle)) for f in (math.sin, math.cos))
    total = np.zeros(image.shape)
    for i, tap in enumerate(taps):
        right, down = (math.ceil(i * part / math.hypot(x, y) - 0.5) for part in (x, y))
        rows = [min(max(h + down, 0), image.shape[0] - 1) for h in range(image.shape[0])]
        columns = [min(max(w + right, 0), image.shape[1] - 1) for w in range(image.shape[1])]
        total += tap / sum(taps) * (257.0 * image[rows][:, columns])
    return np.uint8(np.floor(total + 0.5).astype(np.uint16) // 257)


def motion_blur(image: np.ndarray, g: Generator, c0: float, c1: float) -> np.ndarray:
    return motion(image, c0, c1, g.uniform(-45, 45))


def centre(x: np.ndarray, zoom: float) -> np.ndarray:
    """The scripts' clipped zoom, but each side cropped by itself."""
    sides = x.shape[:2]
    crops = [int(np.ceil(side / zoom)) for side in sides]
    starts = [(side - crop) // 2 for side, crop in zip(sides, crops, strict=True)]
    cut = x[starts[0] : starts[0] + crops[0], starts[1] : starts[1] + crops[1]]
    large = scipy.ndimage.zoom(cut, (zoom, zoom, 1), order=1)
    trims = [(large.shape[axis] - side) // 2 for axis, side in enumerate(sides)]
    return large[trims[0] : trims[0] + sides[0], trims[1] : trims[1] + sides[1]]


def zoom_blur(image: np.ndarray, g: Generator, *zooms: float) -> np.ndarray:
    x = (image / 255.0).astype(np.float32)
    out = np.zeros_like(x)
    for zoom in zooms:
        out += centre(x, zoom)
    return byte((x + out) / (len(zooms) + 1))


def snow(image: np.ndarray, g: Generator, *c: float) -> np.ndarray:
    x = np.array(image, dtype=np.float32) / 255.0
    layer = centre(g.normal(size=x.shape[:2], loc=c[0], scale=c[1])[..., np.newaxis], c[2])
    layer[layer < c[3]] = 0
    layer = motion(byte(layer.squeeze()), c[4], c[5], g.uniform(-135, -45)) / 255.0
    grey = cv2.cvtColor(x, cv2.COLOR_RGB2GRAY).reshape(*x.shape[:2], 1)
    x = c[6] * x + (1 - c[6]) * np.maximum(x, grey * 1.5 + 0.5)
    return byte(x + layer[..., np.newaxis] + np.rot90(layer[..., np.newaxis], k=2))


def frost(image: np.ndarray, g: Generator, *c: float, folder: Path) -> np.ndarray:
    file = ["frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg"][g.integers(5)]
    photograph = cv2.imread(str(folder / file))
    if c[2] != 1:  # make_imagenet_c.py does not resize
        photograph = cv2.resize(photograph, (0, 0), fx=c[2], fy=c[2])
    height, width = image.shape[:2]
    x_start = g.integers(0, photograph.shape[0] - height)
    y_start = g.integers(0, photograph.shape[1] - width)
    part = photograph[x_start : x_start + height, y_start : y_start + width][..., [2, 1, 0]]
    return np.uint8(np.clip(c[0] * image + c[1] * part, 0, 255))


def plasma(side: int, decay: float, g: Generator) -> np.ndarray:
    """Diamond-square point by point: squares' middles, then the middles of their two sorts of side."""
    heights, wibble, step = np.zeros((side, side)), 100, side
    while step >= 2:
        half = step // 2
        for first_row, first_column in ((half, half), (0, half), (half, 0)):
            drawn = g.uniform(-wibble, wibble, (side // step, side // step))
            for i, y in enumerate(range(first_row, side, step)):
                for j, x in enumerate(range(first_column, side, step)):
                    up, down, left, right = (
                        (y - half) % side,
                        (y + half) % side,
                        (x - half) % side,
                        (x + half) % side,
                    )
                    if (first_row, first_column) == (half, half):
                        total = (heights[up, left] + heights[down, left]) + (
                            heights[up, right] + heights[down, right]
                        )
                    else:
                        middles, corners = (
                            heights[down, x] + heights[up, x],
                            heights[y, left] + heights[y, right],
                        )
                        total = (
                            middles + corners
                            if first_row == 0
                            else corners_first(heights, y, x, half, side)
                        )
                    heights[y, x] = total / 4 + wibble * drawn[i, j]
        step //= 2
        wibble /= decay
    heights -= heights.min()
    return heights / heights.max()


def corners_first(heights: np.ndarray, y: int, x: int, half: int, side: int) -> float:
    """Of a point between two corners above each other: the middles beside it, then those corners."""
    beside = heights[y, (x + half) % side] + heights[y, (x - half) % side]
    return beside + (heights[(y - half) % side, x] + heights[(y + half) % side, x])


def fog(image: np.ndarray, g: Generator, c0: float, c1: float) -> np.ndarray:
    height, width = image.shape[:2]
    side = next(2**n for n in range(20) if 2**n >= max(height, width))
    x = image / 255.0
    brightest = x.max()
    x += c0 * plasma(side, c1, g)[:height, :width][..., np.newaxis]
    return byte(x * brightest / (brightest + c0))


def spatter(image: np.ndarray, g: Generator, *c: float) -> np.ndarray:
    x = np.array(image, dtype=np.float32) / 255.0
    layer = gaussian(g.normal(size=x.shape[:2], loc=c[0], scale=c[1]), sigma=c[2])
    layer[layer < c[3]] = 0
    if c[5]:
        m = gaussian(np.where(layer > c[3], 1, 0).astype(np.float32), sigma=c[4])[..., np.newaxis]
        m[m < 0.8] = 0
        brown = np.full(x.shape, np.array([63 / 255.0, 42 / 255.0, 20 / 255.0]), dtype=np.float32)
        return byte(x * (1 - m) + brown * m)
    layer = (layer * 255).astype(np.uint8)
    dist = cv2.distanceTransform(255 - cv2.Canny(layer, 50, 150), cv2.DIST_L2, 5)
    _, dist = cv2.threshold(dist, 20, 20, cv2.THRESH_TRUNC)
    dist = cv2.equalizeHist(cv2.blur(dist, (3, 3)).astype(np.uint8))
    dist = cv2.filter2D(dist, cv2.CV_8U, np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]))
    m = cv2.cvtColor(layer * cv2.blur(dist, (3, 3)).astype(np.float32), cv2.COLOR_GRAY2BGRA)
    m /= np.max(m, axis=(0, 1))
    m *= c[4]
    pale = np.full(x.shape, np.array([175 / 255.0, 238 / 255.0, 238 / 255.0]), dtype=np.float32)
    x, pale = (cv2.cvtColor(colours, cv2.COLOR_BGR2BGRA) for colours in (x, pale))
    return np.uint8(cv2.cvtColor(np.clip(x + m * pale, 0, 1), cv2.COLOR_BGRA2BGR) * 255)


def contrast(image: np.ndarray, g: Generator, c: float) -> np.ndarray:
    x = image / 255.0
    means = np.mean(x, axis=(0, 1), keepdims=True)
    return byte((x - means) * c + means)


def brightness(image: np.ndarray, g: Generator, c: float) -> np.ndarray:
    x = skimage.color.rgb2hsv(image / 255.0)
    x[:, :, 2] = np.clip(x[:, :, 2] + c, 0, 1)
    return byte(skimage.color.hsv2rgb(x))


def saturate(image: np.ndarray, g: Generator, c0: float, c1: float) -> np.ndarray:
    x = skimage.color.rgb2hsv(image / 255.0)
    x[:, :, 1] = np.clip(x[:, :, 1] * c0 + c1, 0, 1)
    return byte(skimage.color.hsv2rgb(x))


def jpeg_compression(image: np.ndarray, g: Generator, c: float) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=int(c))
    return np.asarray(Image.open(file))


def pixelate(image: np.ndarray, g: Generator, c: float) -> np.ndarray:
    height, width = image.shape[:2]
    small = Image.fromarray(image).resize((int(width * c), int(height * c)), Image.BOX)
    return np.asarray(small.resize((width, height), Image.BOX))


def elastic_transform(
    image: np.ndarray, g: Generator, c0: float, c1: float, c2: float
) -> np.ndarray:
    x = np.array(image, dtype=np.float32) / 255.0
    height, width = x.shape[:2]
    middle, reach = np.float32(x.shape[:2]) // 2, min(height, width) // 3
    points = np.float32([middle + reach, [middle[0] + reach, middle[1] - reach], middle - reach])
    moved = points + g.uniform(-c2, c2, size=points.shape).astype(np.float32)
    x = cv2.warpAffine(
        x, cv2.getAffineTransform(points, moved), (width, height), borderMode=cv2.BORDER_REFLECT_101
    )
    dx, dy = (
        (
            gaussian(g.uniform(-1, 1, size=(height, width)), c1, mode="reflect", truncate=3) * c0
        ).astype(np.float32)
        for _ in range(2)
    )
    across, down, channel = np.meshgrid(np.arange(width), np.arange(height), np.arange(3))
    indices = down + dy[..., np.newaxis], across + dx[..., np.newaxis], channel
    bent = scipy.ndimage.map_coordinates(
        x, [np.reshape(i, (-1, 1)) for i in indices], order=1, mode="reflect"
    )
    return byte(bent.reshape(x.shape))


FORMULAS: dict[str, Formula] = {
    formula.__name__: formula
    for formula in (
        *(gaussian_noise, shot_noise, impulse_noise, speckle_noise),
        *(defocus_blur, glass_blur, motion_blur, zoom_blur, gaussian_blur),
        *(snow, frost, fog, brightness, spatter),
        *(contrast, elastic_transform, pixelate, jpeg_compression, saturate),
    )
}
