"""Classify an image with an exported network: python run_onnx.py b0.onnx photo.jpg.

Needs onnxruntime, numpy and Pillow, with b0.onnx.json and b0.onnx.py next to the model.
"""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import onnxruntime

if len(sys.argv) != 3:
    sys.exit("usage: python run_onnx.py MODEL.onnx PHOTO")
model, photo = sys.argv[1:]
metadata = json.loads(Path(f"{model}.json").read_text(encoding="utf-8"))
try:  # decode, resize, crop and normalise as in training: float32 [1, 3, H, W]
    images = runpy.run_path(f"{model}.py")["prepare"](photo, metadata["preprocessing"])
except (OSError, ValueError) as error:
    sys.exit(f"{photo}: {error}")

session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
logits = session.run([metadata["output"]["name"]], {metadata["input"]["name"]: images})[0][0]

probabilities = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
for number in probabilities.argsort()[::-1][:5]:
    print(f"{100 * probabilities[number]:5.1f} %  {metadata['classes'][number]}")
