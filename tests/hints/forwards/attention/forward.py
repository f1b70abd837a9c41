"""Scaled dot-product attention, one head, with a residual and a squared error."""

import torch


def draw(generator, *, batch, time, width, head):
    """Draw the inputs: X (batch, time, width), Wq, Wk, Wv (width, head), Wo (head, width), T like X."""

    def weights(rows, columns):
        return torch.randn((rows, columns), generator=generator) / rows**0.5

    return {
        "X": torch.randn((batch, time, width), generator=generator),
        "Wq": weights(width, head),
        "Wk": weights(width, head),
        "Wv": weights(width, head),
        "Wo": weights(head, width),
        "T": torch.randn((batch, time, width), generator=generator),
        "d": head,
    }


def forward(X, Wq, Wk, Wv, Wo, T, d):
    q = X @ Wq
    k = X @ Wk
    v = X @ Wv
    scores = q @ k.transpose(1, 2)
    scaled = scores / d**0.5
    weights = torch.softmax(scaled, dim=2)
    mixed = weights @ v
    out = mixed @ Wo
    res = X + out
    err = res - T
    loss = (err**2).sum() / err.shape[0]
    return loss
