"""The store of decoded images: equal to the files, built once, whole or not at all."""

import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lit_effnet.data import decoded_cache as store
from lit_effnet.data.augment import Augment
from lit_effnet.data.decoded_cache import (
    cache_folder,
    decoded,
    decoded_bytes,
    open_store,
    place,
    reduced,
    remove_stores,
    room,
)
from lit_effnet.data.decoding import decode
from lit_effnet.data.images import ImageData
from lit_effnet.data.rows import encoded, images_fingerprint
from lit_effnet.data.sources import find
from lit_effnet.data.transforms import training
from tests.conftest import HUNG_S


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIT_EFFNET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def kept(folder: Path, short_side: int | None = None) -> tuple[store.Store, object]:
    rows = find(str(folder)).splits["train"]
    return open_store(rows, short_side, print, "own"), rows


def test_pixels_equal_the_decoded_files_for_all_sizes(own_images: Path) -> None:
    pixels, rows = kept(own_images)
    for index in range(len(rows)):
        assert np.array_equal(pixels(index), decode(encoded(rows, index)))
    again = pickle.loads(pickle.dumps(pixels))  # as a worker gets it
    assert np.array_equal(again(7), pixels(7))
    with pytest.raises(ValueError, match="read-only"):
        pixels(0)[0] = 0


def test_a_store_is_built_once(own_images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, rows = kept(own_images)
    made = (first.folder / "pixels.bin").stat().st_mtime_ns

    def again(*_: object) -> None:
        raise AssertionError("decoded a second time")

    monkeypatch.setattr(store, "decoded", again)
    second, _ = kept(own_images)
    assert second.folder == first.folder
    assert (second.folder / "pixels.bin").stat().st_mtime_ns == made
    assert np.array_equal(second(3), decode(encoded(rows, 3)))


def test_a_changed_image_of_the_same_size_makes_another_store(own_images: Path) -> None:
    rows = find(str(own_images)).splits["train"]
    file = Path(rows[0]["image"]["path"])
    first = images_fingerprint(rows, with_times=True)
    os.utime(file, ns=(1, 1))
    assert images_fingerprint(rows, with_times=True) != first
    assert images_fingerprint(rows) == images_fingerprint(find(str(own_images)).splits["train"])


def test_crops_from_the_store_equal_crops_from_the_files(own_images: Path) -> None:
    """To the bit where all pixels are kept; within resampling error where they are reduced."""
    pixels, rows = kept(own_images)
    transform = training(32, Augment(crop_scale=(0.3, 1.0)))
    for index in range(20):
        file = transform(decode(encoded(rows, index)), (1, index))
        assert np.array_equal(transform(pixels(index), (1, index)), file)


def smooth(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width] / max(height, width)
    waves = [np.sin(6 * x + k) + np.cos(5 * y - k) for k in range(3)]
    return (127 + 60 * np.stack(waves, 2)).astype(np.uint8)


def test_crops_from_a_reduced_store_differ_by_resampling_only() -> None:
    transform = training(64, Augment(crop_scale=(0.3, 1.0)))
    image = smooth(500, 640)
    small = reduced(image, 160)
    assert small.shape == (160, 205, 3)
    errors = []
    for index in range(20):
        full, part = transform(image, (0, index)), transform(small, (0, index))
        errors.append(np.abs(full.astype(int) - part).mean())
    # A shift by one pixel of the crop, for comparison, changes it by about two grey levels.
    assert max(errors) < 2.5
    assert np.array_equal(reduced(image, None), image)
    assert np.array_equal(reduced(image, 500), image)


def test_what_is_bad_is_remembered_with_its_reason(own_images: Path) -> None:
    (own_images / "cat" / "03.jpg").write_bytes(b"<html></html>")
    pixels, rows = kept(own_images)
    bad = {Path(rows[row]["image"]["path"]).parent.name: why for row, why in pixels.bad.items()}
    assert bad["cat"] == "an HTML or XML page, not an image"


def build(folder: Path, cache: Path, answers: "multiprocessing.Queue[str]") -> None:
    os.environ["LIT_EFFNET_CACHE"] = str(cache)
    lines: list[str] = []
    rows = find(str(folder)).splits["train"]
    pixels = open_store(rows, None, lines.append, "own")
    answers.put(f"{pixels(5).sum()}")


@pytest.mark.slow
def test_processes_that_build_at_once_end_with_one_store(own_images: Path, cache: Path) -> None:
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    processes = [context.Process(target=build, args=(own_images, cache, answers)) for _ in "abc"]
    for process in processes:
        process.start()
    sums = {answers.get(timeout=HUNG_S) for _ in processes}
    for process in processes:
        process.join(HUNG_S)
        assert process.exitcode == 0
    assert len(sums) == 1
    assert len(list(cache.glob("[!.]*-all-*"))) == 1
    assert not list(cache.glob("*.unfinished"))


def test_a_builder_that_was_killed_leaves_nothing_that_is_taken_for_a_store(
    own_images: Path, cache: Path
) -> None:
    program = f"""
import time
from lit_effnet.data import decoded_cache as store
from lit_effnet.data.sources import find
rows = find({str(own_images)!r}).splits["train"]
whole = store.decoded
def slow(*arguments):
    for index, result in enumerate(whole(*arguments)):
        yield result
        if index == 9:
            print("half", flush=True)
            time.sleep(3600)
store.decoded = slow
store.open_store(rows, None, print, "own")
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert list(cache.glob(".*.unfinished"))
    assert not list(cache.glob("[!.]*"))
    pixels, rows = kept(own_images)  # and does not wait for the dead
    assert np.array_equal(pixels(20), decode(encoded(rows, 20)))
    assert not list(cache.glob(".*.unfinished"))


def test_a_full_disk_leaves_no_half_store_and_the_images_are_decoded_each_time(
    own_images: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")
        yield

    monkeypatch.setattr(store, "decoded", full)
    data = ImageData(str(own_images), image_size=32, batch_size=8, num_workers=0)
    with pytest.warns(UserWarning, match="cannot be kept .No space left on device.") as warned:
        data.setup("fit")
    assert "LIT_EFFNET_CACHE names another place" in str(warned[0].message)
    images, _ = next(iter(data.train_dataloader()))
    assert images.shape == (8, 3, 32, 32)
    assert not [path for path in cache.iterdir() if path.suffix != ".lock"]


def test_a_place_that_cannot_be_made_is_no_end(
    own_images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LIT_EFFNET_CACHE", str(tmp_path / "file" / "below"))
    data = ImageData(str(own_images), image_size=32, batch_size=8, num_workers=0)
    with pytest.warns(UserWarning, match="cannot be kept"):
        data.setup("fit")


def test_what_does_not_fit_is_not_kept_but_what_is_there_is_used(
    own_images: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = find(str(own_images)).splits["train"]
    assert decoded_bytes(rows, None) < room()
    monkeypatch.setattr(store, "SHARE", 1e-9)
    assert decoded_bytes(rows, None) > room()
    ImageData(str(own_images), image_size=32, batch_size=8).setup("fit")
    assert not cache.exists()
    kept(own_images)
    data = ImageData(str(own_images), image_size=32, batch_size=8)
    data.setup("fit")  # the store itself has taken the room meanwhile
    assert isinstance(data._prepared["train"][0], store.Store)


def test_the_estimate_of_the_room_is_the_room(own_images: Path) -> None:
    pixels, rows = kept(own_images)
    size = (pixels.folder / "pixels.bin").stat().st_size
    assert decoded_bytes(rows, None) == pytest.approx(size)
    assert decoded_bytes(rows, 20) < size


def test_kept_images_can_be_turned_off_and_removed(own_images: Path, cache: Path) -> None:
    ImageData(str(own_images), image_size=32, batch_size=8, keep_decoded=False).setup("fit")
    assert not cache.exists()
    pixels, rows = kept(own_images)
    size = sum(file.stat().st_size for file in pixels.folder.iterdir())
    expected = decode(encoded(rows, 3))
    assert remove_stores() == size
    assert not list(cache.glob("[!.]*"))
    assert np.array_equal(pixels(3), expected)  # who has it open goes on reading


def test_removing_leaves_what_is_in_the_making(own_images: Path, cache: Path) -> None:
    making = cache / ".abc-all-1.unfinished"
    making.mkdir(parents=True)
    (making / "pixels.bin").write_bytes(b"x")
    assert remove_stores() == 0
    assert making.exists()


def test_a_file_that_can_be_read_again_makes_the_store_anew(
    own_images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lost mount or permission is not remembered as a broken image."""
    whole = store.encoded

    def lost(rows: object, index: int) -> bytes:
        if index == 5:
            raise PermissionError(13, "Permission denied")
        return whole(rows, index)

    monkeypatch.setattr(store, "encoded", lost)
    pixels, rows = kept(own_images)
    assert pixels.bad == {5: "the file cannot be read (Permission denied)"}
    again, _ = kept(own_images)
    assert again.bad == pixels.bad
    monkeypatch.setattr(store, "encoded", whole)
    mended, _ = kept(own_images)
    assert mended.bad == {}
    assert np.array_equal(mended(5), decode(encoded(rows, 5)))


def test_one_changed_image_of_a_table_makes_another_store(tmp_path: Path) -> None:
    """Also where the number of its bytes stays, as in files that are not compressed."""
    from io import BytesIO

    from datasets import ClassLabel, Dataset, Features, Image
    from PIL import Image as Pillow

    def bmp(value: int) -> bytes:
        file = BytesIO()
        Pillow.new("RGB", (8, 8), (value % 256,) * 3).save(file, "BMP")
        return file.getvalue()

    features = Features({"image": Image(), "label": ClassLabel(names=["a", "b"])})
    images = [bmp(k) for k in range(400)]
    places = []
    for changed in (None, 151):
        if changed is not None:
            images[changed] = bmp(255)
        columns = {"image": [{"bytes": b, "path": None} for b in images], "label": [0, 1] * 200}
        folder = tmp_path / str(changed)
        folder.mkdir()
        Dataset.from_dict(columns, features).to_parquet(folder / "train.parquet")
        found = find(str(folder))
        places.append((place(found.splits["train"], None), found.fingerprint))
    assert places[0] != places[1]
    assert places[0][1] != places[1][1]


def test_images_come_in_order_whatever_the_threads_do(own_images: Path) -> None:
    rows = find(str(own_images)).splits["train"]
    expected = [decode(encoded(rows, index)).sum() for index in range(len(rows))]
    assert [pixels.sum() for pixels in decoded(rows, None, "own")] == expected


def test_another_number_of_the_format_is_another_store(
    own_images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = kept(own_images)
    monkeypatch.setattr(store, "FORMAT", "2")
    second, _ = kept(own_images)
    assert first.folder != second.folder
    assert json.loads((second.folder / "bad.json").read_text()) == {}


def flip(file: Path, place: int) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 4
    file.write_bytes(content)


DAMAGES = {
    "empty pixels": lambda kept: (kept / "pixels.bin").write_bytes(b""),
    "cut pixels": lambda kept: os.truncate(kept / "pixels.bin", 1000),
    "garbage index": lambda kept: (kept / "index.npy").write_bytes(b"garbage"),
    "garbage bad": lambda kept: (kept / "bad.json").write_bytes(b"\xff{"),
    "flipped index": lambda kept: flip(kept / "index.npy", 200),
    "flipped checksum": lambda kept: flip(kept / "crc32.npy", 200),
    "garbage sha256": lambda kept: (kept / "sha256").write_bytes(b"\xff\xfe"),
    "a folder for a file": lambda kept: ((kept / "bad.json").unlink(), (kept / "bad.json").mkdir()),
    "nothing in it": lambda kept: [file.unlink() for file in kept.iterdir()],
    **{
        f"no {name}": lambda kept, name=name: (kept / name).unlink()
        for name in ("pixels.bin", "index.npy", "crc32.npy", "bad.json", "sha256")
    },
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_store_is_made_anew_and_one_line_says_so(own_images: Path, damage: str) -> None:
    pixels, rows = kept(own_images)
    DAMAGES[damage](pixels.folder)
    lines: list[str] = []
    mended = open_store(rows, None, lines.append, "own")
    (line,) = lines
    assert line.startswith(f"own: the decoded images in {pixels.folder} are damaged or of an ear")
    for row in range(len(rows)):
        assert np.array_equal(mended(row), decode(encoded(rows, row)))
    assert open_store(rows, None, lines.append, "own").bad == {}
    assert len(lines) == 1


def test_a_flipped_pixel_is_never_used_and_the_next_run_makes_the_store_anew(
    own_images: Path,
) -> None:
    first, rows = kept(own_images)
    flip(first.folder / "pixels.bin", 40_000)
    damaged = open_store(rows, None, print, "own")  # other files tell nothing of it
    with pytest.warns(UserWarning, match=r"own: the decoded images in .* are damaged; such are d"):
        found = [damaged(row) for row in range(len(rows))]
    for row, pixels in enumerate(found):
        assert np.array_equal(pixels, decode(encoded(rows, row)))
    assert np.array_equal(pickle.loads(pickle.dumps(damaged))(0), found[0])  # as a worker gets it
    lines: list[str] = []
    mended = open_store(rows, None, lines.append, "own")
    assert len(lines) == 1
    assert np.array_equal(mended(20), found[20])


def test_a_garbled_memory_of_bad_images_is_looked_for_again(own_images: Path, cache: Path) -> None:
    (own_images / "cat" / "03.jpg").write_bytes(b"<html></html>")
    rows = find(str(own_images)).splits["train"]
    bad = store.bad_rows(rows, "own")
    assert list(bad.values()) == ["an HTML or XML page, not an image"]
    (file,) = cache.glob("*-bad.json")
    for garbage in (b"", b"\xff", b"[]", b'{"x": 1}', b"{"):
        file.write_bytes(garbage)
        assert store.bad_rows(rows, "own") == bad


def test_stores_are_removed_whatever_they_lack_and_other_folders_stay(
    own_images: Path, cache: Path
) -> None:
    pixels, _ = kept(own_images)
    (pixels.folder / "pixels.bin").unlink()
    (cache / "of another program").mkdir()
    (cache / ".abc-all-1.77.removed").mkdir()  # by a process that was killed
    assert remove_stores() > 0
    assert [path.name for path in cache.iterdir() if path.suffix != ".lock"] == [
        "of another program"
    ]


def test_the_place_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIT_EFFNET_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/lit_effnet")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "lit_effnet"


def test_waiting_for_another_process_is_said(
    own_images: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from threading import Thread

    from filelock import FileLock

    rows = find(str(own_images)).splits["train"]
    cache.mkdir()
    lock = FileLock(cache / f".{place(rows, None).name}.lock", thread_local=False)
    lock.acquire()
    said: list[str] = []
    waiting = Thread(target=open_store, args=(rows, None, said.append, "own"))
    waiting.start()
    while not said:
        time.sleep(0.01)
    lock.release()
    waiting.join(HUNG_S)
    assert said == ["own: another process is decoding the images; waiting for it"]
    assert len(list(cache.glob("[!.]*-all-*"))) == 1
