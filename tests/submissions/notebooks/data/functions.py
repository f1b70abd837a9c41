# Function style: stubs defined in cells, with helpers and a constant beside them; dlogits and dhprebn twice.
# %%
import torch
import torch.nn.functional as F
# %% [markdown]
# ## Exercise 1
# %%
eps = 1e-5

def total(a):
    """Sum over the batch."""
    return a.sum(0, keepdim=True)
# %%
def dlogprobs(logprobs, Yb, n):
    # the loss plucks one log-probability out of each row and takes minus the mean of them
    out = torch.zeros_like(logprobs)
    out[range(n), Yb] = -1.0 / n
    return out
# %%
def dprobs(probs, dlogprobs):
    return (1.0 / probs) * dlogprobs
# %%
def dcounts_sum_inv(counts, dprobs):
    # counts_sum_inv is (n, 1) and was broadcast over the columns, so sum over the columns
    return (counts * dprobs).sum(1, keepdim=True)
# %%
def dcounts_sum(counts_sum, dcounts_sum_inv):
    return (-(counts_sum**-2)) * dcounts_sum_inv
# %%
dcounts_sum(counts_sum, dcounts_sum_inv)
# %%
def dcounts(counts, counts_sum_inv, dprobs, dcounts_sum):
    out = counts_sum_inv * dprobs
    # counts is used a second time, in counts_sum: add that branch too
    out += torch.ones_like(counts) * dcounts_sum
    return out
# %%
def dnorm_logits(counts, dcounts):
    # d/dx e^x = e^x, which is counts itself
    return counts * dcounts
# %%
def dlogit_maxes(dnorm_logits):
    return (-dnorm_logits).sum(1, keepdim=True)
# %%
def dlogits(logits, dnorm_logits, dlogit_maxes):
    out = dnorm_logits.clone()
    # max() only lets the gradient through to the place where the maximum was
    out += F.one_hot(logits.max(1).indices, num_classes=logits.shape[1]) * dlogit_maxes
    return out
# %%
def dh(W2, dlogits):
    # must be (n, hidden), and (n, vocab) @ (vocab, hidden) is the only way to get there
    return dlogits @ W2.T
# %%
def dW2(h, dlogits):
    return h.T @ dlogits
# %%
def db2(dlogits):
    return dlogits.sum(0)
# %%
def dhpreact(h, dh):
    return (1.0 - h**2) * dh
# %%
def dbngain(bnraw, dhpreact):
    return (bnraw * dhpreact).sum(0, keepdim=True)
# %%
def dbnbias(dhpreact):
    return total(dhpreact)
# %%
def dbnraw(bngain, dhpreact):
    return bngain * dhpreact
# %%
def dbnvar_inv(bndiff, dbnraw):
    return (bndiff * dbnraw).sum(0, keepdim=True)
# %%
def dbnvar(bnvar, dbnvar_inv):
    return (-0.5 * (bnvar + eps) ** -1.5) * dbnvar_inv
# %%
def dbndiff2(bndiff2, dbnvar, n):
    # a sum going forward is a broadcast coming back; 1/(n-1) is Bessel's correction
    return (1.0 / (n - 1)) * torch.ones_like(bndiff2) * dbnvar
# %%
def dbndiff(bndiff, bnvar_inv, dbnraw, dbndiff2):
    out = bnvar_inv * dbnraw
    out += (2 * bndiff) * dbndiff2
    return out
# %%
def dbnmeani(dbndiff):
    # shape (64,) instead of (1, 64), which broadcasts to the same thing in the next step
    return (-dbndiff).sum(0)
# %%
def dhprebn(hprebn, dbndiff, dbnmeani, n):
    out = dbndiff.clone()
    out += 1.0 / n * (torch.ones_like(hprebn) * dbnmeani)
    return out
# %%
def dembcat(W1, dhprebn):
    return dhprebn @ W1.T
# %%
def dW1(embcat, dhprebn):
    return embcat.T @ dhprebn
# %%
def db1(dhprebn):
    # prints as 1e-9 or so: batch norm takes the mean out again, so b1 does nothing
    return dhprebn.sum(0)
# %%
def demb(emb, dembcat):
    return dembcat.view(emb.shape)
# %%
def dC(C, Xb, demb):
    # I had the double loop first:
    #   for k in range(Xb.shape[0]):
    #       for j in range(Xb.shape[1]):
    #           out[Xb[k, j]] += demb[k, j]
    # index_add_ does the same in one go
    out = torch.zeros_like(C)
    out.index_add_(0, Xb.view(-1), demb.view(-1, C.shape[1]))
    return out
# %% [markdown]
# ## Exercise 2
# %%
def dlogits(logits, Yb, n):
    # softmax, minus one where the right answer is, over n
    out = F.softmax(logits, 1)
    out[range(n), Yb] -= 1
    out /= n
    return out
# %% [markdown]
# ## Exercise 3
# %%
def dhprebn(bngain, bnraw, bnvar_inv, dhpreact, n):
    # four lines of pen and paper; the n/(n-1) is what is left of Bessel's correction
    return (
        bngain
        * bnvar_inv
        / n
        * (n * dhpreact - dhpreact.sum(0) - n / (n - 1) * bnraw * (dhpreact * bnraw).sum(0))
    )
