# Own names for one tensor or two, and gradients of other spellings: `grad_h`, `dL_dW2`, `dhpre`; loops for everything.
# %%
import math, torch
import torch.nn.functional as F
xs, ys = Xb, Yb
bs = xs.shape[0]
# %%
e = C[xs]
x = e.view(bs, -1)
hpre = x @ W1 + b1
mu = hpre.mean(0, keepdim=True)
cen = hpre - mu
cen2 = cen ** 2
var = cen2.sum(0, keepdim=True) / (bs - 1)
inv = 1 / torch.sqrt(var + 1e-5)
raw = cen * inv
hpreact = bngain * raw + bnbias
h = torch.tanh(hpreact)
logits = h @ W2 + b2
m = logits.max(1, keepdim=True)[0]
z = logits - m
ez = z.exp()
tot = ez.sum(1, keepdim=True)
rtot = tot ** -1
probs = ez * rtot
lp = probs.log()
loss = -lp[range(bs), ys].mean()
# %% [markdown]
# ## EXERCISE 1 - by hand
# %%
dlp = torch.zeros(lp.shape)
for i in range(bs):
    dlp[i, ys[i]] = -1 / bs
dprobs = torch.zeros(probs.shape)
for i in range(bs):
    dprobs[i] = dlp[i] / probs[i]
drtot = torch.stack([(ez[i] * dprobs[i]).sum() for i in range(bs)]).unsqueeze(1)
dtot = -drtot / tot ** 2
dez = rtot * dprobs
dez += dtot
dz = ez * dez
dm = -dz.sum(1, keepdim=True)
dlogits = dz.clone()
for i in range(bs):
    dlogits[i, logits[i].argmax()] += dm[i, 0]
# %%
grad_h = dlogits @ W2.T
dL_dW2 = sum(torch.outer(h[i], dlogits[i]) for i in range(bs))
dL_db2 = sum(dlogits[i] for i in range(bs))
grad_hpreact = grad_h * (1 - h * h)
# %%
dbngain = (grad_hpreact * raw).sum(0, keepdim=True)
dbnbias = grad_hpreact.sum(0, keepdim=True)
draw = grad_hpreact * bngain
dinv = (draw * cen).sum(0, keepdim=True)
dvar = dinv * (-0.5) * inv ** 3
dcen2 = dvar.repeat(bs, 1) / (bs - 1)
dcen = draw * inv
dcen += 2 * cen * dcen2
dmu = -dcen.sum(0, keepdim=True)
dhpre = dcen + dmu / bs
# %%
dx = dhpre @ W1.T
dW1 = x.T @ dhpre
db1 = dhpre.sum(0)
de = dx.view(e.shape)
dC = 0 * C
for i in range(bs):
    for t in range(e.shape[1]):
        ix = xs[i, t]
        dC[ix] = dC[ix] + de[i, t]
# %%
checks = [('probs', dprobs, probs), ('h', grad_h, h), ('W2', dL_dW2, W2), ('hpreact', grad_hpreact, hpreact), ('C', dC, C)]
for name, d, t in checks:
    print(name, torch.allclose(d, t.grad, atol=1e-7))
# %% [markdown]
# ## EXERCISE 2
# %%
dlogits2 = probs.clone()
dlogits2[range(bs), ys] -= 1.
dlogits2 = dlogits2 / bs
# %% [markdown]
# ## EXERCISE 3
# %%
g = grad_hpreact
dhpre2 = bngain * inv * (g - g.mean(0) - raw * (g * raw).sum(0) / (bs - 1))
