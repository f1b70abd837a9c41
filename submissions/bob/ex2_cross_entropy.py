"""Exercise 2: the cross-entropy in one go. Bob."""

import torch


def dlogits(logits, Yb, n):
    d = torch.softmax(logits, dim=1)
    d[torch.arange(n), Yb] -= 1
    return d
