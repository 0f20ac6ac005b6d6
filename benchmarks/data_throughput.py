"""Measure images per second on one core, from encoded image to augmented, normalised batch.

python benchmarks/data_throughput.py --repeats 5

The methods take turns in one run: Pillow with torchvision.transforms.v2, as in most suites; ours
from the encoded image; ours from the cache of decoded images. The images are the embedded
photographs, resized and saved as JPEG. Times are process CPU time with one thread.

With --memory: memory of the largest process of a loader with two workers over 1,000, 10,000 and
100,000 images.
"""

import argparse
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import torch
from datasets import ClassLabel, Dataset, Features, Image, disable_progress_bars
from PIL import Image as Pillow
from torchvision.transforms import InterpolationMode, v2

from lit_effnet.data.augment import Augment
from lit_effnet.data.batches import DecodedImages, FromFiles, normalised_batch
from lit_effnet.data.decoded_cache import open_store
from lit_effnet.data.decoding import decode
from lit_effnet.data.photos import photographs
from lit_effnet.data.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from lit_effnet.data.sources import ImageSet
from lit_effnet.data.transforms import training
from lit_effnet.runs.provenance import cpu_name

BATCH = 32


def jpegs(long_side: int, count: int) -> list[bytes]:
    """Return the photographs as JPEG files of quality 90, each cropped a little differently."""
    generator = np.random.default_rng(0)
    pixels = [photograph for _, photograph in photographs()]
    encoded = []
    for index in range(count):
        image = pixels[index % len(pixels)]
        top, left = (int(generator.integers(side // 8)) for side in image.shape[:2])
        image = image[top:, left:]
        factor = long_side / max(image.shape[:2])
        height, width = (max(1, round(side * factor)) for side in image.shape[:2])
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        file = io.BytesIO()
        Pillow.fromarray(small).save(file, "JPEG", quality=90)
        encoded.append(file.getvalue())
    return encoded


def torchvision_way(
    encoded: Sequence[bytes], size: int, interpolation: InterpolationMode
) -> Callable[[], None]:
    """Return a run of Pillow for decoding and torchvision.transforms.v2 for the rest."""
    transform = v2.Compose(
        [
            v2.RandomResizedCrop(size, interpolation=interpolation, antialias=True),
            v2.RandomHorizontalFlip(),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(IMAGENET_MEAN, IMAGENET_STD),
        ]
    )

    def run() -> None:
        for start in range(0, len(encoded), BATCH):
            batch = encoded[start : start + BATCH]
            torch.stack(
                [transform(Pillow.open(io.BytesIO(content)).convert("RGB")) for content in batch]
            )

    return run


def our_way(pixels: Callable[[int], Any], count: int, size: int) -> Callable[[], None]:
    """Return a run of our data set and collation, as `ImageData` uses them."""
    rows = np.arange(count)
    images = DecodedImages(pixels, rows, rows % 9, training(size, Augment()), seed=0)

    def run() -> None:
        for start in range(0, count, BATCH):
            batch = [images[index] for index in range(start, min(start + BATCH, count))]
            normalised_batch(batch, IMAGENET_MEAN, IMAGENET_STD)

    return run


def decode_all(encoded: Sequence[bytes]) -> None:
    """Decode all images."""
    for content in encoded:
        decode(content)


def data_set(encoded: Sequence[bytes]) -> Any:
    """Return the images as a Hugging Face split, not decoded."""
    features = Features({"image": Image(decode=False), "label": ClassLabel(num_classes=9)})
    images = [{"bytes": content, "path": None} for content in encoded]
    return Dataset.from_dict(
        {"image": images, "label": [k % 9 for k in range(len(encoded))]}, features
    )


def compare(long_side: int, size: int, count: int, repeats: int) -> None:
    """Time the methods in turn; print medians, ranges and ratios."""
    encoded = jpegs(long_side, count)
    images = ImageSet({"train": data_set(encoded)}, tuple("123456789"))
    ways = {
        "Pillow + torchvision.transforms.v2, bicubic": torchvision_way(
            encoded, size, InterpolationMode.BICUBIC
        ),
        "the same, bilinear": torchvision_way(encoded, size, InterpolationMode.BILINEAR),
        "ours, from the JPEG": our_way(FromFiles(images, "train", "benchmark"), count, size),
        "ours, from the decoded cache": our_way(
            open_store(images.splits["train"], None, print, "benchmark"), count, size
        ),
        "decoding alone, ours": partial(decode_all, encoded),
    }
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(repeats + 1):
        for name, run in ways.items():
            began = time.process_time()
            run()
            if repeat:  # the first warms up
                speeds[name].append(count / (time.process_time() - began))
    first = next(iter(speeds.values()))
    print(f"\n{long_side} px JPEG to {size} px, {count} images, {repeats} repeats")
    print("| method | images/s per core, median (min..max) | ratio, median (min..max) |")
    print("|---|--:|--:|")
    for name, values in speeds.items():
        ratios = [value / base for value, base in zip(values, first, strict=True)]
        print(
            f"| {name} | {statistics.median(values):,.0f} ({min(values):,.0f}..{max(values):,.0f})"
            f" | {statistics.median(ratios):.2f} ({min(ratios):.2f}..{max(ratios):.2f}) |"
        )


def own_memory(process: int) -> float:
    """Return the memory of a process in MB, without mapped files."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in lines if line.startswith("RssAnon")]
    return int(line.split()[1]) / 1000


READ_ALL = """
import os
import sys
from multiprocessing import active_children
sys.path.insert(0, {here!r})
from data_throughput import own_memory
from lit_effnet.data.images import ImageData
data = ImageData({folder!r}, image_size=32, batch_size=32, num_workers=2, keep_decoded={kept})
data.setup("fit")
loader = data.train_dataloader()
memory = []
for epoch in range(2):
    loader.sampler.set_epoch(epoch)
    for _ in loader:
        pass
    processes = [os.getpid(), *(child.pid for child in active_children())]
    memory.append(max(own_memory(process) for process in processes))
print(*memory)
"""


def memory(counts: Sequence[int]) -> None:
    """Print the memory of the largest process of a loader with two workers, after each epoch."""
    disable_progress_bars()
    content = jpegs(32, 90)
    print("| images | kept decoded | own memory after one epoch, MB | after two |")
    print("|--:|---|--:|--:|")
    for count in counts:
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as arrow:
            rows = data_set([content[k % len(content)] for k in range(count)])
            rows.to_parquet(Path(folder) / "train.parquet")
            os.environ["HF_DATASETS_CACHE"] = arrow
            for kept in (True, False):
                program = READ_ALL.format(here=str(Path(__file__).parent), folder=folder, kept=kept)
                done = subprocess.run(
                    [sys.executable, "-c", program], check=True, capture_output=True, text=True
                )
                one, two = map(float, done.stdout.split())
                print(f"| {count:,} | {'yes' if kept else 'no'} | {one:,.0f} | {two:,.0f} |")


def main() -> None:
    """Run both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--images", type=int, default=288)
    parser.add_argument("--memory", action="store_true", help="measure memory instead")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    print(f"{cpu_name()}, Python {sys.version.split()[0]}, torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as cache:
        os.environ["LIT_EFFNET_CACHE"] = cache
        if options.memory:
            memory((1_000, 10_000, 100_000))
            return
        compare(500, 224, options.images, options.repeats)
        compare(32, 32, 8 * options.images, options.repeats)


if __name__ == "__main__":
    main()
