"""A gated (highway) unit over looked-up vectors, pooled over the sequence, with a cross-entropy."""

import torch


def draw(generator, *, batch, time, width, words, classes):
    """Draw the inputs: E (words, width), W and U (width, width), b and c (width,), P (width, classes)."""
    return {
        "E": torch.randn((words, width), generator=generator),
        "W": torch.randn((width, width), generator=generator) / width**0.5,
        "b": torch.randn(width, generator=generator) * 0.1,
        "U": torch.randn((width, width), generator=generator) / width**0.5,
        "c": torch.randn(width, generator=generator) * 0.1,
        "P": torch.randn((width, classes), generator=generator) / width**0.5,
        "ix": torch.randint(0, words, (batch, time), generator=generator),
        "Y": torch.randint(0, classes, (batch,), generator=generator),
        "n": batch,
    }


def forward(E, W, b, U, c, P, ix, Y, n):
    x = E[ix]
    a = x @ W + b
    act = a.relu()
    z = x @ U + c
    gate = torch.sigmoid(z)
    kept = (1 - gate) * x
    mixed = gate * act + kept
    pooled = mixed.mean(1)
    logits = pooled @ P
    logp = torch.log_softmax(logits, 1)
    picked = logp[torch.arange(n), Y]
    loss = -picked.mean()
    return loss
