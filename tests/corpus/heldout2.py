# A second set of wrong answers that was held out, by somebody who knew the exercises and the kinds of hint, and had not
# read the diagnosis. At first sight 49 of these 59 got a kind that was declared for them; a sixtieth was declared wrong
# and was right. Of the 10 others one was declared too narrowly; it is marked. What the nine others showed (gradients of
# tensors farther from the loss, perhaps with a factor; sums that lost their dimension and then met a column, or did not
# fit; the sizes of lines farther off; repeats within one step of a loop; a mean along another dimension in a closed
# form) was then taught to the diagnosis, so from here on they measure nothing: they hold what was learnt. Same form as
# unseen.py.
import torch
import torch.nn.functional as F

# %% ex1_step_by_step dlogprobs: -1/n for every entry, not only for the labels -> wrong_value | partial/wrong_local_derivative
def dlogprobs(logprobs, n):
    return torch.full_like(logprobs, -1.0 / n)

# %% ex1_step_by_step dprobs: log's derivative alone, nothing of what comes from the loss -> wrong_value | missing_upstream
def dprobs(probs):
    return 1.0 / probs

# %% ex1_step_by_step dcounts_sum_inv: summed the upstream without the counts it belongs to, no keepdim -> wrong_shape | upstream_only+keepdim/wrong_shape
def dcounts_sum_inv(dprobs):
    return dprobs.sum(1)

# %% ex1_step_by_step dcounts_sum: exponent brought down but not lowered, minus forgotten -> wrong_value | sign+wrong_local_derivative/wrong_local_derivative
def dcounts_sum(counts_sum_inv, dcounts_sum_inv):
    return dcounts_sum_inv * counts_sum_inv

# %% ex1_step_by_step dcounts: subtracted the path through the sum instead of adding it -> wrong_value | sign/wrong_local_derivative
def dcounts(counts, counts_sum_inv, dprobs, dcounts_sum):
    dcounts = dprobs * counts_sum_inv
    dcounts = dcounts - torch.ones_like(counts) * dcounts_sum
    return dcounts

# %% ex1_step_by_step dnorm_logits: mixed up exp and log and divided by an entry that is zero at the maximum -> not_finite | not_finite/wrong_local_derivative
def dnorm_logits(norm_logits, dcounts):
    return dcounts / norm_logits

# %% ex1_step_by_step dlogit_maxes: summed over the batch instead of over the row, minus forgotten -> wrong_shape | sign+wrong_dim
def dlogit_maxes(dnorm_logits):
    return dnorm_logits.sum(0, keepdim=True)

# Was declared `wrong_local_derivative/partial`: that the gradient is handed down as it arrives is what happened.
# %% ex1_step_by_step dlogits: lets the maximum's gradient flow to every column -> wrong_value | upstream_only/wrong_local_derivative/partial
def dlogits(dnorm_logits, dlogit_maxes):
    dlogits = dnorm_logits.clone()
    dlogits += dlogit_maxes
    return dlogits

# %% ex1_step_by_step dh: went on through the tanh, this is the gradient one tensor further -> wrong_value | wrong_tensor
def dh(h, W2, dlogits):
    dh = dlogits @ W2.T
    return (1.0 - h**2) * dh

# %% ex1_step_by_step dW2: pre-activation for the layer's input, and averaged over the batch -> wrong_value | scale+wrong_local_derivative/mean_for_sum+wrong_local_derivative/wrong_local_derivative
def dW2(hpreact, dlogits, n):
    return (hpreact.T @ dlogits) / n

# %% ex1_step_by_step dhpreact: the sigmoid's derivative for the tanh -> wrong_value | wrong_local_derivative
def dhpreact(h, dh):
    return dh * (h * (1.0 - h))

# %% ex1_step_by_step dbnraw: copied the forward line and left the bias in -> wrong_value | wrong_local_derivative
def dbnraw(bngain, bnbias, dhpreact):
    return bngain * dhpreact + bnbias

# %% ex1_step_by_step dbnvar_inv: product of the sums for the sum of the products, and bndiff sums to zero -> wrong_value | wrong_local_derivative/all_zero
def dbnvar_inv(bndiff, dbnraw):
    return bndiff.sum(0, keepdim=True) * dbnraw.sum(0, keepdim=True)

# %% ex1_step_by_step dbnvar: raised the exponent by one instead of lowering it -> wrong_value | wrong_local_derivative
def dbnvar(bnvar, dbnvar_inv):
    return -0.5 * (bnvar + 1e-5) ** 0.5 * dbnvar_inv

# %% ex1_step_by_step dbndiff2: one row for all of them, and 31 for n - 1 -> wrong_shape | wrong_shape+hard_coded_size/wrong_shape
def dbndiff2(dbnvar):
    return dbnvar / 31

# %% ex1_step_by_step dbndiff: both paths, but the square's 2 is missing in one of them -> wrong_value | scale/wrong_local_derivative
def dbndiff(bndiff, bnvar_inv, dbnraw, dbndiff2):
    return bnvar_inv * dbnraw + bndiff * dbndiff2

# %% ex1_step_by_step dhprebn: Bessel's n - 1 for the mean, where n belongs -> wrong_value | scale/wrong_local_derivative
def dhprebn(dbndiff, dbnmeani, n):
    dhprebn = dbndiff.clone()
    dhprebn += 1.0 / (n - 1) * torch.ones_like(dbndiff) * dbnmeani
    return dhprebn

# %% ex1_step_by_step dW1: outer product per example, the batch never summed -> wrong_shape | missing_sum
def dW1(embcat, dhprebn):
    return embcat.unsqueeze(2) * dhprebn.unsqueeze(1)

# %% ex1_step_by_step db1: a Python list of the column sums -> not_a_tensor | wrong_type
def db1(dhprebn):
    return [dhprebn[:, j].sum() for j in range(dhprebn.shape[1])]

# %% ex1_step_by_step demb: split the joined axis with embedding and position exchanged -> wrong_value | transposed/wrong_local_derivative
def demb(emb, dembcat):
    n, block, size = emb.shape
    return dembcat.view(n, size, block).transpose(1, 2)

# %% ex1_step_by_step dC: mean over the occurrences of a character instead of their sum -> wrong_value | mean_for_sum/partial
def dC(C, Xb, demb):
    hot = F.one_hot(Xb.flatten(), C.shape[0]).float()
    total = hot.T @ demb.flatten(0, 1)
    return total / hot.sum(0).clamp(min=1).unsqueeze(1)

# %% ex1_step_by_step dC: takes character 0 for padding that does not learn -> wrong_value | partial
def dC(C, Xb, demb):
    dC = torch.zeros_like(C)
    for k in range(Xb.shape[0]):
        for j in range(Xb.shape[1]):
            ix = Xb[k, j].item()
            if ix:
                dC[ix] += demb[k, j]
    return dC

# %% ex2_cross_entropy dlogits: subtracts at whole columns instead of one entry a row -> wrong_value | wrong_local_derivative/partial
def dlogits(probs, Yb, n):
    d = probs.clone()
    d[:, Yb] -= 1
    return d / n

# %% ex2_cross_entropy dlogits: divided only the label's one by n, not the probabilities -> wrong_value | wrong_local_derivative/scale
def dlogits(logits, Yb, n):
    d = F.softmax(logits, 1)
    d[range(n), Yb] -= 1.0 / n
    return d

# %% ex2_cross_entropy dlogits: only what the label's own logit gets, nothing through the sum of the counts -> wrong_value | wrong_tensor/missing_path
def dlogits(logits, Yb, n):
    return -F.one_hot(Yb, logits.shape[1]) / n

# %% ex3_batchnorm dhprebn: a * b.sum(0) for (a * b).sum(0), and bnraw's columns sum to zero -> wrong_value | missing_path/wrong_local_derivative
def dhprebn(bngain, bnraw, bnvar_inv, dhpreact, n):
    return bngain * bnvar_inv / n * (n * dhpreact - dhpreact.sum(0) - n / (n - 1) * bnraw * (dhpreact * bnraw.sum(0)))

# %% ex3_batchnorm dhprebn: adds both corrections instead of subtracting them -> wrong_value | sign/wrong_local_derivative
def dhprebn(bngain, bnraw, bnvar_inv, dhpreact, n):
    dxhat = bngain * dhpreact
    return bnvar_inv * (dxhat + dxhat.mean(0) + bnraw * (dxhat * bnraw).sum(0) / (n - 1))

# %% ex3_batchnorm dhprebn: the batch mean is a constant, only the variance is followed -> wrong_value | missing_path/wrong_tensor
def dhprebn(bngain, bndiff, bnvar_inv, dhpreact, n):
    dbnraw = bngain * dhpreact
    dvar = -0.5 * bnvar_inv**3 * (dbnraw * bndiff).sum(0, keepdim=True)
    return dbnraw * bnvar_inv + 2 * bndiff * dvar / (n - 1)

# %% ex3_batchnorm dhprebn: centres every row instead of every column and leaves the variance out -> wrong_value | missing_path+wrong_dim
def dhprebn(bngain, bnvar_inv, dhpreact):
    d = bngain * bnvar_inv * dhpreact
    return d - d.mean(1, keepdim=True)

# %% attention dres: as if the error were target minus result -> wrong_value | sign
def dres(derr):
    return -1.0 * derr

# %% attention dmixed: on through the weights already, this belongs to the values -> wrong_value | wrong_tensor
def dmixed(weights, Wo, dout):
    return weights.transpose(1, 2) @ (dout @ Wo.T)

# %% attention dWo: the values themselves, not their weighted mixture -> wrong_value | wrong_local_derivative
def dWo(v, dout):
    return torch.einsum("bth,btw->hw", v, dout)

# %% attention dWq: the loop over the batch assigns, only the last one is left -> wrong_value | overwrite/missing_sum
def dWq(X, dq):
    for b in range(X.shape[0]):
        grad = X[b].T @ dq[b]
    return grad

# %% attention dscaled: the inner sum lost its axis and does not fit any more -> error | keepdim
def dscaled(weights, dweights):
    return weights * (dweights - (weights * dweights).sum(2))

# %% attention dscaled: only the diagonal of the softmax's Jacobian -> wrong_value | wrong_local_derivative
def dscaled(weights, dweights):
    return dweights * weights * (1.0 - weights)

# %% attention dscores: the lecture's head size under the root -> wrong_value | hard_coded_size
def dscores(dscaled):
    return dscaled / 10**0.5

# %% attention dk: wrote down the queries' gradient, and from before the scaling -> wrong_value | wrong_tensor+scale
def dk(k, dscaled):
    return dscaled @ k

# %% attention dWk: not added up over the batch, and scaled once more -> wrong_shape | missing_sum+scale
def dWk(X, dk, d):
    return X.transpose(1, 2) @ dk / d**0.5

# %% attention dX: the residual goes in twice, as dres and again as derr -> wrong_value | extra_path
def dX(Wq, Wk, Wv, derr, dres, dq, dk, dv):
    return derr + dres + dq @ Wq.T + dk @ Wk.T + dv @ Wv.T

# %% gated_unit dpicked: one number for all of them instead of one each -> wrong_shape | wrong_shape
def dpicked(n):
    return torch.tensor(-1.0 / n)

# %% gated_unit dlogits: log-softmax left out, its gradient handed straight on -> wrong_value | upstream_only/wrong_tensor
def dlogits(dlogp):
    return dlogp

# %% gated_unit dP: sum over time where the forward pass pools with a mean -> wrong_value | scale
def dP(mixed, dlogits):
    return mixed.sum(1).T @ dlogits

# %% gated_unit dmixed: neither copied over time nor divided by its length -> wrong_shape | wrong_shape+scale/wrong_shape
def dmixed(dpooled):
    return dpooled[:, None, :]

# %% gated_unit dkept: gates what is only added -> wrong_value | wrong_local_derivative
def dkept(gate, dmixed):
    return (1.0 - gate) * dmixed

# %% gated_unit dgate: multiplied with the gate itself, which is for act -> wrong_value | wrong_tensor
def dgate(gate, dmixed):
    return dmixed * gate

# %% gated_unit dc: the sigmoid's derivative once more, and a mean over batch and time -> wrong_value | mean_for_sum+wrong_local_derivative/scale+wrong_local_derivative/wrong_local_derivative
def dc(gate, dz):
    return (dz * gate * (1 - gate)).mean((0, 1))

# %% gated_unit da: the mask of relu alone, as booleans -> wrong_dtype | wrong_dtype/missing_upstream/missing_upstream+wrong_dtype
def da(a):
    return a > 0

# %% gated_unit da: masks by the sign of the incoming gradient instead of the activation's -> wrong_value | wrong_local_derivative/partial
def da(dact):
    return dact * (dact > 0).float()

# %% gated_unit dx: weighs the kept part with the gate, and the gate's own use of x is missing -> wrong_value | missing_path+wrong_local_derivative/wrong_local_derivative
def dx(gate, W, da, dkept):
    return da @ W.T + dkept * gate

# %% gated_unit dE: an indexed += for each time step, words that repeat within a step are lost -> wrong_value | overwrite/partial
def dE(E, ix, dx):
    d = torch.zeros_like(E)
    for t in range(ix.shape[1]):
        d[ix[:, t]] += dx[:, t]
    return d

# %% layer_norm derr: target minus prediction, and the square's 2 forgotten -> wrong_value | sign+scale/scale
def derr(pred, T):
    return (T - pred) / pred.numel()

# %% layer_norm dV: uses the error itself for the gradient of the prediction -> wrong_value | scale/missing_upstream
def dV(y, err):
    return y.T @ err

# %% layer_norm dbias: added up everything there is -> wrong_shape | wrong_dim/wrong_shape
def dbias(dy):
    return dy.sum()

# %% layer_norm dgain: the centred values before the division by std -> wrong_value | wrong_local_derivative
def dgain(centred, dscaled):
    return (dscaled * centred).sum(0)

# %% layer_norm dstd: the row sum lost its axis and then met a column -> wrong_shape | keepdim
def dstd(centred, std, dnormed):
    return -(dnormed * centred).sum(1) / std**2

# %% layer_norm dvar: took the derivative of one over the root -> wrong_value | wrong_local_derivative
def dvar(var, dstd):
    return dstd * -0.5 * (var + 1e-5) ** -1.5

# %% layer_norm dsquare: an unbiased variance where the forward pass takes a plain mean -> wrong_value | scale
def dsquare(square, dvar):
    return torch.ones_like(square) * dvar / (square.shape[1] - 1)

# %% layer_norm dcentred: the root's derivative for the square's, of negative numbers -> not_finite | not_finite/wrong_local_derivative
def dcentred(centred, std, dnormed, dsquare):
    return dnormed / std + dsquare * 0.5 * centred**-0.5

# %% layer_norm da: subtracts the mean's path, and divides it by the rows -> wrong_value | sign+scale/wrong_local_derivative
def da(a, dcentred, dmean):
    return dcentred - dmean / a.shape[0]
