"""Classify an image with an exported network: python run_litert.py b0.tflite photo.jpg.

Needs ai-edge-litert, numpy and Pillow, with b0.tflite.json and b0.tflite.py next to the model.
"""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

if len(sys.argv) != 3:
    sys.exit("usage: python run_litert.py MODEL.tflite PHOTO")
model, photo = sys.argv[1:]
metadata = json.loads(Path(f"{model}.json").read_text(encoding="utf-8"))
try:  # decode, resize, crop and normalise as in training: float32 [1, 3, H, W]
    images = runpy.run_path(f"{model}.py")["prepare"](photo, metadata["preprocessing"])
except (OSError, ValueError) as error:
    sys.exit(f"{photo}: {error}")

network = Interpreter(model_path=model).get_signature_runner()
logits = network(**{metadata["input"]["name"]: images})[metadata["output"]["name"]][0]

probabilities = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
for number in probabilities.argsort()[::-1][:5]:
    print(f"{100 * probabilities[number]:5.1f} %  {metadata['classes'][number]}")
