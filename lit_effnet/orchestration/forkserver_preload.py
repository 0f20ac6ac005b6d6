"""Import and cache what trials need, in the process from which they are forked.

`fit` imports much of this late, to keep its help fast. Nothing here may start a thread that
computes: a fork would not have it.
"""

import cv2
import lightning.pytorch  # noqa: F401
import timm.optim  # noqa: F401
import torch._dynamo  # noqa: F401 # optimisers import it
import wandb.sdk.launch  # noqa: F401 # every W&B run imports it

import lit_effnet.data.transforms  # noqa: F401 # albumentations, without its version check
from lit_effnet.data.photos import photos
from lit_effnet.experiment import preview
from lit_effnet.runs.provenance import git_commit

cv2.setNumThreads(1)
git_commit()
photos()
preview.keys()
