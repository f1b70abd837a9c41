"""The cross-entropy in one go: from the loss to the logits without a step in between."""

import torch
from torch import Tensor


def dlogits(logits: Tensor, Yb: Tensor, n: int) -> Tensor:
    """Back through the lines from ``logit_maxes = logits.max(1, keepdim=True).values`` to ``loss``, as one.

    A row's loss is ``log(sum(exp(logits))) - logits[label]``. The first term's derivative is the softmax, the
    second's is 1 at the label; the mean over the batch divides both by n. Each row therefore sums to zero:
    what pulls the label up is exactly what pushes all the others down.
    """
    gradient = torch.softmax(logits, 1)
    gradient[range(n), Yb] -= 1.0
    return gradient / n
