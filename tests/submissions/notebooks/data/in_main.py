# A script with everything inside main(), as people write who come from elsewhere; batch of 64, context of 5.
# %%
"""Exercises of the fourth makemore lecture."""
import os
import sys
import random

import torch
import torch.nn.functional as F

SEED = int(os.environ.get("SEED", 2147483647))
BLOCK, EMBD, HIDDEN, BATCH = 5, 12, 200, 64


def _cmp_grad(name, gradient, tensor):
    """How near is it?"""
    diff = (gradient - tensor.grad).abs().max().item()
    print(f"{name:15s} {diff}")


def load(path):
    with open(path) as f:
        return f.read().splitlines()


def dataset(names, stoi):
    xs, ys = [], []
    for name in names:
        window = [0] * BLOCK
        for ch in name + ".":
            xs.append(list(window))
            ys.append(stoi[ch])
            window = window[1:] + [stoi[ch]]
    return torch.tensor(xs), torch.tensor(ys)


def main():
    names = load("names.txt")
    random.seed(42)
    random.shuffle(names)
    stoi = {c: i for i, c in enumerate(["."] + sorted(set("".join(names))))}
    vocab_size = len(stoi)
    X, Y = dataset(names[: int(0.8 * len(names))], stoi)
    g = torch.Generator().manual_seed(SEED)
    C = torch.randn((vocab_size, EMBD), generator=g)
    W1 = torch.randn((EMBD * BLOCK, HIDDEN), generator=g) * (5 / 3) / (EMBD * BLOCK) ** 0.5
    b1 = torch.randn(HIDDEN, generator=g) * 0.1
    W2 = torch.randn((HIDDEN, vocab_size), generator=g) * 0.1
    b2 = torch.randn(vocab_size, generator=g) * 0.1
    bngain = torch.randn((1, HIDDEN), generator=g) * 0.1 + 1.0
    bnbias = torch.randn((1, HIDDEN), generator=g) * 0.1
    parameters = [C, W1, b1, W2, b2, bngain, bnbias]
    for p in parameters:
        p.requires_grad = True

    ix = torch.randint(0, X.shape[0], (BATCH,), generator=g)
    Xb, Yb = X[ix], Y[ix]
    n = BATCH

    # ---- forward
    emb = C[Xb]
    embcat = emb.view(emb.shape[0], -1)
    hprebn = embcat @ W1 + b1
    bnmeani = 1 / n * hprebn.sum(0, keepdim=True)
    bndiff = hprebn - bnmeani
    bndiff2 = bndiff**2
    bnvar = 1 / (n - 1) * bndiff2.sum(0, keepdim=True)
    bnvar_inv = (bnvar + 1e-5) ** -0.5
    bnraw = bndiff * bnvar_inv
    hpreact = bngain * bnraw + bnbias
    h = torch.tanh(hpreact)
    logits = h @ W2 + b2
    logit_maxes = logits.max(1, keepdim=True).values
    norm_logits = logits - logit_maxes
    counts = norm_logits.exp()
    counts_sum = counts.sum(1, keepdims=True)
    counts_sum_inv = counts_sum**-1
    probs = counts * counts_sum_inv
    logprobs = probs.log()
    loss = -logprobs[range(n), Yb].mean()

    for t in [logprobs, probs, counts, counts_sum, counts_sum_inv, norm_logits, logit_maxes, logits, h,
              hpreact, bnraw, bnvar_inv, bnvar, bndiff2, bndiff, hprebn, bnmeani, embcat, emb]:
        t.retain_grad()
    loss.backward()

    # ---- exercise 1
    with torch.no_grad():
        dlogprobs = torch.zeros_like(logprobs)
        dlogprobs[range(n), Yb] = -1.0 / n
        _cmp_grad("logprobs", dlogprobs, logprobs)

        dprobs = dlogprobs * probs**-1
        _cmp_grad("probs", dprobs, probs)

        dcounts_sum_inv = (dprobs * counts).sum(1, keepdim=True)
        dcounts_sum = dcounts_sum_inv * -(counts_sum**-2)
        dcounts = dprobs * counts_sum_inv + dcounts_sum * torch.ones_like(counts)
        _cmp_grad("counts", dcounts, counts)

        dnorm_logits = dcounts * counts
        dlogit_maxes = -dnorm_logits.sum(1, keepdim=True)
        picked = torch.zeros_like(logits)
        picked[range(n), logits.argmax(1)] = 1
        dlogits = dnorm_logits + picked * dlogit_maxes
        _cmp_grad("logits", dlogits, logits)

        dh = dlogits @ W2.T
        dW2 = h.T @ dlogits
        db2 = dlogits.sum(0)
        dhpreact = (1 - h**2) * dh

        dbngain = (bnraw * dhpreact).sum(0, keepdim=True)
        dbnbias = dhpreact.sum(0, keepdim=True)
        dbnraw = bngain * dhpreact
        dbnvar_inv = (bndiff * dbnraw).sum(0, keepdim=True)
        dbnvar = -0.5 * (bnvar + 1e-5) ** -1.5 * dbnvar_inv
        dbndiff2 = torch.ones_like(bndiff2) / (n - 1) * dbnvar
        dbndiff = bnvar_inv * dbnraw + 2 * bndiff * dbndiff2
        dbnmeani = (-dbndiff).sum(0, keepdim=True)
        dhprebn = dbndiff + torch.ones_like(hprebn) / n * dbnmeani
        _cmp_grad("hprebn", dhprebn, hprebn)

        dembcat = dhprebn @ W1.T
        dW1 = embcat.T @ dhprebn
        db1 = dhprebn.sum(0)
        demb = dembcat.view(BATCH, BLOCK, EMBD)
        dC = torch.zeros((vocab_size, EMBD))
        for row in range(BATCH):
            for col in range(BLOCK):
                dC[Xb[row, col].item()] += demb[row, col]
        _cmp_grad("C", dC, C)

        # ---- exercise 2
        dlogits2 = F.softmax(logits, dim=1)
        dlogits2[range(n), Yb] -= 1
        dlogits2 /= n
        _cmp_grad("logits", dlogits2, logits)

        # ---- exercise 3
        dhprebn2 = (
            bngain * bnvar_inv / n
            * (n * dhpreact - dhpreact.sum(0) - n / (n - 1) * bnraw * (dhpreact * bnraw).sum(0))
        )
        _cmp_grad("hprebn", dhprebn2, hprebn)

        # ---- exercise 4
        step = 0
        while step < 20000:
            ix = torch.randint(0, X.shape[0], (BATCH,), generator=g)
            Xb, Yb = X[ix], Y[ix]
            emb = C[Xb]
            embcat = emb.view(emb.shape[0], -1)
            hprebn = embcat @ W1 + b1
            bnmeani = 1 / n * hprebn.sum(0, keepdim=True)
            bndiff = hprebn - bnmeani
            bnvar = 1 / (n - 1) * (bndiff**2).sum(0, keepdim=True)
            bnvar_inv = (bnvar + 1e-5) ** -0.5
            bnraw = bndiff * bnvar_inv
            hpreact = bngain * bnraw + bnbias
            h = torch.tanh(hpreact)
            logits = h @ W2 + b2
            loss = F.cross_entropy(logits, Yb)
            dlogits = F.softmax(logits, dim=1)
            dlogits[range(n), Yb] -= 1
            dlogits /= n
            dh = dlogits @ W2.T
            dW2 = h.T @ dlogits
            db2 = dlogits.sum(0)
            dhpreact = (1 - h**2) * dh
            dbngain = (bnraw * dhpreact).sum(0, keepdim=True)
            dbnbias = dhpreact.sum(0, keepdim=True)
            dhprebn = (
                bngain * bnvar_inv / n
                * (n * dhpreact - dhpreact.sum(0) - n / (n - 1) * bnraw * (dhpreact * bnraw).sum(0))
            )
            dW1 = embcat.T @ dhprebn
            db1 = dhprebn.sum(0)
            demb = (dhprebn @ W1.T).view(emb.shape)
            dC = torch.zeros_like(C)
            dC.index_put_((Xb,), demb, accumulate=True)
            rate = 0.1 if step < 10000 else 0.01
            C = C - rate * dC
            W1 = W1 - rate * dW1
            b1 = b1 - rate * db1
            W2 = W2 - rate * dW2
            b2 = b2 - rate * db2
            bngain = bngain - rate * dbngain
            bnbias = bnbias - rate * dbnbias
            if step % 1000 == 0:
                print(step, loss.item())
            step += 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
