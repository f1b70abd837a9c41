"""Training by hand: a forward and a backward pass as one function, and the loop that descends by it.

The backward pass is that of the exercises before: the cross-entropy and batch norm each in one go, and one
product, sum or lookup for the rest. Nothing in it is slower than autograd, since no line loops in Python.
"""

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def backward(
    C: Tensor,
    W1: Tensor,
    b1: Tensor,
    W2: Tensor,
    b2: Tensor,
    bngain: Tensor,
    bnbias: Tensor,
    Xb: Tensor,
    Yb: Tensor,
) -> tuple[Tensor, list[Tensor]]:
    """The loss of one batch, and its gradient with respect to each parameter.

    Back through ``loss = F.cross_entropy(logits, Yb)``, ``logits = h @ W2 + b2``,
    ``h = torch.tanh(hpreact)``, batch norm, ``hprebn = embcat @ W1 + b1`` and ``emb = C[Xb]``.
    """
    n = len(Xb)
    emb = C[Xb]
    embcat = emb.view(n, -1)
    hprebn = embcat @ W1 + b1
    bnvar, bnmean = torch.var_mean(hprebn, 0, keepdim=True, unbiased=True)
    bnvar_inv = (bnvar + 1e-5) ** -0.5
    bnraw = (hprebn - bnmean) * bnvar_inv
    h = torch.tanh(bngain * bnraw + bnbias)
    logits = h @ W2 + b2
    loss = F.cross_entropy(logits, Yb)

    dlogits = torch.softmax(logits, 1)
    dlogits[range(n), Yb] -= 1.0
    dlogits /= n
    dhpreact = (dlogits @ W2.T) * (1.0 - h**2)
    dbngain = (dhpreact * bnraw).sum(0, keepdim=True)
    dbnbias = dhpreact.sum(0, keepdim=True)
    # What batch norm takes away: the mean, and the share along bnraw, which the two sums above already hold.
    dhprebn = bngain * bnvar_inv * (dhpreact - dbnbias / n - bnraw * dbngain / (n - 1))
    demb = (dhprebn @ W1.T).view(emb.shape)
    dC = torch.zeros_like(C).index_add_(0, Xb.flatten(), demb.flatten(0, 1))
    return loss, [dC, embcat.T @ dhprebn, dhprebn.sum(0), h.T @ dlogits, dlogits.sum(0), dbngain, dbnbias]


def train(
    parameters: Sequence[Tensor],
    batches: Iterable[tuple[Tensor, Tensor]],
    learning_rates: Iterable[float],
) -> list[float]:
    """Stochastic gradient descent, one step for each batch.

    A parameter belongs to the caller, so each step changes the tensor itself: ``p -= ...`` does, while
    ``p = p - ...`` would make another one and leave the caller's as it was.
    """
    losses = []
    for (Xb, Yb), learning_rate in zip(batches, learning_rates, strict=False):
        loss, gradients = backward(*parameters, Xb, Yb)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter -= learning_rate * gradient
        losses.append(loss.item())
    return losses
