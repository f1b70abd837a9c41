"""Odd lines: infinite values, complex ones within a line, two statements on one, an index of an index."""

import torch


def draw(generator, *, batch, time, words):
    """Draw the inputs: C (words, time), x (batch, time, time), b (time,)."""
    return {
        "C": torch.randn((words, time), generator=generator),
        "x": torch.randn((batch, time, time), generator=generator),
        "b": torch.randn(time, generator=generator) * 0.1,
        "count": torch.rand(time, generator=generator) + 1,
        "later": torch.ones(time, time).triu(1).bool(),
        "ix": torch.randint(0, words, (batch, time), generator=generator),
        "n": batch,
    }


def forward(C, x, b, count, later, ix, n):
    row = C[ix][:, 0]
    scores = x + b
    masked = scores.masked_fill(later, float("-inf"))
    seen = torch.softmax(masked, 2)
    signal = (seen * row[:, None]).sum(2) + count
    twice = signal + signal * b
    power = torch.fft.fft(twice).abs() + 0.1
    logs = power.log() / power.shape[1]
    scaled = logs / count
    part = scaled.sum(1)
    total = part.mean() + seen.diagonal(0, 1, 2).mean()
    loss = total / n
    return loss
