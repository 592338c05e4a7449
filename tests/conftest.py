"""Shared set-up: one thread, so that results do not depend on the machine's cores and tests do not fight for them."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
