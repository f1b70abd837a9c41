# Cells that raise between the right ones: looked at too early, misspelt, not Python, left half-written.
# %%
import torch
import torch.nn.functional as F
!pip install torch matplotlib
%load_ext autoreload
# %%
dlogprobs.shape
# %%
prnit(undefined_name)
# %%
dlogprobs = torch.zeros_like(logprobs)
dlogprobs[range(n), Yb] = -1.0/n
%timeit torch.zeros_like(logprobs)
dprobs = dlogprobs / probs
# %%
print((dprobs.sum())
# %%
dcounts_sum_inv = (counts * dprobs).sum(1, keepdim=True)
for x in range(3) print(x)
dcounts_sum = -counts_sum**-2 * dcounts_sum_inv
# %%
%%bash
for f in *.txt; do echo $f; done
dcounts = wrong
# %%
dcounts = counts_sum_inv * dprobs + dcounts_sum
dnorm_logits = counts * dcounts
dlogit_maxes = (-dnorm_logits).sum(1, keepdim=True)
dlogits = dnorm_logits.clone()
dlogits[range(n), logits.max(1).indices] += dlogit_maxes.view(-1)
# %%
1/0
# %%
n = 5
for n in range(3):
    print(n)
sum = 0
max = logits.max()
# %%
assert dlogits.shape == (1, 2, 3)
dh = dlogits @ W2.T
dW2 = h.T @ dlogits
db2 = dlogits.sum(0)
dlogits.foo
# %%
??torch.tanh
torch.tanh?
# %%
dhpreact = (1.0 - h**2) * dh
h = None
dbngain = (bnraw * dhpreact).sum(0, keepdim=True)
dbnraw = bngain * dhpreact
dbnbias = dhpreact.sum(0, keepdim=True)
# %%
dbndiff = bnvar_inv * dbnraw
dbnvar_inv = (bndiff * dbnraw).sum(0, keepdim=True)
dbnvar = (-0.5*(bnvar + 1e-5)**-1.5) * dbnvar_inv
dbndiff2 = (1.0/(n-1))*torch.ones_like(bndiff2) * dbnvar
dbndiff += (2*bndiff) * dbndiff2
# %%
%%time
dhprebn = dbndiff.clone()
dbnmeani = (-dbndiff).sum(0)
dhprebn += 1.0/n * (torch.ones_like(hprebn) * dbnmeani)
# %%
"an open string
# %%
dembcat = dhprebn @ W1.T
dW1 = embcat.T @ dhprebn
db1 = dhprebn.sum(0)
demb = dembcat.view(emb.shape)
loss = 3
dC = torch.zeros_like(C)
for k in range(Xb.shape[0]):
  for j in range(Xb.shape[1]):
    ix = Xb[k,j]
    dC[ix] += demb[k,j]
# %%
# Exercise 2
dlogits = F.softmax(logits, 1)
dlogits[range(n), Yb] -= 1
dlogits /= n
raise SystemExit
# %%
# Exercise 3
dhprebn = bngain*bnvar_inv/n * (n*dhpreact - dhpreact.sum(0) - n/(n-1)*bnraw*(dhpreact*bnraw).sum(0))
