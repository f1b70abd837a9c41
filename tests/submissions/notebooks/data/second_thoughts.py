# Somebody who thinks aloud: two or three names spelt otherwise, tries that fail, paths added cells later, plots between.
# %%
import torch; import torch.nn.functional as F; import matplotlib.pyplot as plt
# %%
emb = C[Xb]
embcat = emb.view(emb.shape[0], -1)
hprebn = embcat @ W1 + b1
bnmean_i = 1/n * hprebn.sum(axis=0, keepdim=True)
bndiff = hprebn - bnmean_i
bndiff2 = bndiff**2
bnvar = 1/(n-1) * (bndiff2).sum(axis=0, keepdim=True)
bnvar_inv = (bnvar + 1e-5)**-0.5
bnraw = bndiff * bnvar_inv
hpreact = bngain*bnraw + bnbias
h = torch.tanh(hpreact)
logits = h @ W2 + b2
logits_maxes = logits.max(1, keepdim=True).values
norm_logits = logits - logits_maxes
counts = norm_logits.exp()
counts_sum = counts.sum(1, keepdims=True)
counts_sum_inv = counts_sum**-1
probs = counts*counts_sum_inv
logprobs = probs.log()
loss = -logprobs[range(n), Yb].mean()
# %%
cmp('logprobs', dlogprobs, logprobs)   # let's see where we stand
# %% [markdown]
# Only the labels' entries matter for the loss. $\partial L/\partial \log p = -1/n$ there.
# %%
dlogprobs = -1/n   # a number will not do
dlogprobs.shape
# %%
dlogprobs = torch.zeros_like(logprobs)
dlogprobs[range(n), Yb] = -1.0/n
cmp('logprobs', dlogprobs, logprobs)
# %%
dprobs = (1.0/probs) * dlogprobs
cmp('probs', dprobs, probs)
# %%
dcounts_sum_inv = counts * dprobs
dcounts_sum_inv.shape, counts_sum_inv.shape
# %% [markdown]
# Shapes differ, aha: `counts_sum_inv` was broadcast.
# %%
dcounts_sum_inv = (counts * dprobs).sum(1, keepdim=True)
cmp('counts_sum_inv', dcounts_sum_inv, counts_sum_inv)
# %%
dcounts = counts_sum_inv * dprobs
cmp('counts', dcounts, counts)  # wrong, there is something missing
# %%
dcounts_sum = (-counts_sum**-2.0) * dcounts_sum_inv
cmp('counts_sum', dcounts_sum, counts_sum)
# %%
torch.ones_like(counts) @ dcounts_sum
# %%
dcounts += torch.ones_like(counts) * dcounts_sum
cmp('counts', dcounts, counts)
# %%
dnorms_logits = counts * dcounts
cmp('norm_logits', dnorms_logits, norm_logits)
dlogits = dnorms_logits.clone()
# %%
dlogits_maxes = (-dnorms_logits).sum(1, keepdims=True)
cmp('logit_maxes', dlogits_maxes, logits_maxes)
dlogits_maxes.abs().max()   # tiny, as it should be
# %%
plt.imshow(F.one_hot(logits.max(1).indices, num_classes=logits.shape[1]))
# %%
dlogits += F.one_hot(logits.max(1).indices, num_classes=logits.shape[1]) * dlogits_maxes
cmp('logits', dlogits, logits)
# %%
dh = dlogits @ W2
# %%
dh = dlogits @ W2.T
dw2 = h.T @ dlogits
db2 = dlogits.sum(axis=0)
cmp('h', dh, h); cmp('W2', dw2, W2); cmp('b2', db2, b2)
# %%
print((dh == h.grad).all()
# %%
dhpreact = (1.0 - h**2) * dh
cmp('hpreact', dhpreact, hpreact)
# %%
dbngain = (bnraw * dhpreact).sum(0, keepdims=True)
dbnraw = bngain * dhpreact
dbnbias = dhpreact.sum(0, keepdims=True)
cmp('bngain', dbngain, bngain); cmp('bnbias', dbnbias, bnbias); cmp('bnraw', dbnraw, bnraw)
# %%
dbndiff = bnvar_inv * dbnraw
dbnvar_inv = (bndiff * dbnraw).sum(0, keepdim=True)
dbnvar = (-0.5*(bnvar + 1e-5)**-1.5) * dbnvar_inv
cmp('bnvar', dbnvar, bnvar)
# %%
dbndiff2 = (1.0/(n-1)) * torch.ones_like(bndiff2) * dbnvar
# %% [markdown]
# dinner break
# %%
n, bnvar.shape, bndiff2.shape
# %%
dbndiff += (2*bndiff) * dbndiff2
cmp('bndiff', dbndiff, bndiff)
# %%
dbnmean_i = (-dbndiff).sum(0)
dhprebn = dbndiff.clone()
# %%
dhprebn += 1.0/n * (torch.ones_like(hprebn) * dbnmean_i)
cmp('hprebn', dhprebn, hprebn)
# %%
dembcat = dhprebn @ W1.T
dw1 = embcat.T @ dhprebn
db1 = dhprebn.sum(axis=0)
cmp('embcat', dembcat, embcat); cmp('W1', dw1, W1); cmp('b1', db1, b1)
# %%
demb = dembcat.view(emb.shape)
# for every letter, all the places it was looked up from
dC = torch.zeros_like(C)
for ix in range(C.shape[0]):
    where = Xb == ix
    if where.any():
        dC[ix] = demb[where].sum(0)
cmp('C', dC, C)
# %%
# now the quick ones
loss_fast = F.cross_entropy(logits, Yb)
print(loss_fast.item(), 'diff:', (loss_fast - loss).item())
# %%
dlogits_quick = F.softmax(logits, 1)
dlogits_quick[range(n), Yb] -= 1
dlogits_quick /= n
cmp('logits', dlogits_quick, logits)
# %%
dhprebn_quick = bngain*bnvar_inv/n * (n*dhpreact - dhpreact.sum(0) - n/(n-1)*bnraw*(dhpreact*bnraw).sum(0))
cmp('hprebn', dhprebn_quick, hprebn)
