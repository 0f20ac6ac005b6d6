"""Images as people have them: every kind becomes right RGB, or one reason why not."""

import io
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from lit_effnet.data.decoding import BadImageError, decode, turned

GENERATOR = np.random.default_rng(0)
# Smooth, so that JPEG keeps it nearly; 24 x 40 with another colour in each corner.
SMALL = np.array([[[250, 20, 20], [20, 250, 20]], [[20, 20, 250], [240, 240, 20]]], np.uint8)
PIXELS = np.asarray(Image.fromarray(SMALL).resize((40, 24), Image.Resampling.BILINEAR))
GREY = PIXELS[..., 0]


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def near(pixels: np.ndarray, expected: np.ndarray, most: float = 12) -> bool:
    assert pixels.dtype == np.uint8
    return pixels.shape == expected.shape and np.abs(pixels.astype(int) - expected).max() <= most


RGB = Image.fromarray(PIXELS)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "JPEG", "WEBP", "AVIF"])
def test_rgb_in_any_format(kind: str) -> None:
    lossless = {"lossless": True} if kind == "WEBP" else {}
    most = {"JPEG": 40, "AVIF": 40}.get(kind, 0)
    assert near(decode(saved(RGB, kind, **lossless)), PIXELS, most)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_grayscale_is_repeated(kind: str) -> None:
    expected = GREY[..., None].repeat(3, 2)
    assert near(decode(saved(Image.fromarray(GREY), kind)), expected, 12)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_and_not_clipped(kind: str) -> None:
    deep = GREY.astype(np.uint16) * 257  # the whole range of 16 bits
    expected = GREY[..., None].repeat(3, 2)
    assert np.array_equal(decode(saved(Image.fromarray(deep), kind)), expected)


def test_thirty_two_bit_integers_that_hold_sixteen_are_scaled_and_others_refused() -> None:
    deep = GREY.astype(np.int32) * 257
    assert np.array_equal(decode(saved(Image.fromarray(deep), "TIFF"))[..., 0], GREY)
    with pytest.raises(BadImageError, match="mode I with values beyond 16 bits"):
        decode(saved(Image.fromarray(deep * 2), "TIFF"))
    with pytest.raises(BadImageError, match="floating-point pixels have no agreed range"):
        decode(saved(Image.fromarray(GREY.astype(np.float32)), "TIFF"))


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_palette_is_looked_up(kind: str) -> None:
    indexed = RGB.quantize(64)
    assert np.array_equal(decode(saved(indexed, kind)), np.asarray(indexed.convert("RGB")))


def test_one_bit_is_black_and_white() -> None:
    bits = Image.fromarray(GREY > 128)
    assert set(np.unique(decode(saved(bits, "PNG")))) == {0, 255}


def test_transparent_parts_show_white() -> None:
    alpha = np.zeros((24, 40, 1), np.uint8)
    alpha[:, 20:] = 255
    alpha[:, 10:20] = 51  # a fifth
    decoded = decode(saved(Image.fromarray(np.concatenate([PIXELS, alpha], 2)), "PNG"))
    assert (decoded[:, :10] == 255).all()
    assert np.array_equal(decoded[:, 20:], PIXELS[:, 20:])
    expected = np.rint(0.2 * PIXELS[:, 10:20] + 0.8 * 255)
    assert np.abs(decoded[:, 10:20] - expected).max() <= 1


def test_transparency_of_grey_and_of_palettes_shows_white() -> None:
    grey = Image.merge("LA", [Image.fromarray(GREY), Image.new("L", (40, 24), 0)])
    assert (decode(saved(grey, "PNG")) == 255).all()
    indexed = Image.new("P", (8, 8), 3)
    indexed.putpalette([0, 0, 0] * 3 + [200, 10, 10])
    assert (decode(saved(indexed, "PNG", transparency=3)) == 255).all()
    assert (decode(saved(indexed, "PNG", transparency=0)) == [200, 10, 10]).all()


def test_cmyk_is_converted() -> None:
    assert near(decode(saved(RGB.convert("CMYK"), "JPEG", quality=95)), PIXELS, 40)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_exif_turns_the_image_as_pillow_does(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    encoded = saved(RGB, kind, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(encoded))))
    assert np.array_equal(decode(encoded), expected)
    assert np.array_equal(turned(PIXELS, 1), PIXELS)


def test_broken_exif_leaves_the_image_as_it_is() -> None:
    encoded = saved(RGB, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert near(decode(encoded), PIXELS, 40)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_taken(kind: str) -> None:
    frames = [Image.new("RGB", (20, 10), colour) for colour in ("red", "green", "blue")]
    lossless = {"lossless": True} if kind == "WEBP" else {}
    encoded = saved(frames[0], kind, save_all=True, append_images=frames[1:], **lossless)
    assert (decode(encoded) == [255, 0, 0]).all()


def test_a_picture_of_several_sizes_in_one_file_gives_the_first() -> None:
    encoded = saved(RGB, "MPO", save_all=True, append_images=[RGB.resize((4, 4))])
    assert near(decode(encoded), PIXELS, 40)


def test_an_image_of_one_pixel() -> None:
    assert decode(saved(Image.new("RGB", (1, 1), (1, 2, 3)), "PNG")).tolist() == [[[1, 2, 3]]]


def png_of(width: int, height: int) -> bytes:
    """A PNG whose header promises a size, without the pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IEND", b"")


NOISE = Image.fromarray(GENERATOR.integers(0, 256, (64, 64, 3), np.uint8))

BROKEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "the file is empty"),
    "HTML": (lambda: b"\n<!DOCTYPE html><html>404</html>", "an HTML or XML page, not an image"),
    "text": (lambda: b"hello", "not an image in a format that Pillow reads"),
    "JPEG cut off": (lambda: saved(NOISE, "JPEG")[:-900], "truncated"),
    "JPEG without its last bytes": (lambda: saved(NOISE, "JPEG")[:-2], "truncated"),
    "JPEG of a header": (lambda: saved(NOISE, "JPEG")[:9], "Truncated File Read"),
    "PNG cut off": (lambda: saved(NOISE, "PNG")[:-900], "truncated"),
    "GIF cut off": (lambda: saved(NOISE, "GIF")[:-900], "truncated"),
    "WebP cut off": (lambda: saved(NOISE, "WEBP")[:-200], "cannot be decoded (could not create"),
    "PNG with a flipped bit": (
        lambda: saved(NOISE, "PNG").replace(b"IDAT", b"IDAt", 1),
        "a PNG file with a broken header",
    ),
    "bomb": (lambda: png_of(40_000, 40_000), "a decompression bomb"),
    "lesser bomb": (lambda: png_of(12_000, 12_000), "12000 x 12000 pixels, more than 134,217,728"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_broken_has_one_reason_in_one_line(kind: str) -> None:
    make, reason = BROKEN[kind]
    with pytest.raises(BadImageError) as raised:
        decode(make())
    assert reason in str(raised.value)
    assert str(raised.value).strip()
    assert "\n" not in str(raised.value)


def test_a_jpeg_with_bytes_after_its_end_is_whole() -> None:
    assert np.array_equal(decode(saved(RGB, "JPEG") + b"\0" * 7), decode(saved(RGB, "JPEG")))
    assert near(decode(saved(RGB, "JPEG") + b"trailer" * 50), PIXELS, 40)


def test_jpegs_equal_pillows_to_the_bit() -> None:
    for quality, sampling in ((50, 2), (90, 1), (100, 0)):
        encoded = saved(NOISE, "JPEG", quality=quality, subsampling=sampling)
        assert np.array_equal(decode(encoded), np.asarray(Image.open(io.BytesIO(encoded))))


def test_an_error_from_a_worker_process_is_one_line_again() -> None:
    message = (
        "Caught BadImageError in DataLoader worker process 0.\nOriginal Traceback (most recent "
        "call last):\n  File x, line 1\nlit_effnet.data.decoding.BadImageError: row 3: truncated\n"
    )
    assert str(BadImageError(message)) == "row 3: truncated"


# What each of the odd files has to become: its size after turning, or what its reason says.
ODD = json.loads((Path(__file__).parent / "odd_images.json").read_text())


@pytest.mark.realdata
@pytest.mark.parametrize("name", ODD)
def test_odd_images_of_other_projects(name: str, real_data: Path) -> None:
    encoded, expected = (real_data / "odd_images" / name).read_bytes(), ODD[name]
    if isinstance(expected, str):
        with pytest.raises(BadImageError, match=expected):
            decode(encoded)
        return
    pixels = decode(encoded)
    assert list(pixels.shape) == [*expected["size"], 3]
    assert pixels.mean(dtype=float) == pytest.approx(expected["mean"], abs=0.5)


@pytest.mark.realdata
def test_every_odd_image_is_tested(real_data: Path) -> None:
    files = {f.name for f in (real_data / "odd_images").iterdir() if f.suffix != ".tsv"}
    assert files == set(ODD)
    assert len(files) == 32
