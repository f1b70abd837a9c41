# A Colab notebook: drive, shell and cell magics, a download, a prompt, plots; gamma and beta for the batch norm.
# %% [markdown]
# # Backprop ninja, my attempt 🥷
# <a href="https://colab.research.google.com"><img src="badge.svg"></a>
# %%
!pip install -q tqdm
from google.colab import drive
drive.mount('/content/drive')
%cd /content/drive/MyDrive/zero2hero
# %%
%matplotlib inline
%config InlineBackend.figure_format = 'retina'
import torch, random, requests
import torch.nn.functional as F
import matplotlib.pyplot as plt
from tqdm.notebook import tqdm
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
# %%
NAMES = 'https://raw.githubusercontent.com/karpathy/makemore/master/names.txt'
r = requests.get(NAMES)
r.raise_for_status()
words = r.text.split()
files = !ls *.txt
seed = int(input('seed? ') or 42)
# %%
%%time
letters = ['.'] + sorted({c for w in words for c in w})
stoi = dict(zip(letters, range(len(letters))))
itos = {i: s for s, i in stoi.items()}
sz_voc = len(itos)
# %%
%%bash
head -n 3 names.txt
# %%
block_size, n_emb, n_hidden, batch_size = 3, 10, 100, 32
n = batch_size
def windows(ws):
    X, Y = [], []
    for w in ws:
        context = [0] * block_size
        for ch in w + '.':
            X.append(context); Y.append(stoi[ch])
            context = context[1:] + [stoi[ch]]
    return torch.tensor(X).to(device), torch.tensor(Y).to(device)
random.seed(seed); random.shuffle(words)
Xtr, Ytr = windows(words[:25000])
# %%
def compare(label, mine, grad):
    """prints how far off I am"""
    print(f"{label:>16} {torch.equal(mine, grad)!s:6} {(mine - grad).abs().max():.2e}")
# %%
torch.manual_seed(seed)
C = torch.randn((sz_voc, n_emb), device=device)
W1 = torch.randn((n_emb * block_size, n_hidden), device=device) * (5/3) / (n_emb * block_size)**0.5
b1 = torch.randn(n_hidden, device=device) * 0.1
W2 = torch.randn((n_hidden, sz_voc), device=device) * 0.1
b2 = torch.randn(sz_voc, device=device) * 0.1
gamma = torch.randn((1, n_hidden), device=device) * 0.1 + 1
beta = torch.randn((1, n_hidden), device=device) * 0.1
parameters = [C, W1, b1, W2, b2, gamma, beta]
for p in parameters: p.requires_grad_()
batch = torch.randint(0, Xtr.shape[0], (batch_size,))
Xb, Yb = Xtr[batch], Ytr[batch]
# %%
emb = C[Xb]
embcat = emb.flatten(1)
hprebn = torch.addmm(b1, embcat, W1)
bnmean = hprebn.sum(0, keepdim=True) / n
bndiff = hprebn - bnmean
bndiff2 = bndiff * bndiff
bnvar = bndiff2.sum(0, keepdim=True) / (n - 1)
bnvar_inv = torch.rsqrt(bnvar + 1e-5)
bnraw = bndiff * bnvar_inv
hpreact = gamma * bnraw + beta
h = torch.tanh(hpreact)
logits = h @ W2 + b2
logit_maxes = logits.amax(1, keepdim=True)
norm_logits = logits - logit_maxes
counts = torch.exp(norm_logits)
counts_sum = counts.sum(1, keepdim=True)
counts_sum_inv = 1 / counts_sum
probs = counts * counts_sum_inv
logprobs = torch.log(probs)
loss = -logprobs[torch.arange(n), Yb].mean()
for p in parameters: p.grad = None
keep = [logprobs, probs, counts_sum_inv, counts_sum, counts, norm_logits, logit_maxes, logits, h,
        hpreact, bnraw, bnvar_inv, bnvar, bndiff2, bndiff, bnmean, hprebn, embcat, emb]
for t in keep: t.retain_grad()
loss.backward()
print(f'{loss.item()=:.4f}')
# %% [markdown]
# ### Backward, one tensor at a time
# %%
dlogprobs = torch.zeros_like(logprobs)
dlogprobs[range(n), Yb] -= 1/n
compare('logprobs', dlogprobs, logprobs.grad)
dprobs = dlogprobs * 1/probs
compare('probs', dprobs, probs.grad)
# %%
# (32,27) * (32,1): the column was copied, so its gradient is the sum over the copies
dcounts_sum_inv = (dprobs * counts).sum(1, keepdim = True)
dcounts = dprobs * counts_sum_inv
dcounts_sum = dcounts_sum_inv * -counts_sum**-2
compare('counts_sum', dcounts_sum, counts_sum.grad)
# %%
plt.figure(figsize=(6, 6)); plt.imshow(dcounts.detach().cpu(), cmap='gray'); plt.colorbar(); plt.show()
# %%
dcounts += dcounts_sum.expand_as(counts)
dnorm_logits = dcounts * norm_logits.exp()
dlogit_maxes = (dnorm_logits * -1).sum(1, keepdim=True)
dlogits = dnorm_logits.clone()
dlogits[torch.arange(n), logits.max(1).indices] += dlogit_maxes.squeeze(1)
compare('logits', dlogits, logits.grad)
# %%
db2 = dlogits.sum(0); dh = dlogits @ W2.T; dW2 = h.T @ dlogits
for name, d, t in [('b2', db2, b2), ('h', dh, h), ('W2', dW2, W2)]:
    compare(name, d, t.grad)
# %%
dhpreact = dh * (1-h**2)
dgamma = (dhpreact * bnraw).sum(0, keepdim=True)
dbeta = dhpreact.sum(0, keepdim=True)
dbnraw = dhpreact * gamma
dbnvar_inv = (dbnraw * bndiff).sum(0, keepdim=True)
dbndiff = dbnraw * bnvar_inv
dbnvar = dbnvar_inv * -0.5*(bnvar + 1e-5)**-1.5
dbndiff2 = dbnvar * (1/(n-1)) * torch.ones_like(bndiff2)
dbndiff += dbndiff2 * (2.0 * bndiff)
dhprebn = dbndiff.clone()
dbnmean = (-dbndiff.clone()).sum(0, keepdim=True)
dhprebn += dbnmean * (1/n) * torch.ones_like(hprebn)
compare('gamma', dgamma, gamma.grad); compare('beta', dbeta, beta.grad); compare('hprebn', dhprebn, hprebn.grad)
# %%
dembcat = dhprebn @ W1.T
dW1 = embcat.T @ dhprebn
db1 = dhprebn.sum(0)
demb = dembcat.view(emb.shape)
dC = torch.zeros_like(C)
for i in tqdm(range(demb.shape[0])):
    for j in range(demb.shape[1]):
        dC[Xb[i,j]] += demb[i,j]
compare('C', dC, C.grad)
# %% [markdown]
# ## The short way
# %%
dlogits_fast = F.softmax(logits, 1)
dlogits_fast[range(n), Yb] -= 1
dlogits_fast /= n
compare('logits', dlogits_fast, logits.grad)
# %%
dhprebn_fast = gamma*bnvar_inv*(dhpreact - bnraw/(n-1)*(dhpreact*bnraw).sum(0) - dhpreact.sum(0)/n)
compare('hprebn', dhprebn_fast, hprebn.grad)
# %% [markdown]
# ## And now train with it
# %%
n_iters = 10000
losses = []
with torch.no_grad():
    for it in tqdm(range(n_iters)):
        batch = torch.randint(0, Xtr.shape[0], (batch_size,))
        Xb, Yb = Xtr[batch], Ytr[batch]
        emb = C[Xb]
        embcat = emb.view(emb.shape[0], -1)
        hprebn = embcat @ W1 + b1
        bnmean = hprebn.mean(0, keepdim=True)
        bnvar = hprebn.var(0, keepdim=True)
        bnvar_inv = (bnvar + 1e-5)**-0.5
        bnraw = (hprebn - bnmean) * bnvar_inv
        hpreact = gamma * bnraw + beta
        h = torch.tanh(hpreact)
        logits = h @ W2 + b2
        loss = F.cross_entropy(logits, Yb)
        if it % 1000 == 0 or it == n_iters - 1:
            print(f'{it:6} {loss.item():.4f}')
        losses.append(loss.log10().item())
        dlogits = F.softmax(logits, 1)
        dlogits[range(n), Yb] -= 1
        dlogits /= n
        db2 = dlogits.sum(0)
        dh = dlogits @ W2.T
        dW2 = h.T @ dlogits
        dhpreact = dh * (1-h**2)
        dgamma = (dhpreact * bnraw).sum(0, keepdim=True)
        dbeta = dhpreact.sum(0, keepdim=True)
        dhprebn = gamma*bnvar_inv*(dhpreact - bnraw/(n-1)*(dhpreact*bnraw).sum(0) - dhpreact.sum(0)/n)
        dembcat = dhprebn @ W1.T
        dW1 = embcat.T @ dhprebn
        db1 = dhprebn.sum(0)
        demb = dembcat.view(emb.shape)
        dC = torch.zeros_like(C).index_add_(0, Xb.view(-1), demb.view(-1, n_emb))
        d_grads = [dC, dW1, db1, dW2, db2, dgamma, dbeta]
        lri = 0.1 if it < int(0.75*n_iters) else 0.01
        for p, d_grad in zip(parameters, d_grads):
            p.data -= lri * d_grad
# %%
plt.plot(torch.tensor(losses).view(-1, 100).mean(1)); plt.show()
