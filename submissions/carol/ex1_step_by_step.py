"""Exercise 1: every gradient, step by step. Carol."""

import torch


def dlogprobs(logprobs, Yb, n):
    grad = torch.zeros_like(logprobs)
    for i in range(n):
        grad[i, Yb[i]] = -1 / n
    return grad


def dprobs(probs, dlogprobs):
    return dlogprobs * probs**-1


def dcounts_sum_inv(counts, dprobs):
    return torch.sum(dprobs * counts, dim=1, keepdim=True)


def dcounts_sum(counts_sum, dcounts_sum_inv):
    return -dcounts_sum_inv / counts_sum**2


def dcounts(counts, counts_sum_inv, dprobs, dcounts_sum):
    # once through probs, once through counts_sum
    through_probs = dprobs * counts_sum_inv
    through_sum = dcounts_sum.expand(counts.shape)
    return through_probs + through_sum


def dnorm_logits(counts, dcounts):
    return dcounts * counts


def dlogit_maxes(dnorm_logits):
    return -torch.sum(dnorm_logits, dim=1, keepdim=True)


def dlogits(logits, dnorm_logits, dlogit_maxes):
    grad = dnorm_logits.clone()
    # the column of each row's largest logit
    where = logits.argmax(dim=1)
    grad[range(len(where)), where] += dlogit_maxes[:, 0]
    return grad


def dh(W2, dlogits):
    return torch.matmul(dlogits, W2.T)


def dW2(h, dlogits):
    return torch.matmul(h.T, dlogits)


def db2(dlogits):
    return torch.sum(dlogits, dim=0)


def dhpreact(h, dh):
    return dh * (1 - h.square())


def dbngain(bnraw, dhpreact):
    return torch.sum(dhpreact * bnraw, dim=0, keepdim=True)


def dbnbias(dhpreact):
    raise NotImplementedError


def dbnraw(bngain, dhpreact):
    raise NotImplementedError


def dbnvar_inv(bndiff, dbnraw):
    raise NotImplementedError


def dbnvar(bnvar, dbnvar_inv):
    raise NotImplementedError


def dbndiff2(bndiff2, dbnvar, n):
    raise NotImplementedError


def dbndiff(bndiff, bnvar_inv, dbnraw, dbndiff2):
    raise NotImplementedError


def dbnmeani(dbndiff):
    raise NotImplementedError


def dhprebn(hprebn, dbndiff, dbnmeani, n):
    raise NotImplementedError


def dembcat(W1, dhprebn):
    raise NotImplementedError


def dW1(embcat, dhprebn):
    raise NotImplementedError


def db1(dhprebn):
    raise NotImplementedError


def demb(emb, dembcat):
    raise NotImplementedError


def dC(C, Xb, demb):
    raise NotImplementedError
