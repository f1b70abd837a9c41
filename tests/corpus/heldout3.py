# A third set of wrong answers that was held out, by somebody who knew the exercises and the kinds of hint, and had not
# read the diagnosis. At first sight 53 of these 59 got a kind that was declared for them (a sixtieth was declared wrong
# and was right: doubles for floats score). Nothing was taught from it. Same form as unseen.py.
import torch
import torch.nn.functional as F

# %% ex1_step_by_step dlogprobs: the lecture's batch of 32 typed in for n -> wrong_value | hard_coded_size
def dlogprobs(logprobs, Yb):
    d = torch.zeros_like(logprobs)
    d[torch.arange(len(Yb)), Yb] = -1.0 / 32
    return d

# %% ex1_step_by_step dprobs: put the label's mask into the denominator together with the probability -> not_finite | not_finite/partial
def dprobs(probs, Yb, n):
    mask = F.one_hot(Yb, probs.shape[1])
    return -1.0 / (n * mask * probs)

# %% ex1_step_by_step dcounts_sum_inv: multiplied with the line's result, probs, instead of its other factor -> wrong_value | wrong_local_derivative
def dcounts_sum_inv(probs, dprobs):
    return (probs * dprobs).sum(1, keepdim=True)

# %% ex1_step_by_step dcounts_sum: the power rule is right, what comes from above was not multiplied in -> wrong_value | missing_upstream
def dcounts_sum(counts_sum):
    return -1.0 * counts_sum**-2

# %% ex1_step_by_step dcounts: added the path of the row sum in the first line and again with += -> wrong_value | extra_path
def dcounts(counts, counts_sum_inv, dprobs, dcounts_sum):
    dcounts = dprobs * counts_sum_inv + dcounts_sum
    dcounts += torch.ones_like(counts) * dcounts_sum
    return dcounts

# %% ex1_step_by_step dnorm_logits: the power rule applied to exp, x times e to the x - 1 -> wrong_value | wrong_local_derivative
def dnorm_logits(norm_logits, dcounts):
    return dcounts * norm_logits * torch.exp(norm_logits - 1)

# %% ex1_step_by_step dlogit_maxes: minus and axis are right, but a mean over the row -> wrong_value | mean_for_sum/scale
def dlogit_maxes(dnorm_logits):
    return -dnorm_logits.mean(1, keepdim=True)

# %% ex1_step_by_step dlogits: writes the maximum's gradient over the other path with = instead of += -> wrong_value | overwrite/partial/missing_path
def dlogits(logits, dnorm_logits, dlogit_maxes, n):
    dlogits = dnorm_logits.clone()
    dlogits[range(n), logits.argmax(1)] = dlogit_maxes.squeeze(1)
    return dlogits

# %% ex1_step_by_step dlogits: looks for the largest entry of each column instead of each row -> error | wrong_dim
def dlogits(logits, dnorm_logits, dlogit_maxes):
    winners = F.one_hot(logits.max(0).indices, num_classes=logits.shape[1])
    return dnorm_logits + winners * dlogit_maxes

# %% ex1_step_by_step dhpreact: h is the tanh already, and gets another one -> wrong_value | wrong_local_derivative
def dhpreact(h, dh):
    return dh * (1.0 - torch.tanh(h) ** 2)

# %% ex1_step_by_step dbngain: summed bnraw alone, whose columns are centred -> wrong_value | missing_upstream/all_zero
def dbngain(bnraw):
    return bnraw.sum(0, keepdim=True)

# %% ex1_step_by_step dbnbias: multiplied the bias's gradient with the gain, too -> wrong_value | wrong_local_derivative
def dbnbias(bngain, dhpreact):
    return (bngain * dhpreact).sum(0, keepdim=True)

# %% ex1_step_by_step dbnraw: summed over the batch as for gain and bias, though bnraw was not broadcast -> wrong_shape | wrong_shape
def dbnraw(bngain, dhpreact):
    return (bngain * dhpreact).sum(0, keepdim=True)

# %% ex1_step_by_step dbnvar_inv: normalised for centred values, and a mean over the batch -> wrong_value | mean_for_sum+wrong_local_derivative/scale+wrong_local_derivative/wrong_local_derivative
def dbnvar_inv(bnraw, dbnraw):
    return (bnraw * dbnraw).mean(0, keepdim=True)

# %% ex1_step_by_step dbnvar: raised the inverse root, not the variance, to the power of -1.5 -> wrong_value | wrong_local_derivative
def dbnvar(bnvar_inv, dbnvar_inv):
    return -0.5 * bnvar_inv**-1.5 * dbnvar_inv

# %% ex1_step_by_step dbndiff: went back through the square only, and without its 2 -> wrong_value | missing_path+scale/missing_path+wrong_local_derivative
def dbndiff(bndiff, dbndiff2):
    return bndiff * dbndiff2

# %% ex1_step_by_step dbnmeani: forgot the minus and divided by n because it is a mean -> wrong_value | sign+scale/sign+mean_for_sum/scale
def dbnmeani(dbndiff, n):
    return dbndiff.sum(0, keepdim=True) / n

# %% ex1_step_by_step dhprebn: both paths, with 32 for n in the mean's -> wrong_value | hard_coded_size
def dhprebn(dbndiff, dbnmeani):
    dhprebn = dbndiff.clone()
    dhprebn += torch.ones_like(dbndiff) * dbnmeani * (1.0 / 32)
    return dhprebn

# %% ex1_step_by_step dW1: exchanged which of the two factors is a value and which is a gradient -> wrong_value | wrong_local_derivative/missing_upstream
def dW1(hprebn, dembcat):
    return dembcat.T @ hprebn

# %% ex1_step_by_step db1: takes it for the bias behind batch norm -> wrong_value | wrong_tensor
def db1(dhpreact):
    return dhpreact.sum(0)

# %% ex1_step_by_step demb: split the joined axis into embedding and block, in this order -> wrong_shape | transposed/wrong_shape
def demb(emb, dembcat):
    n, block, size = emb.shape
    return dembcat.view(n, size, block)

# %% ex1_step_by_step dC: the return stands inside the outer loop, only the batch's first row is added -> wrong_value | partial/missing_sum/wrong_local_derivative
def dC(C, Xb, demb):
    dC = torch.zeros_like(C)
    for k in range(Xb.shape[0]):
        for j in range(Xb.shape[1]):
            ix = Xb[k, j]
            dC[ix] += demb[k, j]
        return dC

# %% ex2_cross_entropy dlogits: label minus probability -> wrong_value | sign
def dlogits(logits, Yb, n):
    return (F.one_hot(Yb, logits.shape[1]) - F.softmax(logits, 1)) / n

# %% ex2_cross_entropy dlogits: sets the label's entry to -1 instead of subtracting 1 -> wrong_value | partial/overwrite/wrong_local_derivative
def dlogits(logits, Yb, n):
    d = F.softmax(logits, 1)
    d[range(n), Yb] = -1
    d /= n
    return d

# %% ex2_cross_entropy dlogits: softmax down the columns, and the mean forgotten -> wrong_value | wrong_dim+scale
def dlogits(logits, Yb, n):
    d = torch.softmax(logits, 0)
    d[range(n), Yb] -= 1.0
    return d

# %% ex2_cross_entropy dlogits: the counts were never normalised to probabilities -> wrong_value | wrong_local_derivative
def dlogits(counts, Yb, n):
    d = counts.clone()
    d[range(n), Yb] -= 1
    return d / n

# %% ex2_cross_entropy dlogits: derived the label's probability, not its logarithm -> wrong_value | wrong_local_derivative
def dlogits(probs, Yb, n):
    p = probs[range(n), Yb].unsqueeze(1)
    return -p * (F.one_hot(Yb, probs.shape[1]) - probs) / n

# %% ex3_batchnorm dhprebn: forgot bnraw in front of the variance's sum -> wrong_value | wrong_local_derivative
def dhprebn(bngain, bnraw, bnvar_inv, dhpreact, n):
    return bngain * bnvar_inv / n * (n * dhpreact - dhpreact.sum(0) - n / (n - 1) * (dhpreact * bnraw).sum(0))

# %% ex3_batchnorm dhprebn: the gain forgotten, and a sum over the batch where its mean belongs -> wrong_value | scale+wrong_local_derivative/wrong_local_derivative
def dhprebn(bnraw, bnvar_inv, dhpreact, n):
    along = (dhpreact * bnraw).sum(0, keepdim=True) / (n - 1)
    return bnvar_inv * (dhpreact - dhpreact.sum(0, keepdim=True) - bnraw * along)

# %% ex3_batchnorm dhprebn: only multiplied back the factors, mean and variance taken as constants -> wrong_value | missing_path/wrong_local_derivative
def dhprebn(bngain, bnvar_inv, dhpreact):
    return dhpreact * bngain * bnvar_inv

# %% attention dout: solved the line for out and put the gradient in for res -> wrong_value | wrong_local_derivative
def dout(X, dres):
    return dres - X

# %% attention dWo: flattened the time into the features instead of into the batch -> wrong_shape | wrong_dim/missing_sum/wrong_shape
def dWo(mixed, dout):
    return mixed.flatten(1).T @ dout.flatten(1)

# %% attention dweights: .T turns round all three axes, not the last two -> error | transposed
def dweights(v, dmixed):
    return dmixed @ v.T

# %% attention dv: multiplied with the scores as they were before the softmax -> wrong_value | wrong_local_derivative
def dv(scaled, dmixed):
    return scaled.transpose(1, 2) @ dmixed

# %% attention dscaled: subtracts the plain sum of the row's gradients, not the one weighted by the softmax -> wrong_value | wrong_local_derivative
def dscaled(weights, dweights):
    return weights * (dweights - dweights.sum(2, keepdim=True))

# %% attention dscaled: adds the softmax's inner sum, and takes it over the queries -> wrong_value | sign+wrong_dim/wrong_local_derivative
def dscaled(weights, dweights):
    inner = (weights * dweights).sum(1, keepdim=True)
    return weights * (dweights + inner)

# %% attention dq: multiplied with q itself instead of the other factor -> wrong_value | wrong_local_derivative/wrong_tensor+transposed
def dq(q, dscores):
    return dscores @ q

# %% attention dk: started from dscaled, so the division by the root is skipped -> wrong_value | scale
def dk(q, dscaled):
    return dscaled.transpose(1, 2) @ q

# %% attention dWv: copied the line of the keys, and averages over the batch -> wrong_value | wrong_tensor+mean_for_sum/wrong_tensor+scale
def dWv(X, dk):
    return (X.transpose(1, 2) @ dk).mean(0)

# %% attention dX: product of the sums for the sum of the three products -> wrong_value | extra_path/wrong_local_derivative
def dX(Wq, Wk, Wv, dres, dq, dk, dv):
    return dres + (dq + dk + dv) @ (Wq + Wk + Wv).T

# %% gated_unit dlogits: the softmax's backward where the line has a log-softmax -> wrong_value | wrong_local_derivative
def dlogits(logits, dlogp):
    p = logits.softmax(1)
    return p * (dlogp - (p * dlogp).sum(1, keepdim=True))

# %% gated_unit dP: pooled again by hand, over the batch instead of over time -> error | wrong_dim
def dP(mixed, dlogits):
    return mixed.mean(0).T @ dlogits

# %% gated_unit dmixed: repeated every number in place and cut the row into time steps, which scrambles it -> wrong_value | transposed/wrong_dim/wrong_local_derivative
def dmixed(mixed, dpooled):
    time = mixed.shape[1]
    return dpooled.repeat_interleave(time, dim=1).view(mixed.shape) / time

# %% gated_unit dgate: both lines, but the minus of 1 - gate was lost -> wrong_value | sign/wrong_local_derivative
def dgate(x, act, dmixed, dkept):
    dgate = dmixed * act
    dgate = dgate + dkept * x
    return dgate

# %% gated_unit dz: derived 1 / (1 + exp(-z)) by hand and did not square the denominator -> wrong_value | wrong_local_derivative
def dz(z, dgate):
    e = torch.exp(-z)
    return dgate * e / (1 + e)

# %% gated_unit dU: no return -> not_a_tensor | wrong_type
def dU(x, dz):
    dU = torch.einsum("btw,btv->wv", x, dz)

# %% gated_unit dact: through the relu as well, one line too far -> wrong_value | wrong_tensor/partial/wrong_local_derivative
def dact(gate, act, dmixed):
    return dmixed * gate * (act > 0)

# %% gated_unit da: sign of the activation for relu's slope, minus one where the unit is off -> wrong_value | wrong_local_derivative/partial
def da(a, dact):
    return dact * a.sign()

# %% gated_unit dx: dkept handed on without 1 - gate, and the gate's own use of x forgotten -> wrong_value | missing_path+upstream_only/missing_path+wrong_local_derivative
def dx(W, da, dkept):
    return da @ W.T + dkept

# %% gated_unit dE: written like a step of descent, -= at an index -> wrong_value | sign+overwrite
def dE(E, ix, dx):
    dE = torch.zeros_like(E)
    dE[ix] -= dx
    return dE

# %% layer_norm dbias: added with weight one, so the gradient is all ones -> wrong_value | missing_upstream
def dbias(bias):
    return torch.ones_like(bias)

# %% layer_norm dgain: multiplied with y instead of the normed values, and summed along the rows -> wrong_shape | wrong_dim+wrong_local_derivative/wrong_dim
def dgain(y, dscaled):
    return (y * dscaled).sum(1)

# %% layer_norm dscaled: multiplied the gain in already, which belongs to the next line -> wrong_value | wrong_tensor/wrong_local_derivative
def dscaled(gain, dy):
    return dy * gain

# %% layer_norm dnormed: a matrix product for the product by entries -> wrong_shape | wrong_shape
def dnormed(gain, dscaled):
    return dscaled @ gain

# %% layer_norm dstd: the quotient's minus forgotten, and a mean over the row -> wrong_value | sign+mean_for_sum/sign+scale/scale
def dstd(centred, std, dnormed):
    return (dnormed * centred / std**2).mean(1, keepdim=True)

# %% layer_norm dcentred: multiplied by std where the line divides -> wrong_value | wrong_local_derivative
def dcentred(centred, std, dnormed, dsquare):
    return dnormed * std + 2.0 * centred * dsquare

# %% layer_norm dmean: believes that the mean cannot matter because centred values sum to zero -> wrong_value | all_zero
def dmean(mean):
    return torch.zeros_like(mean)

# %% layer_norm da: centred the gradient already, and adds the mean's path on top -> wrong_value | extra_path
def da(a, dcentred, dmean):
    da = dcentred - dcentred.mean(1, keepdim=True)
    da += dmean / a.shape[1]
    return da

# %% layer_norm dW: the product a itself instead of its gradient -> wrong_value | missing_upstream/wrong_local_derivative
def dW(X, a):
    return X.T @ a
