"""Files of tensors: what is damaged or foreign is noticed before it is used."""

import hashlib
import os
import random
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from lit_effnet.network.weight_sources import read_state
from lit_effnet.runs.tensor_files import DIGEST, digest
from lit_effnet.training.checkpoints import PARTS, read_checkpoint
from tests.damaged_checkpoints import DAMAGES, as_pipe


def checkpoint(seed: int = 0) -> dict[str, Any]:
    """A checkpoint with the parts of a training's."""
    generator = torch.Generator().manual_seed(seed)
    state = {f"network.{i}": torch.randn(40, 30, generator=generator) for i in range(12)}
    return {**dict.fromkeys(PARTS, 0), "state_dict": state}


@pytest.fixture
def last(tmp_path: Path) -> Path:
    """A `last.ckpt` beside a `best.ckpt`."""
    torch.save(checkpoint(), tmp_path / "last.ckpt")
    shutil.copy(tmp_path / "last.ckpt", tmp_path / "best.ckpt")
    return tmp_path / "last.ckpt"


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_checkpoint_is_refused_with_the_way_on(last: Path, name: str) -> None:
    DAMAGES[name](last)
    if name.startswith("bit of the directory"):  # which has fields that no reader looks at
        with suppress(ValueError):
            assert equal(read_checkpoint(last)["state_dict"], checkpoint()["state_dict"])
            return
    ways = (f"; use the best epoch instead: {last.parent}/best.ckpt", "/{best,last}.ckpt")
    with pytest.raises(ValueError, match=r"last\.ckpt: ") as resumed:
        read_checkpoint(last, to_resume=True)
    with pytest.raises(ValueError, match=r"last\.ckpt: ") as evaluated:
        read_state(last)
    for caught, way in ((evaluated, ways[0]), (resumed, ways[1])):
        assert str(caught.value).endswith(way)
        assert len(str(caught.value).replace(str(last.parent), "")) < 200
        assert "weights_only" not in str(caught.value)
    assert not Path("/tmp/lit_effnet-was-here").exists()


def test_a_flipped_bit_anywhere_is_noticed_or_changes_nothing(last: Path) -> None:
    whole, generator = last.read_bytes(), random.Random(0)
    expected, unnoticed = checkpoint()["state_dict"], 0
    for _ in range(300):
        content = bytearray(whole)
        content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
        last.write_bytes(content)
        try:
            state = read_checkpoint(last)["state_dict"]
        except ValueError:
            continue
        unnoticed += 1
        assert equal(state, expected)
    assert unnoticed < 75  # in padding between the tensors, which this small file has much of


def test_what_is_whole_is_read(last: Path, tmp_path: Path) -> None:
    assert equal(read_checkpoint(last)["state_dict"], checkpoint()["state_dict"])
    assert equal(read_state(last), {k[8:]: v for k, v in checkpoint()["state_dict"].items()})


def test_a_pipe_is_not_waited_for(last: Path) -> None:
    as_pipe(last)
    with pytest.raises(ValueError, match=r"last\.ckpt: is not a regular file"):
        read_checkpoint(last)


def test_the_best_checkpoint_is_named_only_where_it_is_whole(last: Path) -> None:
    os.truncate(last, 1000)
    os.truncate(last.with_name("best.ckpt"), 1000)
    with pytest.raises(ValueError, match=r"is damaged or truncated$"):
        read_state(last)
    with pytest.raises(ValueError, match=r"; train again with --config .*/config\.yaml$"):
        read_checkpoint(last, to_resume=True)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"state_dict": {"a": torch.ones(1)}}, r"\(it has no optimizer_states\)"),
        ({**dict.fromkeys(PARTS, 0)}, r"\(it has no state_dict\)"),
        ([torch.ones(1)], r"\(it has no state_dict\)"),
    ],
)
def test_weights_alone_are_no_checkpoint_of_a_training(
    last: Path, value: object, reason: str
) -> None:
    torch.save(value, last)
    with pytest.raises(ValueError, match=f"is no checkpoint of a training {reason}; to go on"):
        read_checkpoint(last, to_resume=True)


def test_files_without_checksums_are_checked_by_the_digest_in_their_name(tmp_path: Path) -> None:
    file = tmp_path / "b0.pth"
    torch.save(checkpoint()["state_dict"], file, _use_new_zipfile_serialization=False)
    first = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
    named = file.rename(tmp_path / f"efficientnet-b0-{first}.pth")
    assert len(read_state(named)) == 12
    with named.open("r+b") as content:
        content.seek(-100, os.SEEK_END)
        content.write(b"\1")
    with pytest.raises(ValueError, match=r"is damaged .the digest in its name differs"):
        read_state(named)


def test_a_blob_of_the_hubs_cache_is_checked_by_its_name(tmp_path: Path) -> None:
    content = bytearray(save({"a": torch.randn(100)}))
    blob = tmp_path / hashlib.sha256(content).hexdigest()
    blob.write_bytes(content)
    link = tmp_path / "model.safetensors"
    link.symlink_to(blob)
    assert read_state(link)["a"].shape == (100,)
    content[-7] ^= 4
    blob.write_bytes(content)
    with pytest.raises(ValueError, match=r"is damaged"):
        read_state(link)


def test_safetensors_with_a_digest_are_checked(tmp_path: Path) -> None:
    state, file = {"a": torch.randn(100)}, tmp_path / "model.safetensors"
    content = save(state, metadata={DIGEST: digest(state["a"].numpy().data)})
    file.write_bytes(content)
    assert torch.equal(read_state(file)["a"], state["a"])
    file.write_bytes(content[:-7] + bytes([content[-7] ^ 4]) + content[-6:])
    with pytest.raises(ValueError, match=r"is damaged .the digest in its metadata"):
        read_state(file)


def test_a_file_that_was_saved_without_checksums_is_read(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"a": torch.ones(3)}, tmp_path / "a.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    assert torch.equal(read_state(tmp_path / "a.pth")["a"], torch.ones(3))
