"""Classify an image with an exported network: python run_openvino.py b0.xml photo.jpg.

Needs openvino, numpy and Pillow, with b0.bin, b0.xml.json and b0.xml.py next to the model.
"""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import openvino

if len(sys.argv) != 3:
    sys.exit("usage: python run_openvino.py MODEL.xml PHOTO")
model, photo = sys.argv[1:]
metadata = json.loads(Path(f"{model}.json").read_text(encoding="utf-8"))
try:  # decode, resize, crop and normalise as in training: float32 [1, 3, H, W]
    images = runpy.run_path(f"{model}.py")["prepare"](photo, metadata["preprocessing"])
except (OSError, ValueError) as error:
    sys.exit(f"{photo}: {error}")

precise = {"INFERENCE_PRECISION_HINT": "f32"}  # the default is bfloat16 where the CPU has it
compiled = openvino.Core().compile_model(model, "CPU", precise)
logits = compiled({metadata["input"]["name"]: images})[metadata["output"]["name"]][0]

probabilities = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
for number in probabilities.argsort()[::-1][:5]:
    print(f"{100 * probabilities[number]:5.1f} %  {metadata['classes'][number]}")
