# Wrong answers by somebody who knew the exercises and the kinds of hint, and had not read the diagnosis. At first sight
# 49 of the 60 got a kind that was declared for them. Of the 11 others four were declared against the course's own rules;
# they are marked. What the seven others showed (shapes that hide another mistake, products that do not fit, slips in two
# lines, a sum along another dimension in a closed form) was then taught to the diagnosis, so from here on they measure
# nothing: they hold what was learnt. Same form as unseen.py.
import torch
import torch.nn.functional as F

# %% ex1_step_by_step dlogprobs: the mean in the loss was forgotten, every label gets -1 -> wrong_value | scale
def dlogprobs(logprobs, Yb, n):
    d = torch.zeros_like(logprobs)
    d[range(n), Yb] = -1.0
    return d

# %% ex1_step_by_step dprobs: thought of log's derivative as one over the log -> wrong_value | wrong_local_derivative
def dprobs(logprobs, dlogprobs):
    return (1.0 / logprobs) * dlogprobs

# %% ex1_step_by_step dcounts_sum_inv: the row sum without keepdim -> wrong_shape | keepdim
def dcounts_sum_inv(counts, dprobs):
    return (counts * dprobs).sum(1)

# %% ex1_step_by_step dcounts_sum: power rule, but the -1 in front was lost -> wrong_value | sign
def dcounts_sum(counts_sum, dcounts_sum_inv):
    return counts_sum**-2 * dcounts_sum_inv

# %% ex1_step_by_step dcounts: saw only the line with probs, not that counts_sum uses counts as well -> wrong_value | missing_path
def dcounts(counts_sum_inv, dprobs):
    return counts_sum_inv * dprobs

# %% ex1_step_by_step dnorm_logits: took exp's value to be the normalised probabilities -> wrong_value | wrong_local_derivative
def dnorm_logits(probs, dcounts):
    return probs * dcounts

# %% ex1_step_by_step dlogit_maxes: knows that it cancels in the softmax and returns zeros -> wrong_value | all_zero
def dlogit_maxes(logit_maxes):
    return torch.zeros_like(logit_maxes)

# %% ex1_step_by_step dlogits: routes the maximum's gradient to the label's column, not to the largest entry's -> wrong_value | wrong_local_derivative/partial
def dlogits(logits, Yb, dnorm_logits, dlogit_maxes):
    return dnorm_logits + F.one_hot(Yb, num_classes=logits.shape[1]) * dlogit_maxes

# %% ex1_step_by_step dh: no transpose on the weights, the product does not fit -> error | transposed
def dh(W2, dlogits):
    return dlogits @ W2

# %% ex1_step_by_step dW2: reshaped h to (hidden, n) with view where a transpose belongs -> wrong_value | transposed/wrong_local_derivative
def dW2(h, dlogits):
    return h.view(h.shape[1], h.shape[0]) @ dlogits

# %% ex1_step_by_step db2: averaged over the batch although the line only adds the bias -> wrong_value | mean_for_sum/scale
def db2(dlogits):
    return dlogits.mean(0)

# %% ex1_step_by_step dhpreact: 1 - x**2 with the pre-activation for x -> wrong_value | wrong_local_derivative
def dhpreact(hpreact, dh):
    return (1.0 - hpreact**2) * dh

# %% ex1_step_by_step dbngain: product with bnraw, but the gain's copies were never summed -> wrong_shape | missing_sum
def dbngain(bnraw, dhpreact):
    return bnraw * dhpreact

# %% ex1_step_by_step dbnbias: a comma too many at the end of the line makes a tuple -> not_a_tensor | wrong_type
def dbnbias(dhpreact):
    return dhpreact.sum(0, keepdim=True),

# %% ex1_step_by_step dbnraw: handed dhpreact on as if the gain were one -> wrong_value | upstream_only/wrong_tensor
def dbnraw(dhpreact):
    return dhpreact.clone()

# %% ex1_step_by_step dbnvar: exponent lowered, but the -0.5 did not come down in front -> wrong_value | sign+scale/scale
def dbnvar(bnvar, dbnvar_inv):
    return (bnvar + 1e-5) ** -1.5 * dbnvar_inv

# %% ex1_step_by_step dbndiff2: biased variance, n where Bessel's n - 1 stands -> wrong_value | scale
def dbndiff2(bndiff2, dbnvar, n):
    return (1.0 / n) * torch.ones_like(bndiff2) * dbnvar

# %% ex1_step_by_step dbndiff: forgot that bndiff is squared for the variance, too -> wrong_value | missing_path
def dbndiff(bnvar_inv, dbnraw):
    return bnvar_inv * dbnraw

# Was declared `wrong_shape | sign+keepdim`: a shape that lacks leading 1s alone scores.
# %% ex1_step_by_step dbnmeani: the minus of the subtraction lost, and keepdim, which costs nothing -> wrong_value | sign
def dbnmeani(dbndiff):
    return dbndiff.sum(0)

# %% ex1_step_by_step dhprebn: the mean's gradient copied to every row without its 1/n -> wrong_value | scale/wrong_local_derivative
def dhprebn(hprebn, dbndiff, dbnmeani):
    return dbndiff + torch.ones_like(hprebn) * dbnmeani

# %% ex1_step_by_step demb: typed the lecture's shape instead of emb.shape -> error | hard_coded_size
def demb(dembcat):
    return dembcat.view(32, 3, 10)

# %% ex1_step_by_step dW1: inputs and outputs the wrong way round, and averaged over the batch -> wrong_shape | transposed+scale/transposed+mean_for_sum
def dW1(embcat, dhprebn, n):
    return dhprebn.T @ embcat / n

# %% ex1_step_by_step db1: mean over the neurons instead of sum over the rows -> wrong_shape | wrong_dim+mean_for_sum/wrong_dim+scale
def db1(dhprebn):
    return dhprebn.mean(1)

# %% ex1_step_by_step dC: an indexed += that keeps one of the repeated characters -> wrong_value | overwrite
def dC(C, Xb, demb):
    grad = torch.zeros_like(C)
    grad[Xb] += demb
    return grad

# %% ex2_cross_entropy dlogits: softmax over n, the label's one not subtracted -> wrong_value | missing_path/partial
def dlogits(logits, n):
    return F.softmax(logits, 1) / n

# %% ex2_cross_entropy dlogits: label minus probability, and the mean forgotten -> wrong_value | sign+scale/scale
def dlogits(logits, Yb):
    return F.one_hot(Yb, logits.shape[1]).float() - F.softmax(logits, dim=1)

# %% ex2_cross_entropy dlogits: softmax taken down the columns -> wrong_value | wrong_dim
def dlogits(logits, Yb, n):
    d = F.softmax(logits, 0)
    d[range(n), Yb] -= 1
    d /= n
    return d

# %% ex3_batchnorm dhprebn: centred the gradient but treated the variance as a constant -> wrong_value | missing_path
def dhprebn(bngain, bnvar_inv, dhpreact):
    dxhat = bngain * dhpreact
    return bnvar_inv * (dxhat - dxhat.mean(0, keepdim=True))

# %% ex3_batchnorm dhprebn: the formula of the paper with n in both places -> wrong_value | scale/wrong_local_derivative
def dhprebn(bngain, bnraw, bnvar_inv, dhpreact, n):
    return bngain * bnvar_inv / n * (n * dhpreact - dhpreact.sum(0) - bnraw * (dhpreact * bnraw).sum(0))

# %% ex3_batchnorm dhprebn: the gain is missing, and so is the flow through the mean -> wrong_value | missing_path+wrong_local_derivative/wrong_local_derivative
def dhprebn(bnraw, bnvar_inv, dhpreact, n):
    return bnvar_inv * (dhpreact - bnraw * (dhpreact * bnraw).sum(0) / (n - 1))

# %% attention derr: squared error derived, the division by the batch forgotten -> wrong_value | scale
def derr(err):
    return 2 * err

# %% attention dWo: one product per batch entry, never added up over the batch -> wrong_shape | missing_sum
def dWo(mixed, dout):
    return mixed.transpose(1, 2) @ dout

# %% attention dweights: multiplied from the wrong side, so that queries and keys change places -> wrong_value | transposed
def dweights(v, dmixed):
    return v @ dmixed.transpose(1, 2)

# %% attention dv: weights without their transpose, square and therefore silent -> wrong_value | transposed
def dv(weights, dmixed):
    return weights @ dmixed

# %% attention dscaled: softmax derived as if it were exp, the row's common part not taken away -> wrong_value | wrong_local_derivative
def dscaled(weights, dweights):
    return weights * dweights

# %% attention dscaled: the softmax's inner sum runs over the queries -> wrong_value | wrong_dim/wrong_local_derivative
def dscaled(weights, dweights):
    inner = (weights * dweights).sum(dim=1, keepdim=True)
    return weights * (dweights - inner)

# %% attention dk: scores not transposed, and the scale applied a second time -> wrong_value | transposed+scale
def dk(q, dscores, d):
    return dscores @ q / d**0.5

# %% attention dWv: averaged the batch instead of adding it up -> wrong_value | mean_for_sum/scale
def dWv(X, dv):
    return (X.transpose(1, 2) @ dv).mean(0)

# %% attention dX: the three projections, but not the residual connection -> wrong_value | missing_path
def dX(Wq, Wk, Wv, dq, dk, dv):
    return dq @ Wq.T + dk @ Wk.T + dv @ Wv.T

# %% attention dX: added dres and dout as two residual paths, and left out the values -> wrong_value | missing_path+extra_path
def dX(Wq, Wk, dres, dout, dq, dk):
    d = dres + dout
    d = d + dq @ Wq.T
    d = d + dk @ Wk.T
    return d

# Was declared `wrong_dtype | wrong_dtype`: float64 scores, with a note.
# %% attention dq: computed in float64 to be on the safe side -> close
def dq(k, dscores):
    return dscores.double() @ k.double()

# %% gated_unit dlogits: log-softmax without the sum of the upstream in its second term -> wrong_value | wrong_local_derivative
def dlogits(logits, dlogp):
    return dlogp - torch.softmax(logits, 1)

# %% gated_unit dmixed: copied over time, but the mean's one over T forgotten -> wrong_value | scale/upstream_only
def dmixed(mixed, dpooled):
    return dpooled.unsqueeze(1).expand_as(mixed)

# %% gated_unit dgate: only the line with 1 - gate, and its minus lost -> wrong_value | sign+missing_path
def dgate(x, dkept):
    return dkept * x

# %% gated_unit dz: sigmoid's s * (1 - s) with the pre-activation for s -> wrong_value | wrong_local_derivative
def dz(z, dgate):
    return dgate * z * (1 - z)

# Was declared `wrong_value | wrong_tensor`: the exercise does not hand out `da` there, which the error says.
# %% gated_unit dU: took the other branch's gradient, this is for W -> error
def dU(x, da):
    return x.flatten(0, 1).T @ da.flatten(0, 1)

# %% gated_unit dact: the weight of what is kept where the gate itself belongs -> wrong_value | wrong_local_derivative
def dact(gate, dmixed):
    return dmixed * (1 - gate)

# %% gated_unit da: relu's slope as act / act, zero over zero where the unit is off -> not_finite | not_finite
def da(act, dact):
    return dact * (act / act)

# %% gated_unit dW: transposed unnoticed because W is square, and averaged over the batch -> wrong_value | transposed+mean_for_sum/transposed+scale
def dW(x, da):
    return (da.transpose(1, 2) @ x).mean(0)

# %% gated_unit db: summed over the batch but not over time -> wrong_shape | missing_sum
def db(da):
    return da.sum(0)

# %% gated_unit dx: the kept part forgotten, and both weight matrices without a transpose -> wrong_value | missing_path+transposed
def dx(W, U, da, dz):
    return da @ W + dz @ U

# %% gated_unit dE: index_add returns a new tensor, the result was thrown away -> wrong_value | all_zero
def dE(E, ix, dx):
    dE = torch.zeros_like(E)
    dE.index_add(0, ix.flatten(), dx.flatten(0, 1))
    return dE

# %% layer_norm derr: mean over all entries taken for a mean over the rows -> wrong_value | scale
def derr(err):
    return 2.0 * err / err.shape[0]

# Was declared `wrong_shape | keepdim+wrong_local_derivative/wrong_shape`: a leading 1 scores.
# %% layer_norm dgain: multiplied with the scaled values and kept a leading one -> wrong_value | wrong_local_derivative
def dgain(scaled, dscaled):
    return (scaled * dscaled).sum(0, keepdim=True)

# %% layer_norm dnormed: the gain alone, copied to all rows -> wrong_value | missing_upstream
def dnormed(normed, gain):
    return gain.expand_as(normed)

# %% layer_norm dstd: quotient rule without its minus, and not summed over the row -> wrong_shape | sign+missing_sum
def dstd(centred, std, dnormed):
    return dnormed * centred / std**2

# %% layer_norm dvar: the square root's half, but times the root instead of divided by it -> wrong_value | wrong_local_derivative
def dvar(std, dstd):
    return 0.5 * std * dstd

# %% layer_norm dsquare: divided by the number of rows instead of the row's length -> wrong_value | scale
def dsquare(square, dvar):
    return dvar.expand_as(square) / square.shape[0]

# %% layer_norm dcentred: treats std as a constant -> wrong_value | missing_path
def dcentred(std, dnormed):
    return dnormed / std

# %% layer_norm dX: product built the other way round, comes out with rows and columns exchanged -> wrong_shape | transposed
def dX(W, da):
    return W @ da.T
