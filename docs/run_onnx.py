"""Classify an image with an exported network: python run_onnx.py b0.onnx photo.jpg.

Needs onnxruntime, numpy and Pillow, and b0.onnx.json beside the model.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

if len(sys.argv) != 3:
    sys.exit("usage: python run_onnx.py MODEL.onnx PHOTO")
model, photo = sys.argv[1:]
told = json.loads(Path(f"{model}.json").read_text(encoding="utf-8"))
prepared = told["preprocessing"]
size = prepared["image_size"]

image = ImageOps.exif_transpose(Image.open(photo)).convert("RGB")
short, target = min(image.size), int(size / prepared["crop_fraction"] + 1e-6)
if short != target:
    width, height = (int(target * side / short) for side in image.size)
    image = image.resize((width, height), Image.Resampling[prepared["interpolation"].upper()])
left, top = (round((side - size) / 2) for side in image.size)
pixels = np.asarray(image.crop((left, top, left + size, top + size)), np.float32) / 255
pixels = (pixels - np.float32(prepared["mean"])) / np.float32(prepared["std"])
images = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])  # [1, 3, H, W]

session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
logits = session.run([told["output"]["name"]], {told["input"]["name"]: images})[0][0]

probabilities = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
for number in probabilities.argsort()[::-1][:5]:
    print(f"{100 * probabilities[number]:5.1f} %  {told['classes'][number]}")
