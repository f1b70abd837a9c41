"""Batch norm in one go: from ``hpreact`` to ``hprebn`` without a step in between."""

from torch import Tensor


def dhprebn(bngain: Tensor, bnraw: Tensor, bnvar_inv: Tensor, dhpreact: Tensor, n: int) -> Tensor:
    """Back through the lines from ``bnmeani = 1 / n * hprebn.sum(0, keepdim=True)`` to ``hpreact``, as one.

    An entry reaches ``bnraw`` directly, through the mean and through the variance. Put the three paths
    together, ``bndiff`` written as ``bnraw / bnvar_inv``: from the upstream gradient its mean is taken away,
    and its share along ``bnraw``. That share is divided by n - 1, not n, because the variance was.
    """
    mean = dhpreact.sum(0) / n
    along = (dhpreact * bnraw).sum(0) / (n - 1)
    return bngain * bnvar_inv * (dhpreact - mean - bnraw * along)
