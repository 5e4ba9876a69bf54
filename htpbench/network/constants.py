"""Tensors that are made once and used by every pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch._subclasses.fake_tensor import unset_fake_temporarily


@contextmanager
def lasting() -> Iterator[None]:
    """What is made here may be kept for later passes, whoever asks first.

    Inference tensors have no place in a gradient, and those of a count of memory hold no number.
    """
    with torch.inference_mode(False), unset_fake_temporarily():
        yield
