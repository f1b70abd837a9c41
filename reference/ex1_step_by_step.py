"""Every gradient of the forward pass, one line at a time, from the loss back to the embedding table.

Each function goes back through the forward line its docstring quotes. Three rules do nearly all the work:

* a tensor used by several lines gets the *sum* of what flows back through each of them;
* what a forward line broadcasts (copies) is summed on the way back, and what it sums is copied;
* the gradient of a tensor has the tensor's own shape, which leaves a matrix product only one way round.

Parameters are asked for by name: forward values, and gradients that lie nearer to the loss.
"""

import torch
from torch import Tensor


def dlogprobs(logprobs: Tensor, Yb: Tensor, n: int) -> Tensor:
    """Back through ``loss = -logprobs[range(n), Yb].mean()``.

    The loss reads one entry a row, the label's, and each weighs -1/n in the mean; the others do not move it.
    """
    gradient = torch.zeros_like(logprobs)
    gradient[range(n), Yb] = -1.0 / n
    return gradient


def dprobs(probs: Tensor, dlogprobs: Tensor) -> Tensor:
    """Back through ``logprobs = probs.log()``.

    The derivative of log(p) is 1/p: the less the net believed in the label, the harder it is pushed.
    """
    return dlogprobs / probs


def dcounts_sum_inv(counts: Tensor, dprobs: Tensor) -> Tensor:
    """Back through ``probs = counts * counts_sum_inv``.

    The column ``counts_sum_inv`` is copied across each row, so what the copies receive is summed per row.
    """
    return (dprobs * counts).sum(1, keepdim=True)


def dcounts_sum(counts_sum: Tensor, dcounts_sum_inv: Tensor) -> Tensor:
    """Back through ``counts_sum_inv = counts_sum**-1``.

    The power rule: the derivative of x**-1 is -x**-2.
    """
    return dcounts_sum_inv * -(counts_sum**-2)


def dcounts(counts: Tensor, counts_sum_inv: Tensor, dprobs: Tensor, dcounts_sum: Tensor) -> Tensor:
    """Back through ``counts_sum = counts.sum(1, keepdim=True)`` and ``probs = counts * counts_sum_inv``.

    Two lines use ``counts``, so two paths add up. Each entry of a row enters the row's sum with weight 1: the
    gradient of the sum is copied to all of them.
    """
    return dprobs * counts_sum_inv + dcounts_sum.expand_as(counts)


def dnorm_logits(counts: Tensor, dcounts: Tensor) -> Tensor:
    """Back through ``counts = norm_logits.exp()``.

    exp is its own derivative, and its value is already at hand: ``counts``.
    """
    return dcounts * counts


def dlogit_maxes(dnorm_logits: Tensor) -> Tensor:
    """Back through ``norm_logits = logits - logit_maxes``.

    The column is copied across each row, hence the sum; it is subtracted, hence the sign. For this loss the
    sum is zero up to rounding, since shifting a row's logits does not change its softmax.
    """
    return -dnorm_logits.sum(1, keepdim=True)


def dlogits(logits: Tensor, dnorm_logits: Tensor, dlogit_maxes: Tensor) -> Tensor:
    """Back through ``norm_logits = logits - logit_maxes`` and ``logit_maxes = logits.max(...).values``.

    Two paths again. The maximum passes its gradient to the entry it was taken from, and to no other.
    """
    largest = torch.nn.functional.one_hot(logits.argmax(1), logits.shape[1])
    return dnorm_logits + dlogit_maxes * largest


def dh(W2: Tensor, dlogits: Tensor) -> Tensor:
    """Back through ``logits = h @ W2 + b2``.

    ``h[i, j]`` reaches ``logits[i, k]`` with weight ``W2[j, k]``; summed over k that is a product with W2
    transposed. The shapes allow no other: (n, vocab) @ (vocab, hidden) is (n, hidden).
    """
    return dlogits @ W2.T


def dW2(h: Tensor, dlogits: Tensor) -> Tensor:
    """Back through ``logits = h @ W2 + b2``.

    ``W2[j, k]`` is used once in every row of the batch, hence the sum over rows inside this product.
    """
    return h.T @ dlogits


def db2(dlogits: Tensor) -> Tensor:
    """Back through ``logits = h @ W2 + b2``.

    The bias is copied to every row of the batch, so its gradient is summed over the rows.
    """
    return dlogits.sum(0)


def dhpreact(h: Tensor, dh: Tensor) -> Tensor:
    """Back through ``h = torch.tanh(hpreact)``.

    The derivative of tanh is 1 - tanh**2, and tanh's value is already at hand: ``h``.
    """
    return dh * (1.0 - h**2)


def dbngain(bnraw: Tensor, dhpreact: Tensor) -> Tensor:
    """Back through ``hpreact = bngain * bnraw + bnbias``.

    One gain a neuron, copied to every row: multiply by what it was multiplied with, then sum the rows.
    """
    return (dhpreact * bnraw).sum(0, keepdim=True)


def dbnbias(dhpreact: Tensor) -> Tensor:
    """Back through ``hpreact = bngain * bnraw + bnbias``.

    Added with weight 1 and copied to every row, so only the sum over the rows is left.
    """
    return dhpreact.sum(0, keepdim=True)


def dbnraw(bngain: Tensor, dhpreact: Tensor) -> Tensor:
    """Back through ``hpreact = bngain * bnraw + bnbias``.

    Each entry of ``bnraw`` is used once, times its neuron's gain.
    """
    return dhpreact * bngain


def dbnvar_inv(bndiff: Tensor, dbnraw: Tensor) -> Tensor:
    """Back through ``bnraw = bndiff * bnvar_inv``.

    The row ``bnvar_inv`` is copied to every row of the batch, so what the copies receive is summed.
    """
    return (dbnraw * bndiff).sum(0, keepdim=True)


def dbnvar(bnvar: Tensor, dbnvar_inv: Tensor) -> Tensor:
    """Back through ``bnvar_inv = (bnvar + 1e-5) ** -0.5``.

    The power rule: the derivative of x**-0.5 is -0.5 * x**-1.5. The eps belongs to x, so it stays.
    """
    return dbnvar_inv * -0.5 * (bnvar + 1e-5) ** -1.5


def dbndiff2(bndiff2: Tensor, dbnvar: Tensor, n: int) -> Tensor:
    """Back through ``bnvar = 1 / (n - 1) * bndiff2.sum(0, keepdim=True)``.

    A sum over the rows gives each row a copy of its gradient; the weight is Bessel's 1/(n - 1).
    """
    return dbnvar.expand_as(bndiff2) / (n - 1)


def dbndiff(bndiff: Tensor, bnvar_inv: Tensor, dbnraw: Tensor, dbndiff2: Tensor) -> Tensor:
    """Back through ``bndiff2 = bndiff**2`` and ``bnraw = bndiff * bnvar_inv``.

    Two lines use ``bndiff``: once as what is normalized, once on the way to the variance.
    """
    return dbnraw * bnvar_inv + dbndiff2 * 2.0 * bndiff


def dbnmeani(dbndiff: Tensor) -> Tensor:
    """Back through ``bndiff = hprebn - bnmeani``.

    The row is copied to every row of the batch, hence the sum; it is subtracted, hence the sign.
    """
    return -dbndiff.sum(0, keepdim=True)


def dhprebn(dbndiff: Tensor, dbnmeani: Tensor, n: int) -> Tensor:
    """Back through ``bnmeani = 1 / n * hprebn.sum(0, keepdim=True)`` and ``bndiff = hprebn - bnmeani``.

    Two paths: each entry is centred, and each entry moves the mean that all are centred by.
    """
    return dbndiff + dbnmeani / n


def dembcat(W1: Tensor, dhprebn: Tensor) -> Tensor:
    """Back through ``hprebn = embcat @ W1 + b1``.

    As in ``dh``: (n, hidden) @ (hidden, block * embd) is (n, block * embd).
    """
    return dhprebn @ W1.T


def dW1(embcat: Tensor, dhprebn: Tensor) -> Tensor:
    """Back through ``hprebn = embcat @ W1 + b1``.

    As in ``dW2``: every row of the batch uses the weights once, and the product sums over the rows.
    """
    return embcat.T @ dhprebn


def db1(dhprebn: Tensor) -> Tensor:
    """Back through ``hprebn = embcat @ W1 + b1``.

    A sum over the rows, as for any bias. It is zero up to rounding: batch norm subtracts the mean, and with
    it whatever a bias adds to a whole column.
    """
    return dhprebn.sum(0)


def demb(emb: Tensor, dembcat: Tensor) -> Tensor:
    """Back through ``embcat = emb.view(emb.shape[0], -1)``.

    A view moves no numbers: the gradient is the same numbers in the former shape.
    """
    return dembcat.view(emb.shape)


def dC(C: Tensor, Xb: Tensor, demb: Tensor) -> Tensor:
    """Back through ``emb = C[Xb]``.

    A row of ``C`` is read once for every time its character occurs, so the gradients of all its occurrences
    add up. ``index_add_`` adds; assigning ``dC[Xb] = demb`` would keep only one of them.
    """
    return torch.zeros_like(C).index_add_(0, Xb.flatten(), demb.flatten(0, 1))
