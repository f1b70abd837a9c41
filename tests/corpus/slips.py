# Wrong answers written to look for holes in the diagnosis, one slip or two each, with the kinds that a teacher might give.
# Same form as unseen.py.
import torch
import torch.nn.functional as F

# %% ex1_step_by_step dlogprobs: at every entry -> wrong_value | wrong_local_derivative/partial
def dlogprobs(logprobs, n):
    return -torch.ones_like(logprobs) / n

# %% ex1_step_by_step dlogprobs: mean over all entries -> wrong_value | scale
def dlogprobs(logprobs, Yb, n):
    d = torch.zeros_like(logprobs)
    d[range(n), Yb] = -1.0 / logprobs.numel()
    return d

# %% ex1_step_by_step dlogprobs: indexed whole columns -> wrong_value | wrong_local_derivative/partial
def dlogprobs(logprobs, Yb, n):
    d = torch.zeros_like(logprobs)
    d[:, Yb] = -1.0 / n
    return d

# %% ex1_step_by_step dcounts_sum_inv: summed over the batch -> wrong_shape | wrong_dim
def dcounts_sum_inv(counts, dprobs):
    return (counts * dprobs).sum(0, keepdim=True)

# %% ex1_step_by_step dcounts_sum_inv: mean -> wrong_value | mean_for_sum
def dcounts_sum_inv(counts, dprobs):
    return (counts * dprobs).mean(1, keepdim=True)

# %% ex1_step_by_step dcounts_sum: exponent not lowered -> wrong_value | wrong_local_derivative
def dcounts_sum(counts_sum, dcounts_sum_inv):
    return -1 * counts_sum**-1 * dcounts_sum_inv

# %% ex1_step_by_step dcounts: second path not spread, only first column -> wrong_value | partial/wrong_local_derivative
def dcounts(counts_sum_inv, dprobs, dcounts_sum):
    d = counts_sum_inv * dprobs
    d[:, 0:1] += dcounts_sum
    return d

# %% ex1_step_by_step dcounts: second path times counts -> wrong_value | wrong_local_derivative
def dcounts(counts, counts_sum_inv, dprobs, dcounts_sum):
    return counts_sum_inv * dprobs + counts * dcounts_sum

# %% ex1_step_by_step dlogit_maxes: sign -> wrong_value | sign
def dlogit_maxes(dnorm_logits):
    return dnorm_logits.sum(1, keepdim=True)

# %% ex1_step_by_step dlogit_maxes: not summed -> wrong_shape | missing_sum
def dlogit_maxes(dnorm_logits):
    return -dnorm_logits

# %% ex1_step_by_step dlogit_maxes: sign lost and not summed -> wrong_shape | sign+missing_sum
def dlogit_maxes(dnorm_logits):
    return dnorm_logits

# %% ex1_step_by_step dlogits: max spread evenly -> wrong_value | wrong_local_derivative/upstream_only
def dlogits(logits, dnorm_logits, dlogit_maxes):
    return dnorm_logits + dlogit_maxes

# %% ex1_step_by_step dlogits: argmax over the batch -> wrong_value | wrong_dim/wrong_local_derivative
def dlogits(logits, dnorm_logits, dlogit_maxes):
    d = dnorm_logits.clone()
    ix = logits.max(0).indices
    m = torch.zeros_like(logits)
    m[ix, range(logits.shape[1])] = 1
    return d + m * dlogit_maxes

# %% ex1_step_by_step dlogits: minus the max path -> wrong_value | sign
def dlogits(logits, dnorm_logits, dlogit_maxes):
    return dnorm_logits - F.one_hot(logits.max(1).indices, logits.shape[1]) * dlogit_maxes

# %% ex1_step_by_step dW2: with hpreact -> wrong_value | wrong_local_derivative
def dW2(hpreact, dlogits):
    return hpreact.T @ dlogits

# %% ex1_step_by_step db2: number -> wrong_shape | wrong_shape/wrong_dim
def db2(dlogits):
    return dlogits.sum()

# %% ex1_step_by_step db2: over the classes -> wrong_shape | wrong_dim
def db2(dlogits):
    return dlogits.sum(1)

# %% ex1_step_by_step dhpreact: tanh derivative of derivative -> wrong_value | wrong_local_derivative
def dhpreact(h, dh):
    return (1 - torch.tanh(h)**2) * dh

# %% ex1_step_by_step dhpreact: sigmoid-like -> wrong_value | wrong_local_derivative
def dhpreact(h, dh):
    return h * (1 - h) * dh

# %% ex1_step_by_step dbngain: forgot bnraw -> wrong_value | upstream_only
def dbngain(dhpreact):
    return dhpreact.sum(0, keepdim=True)

# %% ex1_step_by_step dbngain: bnraw not upstream -> wrong_value | missing_upstream
def dbngain(bnraw):
    return bnraw.sum(0, keepdim=True)

# %% ex1_step_by_step dbngain: bndiff for bnraw -> wrong_value | wrong_local_derivative
def dbngain(bndiff, dhpreact):
    return (bndiff * dhpreact).sum(0, keepdim=True)

# %% ex1_step_by_step dbnvar_inv: not summed and no upstream -> wrong_shape | missing_sum+missing_upstream
def dbnvar_inv(bndiff):
    return bndiff

# %% ex1_step_by_step dbnvar_inv: mean -> wrong_value | mean_for_sum
def dbnvar_inv(bndiff, dbnraw):
    return (bndiff * dbnraw).mean(0, keepdim=True)

# %% ex1_step_by_step dbnvar: plus a half -> wrong_value | sign
def dbnvar(bnvar, dbnvar_inv):
    return 0.5 * (bnvar + 1e-5)**-1.5 * dbnvar_inv

# %% ex1_step_by_step dbnvar: exponent -0.5 kept -> wrong_value | wrong_local_derivative
def dbnvar(bnvar, dbnvar_inv):
    return -0.5 * (bnvar + 1e-5)**-0.5 * dbnvar_inv

# %% ex1_step_by_step dbndiff2: not divided -> wrong_value | upstream_only/scale
def dbndiff2(bndiff2, dbnvar):
    return dbnvar.expand_as(bndiff2)

# %% ex1_step_by_step dbndiff2: not copied -> wrong_shape | wrong_shape
def dbndiff2(dbnvar, n):
    return dbnvar / (n - 1)

# %% ex1_step_by_step dbndiff: two missing -> wrong_value | scale
def dbndiff(bndiff, bnvar_inv, dbnraw, dbndiff2):
    return bnvar_inv * dbnraw + bndiff * dbndiff2

# %% ex1_step_by_step dbndiff: only second -> wrong_value | missing_path
def dbndiff(bndiff, dbndiff2):
    return 2 * bndiff * dbndiff2

# %% ex1_step_by_step dbnmeani: mean -> wrong_value | mean_for_sum
def dbnmeani(dbndiff):
    return -dbndiff.mean(0, keepdim=True)

# %% ex1_step_by_step dbnmeani: not summed -> wrong_shape | missing_sum
def dbnmeani(dbndiff):
    return -dbndiff

# %% ex1_step_by_step dhprebn: only mean -> wrong_value | missing_path
def dhprebn(hprebn, dbnmeani, n):
    return dbnmeani.expand_as(hprebn) / n

# %% ex1_step_by_step dhprebn: minus -> wrong_value | sign
def dhprebn(dbndiff, dbnmeani, n):
    return dbndiff - dbnmeani / n

# %% ex1_step_by_step dhprebn: n - 1 -> wrong_value | scale
def dhprebn(dbndiff, dbnmeani, n):
    return dbndiff + dbnmeani / (n - 1)

# %% ex1_step_by_step dW1: emb first position only -> wrong_value | partial/wrong_local_derivative
def dW1(emb, W1, dhprebn):
    d = torch.zeros_like(W1)
    d[:emb.shape[2]] = emb[:, 0].T @ dhprebn
    return d

# %% ex1_step_by_step dW1: h for embcat -> error
def dW1(h, dhprebn):
    return h @ dhprebn

# %% ex1_step_by_step demb: view without positions swapped -> wrong_value | transposed
def demb(emb, dembcat):
    return dembcat.view(emb.shape[0], emb.shape[2], emb.shape[1]).transpose(1, 2)

# %% ex1_step_by_step demb: left as it is -> wrong_shape | wrong_shape/upstream_only
def demb(dembcat):
    return dembcat

# %% ex1_step_by_step dC: one position -> wrong_value | partial/missing_sum/overwrite
def dC(C, Xb, demb):
    d = torch.zeros_like(C)
    d.index_add_(0, Xb[:, 0], demb[:, 0])
    return d

# %% ex1_step_by_step dC: skips the last row -> wrong_value | partial/wrong_local_derivative
def dC(C, Xb, demb):
    d = torch.zeros_like(C)
    for i in range(len(Xb) - 1):
        for j in range(Xb.shape[1]):
            d[Xb[i, j]] += demb[i, j]
    return d

# %% ex1_step_by_step dC: counts how often -> wrong_value | missing_upstream/wrong_local_derivative
def dC(C, Xb):
    d = torch.zeros_like(C)
    for i in Xb.flatten():
        d[i] += 1
    return d

# %% ex1_step_by_step dC: twice -> wrong_value | scale
def dC(C, Xb, demb):
    d = torch.zeros_like(C)
    for i in range(Xb.shape[0]):
        for j in range(Xb.shape[1]):
            d[Xb[i, j]] += demb[i, j]
            d[Xb[i, j]] += demb[i, j]
    return d

# %% ex2_cross_entropy dlogits: softmax of probs -> wrong_value | wrong_local_derivative
def dlogits(probs, Yb, n):
    d = F.softmax(probs, 1)
    d[range(n), Yb] -= 1
    return d / n

# %% ex2_cross_entropy dlogits: sign -> wrong_value | sign
def dlogits(logits, Yb, n):
    d = -F.softmax(logits, 1)
    d[range(n), Yb] += 1
    return d / n

# %% ex2_cross_entropy dlogits: one subtracted after dividing by n -> wrong_value | scale/partial
def dlogits(logits, Yb, n):
    d = F.softmax(logits, 1) / n
    d[range(n), Yb] -= 1
    return d

# %% ex2_cross_entropy dlogits: counts for probs -> wrong_value | wrong_local_derivative
def dlogits(counts, Yb, n):
    d = counts.clone()
    d[range(n), Yb] -= 1
    return d / n

# %% ex2_cross_entropy dlogits: log softmax -> wrong_value | wrong_local_derivative
def dlogits(logits, Yb, n):
    d = F.log_softmax(logits, 1)
    d[range(n), Yb] -= 1
    return d / n

# %% ex2_cross_entropy dlogits: p (1-p) -> wrong_value | wrong_local_derivative
def dlogits(probs, n):
    return probs * (1 - probs) / n

# %% ex3_batchnorm dhprebn: direct only -> wrong_value | missing_path
def dhprebn(bngain, bnvar_inv, dhpreact):
    return bngain * bnvar_inv * dhpreact

# %% ex3_batchnorm dhprebn: no gain -> wrong_value | wrong_local_derivative
def dhprebn(bnraw, bnvar_inv, dhpreact, n):
    return bnvar_inv / n * (n * dhpreact - dhpreact.sum(0) - n / (n - 1) * bnraw * (dhpreact * bnraw).sum(0))

# %% ex3_batchnorm dhprebn: sign of variance -> wrong_value | sign
def dhprebn(bngain, bnraw, bnvar_inv, dhpreact, n):
    return bngain * bnvar_inv / n * (n * dhpreact - dhpreact.sum(0) + n / (n - 1) * bnraw * (dhpreact * bnraw).sum(0))

# %% ex3_batchnorm dhprebn: bnvar for bnvar_inv -> wrong_value | wrong_local_derivative
def dhprebn(bngain, bnraw, bnvar, dhpreact, n):
    return bngain * bnvar / n * (n * dhpreact - dhpreact.sum(0) - n / (n - 1) * bnraw * (dhpreact * bnraw).sum(0))

# %% ex3_batchnorm dhprebn: sums over features -> wrong_value | wrong_dim
def dhprebn(bngain, bnraw, bnvar_inv, dhpreact, n):
    return bngain * bnvar_inv * (dhpreact - dhpreact.mean(1, keepdim=True) - 1 / (n - 1) * bnraw * (dhpreact * bnraw).sum(0))

# %% ex3_batchnorm dhprebn: not divided by n -> wrong_value | scale
def dhprebn(bngain, bnraw, bnvar_inv, dhpreact, n):
    return bngain * bnvar_inv * (n * dhpreact - dhpreact.sum(0) - n / (n - 1) * bnraw * (dhpreact * bnraw).sum(0))

# %% ex3_batchnorm dhprebn: without mean -> wrong_value | missing_path
def dhprebn(bngain, bnraw, bnvar_inv, dhpreact, n):
    return bngain * bnvar_inv * (dhpreact - 1 / (n - 1) * bnraw * (dhpreact * bnraw).sum(0))

# %% ex3_batchnorm dhprebn: product forgotten in the second sum -> wrong_value | wrong_local_derivative
def dhprebn(bngain, bnraw, bnvar_inv, dhpreact, n):
    return bngain * bnvar_inv / n * (n * dhpreact - dhpreact.sum(0) - n / (n - 1) * bnraw * bnraw.sum(0))

# %% ex3_batchnorm dhprebn: bnraw factor forgotten -> wrong_value | wrong_local_derivative
def dhprebn(bngain, bnraw, bnvar_inv, dhpreact, n):
    return bngain * bnvar_inv / n * (n * dhpreact - dhpreact.sum(0) - n / (n - 1) * (dhpreact * bnraw).sum(0))

# %% ex3_batchnorm dhprebn: h pre activation, zeros -> wrong_value | all_zero
def dhprebn(dhpreact):
    return dhpreact * 0

# %% layer_norm da: mean over the rows -> wrong_value | wrong_dim
def da(dcentred):
    return dcentred - dcentred.mean(0, keepdim=True)

# %% layer_norm dcentred: two forgotten -> wrong_value | scale
def dcentred(centred, std, dnormed, dsquare):
    return dnormed / std + centred * dsquare

# %% layer_norm dcentred: times std -> wrong_value | wrong_local_derivative
def dcentred(centred, std, dnormed, dsquare):
    return dnormed * std + 2 * centred * dsquare

# %% layer_norm dV: y and dpred swapped -> wrong_shape | transposed
def dV(y, dpred):
    return dpred.T @ y

# %% layer_norm dvar: twice -> wrong_value | scale
def dvar(std, dstd):
    return 2 / std * dstd

# %% layer_norm dW: transposed a -> wrong_shape | transposed
def dW(X, da):
    return da.T @ X

# %% layer_norm derr: not doubled, not averaged -> wrong_value | scale
def derr(err):
    return err

# %% attention dq: sign -> wrong_value | sign
def dq(k, dscores):
    return -dscores @ k

# %% attention dscores: times -> wrong_value | scale
def dscores(dscaled, d):
    return dscaled * d**0.5

# %% attention dX: only residual -> wrong_value | missing_path
def dX(dres):
    return dres

# %% attention dX: q twice, no k -> wrong_value | missing_path+extra_path/wrong_tensor
def dX(Wq, Wv, dres, dq, dv):
    return dres + 2 * (dq @ Wq.T) + dv @ Wv.T

# %% attention dX: k's with q's weights -> wrong_value | wrong_local_derivative/wrong_tensor
def dX(Wq, Wv, dres, dq, dk, dv):
    return dres + dq @ Wq.T + dk @ Wq.T + dv @ Wv.T

# %% attention dX: k's with q's gradient -> wrong_value | wrong_tensor
def dX(Wq, Wk, Wv, dres, dq, dv):
    return dres + dq @ Wq.T + dq @ Wk.T + dv @ Wv.T

# %% attention dWq: batch mean and sign -> wrong_value | sign+mean_for_sum/sign+scale
def dWq(X, dq):
    return -(X.transpose(1, 2) @ dq).mean(0)

# %% attention dmixed: not transposed -> error | transposed
def dmixed(Wo, dout):
    return dout @ Wo

# %% attention dweights: no transpose -> error | transposed
def dweights(v, dmixed):
    return dmixed @ v

# %% attention dv: summed over heads -> wrong_shape | wrong_shape/wrong_dim
def dv(weights, dmixed):
    return (weights.transpose(1, 2) @ dmixed).sum(2)

# %% gated_unit dz: 1 - s only -> wrong_value | wrong_local_derivative
def dz(gate, dgate):
    return (1 - gate) * dgate

# %% gated_unit dz: no upstream -> wrong_value | missing_upstream
def dz(gate):
    return gate * (1 - gate)

# %% gated_unit dx: gate weight twice -> wrong_value | wrong_local_derivative/wrong_tensor
def dx(W, gate, da, dz, dkept):
    return da @ W.T + dz @ W.T + (1 - gate) * dkept

# %% gated_unit dE: mean -> wrong_value | mean_for_sum
def dE(E, ix, dx):
    d = torch.zeros_like(E)
    for w in range(len(E)):
        if (ix == w).any():
            d[w] = dx[ix == w].mean(0)
    return d

# %% gated_unit dpooled: no transpose -> error | transposed
def dpooled(P, dlogits):
    return dlogits @ P

# %% gated_unit dlogp: sign -> wrong_value | sign
def dlogp(logp, Y, n):
    d = torch.zeros_like(logp)
    d[torch.arange(n), Y] = 1 / n
    return d

# %% gated_unit dlogits: columns -> wrong_value | wrong_dim
def dlogits(logits, dlogp):
    return dlogp - torch.softmax(logits, 0) * dlogp.sum(1, keepdim=True)

# %% gated_unit dlogits: closed form over columns -> wrong_value | wrong_dim
def dlogits(logits, Y, n):
    d = torch.softmax(logits, 0)
    d[torch.arange(n), Y] -= 1
    return d / n

# %% gated_unit db: mean over time, sum over batch -> wrong_value | mean_for_sum/scale
def db(da):
    return da.mean(1).sum(0)

# %% gated_unit dmixed: divided by the batch -> wrong_value | scale
def dmixed(mixed, dpooled, n):
    return dpooled.unsqueeze(1).expand_as(mixed) / n

# %% gated_unit dW: only the last step -> wrong_value | overwrite/partial/wrong_local_derivative
def dW(x, da):
    return x[:, -1].T @ da[:, -1]

# %% gated_unit dkept: zeros like -> wrong_value | all_zero
def dkept(dmixed):
    return torch.zeros_like(dmixed)

# %% gated_unit dgate: minus and missing -> wrong_value | sign+missing_path
def dgate(x, dkept):
    return x * dkept

# %% gated_unit dpooled: divided by the sequence's length, which the next line back does -> wrong_value | scale
def dpooled(mixed, P, dlogits):
    return dlogits @ P.T / mixed.shape[1]

# %% attention dk: the queries' gradient, its sign turned, from before the scaling -> wrong_value | wrong_tensor+sign+scale
def dk(k, dscaled):
    return -dscaled @ k

# %% attention dq: the keys' gradient -> wrong_value | wrong_tensor
def dq(q, dscores):
    return dscores.transpose(1, 2) @ q

# %% attention dscaled: the inner sum over the queries, and its axis lost -> error | keepdim
def dscaled(weights, dweights):
    return weights * dweights - weights * (weights * dweights).sum(1)

# %% attention dscaled: two arguments that do not fit, and no sum -> error
def dscaled(weights, dweights, v):
    return weights * v

# %% ex2_cross_entropy dlogits: the labels themselves subtracted, not one at the label -> error
def dlogits(probs, Yb, n):
    return (probs - Yb) / n

# The error is the same as that of the stub above, so it does not tell which of the two it was.
# %% ex2_cross_entropy dlogits: the softmax's sum without its axis -> error
def dlogits(logits, Yb, n):
    e = logits.exp()
    p = e / e.sum(1)
    p[range(n), Yb] -= 1
    return p / n

# %% gated_unit dlogits: the upstream's sum without its axis -> error | keepdim
def dlogits(logp, dlogp):
    return dlogp - logp.exp() * dlogp.sum(1)

# %% gated_unit dE: an indexed += for each row, words that repeat within a row are lost -> wrong_value | overwrite
def dE(E, ix, dx):
    d = torch.zeros_like(E)
    for b in range(ix.shape[0]):
        d[ix[b]] += dx[b]
    return d

# %% ex1_step_by_step dC: an indexed += for each column -> wrong_value | overwrite
def dC(C, Xb, demb):
    d = torch.zeros_like(C)
    for t in range(Xb.shape[1]):
        d[Xb[:, t]] += demb[:, t]
    return d

# %% layer_norm dstd: the row sum without its axis met a column, and the minus is missing -> wrong_shape | keepdim+sign
def dstd(centred, std, dnormed):
    return (dnormed * centred).sum(1) / std**2

# %% layer_norm dvar: every row with every other -> wrong_shape | wrong_shape
def dvar(centred, dnormed):
    return centred @ dnormed.T

# %% ex3_batchnorm dhprebn: the mean of each row for that of each column -> wrong_value | wrong_dim
def dhprebn(bngain, bnraw, bnvar_inv, dhpreact, n):
    d = bngain * bnvar_inv * dhpreact
    return d - d.mean(1, keepdim=True) - bngain*bnvar_inv*bnraw * (dhpreact * bnraw).sum(0) / (n - 1)

# %% ex1_step_by_step dhpreact: went on through the gain -> wrong_value | wrong_tensor
def dhpreact(h, bngain, dh):
    return (1 - h**2) * dh * bngain

# %% ex1_step_by_step dhprebn: the mean of each row, worked out at once -> wrong_value | wrong_dim
def dhprebn(dbndiff):
    return dbndiff - dbndiff.mean(1, keepdim=True)
