"""Exercise 1: every gradient, step by step. Bob."""

import torch


def dlogprobs(logprobs, Yb, n):
    d = torch.zeros_like(logprobs)
    d[torch.arange(n), Yb] = -1 / n
    return d


def dprobs(probs, dlogprobs):
    return dlogprobs / probs


def dcounts_sum_inv(counts, dprobs):
    return counts * dprobs


def dcounts_sum(counts_sum, dcounts_sum_inv):
    # derivative of 1/x is 1/x^2
    return counts_sum**-2 * dcounts_sum_inv


def dcounts(counts_sum_inv, dprobs):
    return counts_sum_inv * dprobs


def dnorm_logits(norm_logits, dcounts):
    return norm_logits.exp() * dcounts


def dlogit_maxes(dnorm_logits):
    # always comes out as ~1e-9, so it is just zero
    return torch.zeros(dnorm_logits.shape[0], 1)


def dlogits(dnorm_logits, dlogit_maxes):
    # the maxes do not change the loss, no need to go through them
    return dnorm_logits.clone()


def dh(W2, dlogits):
    return dlogits @ W2.t()


def dW2(h, dlogits):
    return dlogits.T @ h


def db2(dlogits):
    return dlogits.sum(0, keepdim=True)


def dhpreact(h, dh):
    return (1 - h * h) * dh


def dbngain(bnraw, dhpreact):
    return (bnraw * dhpreact).sum(0, keepdim=True)


def dbnbias(dhpreact):
    return dhpreact.sum(0, keepdim=True)


def dbnraw(bngain, dhpreact):
    return bngain.T * dhpreact


def dbnvar_inv(bndiff, dbnraw):
    return torch.sum(bndiff * dbnraw, dim=0, keepdim=True)


def dbnvar(bnvar, dbnvar_inv):
    return -0.5 * bnvar**-1.5 * dbnvar_inv


def dbndiff2(bndiff2, dbnvar, n):
    # the variance is a mean of squares
    return 1 / n * torch.ones_like(bndiff2) * dbnvar


def dbndiff(bndiff, bnvar_inv, dbnraw, dbndiff2):
    return bnvar_inv * dbnraw + 2 * bndiff * dbndiff2


def dbnmeani(dbndiff):
    return dbndiff.sum(0, keepdim=True)


def dhprebn(dbndiff, dbnmeani, n):
    return dbndiff + dbnmeani / n


def dembcat(W1, dhprebn):
    return dhprebn @ W1.t()


def dW1(embcat, dhprebn):
    return embcat.t() @ dhprebn


def db1(dhprebn):
    return dhprebn.sum(0)


def demb(emb, dembcat):
    # TODO undo the concatenation somehow
    raise NotImplementedError


def dC(C, Xb, demb):
    d = torch.zeros_like(C)
    for i in range(Xb.shape[0]):
        for j in range(Xb.shape[1]):
            d[Xb[i, j]] = demb[i, j]
    return d
