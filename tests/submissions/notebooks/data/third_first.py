# Exercises in another order than the lecture's, the shortcuts first; dC stands before what it is made of was looked at.
# %% [markdown]
# # Exercise 3 (I liked this one best)
# %%
import torch
import torch.nn.functional as F
# %%
# with pen and paper: d/dx of (x - mean) / std
gsum = dhpreact.sum(0)
gdot = (dhpreact * bnraw).sum(0)
dhprebn = bngain * bnvar_inv * (dhpreact - gsum / n - bnraw * gdot / (n - 1))
# %% [markdown]
# # Exercise 2
# %%
# softmax minus the truth
p = logits.softmax(1)
onehot = torch.zeros_like(p)
onehot[range(n), Yb] = 1
dlogits = (p - onehot) / n
# %% [markdown]
# # Exercise 1
# the long way round
# %%
loss_check = -logprobs[range(n), Yb].mean()
print('same loss:', loss_check.item() == loss.item())
# %%
dlogprobs = torch.zeros_like(logprobs); dlogprobs[range(n), Yb] = -1.0 / n
dprobs = dlogprobs / probs
# %%
dcounts_sum_inv = (counts * dprobs).sum(1, True)
dcounts_sum = -dcounts_sum_inv / counts_sum ** 2
dcounts = counts_sum_inv * dprobs + dcounts_sum
dnorm_logits = dcounts * counts
dlogit_maxes = -dnorm_logits.sum(1, True)
# %%
dlogits = dnorm_logits.clone()
dlogits.scatter_add_(1, logits.argmax(1, keepdim=True), dlogit_maxes)
# %%
dh, dW2, db2 = dlogits @ W2.t(), h.t() @ dlogits, dlogits.sum(0)
dhpreact = dh - dh * h * h
# %%
dbnbias = dhpreact.sum(0, True)
dbngain = torch.sum(dhpreact * bnraw, dim=0, keepdim=True)
dbnraw = dhpreact * bngain
# %%
dbnvar_inv = torch.sum(dbnraw * bndiff, 0, keepdim=True)
dbnvar = -dbnvar_inv / (2 * (bnvar + 1e-5) * (bnvar + 1e-5).sqrt())
dbndiff2 = dbnvar.repeat(n, 1) / (n - 1)
dbndiff = dbnraw * bnvar_inv + 2 * dbndiff2 * bndiff
# %%
dbnmeani = dbndiff.sum(0, True).neg()
dhprebn = dbndiff + dbnmeani / n
# %%
db1 = dhprebn.sum(0)
dW1 = embcat.t().mm(dhprebn)
dembcat = dhprebn.mm(W1.t())
demb = dembcat.unflatten(1, emb.shape[1:])
# %%
dC = torch.zeros_like(C)
dC.index_put_((Xb,), demb, accumulate=True)
# %%
for name in ('logprobs', 'probs', 'counts', 'C'):
    d, t = eval('d' + name), eval(name)
    print(name, d.shape == t.shape)
