"""Batch norm in one go.

Fill the stubs, then run `grade` on this file's folder. A stub asks for what it needs by the names
of its parameters, in any order: change them freely. There is every value of the forward pass (C,
W1, b1, W2, b2, bngain, bnbias, Xb, Yb, n, emb, embcat, hprebn, bnmeani, bndiff, bndiff2, bnvar,
bnvar_inv, bnraw, hpreact, h, logits, logit_maxes, norm_logits, counts, counts_sum, counts_sum_inv,
probs, logprobs). So is dhpreact, the true one, and no other gradient. It returns one tensor of the
shape its docstring gives.

Shapes are those of the lecture's case; you are graded on other sizes, too. No autograd.
"""

import torch
import torch.nn.functional as F


def dhprebn(bngain, bnraw, bnvar_inv, dhpreact, n):
    """The gradient of the loss with respect to hprebn, of shape (32, 64).

    Back through
        bnmeani = 1 / n * hprebn.sum(0, keepdim=True)
        bndiff = hprebn - bnmeani
        bndiff2 = bndiff**2
        bnvar = 1 / (n - 1) * bndiff2.sum(0, keepdim=True)
        bnvar_inv = (bnvar + 1e-5) ** -0.5
        bnraw = bndiff * bnvar_inv
        hpreact = bngain * bnraw + bnbias
    """
    raise NotImplementedError("dhprebn")
