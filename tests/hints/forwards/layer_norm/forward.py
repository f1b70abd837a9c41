"""Layer norm between two linear layers, with a squared error."""

import torch


def draw(generator, *, rows, width, hidden, out):
    """Draw the inputs: X (rows, width), W (width, hidden), V (hidden, out), T (rows, out)."""
    return {
        "X": torch.randn((rows, width), generator=generator),
        "W": torch.randn((width, hidden), generator=generator) / width**0.5,
        "gain": torch.randn(hidden, generator=generator) * 0.2 + 1.0,
        "bias": torch.randn(hidden, generator=generator) * 0.2,
        "V": torch.randn((hidden, out), generator=generator) / hidden**0.5,
        "T": torch.randn((rows, out), generator=generator),
    }


def forward(X, W, gain, bias, V, T):
    a = X @ W
    mean = a.mean(1, keepdim=True)
    centred = a - mean
    square = centred**2
    var = square.mean(1, keepdim=True)
    std = (var + 1e-5).sqrt()
    normed = centred / std
    scaled = gain * normed
    y = scaled + bias
    pred = y @ V
    err = pred - T
    loss = (err**2).mean()
    return loss
