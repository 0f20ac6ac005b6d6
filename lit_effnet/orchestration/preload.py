"""What the process has ready from which trials are forked: imports, flags, the embedded images.

Much of it `fit` imports only when it is needed, so that its help is quick. Nothing here may start
a thread that computes: a fork would not have it.
"""

import cv2
import lightning.pytorch  # noqa: F401
import timm.optim  # noqa: F401
import torch._dynamo  # noqa: F401 # which optimisers ask for
import wandb.sdk.launch  # noqa: F401 # which every W&B run asks for

import lit_effnet.data.transforms  # noqa: F401 # albumentations, which asks no network so
from lit_effnet.data.photos import photos
from lit_effnet.experiment import preview
from lit_effnet.runs.provenance import git_commit

cv2.setNumThreads(1)
git_commit()
photos()
preview.keys()
