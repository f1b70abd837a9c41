# Second paths in += statements, cells later; a cell for each gradient; no double loop.
# %%
import torch
from torch.nn import functional as F
# %% [markdown]
# # Exercise 1
#
# Going back one line at a time.
# %%
one_over_n = 1.0 / n
dlogprobs = torch.zeros_like(logprobs)
dlogprobs[range(n), Yb] -= one_over_n
cmp('logprobs', dlogprobs, logprobs)
# %%
dprobs = probs**-1 * dlogprobs
# %%
dcounts = counts_sum_inv * dprobs
# %%
dcounts_sum_inv = torch.einsum('ij,ij->i', counts, dprobs)[:, None]
# %%
dcounts_sum = -(counts_sum**-2) * dcounts_sum_inv
# %% [markdown]
# counts is used twice!
# %%
dcounts += dcounts_sum
cmp('counts', dcounts, counts)
# %%
dnorm_logits = counts * dcounts
# %%
dlogits = dnorm_logits.clone()
# %%
dlogit_maxes = dnorm_logits.sum(1, keepdim=True)
dlogit_maxes *= -1
# %%
where_max = torch.zeros_like(logits).scatter_(1, logits.argmax(1, keepdim=True), 1.0)
# %%
dlogits += where_max * dlogit_maxes
# %%
dh = dlogits @ W2.T; dW2 = h.T @ dlogits; db2 = dlogits.sum(0, keepdim=True)
# %%
dhpreact = dh - h**2 * dh
# %%
dbngain = (bnraw * dhpreact).sum(0)
dbnbias = dhpreact.sum(0)
dbnraw = bngain * dhpreact
# %%
dbndiff = dbnraw * bnvar_inv
# %%
dbnvar_inv = (dbnraw * bndiff).sum(dim=0, keepdim=True)
# %%
dbnvar = dbnvar_inv * (
    -0.5
    * (bnvar + 1e-5) ** (-1.5)
)
# %%
dbndiff2 = torch.ones_like(bndiff2) * dbnvar / (n - 1)
# %%
dbndiff += 2.0 * bndiff * dbndiff2
# %%
dhprebn = dbndiff.clone()
# %%
dbnmeani = -dbndiff.sum(0, keepdim=True)
# %%
plt.imshow(dhprebn)
# %%
dhprebn += torch.ones_like(hprebn) * dbnmeani / n
# %%
dembcat = dhprebn @ W1.T
dW1 = embcat.T @ dhprebn
db1 = dhprebn.sum(0, keepdim=True)
# %%
demb = dembcat.view(emb.shape)
# %%
dC = torch.zeros_like(C)
flat = dC.view(-1, C.shape[1])
flat.index_add_(0, Xb.view(-1), demb.view(-1, C.shape[1]))
# %% [markdown]
# ## Excercise 2
# %%
onehot = F.one_hot(Yb, num_classes=logits.shape[1])
dlogits = (logits.softmax(1) - onehot) / n
# %% [markdown]
# ## EXERCISE #3: batchnorm
# %%
s1 = dhpreact.sum(0)
s2 = (dhpreact * bnraw).sum(0)
# %%
dhprebn = n * dhpreact - s1
dhprebn -= n / (n - 1) * bnraw * s2
dhprebn *= bngain * bnvar_inv / n
