# Wrong answers and the hint each must get: kind, and after an @ the tensor whose forward line it must quote.
# Same form as wrong.py; the exercises are the ones in tests/hints/forwards, and two mistakes at once in ours.
import torch
import torch.nn.functional as F

# %% layer_norm derr: sign -> wrong_value | sign @ loss
def derr(err):
    return -2 * err / err.numel()

# %% layer_norm derr: not averaged -> wrong_value | scale @ loss
def derr(err):
    return 2 * err

# %% layer_norm derr: square for the double -> wrong_value | wrong_local_derivative @ loss
def derr(err):
    return err**2 / err.numel()

# %% layer_norm dpred: zero -> wrong_value | all_zero @ err
def dpred(derr):
    return torch.zeros_like(derr)

# %% layer_norm dpred: prediction itself -> wrong_value | missing_upstream @ err
def dpred(pred):
    return torch.ones_like(pred)

# %% layer_norm dy: transposed -> wrong_shape | transposed @ pred
def dy(V, dpred):
    return V @ dpred.T

# %% layer_norm dy: of the wrong side -> wrong_value | wrong_tensor @ pred
def dy(y):
    return y

# %% layer_norm dV: transposed and forced -> wrong_value | transposed @ pred
def dV(V, y, dpred):
    return (dpred.T @ y).reshape(V.shape)

# %% layer_norm dV: last row only -> wrong_value | overwrite @ pred
def dV(y, dpred):
    for row in range(len(y)):
        out = torch.outer(y[row], dpred[row])
    return out

# %% layer_norm dV: normed for y -> wrong_value | wrong_local_derivative @ pred
def dV(normed, dpred):
    return normed.T @ dpred

# %% layer_norm dV: outer products not summed -> wrong_shape | missing_sum @ pred
def dV(y, dpred):
    return y[:, :, None] * dpred[:, None, :]

# %% layer_norm dbias: mean for sum -> wrong_value | mean_for_sum @ y
def dbias(dy):
    return dy.mean(0)

# %% layer_norm dbias: summed over the features -> wrong_shape | wrong_dim @ y
def dbias(dy):
    return dy.sum(1)

# %% layer_norm dbias: whole numbers -> wrong_dtype | wrong_dtype
def dbias(dy):
    return dy.sum(0).round().int()

# %% layer_norm dscaled: as a list -> not_a_tensor | wrong_type
def dscaled(dy):
    return dy.tolist()

# %% layer_norm dgain: upstream only -> wrong_value | upstream_only @ scaled
def dgain(dscaled):
    return dscaled.sum(0)

# %% layer_norm dgain: sign and mean -> wrong_value | sign+mean_for_sum @ scaled
def dgain(normed, dscaled):
    return -(normed * dscaled).mean(0)

# %% layer_norm dgain: batch size 16 written out -> wrong_value | hard_coded_size @ scaled
def dgain(normed, dscaled):
    return (normed * dscaled).mean(0) * 16

# %% layer_norm dnormed: gain forgotten -> wrong_value | upstream_only @ scaled
def dnormed(dscaled):
    return dscaled

# %% layer_norm dnormed: bias for gain -> wrong_value | wrong_local_derivative @ scaled
def dnormed(bias, dscaled):
    return bias * dscaled

# %% layer_norm dnormed: only the first column -> wrong_value | partial @ scaled
def dnormed(gain, dscaled):
    out = torch.zeros_like(dscaled)
    out[:, 0] = gain[0] * dscaled[:, 0]
    return out

# %% layer_norm dstd: sign -> wrong_value | sign @ normed
def dstd(centred, std, dnormed):
    return (dnormed * centred / std**2).sum(1, keepdim=True)

# %% layer_norm dstd: keepdim forgotten -> wrong_shape | keepdim @ normed
def dstd(centred, std, dnormed):
    return -(dnormed * centred / std**2).sum(1)

# %% layer_norm dstd: not summed -> wrong_shape | missing_sum @ normed
def dstd(centred, std, dnormed):
    return -dnormed * centred / std**2

# %% layer_norm dstd: square forgotten -> wrong_value | wrong_local_derivative @ normed
def dstd(centred, std, dnormed):
    return -(dnormed * centred / std).sum(1, keepdim=True)

# %% layer_norm dvar: upstream forgotten -> wrong_value | missing_upstream @ std
def dvar(std):
    return 0.5 / std

# %% layer_norm dvar: root of minus one -> not_finite | not_finite @ std
def dvar(var, dstd):
    return dstd * 0.5 / (-var).sqrt()

# %% layer_norm dsquare: Bessel's n - 1 -> wrong_value | scale @ var
def dsquare(square, dvar):
    return dvar.expand_as(square) / (square.shape[1] - 1)

# %% layer_norm dsquare: hidden size 24 written out -> wrong_value | hard_coded_size @ var
def dsquare(square, dvar):
    return dvar.expand_as(square) / 24

# %% layer_norm dsquare: column left a column -> wrong_shape | wrong_shape @ var
def dsquare(square, dvar):
    return dvar / square.shape[1]

# %% layer_norm dcentred: numerator's path left out -> wrong_value | missing_path @ normed
def dcentred(centred, dsquare):
    return 2 * centred * dsquare

# %% layer_norm dcentred: factor of the square forgotten -> wrong_value | scale @ square
def dcentred(centred, std, dnormed, dsquare):
    return dnormed / std + centred * dsquare

# %% layer_norm dcentred: sign of the variance's path -> wrong_value | sign @ square
def dcentred(centred, std, dnormed, dsquare):
    return dnormed / std - 2 * centred * dsquare

# %% layer_norm dcentred: one path, turned -> wrong_value | sign+missing_path @ square
def dcentred(std, dnormed):
    return -dnormed / std

# %% layer_norm dcentred: both paths turned -> wrong_value | sign
def dcentred(centred, std, dnormed, dsquare):
    return -dnormed / std - 2 * centred * dsquare

# %% layer_norm da: mean's path twice -> wrong_value | extra_path @ mean
def da(a, dcentred, dmean):
    return dcentred + 2 * dmean / a.shape[1]

# %% layer_norm da: mean's path not divided -> wrong_value | scale @ mean
def da(dcentred, dmean):
    return dcentred + dmean

# %% layer_norm da: closed form without the variance -> wrong_value | missing_path @ square
def da(std, dnormed):
    d = dnormed / std
    return d - d.mean(1, keepdim=True)

# %% layer_norm dX: weights transposed twice -> wrong_shape | transposed @ a
def dX(W, da):
    return W @ da.T

# %% layer_norm dW: from the normed side -> wrong_value | wrong_tensor @ a
def dW(X, dcentred):
    return X.T @ dcentred

# %% attention derr: not divided by the batch -> wrong_value | scale @ loss
def derr(err):
    return 2 * err

# %% attention dmixed: without the weights' transpose -> wrong_shape | wrong_shape @ out
def dmixed(dout):
    return dout

# %% attention dWo: averaged -> wrong_value | scale @ out
def dWo(mixed, dout):
    return torch.einsum("bth,btw->hw", mixed, dout) / mixed.shape[0]

# %% attention dWo: last example only -> wrong_value | overwrite @ out
def dWo(mixed, dout):
    for b in range(len(mixed)):
        out = mixed[b].T @ dout[b]
    return out

# %% attention dWo: batch not summed -> wrong_shape | missing_sum @ out
def dWo(mixed, dout):
    return mixed.transpose(1, 2) @ dout

# %% attention dweights: exchanged -> wrong_value | transposed @ mixed
def dweights(v, dmixed):
    return v @ dmixed.transpose(1, 2)

# %% attention dv: weights not transposed -> wrong_value | transposed @ mixed
def dv(weights, dmixed):
    return weights @ dmixed

# %% attention dv: scaled for weights -> wrong_value | wrong_local_derivative @ mixed
def dv(scaled, dmixed):
    return scaled.transpose(1, 2) @ dmixed

# %% attention dscaled: along the wrong dimension -> wrong_value | wrong_dim @ weights
def dscaled(weights, dweights):
    return weights * (dweights - (weights * dweights).sum(1, keepdim=True))

# %% attention dscaled: upstream only -> wrong_value | upstream_only @ weights
def dscaled(dweights):
    return dweights

# %% attention dscores: times the root -> wrong_value | scale @ scaled
def dscores(dscaled, d):
    return dscaled * d**0.5

# %% attention dscores: head size 10 written out -> wrong_value | hard_coded_size @ scaled
def dscores(dscaled):
    return dscaled / 10**0.5

# %% attention dq: sign -> wrong_value | sign @ scores
def dq(k, dscores):
    return -(dscores @ k)

# %% attention dk: sign and scale -> wrong_value | sign+scale @ scores
def dk(q, dscores, d):
    return -(dscores.transpose(1, 2) @ q) / d

# %% attention dWq: batch and time mixed up -> wrong_value | wrong_tensor @ q
def dWq(X, dk):
    return torch.einsum("btw,bth->wh", X, dk)

# %% attention dX: queries' path left out -> wrong_value | missing_path @ q
def dX(Wk, Wv, dk, dv, dres):
    return dres + dk @ Wk.T + dv @ Wv.T

# %% attention dX: residual twice -> wrong_value | extra_path @ res
def dX(Wq, Wk, Wv, dq, dk, dv, dres):
    return 2 * dres + dq @ Wq.T + dk @ Wk.T + dv @ Wv.T

# %% attention dX: values' path subtracted -> wrong_value | sign @ v
def dX(Wq, Wk, Wv, dq, dk, dv, dres):
    return dres + dq @ Wq.T + dk @ Wk.T - dv @ Wv.T

# %% attention dX: keys' path through the queries' weights -> wrong_value | wrong_local_derivative @ k
def dX(Wq, Wk, Wv, dq, dk, dv, dres):
    return dres + dq @ Wq.T + dk @ Wq.T + dv @ Wv.T

# %% gated_unit dpicked: sign -> wrong_value | sign @ loss
def dpicked(picked):
    return torch.ones_like(picked) / len(picked)

# %% gated_unit dlogp: everywhere in the row -> wrong_value | partial
def dlogp(logp, dpicked):
    return dpicked[:, None].expand_as(logp)

# %% gated_unit dP: divided by n -> wrong_value | scale @ logits
def dP(pooled, dlogits, n):
    return pooled.T @ dlogits / n

# %% gated_unit dmixed: length 4 written out -> wrong_value | hard_coded_size @ pooled
def dmixed(mixed, dpooled):
    return dpooled[:, None].expand_as(mixed) / 4

# %% gated_unit dgate: only the kept path -> wrong_value | missing_path @ mixed
def dgate(x, dkept):
    return -x * dkept

# %% gated_unit dgate: kept path twice -> wrong_value | extra_path @ kept
def dgate(x, act, dmixed, dkept):
    return act * dmixed - 2 * x * dkept

# %% gated_unit dz: local derivative forgotten -> wrong_value | upstream_only @ gate
def dz(dgate):
    return dgate

# %% gated_unit dz: upstream forgotten -> wrong_value | missing_upstream @ gate
def dz(gate):
    return gate * (1 - gate)

# %% gated_unit dc: summed over the batch, then the mean -> wrong_value | scale @ z
def dc(dz):
    return dz.sum(0).mean(0)

# %% gated_unit dc: mean for sum -> wrong_value | mean_for_sum @ z
def dc(dz):
    return dz.mean((0, 1))

# %% gated_unit db: features summed, batch not -> wrong_shape | wrong_dim @ a
def db(da):
    return da.sum((1, 2))

# %% gated_unit dW: transposed -> wrong_value | transposed @ a
def dW(x, da):
    return torch.einsum("btw,btv->vw", x, da)

# %% gated_unit dx: gate's path left out -> wrong_value | missing_path @ z
def dx(W, gate, da, dkept):
    return da @ W.T + (1 - gate) * dkept

# %% gated_unit dx: weights of the other layer -> wrong_value | wrong_local_derivative @ z
def dx(W, U, gate, da, dz, dkept):
    return da @ W.T + dz @ W.T + (1 - gate) * dkept

# %% gated_unit dE: written over in a loop -> wrong_value | overwrite @ x
def dE(E, ix, dx):
    out = torch.zeros_like(E)
    for b in range(ix.shape[0]):
        for t in range(ix.shape[1]):
            out[ix[b, t]] = dx[b, t]
    return out

# %% gated_unit dE: starts from E -> wrong_value | wrong_local_derivative @ x
def dE(E, ix, dx):
    return E.index_add_(0, ix.flatten(), dx.flatten(0, 1))

# %% gated_unit dE: first word left out -> wrong_value | partial @ x
def dE(E, ix, dx):
    out = torch.zeros_like(E).index_add_(0, ix.flatten(), dx.flatten(0, 1))
    out[0] = 0
    return out

# %% gated_unit dE: last position only, sign turned -> wrong_value | sign+overwrite @ x
def dE(E, ix, dx):
    return -torch.zeros_like(E).index_add_(0, ix[:, -1], dx[:, -1])

# %% ex1_step_by_step dcounts: only one path, doubled -> wrong_value | scale+missing_path @ counts_sum
def dcounts(counts_sum_inv, dprobs):
    return 2 * counts_sum_inv * dprobs

# %% ex1_step_by_step dbndiff: variance's path alone, sign turned -> wrong_value | sign+missing_path @ bnraw
def dbndiff(bndiff, dbndiff2):
    return -2 * bndiff * dbndiff2

# %% ex1_step_by_step dhprebn: both paths averaged -> wrong_value | scale
def dhprebn(dbndiff, dbnmeani, n):
    return (dbndiff + dbnmeani / n) / n

# %% ex1_step_by_step dC: averaged over the batch, sign turned -> wrong_value | sign+scale @ emb
def dC(C, Xb, demb, n):
    return -torch.zeros_like(C).index_add_(0, Xb.flatten(), demb.flatten(0, 1)) / n

# %% ex1_step_by_step dlogits: maximum's path by another tensor's argmax -> wrong_value | wrong_local_derivative @ logit_maxes
def dlogits(logits, probs, dlogprobs, dnorm_logits, dlogit_maxes):
    return dnorm_logits + F.one_hot(dlogprobs.argmax(1), logits.shape[1]) * dlogit_maxes

# %% gated_unit db: everything summed -> wrong_shape | wrong_shape @ a
def db(da):
    return da.sum()
