"""Every gradient, step by step.

Fill the stubs, then run `grade` on this file's folder. A stub asks for what it needs by the names
of its parameters, in any order: change them freely. There is every value of the forward pass (C,
W1, b1, W2, b2, bngain, bnbias, Xb, Yb, n, emb, embcat, hprebn, bnmeani, bndiff, bndiff2, bnvar,
bnvar_inv, bnraw, hpreact, h, logits, logit_maxes, norm_logits, counts, counts_sum, counts_sum_inv,
probs, logprobs). So is the gradient of every tensor that lies nearer to the loss: d<name>, always
the true one. It returns one tensor of the shape its docstring gives.

Shapes are those of the lecture's case; you are graded on other sizes, too. No autograd.
"""

import torch
import torch.nn.functional as F


def dlogprobs(logprobs, n, Yb):
    """The gradient of the loss with respect to logprobs, of shape (32, 27).

    Back through
        loss = -logprobs[range(n), Yb].mean()
    """
    raise NotImplementedError("dlogprobs")


def dprobs(probs, logprobs, dlogprobs):
    """The gradient of the loss with respect to probs, of shape (32, 27).

    Back through
        logprobs = probs.log()
    """
    raise NotImplementedError("dprobs")


def dcounts_sum_inv(counts, counts_sum_inv, dprobs):
    """The gradient of the loss with respect to counts_sum_inv, of shape (32, 1).

    Back through
        probs = counts * counts_sum_inv
    """
    raise NotImplementedError("dcounts_sum_inv")


def dcounts_sum(counts_sum, counts_sum_inv, dcounts_sum_inv):
    """The gradient of the loss with respect to counts_sum, of shape (32, 1).

    Back through
        counts_sum_inv = counts_sum**-1
    """
    raise NotImplementedError("dcounts_sum")


def dcounts(counts, counts_sum_inv, counts_sum, dcounts_sum, dprobs):
    """The gradient of the loss with respect to counts, of shape (32, 27).

    Back through
        counts_sum = counts.sum(1, keepdim=True)
        probs = counts * counts_sum_inv
    """
    raise NotImplementedError("dcounts")


def dnorm_logits(norm_logits, counts, dcounts):
    """The gradient of the loss with respect to norm_logits, of shape (32, 27).

    Back through
        counts = norm_logits.exp()
    """
    raise NotImplementedError("dnorm_logits")


def dlogit_maxes(logits, logit_maxes, dnorm_logits):
    """The gradient of the loss with respect to logit_maxes, of shape (32, 1).

    Back through
        norm_logits = logits - logit_maxes
    """
    raise NotImplementedError("dlogit_maxes")


def dlogits(logits, logit_maxes, dlogit_maxes, dnorm_logits):
    """The gradient of the loss with respect to logits, of shape (32, 27).

    Back through
        logit_maxes = logits.max(1, keepdim=True).values
        norm_logits = logits - logit_maxes
    """
    raise NotImplementedError("dlogits")


def dh(h, W2, b2, dlogits):
    """The gradient of the loss with respect to h, of shape (32, 64).

    Back through
        logits = h @ W2 + b2
    """
    raise NotImplementedError("dh")


def dW2(h, W2, b2, dlogits):
    """The gradient of the loss with respect to W2, of shape (64, 27).

    Back through
        logits = h @ W2 + b2
    """
    raise NotImplementedError("dW2")


def db2(h, W2, b2, dlogits):
    """The gradient of the loss with respect to b2, of shape (27,).

    Back through
        logits = h @ W2 + b2
    """
    raise NotImplementedError("db2")


def dhpreact(hpreact, h, dh):
    """The gradient of the loss with respect to hpreact, of shape (32, 64).

    Back through
        h = torch.tanh(hpreact)
    """
    raise NotImplementedError("dhpreact")


def dbngain(bngain, bnraw, bnbias, dhpreact):
    """The gradient of the loss with respect to bngain, of shape (1, 64).

    Back through
        hpreact = bngain * bnraw + bnbias
    """
    raise NotImplementedError("dbngain")


def dbnbias(bngain, bnraw, bnbias, dhpreact):
    """The gradient of the loss with respect to bnbias, of shape (1, 64).

    Back through
        hpreact = bngain * bnraw + bnbias
    """
    raise NotImplementedError("dbnbias")


def dbnraw(bngain, bnraw, bnbias, dhpreact):
    """The gradient of the loss with respect to bnraw, of shape (32, 64).

    Back through
        hpreact = bngain * bnraw + bnbias
    """
    raise NotImplementedError("dbnraw")


def dbnvar_inv(bndiff, bnvar_inv, dbnraw):
    """The gradient of the loss with respect to bnvar_inv, of shape (1, 64).

    Back through
        bnraw = bndiff * bnvar_inv
    """
    raise NotImplementedError("dbnvar_inv")


def dbnvar(bnvar, bnvar_inv, dbnvar_inv):
    """The gradient of the loss with respect to bnvar, of shape (1, 64).

    Back through
        bnvar_inv = (bnvar + 1e-5) ** -0.5
    """
    raise NotImplementedError("dbnvar")


def dbndiff2(n, bndiff2, dbnvar):
    """The gradient of the loss with respect to bndiff2, of shape (32, 64).

    Back through
        bnvar = 1 / (n - 1) * bndiff2.sum(0, keepdim=True)
    """
    raise NotImplementedError("dbndiff2")


def dbndiff(bndiff, bnvar_inv, bndiff2, dbndiff2, dbnraw):
    """The gradient of the loss with respect to bndiff, of shape (32, 64).

    Back through
        bndiff2 = bndiff**2
        bnraw = bndiff * bnvar_inv
    """
    raise NotImplementedError("dbndiff")


def dbnmeani(hprebn, bnmeani, dbndiff):
    """The gradient of the loss with respect to bnmeani, of shape (1, 64).

    Back through
        bndiff = hprebn - bnmeani
    """
    raise NotImplementedError("dbnmeani")


def dhprebn(n, hprebn, bnmeani, dbnmeani, dbndiff):
    """The gradient of the loss with respect to hprebn, of shape (32, 64).

    Back through
        bnmeani = 1 / n * hprebn.sum(0, keepdim=True)
        bndiff = hprebn - bnmeani
    """
    raise NotImplementedError("dhprebn")


def dembcat(embcat, W1, b1, dhprebn):
    """The gradient of the loss with respect to embcat, of shape (32, 30).

    Back through
        hprebn = embcat @ W1 + b1
    """
    raise NotImplementedError("dembcat")


def dW1(embcat, W1, b1, dhprebn):
    """The gradient of the loss with respect to W1, of shape (30, 64).

    Back through
        hprebn = embcat @ W1 + b1
    """
    raise NotImplementedError("dW1")


def db1(embcat, W1, b1, dhprebn):
    """The gradient of the loss with respect to b1, of shape (64,).

    Back through
        hprebn = embcat @ W1 + b1
    """
    raise NotImplementedError("db1")


def demb(emb, embcat, dembcat):
    """The gradient of the loss with respect to emb, of shape (32, 3, 10).

    Back through
        embcat = emb.view(emb.shape[0], -1)
    """
    raise NotImplementedError("demb")


def dC(C, Xb, demb):
    """The gradient of the loss with respect to C, of shape (27, 10).

    Back through
        emb = C[Xb]
    """
    raise NotImplementedError("dC")
