"""Classify an image with an exported network: python run_executorch.py b0.pte photo.jpg.

Needs executorch (and its torch), numpy and Pillow, with b0.pte.json and b0.pte.py beside the model.
"""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import torch
from executorch.runtime import Runtime

if len(sys.argv) != 3:
    sys.exit("usage: python run_executorch.py MODEL.pte PHOTO")
model, photo = sys.argv[1:]
metadata = json.loads(Path(f"{model}.json").read_text(encoding="utf-8"))
try:  # decode, resize, crop and normalise as in training: float32 [1, 3, H, W]
    images = runpy.run_path(f"{model}.py")["prepare"](photo, metadata["preprocessing"])
except (OSError, ValueError) as error:
    sys.exit(f"{photo}: {error}")

method = Runtime.get().load_program(model).load_method("forward")
logits = method.execute([torch.from_numpy(images)])[0][0].numpy()

probabilities = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
for number in probabilities.argsort()[::-1][:5]:
    print(f"{100 * probabilities[number]:5.1f} %  {metadata['classes'][number]}")
