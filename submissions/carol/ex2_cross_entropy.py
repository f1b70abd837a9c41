"""Exercise 2: the cross-entropy in one go. Carol."""

import torch.nn.functional as F


def dlogits(logits, Yb, n):
    # what the net says minus what it should have said
    return (F.softmax(logits, dim=1) - F.one_hot(Yb, logits.shape[1])) / n
