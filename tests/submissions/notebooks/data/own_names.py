# Names and sizes of their own throughout; gradients known by what they are compared with, or by their names.
# %%
import torch, math
import torch.nn.functional as F
# %%
emb_dim = 24
hid = 512
ctx = 5
bs = 64
V = len(itos)
gen = torch.Generator().manual_seed(1)
table = torch.randn((V, emb_dim), generator=gen)
w_in = torch.randn((emb_dim * ctx, hid), generator=gen) * 0.2
bias_in = torch.randn(hid, generator=gen) * 0.01
w_out = torch.randn((hid, V), generator=gen) * 0.1
bias_out = torch.randn(V, generator=gen) * 0.1
gamma = torch.ones((1, hid)) * 0.9
beta = torch.zeros((1, hid)) + 0.1
params = [table, w_in, bias_in, w_out, bias_out, gamma, beta]
for p in params:
    p.requires_grad = True
# %%
idx = torch.randint(0, xs.shape[0], (bs,))
X_batch = xs[idx]
Y_batch = ys[idx]
# %%
e = table[X_batch]
x = e.view(e.shape[0], -1)
z = bias_in + x @ w_in
mu = z.sum(0, keepdim=True) / bs
centred = z - mu
sq = centred * centred
var = sq.sum(dim=0, keepdims=True) * (1 / (bs - 1))
istd = 1 / torch.sqrt(var + 1e-5)
normed = istd * centred
apreact = beta + normed * gamma
a = apreact.tanh()
h = a @ w_out + bias_out
top = torch.max(h, dim=1, keepdim=True)[0]
safe = h - top
ex = torch.exp(safe)
tot = torch.sum(ex, 1, keepdim=True)
inv = 1.0 / tot
p_ = ex * inv
lp = torch.log(p_)
nll = -(lp[torch.arange(bs), Y_batch]).mean()
# %%
for t in [lp, p_, inv, tot, ex, safe, top, h, a, apreact, normed, istd, var, sq, centred, mu, z, x, e]:
    t.retain_grad()
nll.backward()
# %%
def compare_grad(title, mine, theirs):
    print(title, torch.allclose(mine, theirs.grad))
# %%
d_lp = torch.zeros_like(lp)
d_lp[torch.arange(bs), Y_batch] = -1 / bs
d_p_ = d_lp / p_
d_inv = (ex * d_p_).sum(1, keepdim=True)
d_tot = -d_inv / tot**2
d_ex = inv * d_p_ + d_tot
d_safe = ex * d_ex
d_top = -d_safe.sum(1, keepdim=True)
dH = d_safe + F.one_hot(h.argmax(1), V) * d_top
da1 = dH @ w_out.T
compare_grad('a', da1, a)
compare_grad('h', dH, h)
# %%
d_w_out = a.T @ dH
d_bias_out = dH.sum(0)
da = (1 - a * a) * da1
compare_grad('apreact', da, apreact)
dgamma = (normed * da).sum(0, keepdim=True)
dbeta = da.sum(0, keepdim=True)
dnormed = gamma * da
distd = (centred * dnormed).sum(0, keepdim=True)
dvar = -0.5 * (var + 1e-5) ** -1.5 * distd
dsq = dvar / (bs - 1) * torch.ones_like(sq)
dcentred = istd * dnormed + 2 * centred * dsq
dmu = -dcentred.sum(0, keepdim=True)
dz = dcentred + dmu / bs
# %%
dx = dz @ w_in.T
dw_in = x.T @ dz
dbias_in = dz.sum(0)
de = dx.view(-1, ctx, emb_dim)
dtable = torch.zeros((V, emb_dim))
for i in range(bs):
    for j in range(ctx):
        dtable[X_batch[i, j]] += de[i, j]
# %%
# all of the softmax at once
dH_fast = F.softmax(h, dim=1)
dH_fast[range(bs), Y_batch] -= 1
dH_fast = dH_fast / bs
compare_grad('h', dH_fast, h)
# %%
dz_fast = gamma * istd / bs * (bs * da - da.sum(0) - bs / (bs - 1) * normed * (da * normed).sum(0))
compare_grad('z', dz_fast, z)
