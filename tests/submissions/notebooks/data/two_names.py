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
# %% [markdown]
# ## EXERCISE 4
# %%
lr = 0.1
for epoch in range(2):
    order = torch.randperm(len(X_all))
    for start in range(0, len(order) - 32, 32):
        take = order[start:start + 32]
        xs, ys = X_all[take], Y_all[take]
        bs = xs.shape[0]
        e = C[xs]
        x = e.view(bs, -1)
        hpre = x @ W1 + b1
        inv = (hpre.var(0, keepdim=True) + 1e-5).rsqrt()
        raw = (hpre - hpre.mean(0, keepdim=True)) * inv
        h = torch.tanh(bngain * raw + bnbias)
        logits = h @ W2 + b2
        probs = torch.softmax(logits, 1)
        loss = -probs[range(bs), ys].log().mean()
        # back
        dlogits = probs.clone()
        dlogits[range(bs), ys] -= 1
        dlogits /= bs
        dL_dW2 = h.T @ dlogits
        dL_db2 = dlogits.sum(0)
        g = (dlogits @ W2.T) * (1 - h * h)
        dbngain = (g * raw).sum(0, keepdim=True)
        dbnbias = g.sum(0, keepdim=True)
        dhpre = bngain * inv * (g - g.mean(0) - raw * (g * raw).sum(0) / (bs - 1))
        dW1 = x.T @ dhpre
        db1 = dhpre.sum(0)
        de = (dhpre @ W1.T).view(e.shape)
        dC = torch.zeros_like(C)
        dC.index_add_(0, xs.flatten(), de.flatten(0, 1))
        with torch.no_grad():
            C -= lr * dC
            W1 -= lr * dW1
            b1 -= lr * db1
            W2 -= lr * dL_dW2
            b2 -= lr * dL_db2
            bngain -= lr * dbngain
            bnbias -= lr * dbnbias
    print(epoch, loss.item())
