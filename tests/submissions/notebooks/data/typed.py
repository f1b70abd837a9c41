# Type hints, a dataclass for the settings, a class around the network, one-hot labels; cmp is written anew later.
# %%
from __future__ import annotations
from dataclasses import dataclass
from typing import Iterable
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
# %%
@dataclass
class Config:
    block: int = 4
    emb: int = 16
    hidden: int = 96
    batch: int = 48

cfg = Config()
# %%
class Vocabulary:
    """Letters to numbers and back."""
    def __init__(self, words: Iterable[str]) -> None:
        self.letters = ['.', *sorted(set(''.join(words)))]
    def __len__(self) -> int:
        return len(self.letters)

with open('names.txt') as handle:
    names: list[str] = handle.read().splitlines()
vocab = Vocabulary(names)
V: int = len(vocab)
# %%
rng = torch.Generator().manual_seed(7)
C: Tensor = torch.randn((V, cfg.emb), generator=rng)
W1: Tensor = torch.randn((cfg.emb * cfg.block, cfg.hidden), generator=rng) * 0.2
b1: Tensor = torch.randn(cfg.hidden, generator=rng) * 0.1
W2: Tensor = torch.randn((cfg.hidden, V), generator=rng) * 0.1
b2: Tensor = torch.randn(V, generator=rng) * 0.1
bngain: Tensor = torch.ones((1, cfg.hidden)) + 0.1 * torch.randn((1, cfg.hidden), generator=rng)
bnbias: Tensor = 0.1 * torch.randn((1, cfg.hidden), generator=rng)
params: dict[str, Tensor] = dict(C=C, W1=W1, b1=b1, W2=W2, b2=b2, bngain=bngain, bnbias=bnbias)
for name, p in params.items():
    p.requires_grad_(True)
# %%
n: int = cfg.batch
Xb: Tensor = torch.randint(0, V, (n, cfg.block), generator=rng)
Yb: Tensor = torch.randint(0, V, (n,), generator=rng)
Yb_onehot: Tensor = F.one_hot(Yb, V).float()
# %%
emb: Tensor = C[Xb]
embcat: Tensor = emb.view(n, -1)
hprebn: Tensor = embcat @ W1 + b1
bnmeani: Tensor = 1 / n * hprebn.sum(0, keepdim=True)
bndiff: Tensor = hprebn - bnmeani
bndiff2: Tensor = bndiff ** 2
bnvar: Tensor = 1 / (n - 1) * bndiff2.sum(0, keepdim=True)
bnvar_inv: Tensor = (bnvar + 1e-5) ** -0.5
bnraw: Tensor = bndiff * bnvar_inv
hpreact: Tensor = bngain * bnraw + bnbias
h: Tensor = hpreact.tanh()
logits: Tensor = h @ W2 + b2
logit_maxes: Tensor = logits.max(dim=1, keepdim=True).values
norm_logits: Tensor = logits - logit_maxes
counts: Tensor = norm_logits.exp()
counts_sum: Tensor = counts.sum(dim=1, keepdim=True)
counts_sum_inv: Tensor = counts_sum ** -1
probs: Tensor = counts * counts_sum_inv
logprobs: Tensor = probs.log()
loss: Tensor = -logprobs[range(n), Yb].mean()
# %%
def cmp(what: str, mine: Tensor, theirs: Tensor) -> bool:
    return bool(torch.allclose(mine, theirs.grad))
# %% [markdown]
# Exercise 1
# %%
def unbroadcast(g: Tensor, like: Tensor) -> Tensor:
    """Sum over whatever was copied."""
    dims = [d for d in range(g.dim()) if like.shape[d] == 1 and g.shape[d] != 1]
    return g.sum(dims, keepdim=True) if dims else g

dlogprobs: Tensor = -Yb_onehot / n
dprobs: Tensor = dlogprobs / probs
dcounts_sum_inv: Tensor = unbroadcast(dprobs * counts, counts_sum_inv)
dcounts_sum: Tensor = -dcounts_sum_inv * counts_sum_inv ** 2
dcounts: Tensor = dprobs * counts_sum_inv + dcounts_sum
dnorm_logits: Tensor = dcounts * counts
dlogit_maxes: Tensor = unbroadcast(-dnorm_logits, logit_maxes)
# %%
is_max: Tensor = (logits == logit_maxes).float()
dlogits: Tensor = dnorm_logits + is_max * dlogit_maxes
assert cmp('logits', dlogits, logits), 'not yet'
# %%
# an even stricter one
def cmp(what: str, mine: Tensor, theirs: Tensor, *, loud: bool = True) -> float:
    worst = float((mine - theirs.grad).abs().max())
    if loud:
        print(f'{what:<16}{worst:.1e}', '✅' if worst < 1e-7 else '❌')
    return worst
# %%
dh: Tensor = dlogits @ W2.mT
dW2: Tensor = h.mT @ dlogits
db2: Tensor = torch.einsum('nv->v', dlogits)
dhpreact: Tensor = dh.mul(1 - h.square())
_ = [cmp(k, v, t) for k, v, t in (('h', dh, h), ('W2', dW2, W2), ('b2', db2, b2))]
# %%
dbngain: Tensor = unbroadcast(dhpreact * bnraw, bngain)
dbnbias: Tensor = unbroadcast(dhpreact, bnbias)
dbnraw: Tensor = dhpreact * bngain
dbnvar_inv: Tensor = unbroadcast(dbnraw * bndiff, bnvar_inv)
dbnvar: Tensor = dbnvar_inv * -0.5 * bnvar_inv ** 3
dbndiff2: Tensor = (dbnvar / (n - 1)).expand(bndiff2.shape)
dbndiff: Tensor = dbnraw * bnvar_inv + 2 * bndiff * dbndiff2
dbnmeani: Tensor = unbroadcast(-dbndiff, bnmeani)
dhprebn: Tensor = dbndiff + dbnmeani / n
# %%
dembcat: Tensor = dhprebn @ W1.mT
dW1: Tensor = embcat.mT @ dhprebn
db1: Tensor = dhprebn.sum(dim=0)
demb: Tensor = dembcat.reshape(*emb.shape)
dC: Tensor = torch.zeros_like(C).index_add(0, Xb.flatten(), demb.flatten(0, 1))
grads: dict[str, Tensor] = {k: globals()[f'd{k}'] for k in params}
np.testing.assert_allclose(dC.detach().numpy(), C.grad.numpy(), atol=1e-7)
# %% [markdown]
# Exercise 2
# %%
dlogits: Tensor = (torch.softmax(logits, dim=1) - Yb_onehot) / n
cmp('logits', dlogits, logits)
# %% [markdown]
# Exercise 3
# %%
def batchnorm_backward(g: Tensor, xhat: Tensor, gain: Tensor, inv_std: Tensor) -> Tensor:
    m = g.shape[0]
    along = (g * xhat).sum(0) / (m - 1)
    return gain * inv_std * (g - g.mean(0) - xhat * along)

dhprebn: Tensor = batchnorm_backward(dhpreact, bnraw, bngain, bnvar_inv)
cmp('hprebn', dhprebn, hprebn)
