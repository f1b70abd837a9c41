"""Exercise 2: the cross-entropy in one go. Alice."""

import torch.nn.functional as F


def dlogits(logits, Yb, n):
    # softmax, minus one where the right answer is, over n
    out = F.softmax(logits, 1)
    out[range(n), Yb] -= 1
    out /= n
    return out
