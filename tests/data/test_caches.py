"""Caches whose place cannot be written."""

from pathlib import Path

import datasets
import pytest
from PIL import Image

from lit_effnet.data.caches import tables_cache
from lit_effnet.data.sources import find


def test_tables_are_read_where_their_cache_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = [Image.new("RGB", (40, 40), (i, 0, 0)) for i in range(40)]
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])}
    )
    rows = {"image": pictures, "label": [i % 2 for i in range(40)]}
    table = datasets.Dataset.from_dict(rows, features=features)
    (tmp_path / "tables").mkdir()
    table.to_parquet(tmp_path / "tables" / "train.parquet")
    (tmp_path / "file").touch()
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "file" / "cache")
    tables_cache.cache_clear()
    try:
        with pytest.warns(UserWarning, match="Not a directory.* HF_HOME names another place"):
            images = find(str(tmp_path / "tables"))
        assert sum(map(len, images.splits.values())) == 40
        assert Path(str(tables_cache())).is_dir()
    finally:
        tables_cache.cache_clear()
