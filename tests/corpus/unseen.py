# Wrong answers written before the hypotheses were, as a student would err, and the kind a teacher would give
# each: they measure how often a hint is right on work that nobody tuned for. Same form as wrong.py; several
# kinds may be right, `|` and then a list with slashes.
import torch
import torch.nn.functional as F

# %% ex1_step_by_step dlogprobs: forgot the minus and the mean -> wrong_value | sign+scale
def dlogprobs(logprobs, Yb, n):
    d = torch.zeros_like(logprobs)
    d[torch.arange(n), Yb] = 1.0
    return d

# %% ex1_step_by_step dprobs: took the derivative to be the log again -> wrong_value | wrong_local_derivative
def dprobs(probs, logprobs, dlogprobs):
    return logprobs * dlogprobs

# %% ex1_step_by_step dcounts_sum_inv: multiplied by probs, not counts -> wrong_value | wrong_local_derivative
def dcounts_sum_inv(probs, dprobs):
    return (probs * dprobs).sum(1, keepdim=True)

# %% ex1_step_by_step dcounts_sum: upstream left out -> wrong_value | missing_upstream
def dcounts_sum(counts_sum):
    return -1.0 / counts_sum**2

# %% ex1_step_by_step dcounts: second path spread as an average -> wrong_value | scale
def dcounts(counts, counts_sum_inv, dprobs, dcounts_sum):
    return counts_sum_inv * dprobs + dcounts_sum / counts.shape[1]

# %% ex1_step_by_step dcounts: first path minus, second path left out -> wrong_value | sign+missing_path
def dcounts(counts_sum_inv, dprobs):
    return -counts_sum_inv * dprobs

# %% ex1_step_by_step dnorm_logits: multiplied by probs, not counts -> wrong_value | wrong_local_derivative
def dnorm_logits(probs, dcounts):
    return probs * dcounts

# %% ex1_step_by_step dlogits: only the maximum's path, at every column -> wrong_value | missing_path/upstream_only/missing_path+upstream_only
def dlogits(logits, dlogit_maxes):
    return torch.ones_like(logits) * dlogit_maxes

# %% ex1_step_by_step dh: value of logits for its gradient -> wrong_value | missing_upstream/wrong_tensor
def dh(logits, W2):
    return logits @ W2.T

# %% ex1_step_by_step dW2: averaged and with the wrong sign -> wrong_value | sign+scale
def dW2(h, dlogits, n):
    return -(h.T @ dlogits) / n

# %% ex1_step_by_step dhpreact: h for h squared, sign turned -> wrong_value | wrong_local_derivative
def dhpreact(h, dh):
    return dh * (h - 1)

# %% ex1_step_by_step dbngain: bnraw squared -> wrong_value | wrong_local_derivative
def dbngain(bnraw, dhpreact):
    return (bnraw**2 * dhpreact).sum(0, keepdim=True)

# %% ex1_step_by_step dbnbias: first row only -> wrong_value | overwrite/missing_sum
def dbnbias(dhpreact):
    return dhpreact[0:1]

# %% ex1_step_by_step dbnvar: n times too much -> wrong_value | scale
def dbnvar(bnvar, dbnvar_inv, n):
    return -0.5 * (bnvar + 1e-5) ** -1.5 * dbnvar_inv * n

# %% ex1_step_by_step dbndiff2: divided by 32, not by n - 1 -> wrong_value | scale
def dbndiff2(bndiff2, dbnvar):
    return dbnvar.repeat(len(bndiff2), 1) / 32

# %% ex1_step_by_step dbndiff: square's path not multiplied by bndiff -> wrong_value | upstream_only/wrong_local_derivative
def dbndiff(bnvar_inv, dbnraw, dbndiff2):
    return dbnraw * bnvar_inv + 2 * dbndiff2

# %% ex1_step_by_step dhprebn: mean's path summed over the rows again -> wrong_value | scale
def dhprebn(dbndiff, dbnmeani, n):
    return dbndiff + n * dbnmeani

# %% ex1_step_by_step dW1: embcat for its transpose, forced into shape -> wrong_value | transposed
def dW1(W1, embcat, dhprebn):
    return (dhprebn.T @ embcat).view(W1.shape)

# %% ex1_step_by_step demb: filled column by column -> wrong_value | transposed
def demb(emb, dembcat):
    return dembcat.T.reshape(emb.shape)

# %% ex1_step_by_step dC: only characters that occur once -> wrong_value | partial
def dC(C, Xb, demb):
    d = torch.zeros_like(C)
    for c in range(len(C)):
        if (Xb == c).sum() == 1:
            d[c] = demb[Xb == c].sum(0)
    return d

# %% ex1_step_by_step dC: averaged for summed -> wrong_value | mean_for_sum
def dC(C, Xb, demb):
    d = torch.zeros_like(C)
    for c in range(len(C)):
        if (Xb == c).any():
            d[c] = demb[Xb == c].mean(0)
    return d

# %% ex2_cross_entropy dlogits: one added at the label -> wrong_value | sign/partial
def dlogits(logits, Yb, n):
    d = F.softmax(logits, 1)
    d[range(n), Yb] += 1
    return d / n

# %% ex2_cross_entropy dlogits: only the label's term -> wrong_value | missing_path
def dlogits(logits, Yb, n):
    return -F.one_hot(Yb, logits.shape[1]).float() / n

# %% ex3_batchnorm dhprebn: correction forgotten and only the direct path through -> wrong_value | missing_path
def dhprebn(bngain, bnvar_inv, dhpreact, bnraw, n):
    direct = bngain * bnvar_inv * dhpreact
    return direct - direct.mean(0)

# %% layer_norm derr: factor of the square forgotten -> wrong_value | scale
def derr(err):
    return err / err.numel()

# %% layer_norm derr: mean over the rows only -> wrong_value | scale
def derr(err):
    return 2 * err / err.shape[0]

# %% layer_norm dV: batch averaged -> wrong_value | scale
def dV(y, dpred):
    return y.T @ dpred / y.shape[0]

# %% layer_norm dgain: summed over the features -> wrong_shape | wrong_dim
def dgain(normed, dscaled):
    return (normed * dscaled).sum(1)

# %% layer_norm dbias: upstream handed down, not summed -> wrong_shape | missing_sum
def dbias(dy):
    return dy

# %% layer_norm dstd: numerator's derivative -> wrong_value | wrong_local_derivative
def dstd(std, dnormed):
    return (dnormed / std).sum(1, keepdim=True)

# %% layer_norm dvar: eps left out -> wrong_value | wrong_local_derivative
def dvar(var, dstd):
    return dstd * 0.5 / var.sqrt()

# %% layer_norm dvar: factor a half left out -> wrong_value | scale
def dvar(std, dstd):
    return dstd / std

# %% layer_norm dsquare: not divided by the number of features -> wrong_value | scale
def dsquare(square, dvar):
    return torch.ones_like(square) * dvar

# %% layer_norm dcentred: path through the variance left out -> wrong_value | missing_path
def dcentred(std, dnormed):
    return dnormed / std

# %% layer_norm da: mean's path left out -> wrong_value | missing_path
def da(dcentred):
    return dcentred

# %% layer_norm da: mean's path over the batch size -> wrong_value | scale
def da(a, dcentred, dmean):
    return dcentred + dmean / a.shape[0]

# %% attention dscores: not scaled -> wrong_value | upstream_only/scale
def dscores(dscaled):
    return dscaled

# %% attention dscores: divided by d -> wrong_value | scale
def dscores(dscaled, d):
    return dscaled / d

# %% attention dscaled: elementwise derivative of a softmax -> wrong_value | missing_path/wrong_local_derivative
def dscaled(weights, dweights):
    return weights * (1 - weights) * dweights

# %% attention dscaled: the row's sum left out -> wrong_value | missing_path/wrong_local_derivative
def dscaled(weights, dweights):
    return weights * dweights

# %% attention dk: not transposed back, wrong shape -> wrong_shape | transposed
def dk(q, dscores):
    return q.transpose(1, 2) @ dscores

# %% attention dk: scores not transposed -> wrong_value | transposed/wrong_local_derivative
def dk(q, dscores):
    return dscores @ q

# %% attention dq: multiplied by q -> wrong_value | wrong_local_derivative
def dq(q, dscores):
    return dscores @ q

# %% attention dX: residual left out -> wrong_value | missing_path
def dX(Wq, Wk, Wv, dq, dk, dv):
    return dq @ Wq.T + dk @ Wk.T + dv @ Wv.T

# %% attention dX: value's path left out, and the residual -> wrong_value | missing_path
def dX(Wq, Wk, dq, dk):
    return dq @ Wq.T + dk @ Wk.T

# %% attention dWv: gradient of the queries -> wrong_value | wrong_tensor
def dWv(X, dq):
    return torch.einsum("btw,bth->wh", X, dq)

# %% attention dWo: summed over the batch only, first time step -> wrong_value | overwrite/partial/wrong_local_derivative
def dWo(mixed, dout):
    return mixed[:, 0].T @ dout[:, 0]

# %% gated_unit dlogits: softmax without the label -> wrong_value | missing_path/partial/wrong_local_derivative
def dlogits(logits, n):
    return torch.softmax(logits, 1) / n

# %% gated_unit dgate: kept's path with the wrong sign -> wrong_value | sign
def dgate(act, x, dmixed, dkept):
    return act * dmixed + x * dkept

# %% gated_unit dgate: only act's path -> wrong_value | missing_path
def dgate(act, dmixed):
    return act * dmixed

# %% gated_unit dz: gate for its derivative -> wrong_value | wrong_local_derivative
def dz(gate, dgate):
    return gate * dgate

# %% gated_unit da: the mask forgotten -> wrong_value | upstream_only
def da(dact):
    return dact

# %% gated_unit da: mask of the wrong tensor -> wrong_value | wrong_local_derivative
def da(z, dact):
    return dact * (z > 0)

# %% gated_unit db: summed over the batch only -> wrong_shape | missing_sum/wrong_dim
def db(da):
    return da.sum(0)

# %% gated_unit dmixed: not divided by the length -> wrong_value | scale
def dmixed(mixed, dpooled):
    return torch.ones_like(mixed) * dpooled.unsqueeze(1)

# %% gated_unit dx: kept's path left out -> wrong_value | missing_path
def dx(W, U, da, dz):
    return da @ W.T + dz @ U.T

# %% gated_unit dx: kept's path through gate, not one minus gate -> wrong_value | wrong_local_derivative
def dx(W, U, gate, da, dz, dkept):
    return da @ W.T + dz @ U.T + gate * dkept

# %% gated_unit dx: one weight not transposed -> wrong_value | transposed/wrong_local_derivative
def dx(W, U, gate, da, dz, dkept):
    return da @ W + dz @ U.T + (1 - gate) * dkept

# %% gated_unit dE: assigned for added -> wrong_value | overwrite
def dE(E, ix, dx):
    d = torch.zeros_like(E)
    d[ix] = dx
    return d

# %% gated_unit dP: transposed -> wrong_shape | transposed
def dP(pooled, dlogits):
    return dlogits.T @ pooled
