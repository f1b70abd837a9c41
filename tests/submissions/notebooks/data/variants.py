# Oddities of real files: helpers read later, one-line functions, names assigned in pairs, `dlogits2`, steps skipped.
# %%
import torch as t
import torch
import numpy as np
import torch.nn.functional as F
# %%
"""Exercise 1"""
row, col = t.arange(n), Yb
dloss = 1
dlogprobs = t.zeros(logprobs.shape)
dlogprobs[row, col] = -dloss / n
sq_inv = lambda v: -(v ** -2)
dprobs: torch.Tensor = (1 / probs) * dlogprobs
# only the column of the label counts
picked = dprobs[row, col] * counts[row, col]
dcounts_sum_inv = picked.unsqueeze(1)
dcounts_sum = sq_inv(counts_sum) * dcounts_sum_inv
dcounts1 = counts_sum_inv * dprobs
dcounts2 = t.ones_like(counts) * dcounts_sum
dcounts = dcounts1 + dcounts2
dnorm_logits = dcounts * counts
dlogit_maxes = -dnorm_logits.sum(1, keepdim=True)
dlogits = counts * dcounts  # norm_logits and the maxima cancel
dh, dW2 = (dlogits @ W2.t(), h.t() @ dlogits)
db2 = dlogits.sum(0)
def dtanh(y): return 1 - y * y
dhpreact = dtanh(h) * dh
# %%
with torch.no_grad():
    dbngain, dbnbias = (bnraw * dhpreact).sum(0, keepdim=True), dhpreact.sum(0, keepdim=True)
    dbnraw = bngain * dhpreact
    dbnvar_inv = (bndiff * dbnraw).sum(0, keepdim=True)
    eps = 1e-5
    dbnvar = -0.5 * (bnvar + eps) ** -1.5 * dbnvar_inv
    dbndiff2 = t.zeros_like(bndiff2)
    dbndiff2 += dbnvar * (n - 1) ** -1
    dbndiff = dbnraw * bnvar_inv
    dbndiff = dbndiff + 2 * bndiff * dbndiff2
    dbnmeani = -dbndiff.sum(0)
    dhprebn = dbndiff.clone()
    dhprebn = dhprebn + dbnmeani / n
# %%
dembcat = dhprebn @ W1.T
dW1 = embcat.T @ dhprebn
db1 = dhprebn.sum(0)
demb = dembcat.view(*emb.shape)
# a mask for each letter
dC = torch.stack([demb[Xb == letter].sum(0) for letter in range(C.shape[0])])
# %%
# Excercise 2: cross entropy
probs = F.softmax(logits, 1)
dlogits2 = probs
dlogits2[row, col] -= 1
dlogits2 = dlogits2 / n
cmp('logits', dlogits2, logits)
# %%
# ex. 3
sum = dhpreact.sum(0)
dhprebn = bngain * bnvar_inv * (dhpreact - sum / n - bnraw * (dhpreact * bnraw).sum(0) / (n - 1))
cmp('hprebn', dhprebn, hprebn)
