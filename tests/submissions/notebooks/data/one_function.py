# Everything inside one function, exercises 2 and 3 in two more; nothing at top level.
# %%
import torch
import torch.nn.functional as F
# %%
def run(C, W1, b1, W2, b2, bngain, bnbias, Xb, Yb):
    n = Xb.shape[0]
    emb = C[Xb]
    embcat = emb.view(emb.shape[0], -1)
    hprebn = embcat @ W1 + b1
    bnmeani = 1/n * hprebn.sum(0, keepdim=True)
    bndiff = hprebn - bnmeani
    bndiff2 = bndiff**2
    bnvar = 1/(n-1) * bndiff2.sum(0, keepdim=True)
    bnvar_inv = (bnvar + 1e-5)**-0.5
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

    with torch.no_grad():
        dlogprobs = torch.zeros_like(logprobs)
        dlogprobs[range(n), Yb] = -1.0 / n
        dprobs = dlogprobs / probs
        dcounts_sum_inv = (counts * dprobs).sum(1, keepdim=True)
        dcounts_sum = -counts_sum_inv**2 * dcounts_sum_inv
        dcounts = counts_sum_inv * dprobs
        dcounts += dcounts_sum.expand_as(counts)
        dnorm_logits = counts * dcounts
        dlogit_maxes = -dnorm_logits.sum(1, keepdim=True)
        dlogits = dnorm_logits.clone()
        mask = torch.zeros_like(logits)
        mask[range(n), logits.argmax(1)] = 1.0
        dlogits += mask * dlogit_maxes
        dh = dlogits @ W2.T
        dW2, db2 = h.T @ dlogits, dlogits.sum(0)
        dhpreact = (1 - h.square()) * dh
        dbngain = (bnraw * dhpreact).sum(0, keepdim=True)
        dbnbias = dhpreact.sum(0, keepdim=True)
        dbnraw = bngain * dhpreact
        dbnvar_inv = (bndiff * dbnraw).sum(0, keepdim=True)
        dbnvar = -0.5 * bnvar_inv**3 * dbnvar_inv
        dbndiff2 = dbnvar.expand(n, -1) / (n - 1)
        dbndiff = bnvar_inv * dbnraw + 2 * bndiff * dbndiff2
        dbnmeani = -dbndiff.sum(0, keepdim=True)
        dhprebn = dbndiff + dbnmeani / n
        dembcat = dhprebn @ W1.T
        dW1 = embcat.T @ dhprebn
        db1 = dhprebn.sum(0)
        demb = dembcat.view_as(emb)
        dC = torch.zeros_like(C)
        for row, drow in zip(Xb, demb):
            for character, d in zip(row, drow):
                dC[character] += d
    return dC, dW1, db1, dW2, db2, dbngain, dbnbias
# %%
run(C, W1, b1, W2, b2, bngain, bnbias, Xb, Yb)
# %%
def exercise_2():
    global dlogits
    dlogits = F.softmax(logits, 1)
    dlogits[range(n), Yb] -= 1
    dlogits /= n

exercise_2()
# %%
def exercise_3():
    global dhprebn
    dhprebn = bngain*bnvar_inv/n * (n*dhpreact - dhpreact.sum(0) - n/(n-1)*bnraw*(dhpreact*bnraw).sum(0))

exercise_3()
