# Wrong answers, and the outcome each must get: none of them may score.
# One block each: a header `# %% <exercise> <gradient>: <description> -> <outcome>`, perhaps with a kind of
# hint after a bar (` | sign`), then the stub as handed in.
import torch
import torch.nn.functional as F

# %% ex1_step_by_step dlogprobs: not divided by n -> wrong_value | scale @ loss
def dlogprobs(logprobs, Yb, n):
    out = torch.zeros_like(logprobs)
    out[range(n), Yb] = -1.0
    return out

# %% ex1_step_by_step dlogprobs: sign -> wrong_value | sign @ loss
def dlogprobs(logprobs, Yb, n):
    out = torch.zeros_like(logprobs)
    out[range(n), Yb] = 1.0 / n
    return out

# %% ex1_step_by_step dlogprobs: batch size 32 written out -> wrong_value | hard_coded_size @ loss
def dlogprobs(logprobs, Yb, n):
    out = torch.zeros_like(logprobs)
    out[range(n), Yb] = -1.0 / 32
    return out

# %% ex1_step_by_step dlogprobs: every column of the labels -> wrong_value | partial @ loss
def dlogprobs(logprobs, Yb, n):
    out = torch.zeros_like(logprobs)
    out[:, Yb] = -1.0 / n
    return out

# %% ex1_step_by_step dlogprobs: everywhere, not only at the label -> wrong_value | partial @ loss
def dlogprobs(logprobs, n):
    return torch.full_like(logprobs, -1.0 / n)

# %% ex1_step_by_step dlogprobs: divided by the number of entries -> wrong_value | scale @ loss
def dlogprobs(logprobs, Yb, n):
    return -F.one_hot(Yb, logprobs.shape[1]) / logprobs.numel()

# %% ex1_step_by_step dlogprobs: integer one_hot -> wrong_dtype | wrong_dtype
def dlogprobs(logprobs, Yb):
    return -F.one_hot(Yb, logprobs.shape[1])

# %% ex1_step_by_step dlogprobs: a mask of booleans -> wrong_dtype | wrong_dtype
def dlogprobs(logprobs, Yb):
    return F.one_hot(Yb, logprobs.shape[1]).bool()

# %% ex1_step_by_step dlogprobs: one number a row -> wrong_shape | wrong_shape @ loss
def dlogprobs(logprobs, n):
    return torch.full((n, 1), -1.0 / n)

# %% ex1_step_by_step dlogprobs: sparse -> not_a_tensor | wrong_type
def dlogprobs(logprobs, Yb, n):
    return (-F.one_hot(Yb, logprobs.shape[1]) / n).to_sparse()

# %% ex1_step_by_step dlogprobs: Python float -> not_a_tensor | wrong_type
def dlogprobs(n):
    return -1.0 / n

# %% ex1_step_by_step dlogprobs: unfilled -> missing
def dlogprobs(logprobs, Yb, n):
    """Back through loss = -logprobs[range(n), Yb].mean()."""
    raise NotImplementedError

# %% ex1_step_by_step dprobs: upstream forgotten -> wrong_value | missing_upstream @ logprobs
def dprobs(probs):
    return 1.0 / probs

# %% ex1_step_by_step dprobs: local derivative forgotten -> wrong_value | upstream_only @ logprobs
def dprobs(dlogprobs):
    return dlogprobs

# %% ex1_step_by_step dprobs: multiplied for divided -> wrong_value | wrong_local_derivative @ logprobs
def dprobs(probs, dlogprobs):
    return dlogprobs * probs

# %% ex1_step_by_step dprobs: logarithm for its derivative -> wrong_value | wrong_local_derivative @ logprobs
def dprobs(probs, dlogprobs):
    return dlogprobs * probs.log()

# %% ex1_step_by_step dprobs: logarithm to base ten -> wrong_value | scale @ logprobs
import math

def dprobs(probs, dlogprobs):
    return dlogprobs / (probs * math.log(10))

# %% ex1_step_by_step dprobs: half precision -> wrong_value | wrong_dtype
def dprobs(probs, dlogprobs):
    return (dlogprobs / probs).half()

# %% ex1_step_by_step dprobs: misspelt parameter -> error
def dprobs(probs, dlogprob):
    return dlogprob / probs

# %% ex1_step_by_step dprobs: asks for its own answer -> error
def dprobs(dprobs):
    return dprobs

# %% ex1_step_by_step dprobs: asks for a gradient further from the loss -> error
def dprobs(dlogprobs, dcounts, counts_sum):
    return dcounts * counts_sum

# %% ex1_step_by_step dprobs: a name that is not defined -> error
def dprobs(probs, dlogprobs):
    return dlogprobs / prob

# %% ex1_step_by_step dprobs: a method that tensors do not have -> error
def dprobs(probs, dlogprobs):
    return dlogprobs.divide_by(probs)

# %% ex1_step_by_step dprobs: zero divided by zero -> not_finite | not_finite @ logprobs
def dprobs(probs, dlogprobs):
    return dlogprobs / (dlogprobs * probs)

# %% ex1_step_by_step dprobs: return forgotten -> not_a_tensor | wrong_type
def dprobs(probs, dlogprobs):
    grad = dlogprobs / probs

# %% ex1_step_by_step dprobs: nested list -> not_a_tensor | wrong_type
def dprobs(probs, dlogprobs):
    return (dlogprobs / probs).tolist()

# %% ex1_step_by_step dprobs: stub under another name -> missing
def d_probs(probs, dlogprobs):
    return dlogprobs / probs

# %% ex1_step_by_step dprobs: the batch returned as a pair -> not_a_tensor | wrong_type
def dprobs(probs, dlogprobs):
    return dlogprobs / probs, dlogprobs

# %% ex1_step_by_step dcounts_sum_inv: broadcast not summed -> wrong_shape | missing_sum @ probs
def dcounts_sum_inv(counts, dprobs):
    return counts * dprobs

# %% ex1_step_by_step dcounts_sum_inv: summed over the batch -> wrong_shape | wrong_dim @ probs
def dcounts_sum_inv(counts, dprobs):
    return (counts * dprobs).sum(0, keepdim=True)

# %% ex1_step_by_step dcounts_sum_inv: keepdim forgotten -> wrong_shape | keepdim @ probs
def dcounts_sum_inv(counts, dprobs):
    return (counts * dprobs).sum(1)

# %% ex1_step_by_step dcounts_sum_inv: mean for sum -> wrong_value | mean_for_sum @ probs
def dcounts_sum_inv(counts, dprobs):
    return (counts * dprobs).mean(1, keepdim=True)

# %% ex1_step_by_step dcounts_sum_inv: sum of everything -> wrong_shape | wrong_shape @ probs
def dcounts_sum_inv(counts, dprobs):
    return (counts * dprobs).sum()

# %% ex1_step_by_step dcounts_sum_inv: times counts_sum for counts -> wrong_value | wrong_local_derivative @ probs
def dcounts_sum_inv(counts_sum, dprobs):
    return (counts_sum * dprobs).sum(1, keepdim=True)

# %% ex1_step_by_step dcounts_sum_inv: upstream forgotten -> wrong_value | missing_upstream @ probs
def dcounts_sum_inv(counts):
    return counts.sum(1, keepdim=True)

# %% ex1_step_by_step dcounts_sum: sign -> wrong_value | sign @ counts_sum_inv
def dcounts_sum(counts_sum, dcounts_sum_inv):
    return counts_sum**-2 * dcounts_sum_inv

# %% ex1_step_by_step dcounts_sum: power not lowered -> wrong_value | wrong_local_derivative @ counts_sum_inv
def dcounts_sum(counts_sum, dcounts_sum_inv):
    return -(counts_sum**-1) * dcounts_sum_inv

# %% ex1_step_by_step dcounts_sum: logarithm's derivative -> wrong_value | wrong_local_derivative @ counts_sum_inv
def dcounts_sum(counts_sum, dcounts_sum_inv):
    return dcounts_sum_inv / counts_sum

# %% ex1_step_by_step dcounts_sum: precedence, minus squared -> wrong_value | sign @ counts_sum_inv
def dcounts_sum(counts_sum, dcounts_sum_inv):
    return (-counts_sum) ** -2 * dcounts_sum_inv

# %% ex1_step_by_step dcounts_sum: copied to the shape of counts -> wrong_shape | wrong_shape @ counts_sum_inv
def dcounts_sum(counts, counts_sum, dcounts_sum_inv):
    return torch.ones_like(counts) * -(counts_sum**-2) * dcounts_sum_inv

# %% ex1_step_by_step dcounts_sum: transposed -> wrong_shape | transposed @ counts_sum_inv
def dcounts_sum(counts_sum, dcounts_sum_inv):
    return (-(counts_sum**-2) * dcounts_sum_inv).T

# %% ex1_step_by_step dcounts_sum: root of a negative number -> not_finite | not_finite @ counts_sum_inv
def dcounts_sum(counts_sum, dcounts_sum_inv):
    return (-counts_sum).sqrt() * dcounts_sum_inv

# %% ex1_step_by_step dcounts: path through counts_sum lost -> wrong_value | missing_path @ counts_sum
def dcounts(counts_sum_inv, dprobs):
    return counts_sum_inv * dprobs

# %% ex1_step_by_step dcounts: path through probs lost -> wrong_value | missing_path @ probs
def dcounts(counts, dcounts_sum):
    return torch.ones_like(counts) * dcounts_sum

# %% ex1_step_by_step dcounts: one path twice -> wrong_value | extra_path @ counts_sum
def dcounts(counts_sum_inv, dprobs, dcounts_sum):
    return counts_sum_inv * dprobs + dcounts_sum + dcounts_sum

# %% ex1_step_by_step dcounts: paths multiplied -> wrong_value | wrong_local_derivative
def dcounts(counts_sum_inv, dprobs, dcounts_sum):
    return counts_sum_inv * dprobs * dcounts_sum

# %% ex1_step_by_step dcounts: second path subtracted -> wrong_value | sign @ counts_sum
def dcounts(counts_sum_inv, dprobs, dcounts_sum):
    return counts_sum_inv * dprobs - dcounts_sum

# %% ex1_step_by_step dcounts: second path on the diagonal only -> wrong_value | partial
def dcounts(counts_sum_inv, dprobs, dcounts_sum):
    out = counts_sum_inv * dprobs
    for i in range(min(out.shape)):
        out[i, i] += dcounts_sum[i, 0]
    return out

# %% ex1_step_by_step dcounts: second path in the first column only -> wrong_value | partial
def dcounts(counts_sum_inv, dprobs, dcounts_sum):
    out = counts_sum_inv * dprobs
    out[:, :1] += dcounts_sum
    return out

# %% ex1_step_by_step dcounts: counts_sum for counts_sum_inv -> wrong_value | wrong_local_derivative @ probs
def dcounts(counts_sum, dprobs, dcounts_sum):
    return counts_sum * dprobs + dcounts_sum

# %% ex1_step_by_step dnorm_logits: local derivative forgotten -> wrong_value | upstream_only @ counts
def dnorm_logits(dcounts):
    return dcounts

# %% ex1_step_by_step dnorm_logits: upstream forgotten -> wrong_value | missing_upstream @ counts
def dnorm_logits(counts):
    return counts

# %% ex1_step_by_step dnorm_logits: exp of the logits before the shift -> wrong_value | wrong_local_derivative @ counts
def dnorm_logits(logits, dcounts):
    return logits.exp() * dcounts

# %% ex1_step_by_step dnorm_logits: logarithm's derivative -> wrong_value | wrong_local_derivative @ counts
def dnorm_logits(norm_logits, dcounts):
    return dcounts / (norm_logits - 1e-3)

# %% ex1_step_by_step dnorm_logits: matrix product for elementwise -> error
def dnorm_logits(counts, dcounts):
    return counts @ dcounts

# %% ex1_step_by_step dnorm_logits: bfloat16 -> wrong_value | wrong_dtype
def dnorm_logits(counts, dcounts):
    return counts.bfloat16() * dcounts.bfloat16()

# %% ex1_step_by_step dnorm_logits: complex -> wrong_dtype | wrong_dtype
def dnorm_logits(counts, dcounts):
    return torch.complex(counts * dcounts, torch.zeros_like(counts))

# %% ex1_step_by_step dnorm_logits: autograd through exp -> forbidden
def dnorm_logits(norm_logits, dcounts):
    norm_logits = norm_logits.clone().requires_grad_()
    norm_logits.exp().backward(dcounts)
    return norm_logits.grad

# %% ex1_step_by_step dlogit_maxes: zeros, no gradient asked -> wrong_value | all_zero @ norm_logits
def dlogit_maxes(logit_maxes):
    return torch.zeros_like(logit_maxes)

# %% ex1_step_by_step dlogit_maxes: zeros, asks for dnorm_logits -> wrong_value | all_zero @ norm_logits
def dlogit_maxes(dnorm_logits):
    return torch.zeros(dnorm_logits.shape[0], 1)

# %% ex1_step_by_step dlogit_maxes: small random noise -> wrong_value | all_zero @ norm_logits
def dlogit_maxes(logit_maxes, dnorm_logits):
    return torch.randn(logit_maxes.shape) * 1e-9

# %% ex1_step_by_step dlogit_maxes: sign -> wrong_value | sign @ norm_logits
def dlogit_maxes(dnorm_logits):
    return dnorm_logits.sum(1, keepdim=True)

# %% ex1_step_by_step dlogit_maxes: keepdim forgotten -> wrong_shape | keepdim @ norm_logits
def dlogit_maxes(dnorm_logits):
    return -dnorm_logits.sum(1)

# %% ex1_step_by_step dlogit_maxes: summed over the batch -> wrong_shape | wrong_dim @ norm_logits
def dlogit_maxes(dnorm_logits):
    return -dnorm_logits.sum(0, keepdim=True)

# %% ex1_step_by_step dlogit_maxes: a tiny constant, from a gradient that no maximum gets through -> wrong_value | far_upstream @ norm_logits
def dlogit_maxes(logit_maxes, dlogprobs):
    return torch.full_like(logit_maxes, 1e-12)

# %% ex1_step_by_step dlogit_maxes: a tiny constant, from dprobs -> wrong_value | far_upstream @ norm_logits
def dlogit_maxes(logit_maxes, dprobs):
    return torch.full_like(logit_maxes, -1e-12)

# %% ex1_step_by_step dlogit_maxes: a tiny constant, from dcounts -> wrong_value | all_zero @ norm_logits
def dlogit_maxes(logit_maxes, dcounts):
    return torch.full_like(logit_maxes, 1e-12)

# %% ex1_step_by_step dlogit_maxes: zeros, from dlogprobs -> wrong_value | all_zero @ norm_logits
def dlogit_maxes(logit_maxes, dlogprobs):
    return torch.zeros_like(logit_maxes)

# %% ex1_step_by_step dlogit_maxes: mean for sum -> wrong_value | mean_for_sum @ norm_logits
def dlogit_maxes(dnorm_logits):
    return -dnorm_logits.mean(1, keepdim=True)

# %% ex1_step_by_step dlogit_maxes: a single zero -> wrong_shape | wrong_shape @ norm_logits
def dlogit_maxes(dnorm_logits):
    return torch.tensor([0.0])

# %% ex1_step_by_step dlogit_maxes: broadcast not summed -> wrong_shape | missing_sum @ norm_logits
def dlogit_maxes(dnorm_logits):
    return -dnorm_logits

# %% ex1_step_by_step dlogits: maximum's path lost, both gradients asked -> wrong_value | missing_path @ logit_maxes
def dlogits(dnorm_logits, dlogit_maxes):
    return dnorm_logits.clone()

# %% ex1_step_by_step dlogits: maximum's path lost, only dnorm_logits asked -> wrong_value | missing_path @ logit_maxes
def dlogits(dnorm_logits):
    return dnorm_logits

# %% ex1_step_by_step dlogits: maximum's path to every column -> wrong_value | upstream_only @ logit_maxes
def dlogits(dnorm_logits, dlogit_maxes):
    return dnorm_logits + dlogit_maxes

# %% ex1_step_by_step dlogits: maximum's path to the label -> wrong_value | wrong_local_derivative
def dlogits(dnorm_logits, dlogit_maxes, Yb):
    return dnorm_logits + F.one_hot(Yb, dnorm_logits.shape[1]) * dlogit_maxes

# %% ex1_step_by_step dlogits: argmax of another tensor -> wrong_value | wrong_local_derivative @ logit_maxes
def dlogits(dnorm_logits, dlogit_maxes):
    return dnorm_logits + F.one_hot(dnorm_logits.argmax(1), dnorm_logits.shape[1]) * dlogit_maxes

# %% ex1_step_by_step dlogits: maximum's path with the wrong sign -> wrong_value | sign @ logit_maxes
def dlogits(logits, dnorm_logits, dlogit_maxes):
    return dnorm_logits - F.one_hot(logits.argmax(1), logits.shape[1]) * dlogit_maxes

# %% ex1_step_by_step dlogits: maximum's path set instead of added -> wrong_value | partial @ logit_maxes
def dlogits(logits, dnorm_logits, dlogit_maxes, n):
    dnorm_logits[range(n), logits.argmax(1)] = dlogit_maxes[:, 0]
    return dnorm_logits

# %% ex1_step_by_step dlogits: only the maximum's path -> wrong_value | missing_path @ norm_logits
def dlogits(logits, dlogit_maxes):
    return F.one_hot(logits.argmax(1), logits.shape[1]) * dlogit_maxes

# %% ex1_step_by_step dlogits: maximum's path twice -> wrong_value | extra_path @ logit_maxes
def dlogits(logits, dnorm_logits, dlogit_maxes):
    return dnorm_logits + 2 * F.one_hot(logits.argmax(1), logits.shape[1]) * dlogit_maxes

# %% ex1_step_by_step dlogits: vocabulary 27 written out -> error | hard_coded_size
def dlogits(logits, dnorm_logits, dlogit_maxes):
    return dnorm_logits + F.one_hot(logits.argmax(1), 27).float() * dlogit_maxes + torch.zeros(1, 27)

# %% ex1_step_by_step dlogits: autograd on the cross-entropy -> forbidden
def dlogits(logits, Yb):
    leaf = logits.clone().requires_grad_()
    return torch.autograd.grad(F.cross_entropy(leaf, Yb), leaf)[0]

# %% ex1_step_by_step dh: weights the wrong way round -> error | transposed @ logits
def dh(W2, dlogits):
    return dlogits @ W2

# %% ex1_step_by_step dh: transposed -> wrong_shape | transposed @ logits
def dh(W2, dlogits):
    return W2 @ dlogits.T

# %% ex1_step_by_step dh: sign -> wrong_value | sign @ logits
def dh(W2, dlogits):
    return -(dlogits @ W2.T)

# %% ex1_step_by_step dh: forward again, with the bias -> wrong_value | wrong_local_derivative @ logits
def dh(h, W2, b2, dlogits):
    return (dlogits + b2) @ W2.T

# %% ex1_step_by_step dh: numpy array -> not_a_tensor | wrong_type
def dh(W2, dlogits):
    return (dlogits @ W2.T).numpy()

# %% ex1_step_by_step dh: upstream replaced by ones -> wrong_value | missing_upstream @ logits
def dh(W2, dlogits):
    return torch.ones_like(dlogits) @ W2.T

# %% ex1_step_by_step dh: meta tensor, shape without values -> not_a_tensor | wrong_type
def dh(h, W2, dlogits):
    return torch.empty_like(h, device="meta")

# %% ex1_step_by_step dW2: transposed -> wrong_shape | transposed @ logits
def dW2(h, dlogits):
    return dlogits.T @ h

# %% ex1_step_by_step dW2: transposed, then forced into shape -> wrong_value | transposed @ logits
def dW2(W2, h, dlogits):
    return (dlogits.T @ h).reshape(W2.shape)

# %% ex1_step_by_step dW2: divided by n -> wrong_value | scale @ logits
def dW2(h, dlogits, n):
    return h.T @ dlogits / n

# %% ex1_step_by_step dW2: hpreact for h -> wrong_value | wrong_local_derivative @ logits
def dW2(hpreact, dlogits):
    return hpreact.T @ dlogits

# %% ex1_step_by_step dW2: h not transposed -> error | transposed @ logits
def dW2(h, dlogits):
    return h @ dlogits

# %% ex1_step_by_step dW2: batch not summed -> wrong_shape | missing_sum @ logits
def dW2(h, dlogits):
    return h.unsqueeze(2) * dlogits.unsqueeze(1)

# %% ex1_step_by_step dW2: last example only, = for += -> wrong_value | overwrite @ logits
def dW2(h, dlogits, n):
    for i in range(n):
        out = torch.outer(h[i], dlogits[i])
    return out

# %% ex1_step_by_step dW2: batch of 32 written out -> error | hard_coded_size
def dW2(h, dlogits):
    return sum(torch.outer(h[i], dlogits[i]) for i in range(32)) + 0 * torch.zeros(64, 27)

# %% ex1_step_by_step db2: mean for sum -> wrong_value | mean_for_sum @ logits
def db2(dlogits):
    return dlogits.mean(0)

# %% ex1_step_by_step db2: summed over the vocabulary -> wrong_shape | wrong_dim @ logits
def db2(dlogits):
    return dlogits.sum(1)

# %% ex1_step_by_step db2: broadcast not summed -> wrong_shape | missing_sum @ logits
def db2(dlogits):
    return dlogits

# %% ex1_step_by_step db2: one entry that broadcasts -> wrong_shape | wrong_shape @ logits
def db2(dlogits):
    return dlogits.sum(0)[:1]

# %% ex1_step_by_step db2: as a column -> wrong_shape | wrong_shape @ logits
def db2(dlogits):
    return dlogits.sum(0)[:, None]

# %% ex1_step_by_step db2: zeros -> wrong_value | all_zero @ logits
def db2(b2):
    return torch.zeros_like(b2)

# %% ex1_step_by_step db2: whole numbers -> wrong_dtype | wrong_dtype
def db2(dlogits):
    return (dlogits.sum(0) * 1000).round().long()

# %% ex1_step_by_step db2: last row of dlogits for the sum -> wrong_value | overwrite @ logits
def db2(dlogits):
    return dlogits[-1]

# %% ex1_step_by_step dhpreact: upstream forgotten -> wrong_value | missing_upstream @ h
def dhpreact(h):
    return 1 - h**2

# %% ex1_step_by_step dhpreact: local derivative forgotten -> wrong_value | upstream_only @ h
def dhpreact(dh):
    return dh

# %% ex1_step_by_step dhpreact: square forgotten -> wrong_value | wrong_local_derivative @ h
def dhpreact(h, dh):
    return (1 - h) * dh

# %% ex1_step_by_step dhpreact: square of hpreact -> wrong_value | wrong_local_derivative @ h
def dhpreact(hpreact, dh):
    return (1 - hpreact**2) * dh

# %% ex1_step_by_step dhpreact: logistic function's derivative -> wrong_value | wrong_local_derivative @ h
def dhpreact(h, dh):
    return h * (1 - h) * dh

# %% ex1_step_by_step dhpreact: parenthesis lost -> wrong_value | wrong_local_derivative @ h
def dhpreact(h, dh):
    return 1 - h**2 * dh

# %% ex1_step_by_step dhpreact: autograd through tanh -> forbidden
def dhpreact(hpreact, dh):
    x = hpreact.detach().requires_grad_(True)
    return torch.autograd.grad(torch.tanh(x), x, grad_outputs=dh)[0]

# %% ex1_step_by_step dhpreact: torch.func.vjp -> forbidden
def dhpreact(hpreact, dh):
    _, pull_back = torch.func.vjp(torch.tanh, hpreact)
    return pull_back(dh)[0]

# %% ex1_step_by_step dbngain: times bndiff for bnraw -> wrong_value | wrong_local_derivative @ hpreact
def dbngain(bndiff, dhpreact):
    return (bndiff * dhpreact).sum(0, keepdim=True)

# %% ex1_step_by_step dbngain: local derivative forgotten -> wrong_value | upstream_only @ hpreact
def dbngain(dhpreact):
    return dhpreact.sum(0, keepdim=True)

# %% ex1_step_by_step dbngain: product of the sums -> wrong_value | all_zero @ hpreact
def dbngain(bnraw, dhpreact):
    return bnraw.sum(0, keepdim=True) * dhpreact.sum(0, keepdim=True)

# %% ex1_step_by_step dbngain: broadcast not summed -> wrong_shape | missing_sum @ hpreact
def dbngain(bnraw, dhpreact):
    return bnraw * dhpreact

# %% ex1_step_by_step dbngain: summed over the neurons -> wrong_shape | wrong_dim @ hpreact
def dbngain(bnraw, dhpreact):
    return (bnraw * dhpreact).sum(1, keepdim=True)

# %% ex1_step_by_step dbngain: hidden size 64 written out -> error | hard_coded_size
def dbngain(bnraw, dhpreact):
    return (bnraw * dhpreact).sum(0).view(1, 64)

# %% ex1_step_by_step dbnbias: another tensor's gradient -> wrong_value | wrong_tensor @ hpreact
def dbnbias(dbngain):
    return dbngain

# %% ex1_step_by_step dbnbias: sum of everything, 0-d -> wrong_shape | wrong_shape @ hpreact
def dbnbias(dhpreact):
    return dhpreact.sum()

# %% ex1_step_by_step dbnbias: mean for sum -> wrong_value | mean_for_sum @ hpreact
def dbnbias(dhpreact):
    return dhpreact.mean(0, keepdim=True)

# %% ex1_step_by_step dbnbias: times the bias -> wrong_value | wrong_local_derivative @ hpreact
def dbnbias(bnbias, dhpreact):
    return bnbias * dhpreact.sum(0, keepdim=True)

# %% ex1_step_by_step dbnbias: batch size 32 written out in a mean -> wrong_value | hard_coded_size @ hpreact
def dbnbias(dhpreact):
    return dhpreact.mean(0, keepdim=True) * 32

# %% ex1_step_by_step dbnraw: local derivative forgotten -> wrong_value | upstream_only @ hpreact
def dbnraw(dhpreact):
    return dhpreact

# %% ex1_step_by_step dbnraw: times the bias for the gain -> wrong_value | wrong_local_derivative @ hpreact
def dbnraw(bnbias, dhpreact):
    return bnbias * dhpreact

# %% ex1_step_by_step dbnraw: bias added -> wrong_value | wrong_local_derivative @ hpreact
def dbnraw(bngain, bnbias, dhpreact):
    return bngain * dhpreact + bnbias

# %% ex1_step_by_step dbnraw: gain transposed -> error | transposed @ hpreact
def dbnraw(bngain, dhpreact):
    return bngain.T * dhpreact

# %% ex1_step_by_step dbnraw: summed over the batch -> wrong_shape | wrong_shape @ hpreact
def dbnraw(bngain, dhpreact):
    return (bngain * dhpreact).sum(0, keepdim=True)

# %% ex1_step_by_step dbnraw: upstream forgotten -> wrong_value | missing_upstream @ hpreact
def dbnraw(bngain, dhpreact):
    return bngain * torch.ones_like(dhpreact)

# %% ex1_step_by_step dbnvar_inv: broadcast not summed -> wrong_shape | missing_sum @ bnraw
def dbnvar_inv(bndiff, dbnraw):
    return bndiff * dbnraw

# %% ex1_step_by_step dbnvar_inv: bnraw for bndiff -> wrong_value | wrong_local_derivative @ bnraw
def dbnvar_inv(bnraw, dbnraw):
    return (bnraw * dbnraw).sum(0, keepdim=True)

# %% ex1_step_by_step dbnvar_inv: local derivative forgotten -> wrong_value | upstream_only @ bnraw
def dbnvar_inv(dbnraw):
    return dbnraw.sum(0, keepdim=True)

# %% ex1_step_by_step dbnvar_inv: sign -> wrong_value | sign @ bnraw
def dbnvar_inv(hprebn, bnmeani, dbnraw):
    return ((bnmeani - hprebn) * dbnraw).sum(0, keepdim=True)

# %% ex1_step_by_step dbnvar_inv: mean for sum -> wrong_value | mean_for_sum @ bnraw
def dbnvar_inv(bndiff, dbnraw):
    return torch.mean(bndiff * dbnraw, dim=0, keepdim=True)

# %% ex1_step_by_step dbnvar: eps dropped -> wrong_value | wrong_local_derivative @ bnvar_inv
def dbnvar(bnvar, dbnvar_inv):
    return -0.5 * bnvar**-1.5 * dbnvar_inv

# %% ex1_step_by_step dbnvar: power not lowered -> wrong_value | wrong_local_derivative @ bnvar_inv
def dbnvar(bnvar, dbnvar_inv):
    return -0.5 * (bnvar + 1e-5) ** -0.5 * dbnvar_inv

# %% ex1_step_by_step dbnvar: factor of the power forgotten -> wrong_value | scale @ bnvar_inv
def dbnvar(bnvar, dbnvar_inv):
    return (bnvar + 1e-5) ** -1.5 * dbnvar_inv

# %% ex1_step_by_step dbnvar: sign -> wrong_value | sign @ bnvar_inv
def dbnvar(bnvar, dbnvar_inv):
    return 0.5 * (bnvar + 1e-5) ** -1.5 * dbnvar_inv

# %% ex1_step_by_step dbnvar: upstream forgotten -> wrong_value | missing_upstream @ bnvar_inv
def dbnvar(bnvar):
    return -0.5 * (bnvar + 1e-5) ** -1.5

# %% ex1_step_by_step dbnvar: eps outside the power -> wrong_value | wrong_local_derivative @ bnvar_inv
def dbnvar(bnvar, dbnvar_inv):
    return -0.5 * (bnvar**-1.5 + 1e-5) * dbnvar_inv

# %% ex1_step_by_step dbndiff2: n for n - 1 -> wrong_value | scale @ bnvar
def dbndiff2(bndiff2, dbnvar, n):
    return (1.0 / n) * torch.ones_like(bndiff2) * dbnvar

# %% ex1_step_by_step dbndiff2: not divided -> wrong_value | scale @ bnvar
def dbndiff2(bndiff2, dbnvar):
    return torch.ones_like(bndiff2) * dbnvar

# %% ex1_step_by_step dbndiff2: sum not copied back, right values -> wrong_shape | wrong_shape @ bnvar
def dbndiff2(dbnvar, n):
    return dbnvar / (n - 1)

# %% ex1_step_by_step dbndiff2: batch size 31 written out -> wrong_value | hard_coded_size @ bnvar
def dbndiff2(bndiff2, dbnvar):
    return torch.ones_like(bndiff2) * dbnvar / 31

# %% ex1_step_by_step dbndiff2: times bndiff2 -> wrong_value | wrong_local_derivative @ bnvar
def dbndiff2(bndiff2, dbnvar, n):
    return bndiff2 * dbnvar / (n - 1)

# %% ex1_step_by_step dbndiff2: first row only -> wrong_value | partial @ bnvar
def dbndiff2(bndiff2, dbnvar, n):
    out = torch.zeros_like(bndiff2)
    out[0] = dbnvar / (n - 1)
    return out

# %% ex1_step_by_step dbndiff2: n - 1 multiplied -> wrong_value | scale @ bnvar
def dbndiff2(bndiff2, dbnvar, n):
    return torch.ones_like(bndiff2) * dbnvar * (n - 1)

# %% ex1_step_by_step dbndiff: path through bndiff2 lost -> wrong_value | missing_path @ bndiff2
def dbndiff(bnvar_inv, dbnraw):
    return bnvar_inv * dbnraw

# %% ex1_step_by_step dbndiff: path through bnraw lost -> wrong_value | missing_path @ bnraw
def dbndiff(bndiff, dbndiff2):
    return 2 * bndiff * dbndiff2

# %% ex1_step_by_step dbndiff: factor of the square forgotten -> wrong_value | scale @ bndiff2
def dbndiff(bndiff, bnvar_inv, dbnraw, dbndiff2):
    return bnvar_inv * dbnraw + bndiff * dbndiff2

# %% ex1_step_by_step dbndiff: bndiff2 for bndiff -> wrong_value | wrong_local_derivative @ bndiff2
def dbndiff(bndiff2, bnvar_inv, dbnraw, dbndiff2):
    return bnvar_inv * dbnraw + 2 * bndiff2 * dbndiff2

# %% ex1_step_by_step dbndiff: bnvar for bnvar_inv -> wrong_value | wrong_local_derivative @ bnraw
def dbndiff(bndiff, bnvar, dbnraw, dbndiff2):
    return bnvar * dbnraw + 2 * bndiff * dbndiff2

# %% ex1_step_by_step dbndiff: path through bnraw twice -> wrong_value | extra_path @ bnraw
def dbndiff(bndiff, bnvar_inv, dbnraw, dbndiff2):
    return 2 * (bnvar_inv * dbnraw) + 2 * bndiff * dbndiff2

# %% ex1_step_by_step dbnmeani: sign -> wrong_value | sign @ bndiff
def dbnmeani(dbndiff):
    return dbndiff.sum(0, keepdim=True)

# %% ex1_step_by_step dbnmeani: broadcast not summed -> wrong_shape | missing_sum @ bndiff
def dbnmeani(dbndiff):
    return -dbndiff

# %% ex1_step_by_step dbnmeani: mean for sum -> wrong_value | mean_for_sum @ bndiff
def dbnmeani(dbndiff):
    return -dbndiff.mean(0, keepdim=True)

# %% ex1_step_by_step dbnmeani: only the path that sums to zero -> wrong_value | all_zero @ bndiff
def dbnmeani(bndiff, dbndiff2):
    return -(2 * bndiff * dbndiff2).sum(0, keepdim=True)

# %% ex1_step_by_step dbnmeani: as a column -> wrong_shape | transposed @ bndiff
def dbnmeani(dbndiff):
    return -dbndiff.sum(0).view(-1, 1)

# %% ex1_step_by_step dhprebn: path through the mean lost -> wrong_value | missing_path @ bnmeani
def dhprebn(dbndiff, dbnmeani):
    return dbndiff.clone()

# %% ex1_step_by_step dhprebn: mean's path not divided by n -> wrong_value | scale @ bnmeani
def dhprebn(dbndiff, dbnmeani):
    return dbndiff + dbnmeani

# %% ex1_step_by_step dhprebn: mean's path subtracted -> wrong_value | sign @ bnmeani
def dhprebn(dbndiff, dbnmeani, n):
    return dbndiff - dbnmeani / n

# %% ex1_step_by_step dhprebn: n - 1 for n -> wrong_value | scale @ bnmeani
def dhprebn(dbndiff, dbnmeani, n):
    return dbndiff + dbnmeani / (n - 1)

# %% ex1_step_by_step dhprebn: only the path through the mean -> wrong_value | missing_path @ bndiff
def dhprebn(hprebn, dbnmeani, n):
    return torch.ones_like(hprebn) * dbnmeani / n

# %% ex1_step_by_step dhprebn: mean's path for the first row only -> wrong_value | partial
def dhprebn(dbndiff, dbnmeani, n):
    dbndiff[:1] += dbnmeani / n
    return dbndiff

# %% ex1_step_by_step dembcat: transposed -> wrong_shape | transposed @ hprebn
def dembcat(W1, dhprebn):
    return W1 @ dhprebn.T

# %% ex1_step_by_step dembcat: weights not transposed -> error | transposed @ hprebn
def dembcat(W1, dhprebn):
    return dhprebn @ W1

# %% ex1_step_by_step dembcat: factor 2 -> wrong_value | scale @ hprebn
def dembcat(W1, dhprebn):
    return 2 * dhprebn @ W1.T

# %% ex1_step_by_step dembcat: upstream from the wrong side of batch norm -> wrong_value | wrong_tensor @ hprebn
def dembcat(W1, dhpreact):
    return dhpreact @ W1.T

# %% ex1_step_by_step dembcat: shape of emb -> wrong_shape | wrong_shape @ hprebn
def dembcat(W1, emb, dhprebn):
    return (dhprebn @ W1.T).view(emb.shape)

# %% ex1_step_by_step dembcat: NaN in one corner -> not_finite | not_finite @ hprebn
def dembcat(W1, dhprebn):
    out = dhprebn @ W1.T
    out[-1, -1] = float("nan")
    return out

# %% ex1_step_by_step dW1: transposed -> wrong_shape | transposed @ hprebn
def dW1(embcat, dhprebn):
    return dhprebn.T @ embcat

# %% ex1_step_by_step dW1: mean over the batch -> wrong_value | scale @ hprebn
def dW1(embcat, dhprebn, n):
    return (embcat.T @ dhprebn) / n

# %% ex1_step_by_step dW1: upstream from the wrong side of batch norm -> wrong_value | wrong_tensor @ hprebn
def dW1(embcat, dhpreact):
    return embcat.T @ dhpreact

# %% ex1_step_by_step dW1: embeddings in the wrong order -> wrong_value | wrong_local_derivative @ hprebn
def dW1(emb, dhprebn):
    return emb.flip(1).flatten(1).T @ dhprebn

# %% ex1_step_by_step dW1: sizes 30 and 64 written out -> error | hard_coded_size
def dW1(embcat, dhprebn):
    return (embcat.T @ dhprebn).view(30, 64)

# %% ex1_step_by_step dW1: infinite in one entry -> not_finite | not_finite @ hprebn
def dW1(embcat, dhprebn):
    out = embcat.T @ dhprebn
    out[0, 0] /= 0.0
    return out

# %% ex1_step_by_step db1: zeros, no gradient asked -> wrong_value | all_zero @ hprebn
def db1(b1):
    return torch.zeros_like(b1)

# %% ex1_step_by_step db1: zeros, asks for dhprebn -> wrong_value | all_zero @ hprebn
def db1(b1, dhprebn):
    return torch.zeros_like(b1)

# %% ex1_step_by_step db1: small random noise -> wrong_value | all_zero @ hprebn
def db1(b1, dhprebn):
    return 1e-9 * torch.randn_like(b1)

# %% ex1_step_by_step db1: a tiny constant, from a gradient that no bias gets through -> wrong_value | far_upstream @ hprebn
def db1(b1, dlogprobs):
    return torch.full_like(b1, 1e-12)

# %% ex1_step_by_step db1: a tiny constant, from batch norm's output -> wrong_value | far_upstream @ hprebn
def db1(b1, dhpreact):
    return torch.full_like(b1, 1e-12)

# %% ex1_step_by_step db1: zeros, from a gradient that no bias gets through -> wrong_value | all_zero @ hprebn
def db1(b1, dlogprobs):
    return torch.zeros_like(b1)

# %% ex1_step_by_step db1: noise of the size of rounding, from dW1 -> wrong_value | far_upstream @ hprebn
def db1(b1, dW1):
    return 1e-10 * torch.randn(b1.shape, generator=torch.Generator().manual_seed(1))

# %% ex1_step_by_step db1: derived all the way from batch norm's output, which shows no step -> wrong_value | far_upstream @ hprebn
def db1(bngain, bnraw, bnvar_inv, dhpreact, n):
    dhprebn = bngain * bnvar_inv / n * (n * dhpreact - dhpreact.sum(0) - n / (n - 1) * bnraw * (dhpreact * bnraw).sum(0))
    return dhprebn.sum(0)

# %% ex1_step_by_step db1: a tiny constant, from the right gradient -> wrong_value | all_zero @ hprebn
def db1(b1, dhprebn):
    return torch.full_like(b1, 1e-12)

# %% ex1_step_by_step db1: sign -> wrong_value | sign @ hprebn
def db1(dhprebn):
    return -dhprebn.sum(0)

# %% ex1_step_by_step db1: mean for sum -> wrong_value | mean_for_sum @ hprebn
def db1(dhprebn):
    return dhprebn.mean(0)

# %% ex1_step_by_step db1: summed over the neurons -> wrong_shape | wrong_dim @ hprebn
def db1(dhprebn):
    return dhprebn.sum(1)

# %% ex1_step_by_step db1: another tensor's gradient -> wrong_value | wrong_tensor @ hprebn
def db1(dbnbias):
    return dbnbias[0]

# %% ex1_step_by_step db1: a zero that broadcasts -> wrong_shape | wrong_shape @ hprebn
def db1(dhprebn):
    return torch.zeros(1)

# %% ex1_step_by_step db1: Python zero -> not_a_tensor | wrong_type
def db1(dhprebn):
    return 0

# %% ex1_step_by_step db1: broadcast not summed -> wrong_shape | missing_sum @ hprebn
def db1(dhprebn):
    return dhprebn

# %% ex1_step_by_step demb: not viewed back -> wrong_shape | wrong_shape @ embcat
def demb(dembcat):
    return dembcat

# %% ex1_step_by_step demb: sizes 32, 3 and 10 written out -> error | hard_coded_size
def demb(dembcat):
    return dembcat.view(32, 3, 10)

# %% ex1_step_by_step demb: axes exchanged -> wrong_shape | transposed @ embcat
def demb(emb, dembcat):
    return dembcat.view(emb.shape).transpose(1, 2)

# %% ex1_step_by_step demb: interleaved, right shape -> wrong_value | transposed @ embcat
def demb(emb, dembcat):
    n, block, embd = emb.shape
    return dembcat.view(n, embd, block).transpose(1, 2)

# %% ex1_step_by_step demb: batch and context mixed up -> wrong_value | transposed @ embcat
def demb(emb, dembcat):
    n, block, embd = emb.shape
    return dembcat.view(block, n, embd).transpose(0, 1)

# %% ex1_step_by_step demb: shape as a list of values -> not_a_tensor | wrong_type
def demb(emb, dembcat):
    return list(dembcat.view(emb.shape))

# %% ex1_step_by_step dC: = for += in the loop -> wrong_value | overwrite @ emb
def dC(C, Xb, demb):
    out = torch.zeros_like(C)
    for k in range(Xb.shape[0]):
        for j in range(Xb.shape[1]):
            out[Xb[k, j]] = demb[k, j]
    return out

# %% ex1_step_by_step dC: = for += by indexing -> wrong_value | overwrite @ emb
def dC(C, Xb, demb):
    out = torch.zeros_like(C)
    out[Xb] = demb
    return out

# %% ex1_step_by_step dC: += by indexing, which keeps one write of each -> wrong_value | overwrite @ emb
def dC(C, Xb, demb):
    out = torch.zeros_like(C)
    out[Xb] += demb
    return out

# %% ex1_step_by_step dC: index_put_ without accumulate -> wrong_value | overwrite @ emb
def dC(C, Xb, demb):
    return torch.zeros_like(C).index_put_((Xb,), demb)

# %% ex1_step_by_step dC: starts from C instead of zeros -> wrong_value | wrong_local_derivative @ emb
def dC(C, Xb, demb):
    return C.index_add_(0, Xb.flatten(), demb.flatten(0, 1))

# %% ex1_step_by_step dC: starts from ones -> wrong_value | wrong_local_derivative @ emb
def dC(C, Xb, demb):
    return torch.ones_like(C).index_add_(0, Xb.flatten(), demb.flatten(0, 1))

# %% ex1_step_by_step dC: sizes 27 and 10 written out -> error | hard_coded_size
def dC(Xb, demb):
    return torch.zeros(27, 10).index_add_(0, Xb.flatten(), demb.view(-1, 10)[: Xb.numel()])

# %% ex1_step_by_step dC: context of 3 written out -> wrong_value | hard_coded_size @ emb
def dC(C, Xb, demb):
    out = torch.zeros_like(C)
    for k in range(Xb.shape[0]):
        for j in range(min(3, Xb.shape[1])):
            out[Xb[k, j]] += demb[k, j]
    return out

# %% ex1_step_by_step dC: only the last position of the context -> wrong_value | overwrite @ emb
def dC(C, Xb, demb):
    return torch.zeros_like(C).index_add_(0, Xb[:, -1], demb[:, -1])

# %% ex1_step_by_step dC: averaged over a character's occurrences -> wrong_value | mean_for_sum @ emb
def dC(C, Xb, demb):
    total = torch.zeros_like(C).index_add_(0, Xb.flatten(), demb.flatten(0, 1))
    return total / torch.bincount(Xb.flatten(), minlength=len(C)).clamp(min=1)[:, None]

# %% ex1_step_by_step dC: looked up with the labels -> wrong_value | wrong_local_derivative @ emb
def dC(C, Yb, demb):
    return torch.zeros_like(C).index_add_(0, Yb, demb.sum(1))

# %% ex1_step_by_step dC: gathered instead of scattered -> wrong_shape | wrong_shape @ emb
def dC(C, Xb):
    return C[Xb]

# %% ex1_step_by_step dC: transposed -> wrong_shape | transposed @ emb
def dC(C, Xb, demb):
    return (F.one_hot(Xb.flatten(), len(C)).float().T @ demb.flatten(0, 1)).T

# %% ex1_step_by_step dC: end mark left out -> wrong_value | partial @ emb
def dC(C, Xb, demb):
    out = torch.zeros_like(C)
    for letter in range(1, len(C)):
        out[letter] = demb[Xb == letter].sum(0)
    return out

# %% ex2_cross_entropy dlogits: not divided by n -> wrong_value | scale @ norm_logits
def dlogits(logits, Yb, n):
    d = F.softmax(logits, 1)
    d[range(n), Yb] -= 1
    return d

# %% ex2_cross_entropy dlogits: softmax over the batch -> wrong_value | wrong_dim @ counts_sum
def dlogits(logits, Yb, n):
    d = F.softmax(logits, 0)
    d[range(n), Yb] -= 1
    return d / n

# %% ex2_cross_entropy dlogits: sign -> wrong_value | sign @ norm_logits
def dlogits(logits, Yb, n):
    return (F.one_hot(Yb, logits.shape[1]) - F.softmax(logits, 1)) / n

# %% ex2_cross_entropy dlogits: label not subtracted -> wrong_value | partial @ loss
def dlogits(logits, n):
    return F.softmax(logits, 1) / n

# %% ex2_cross_entropy dlogits: divided before the label is subtracted -> wrong_value | partial @ loss
def dlogits(logits, Yb, n):
    d = F.softmax(logits, 1) / n
    d[range(n), Yb] -= 1
    return d

# %% ex2_cross_entropy dlogits: label subtracted from every row -> wrong_value | wrong_local_derivative
def dlogits(logits, Yb, n):
    d = F.softmax(logits, 1)
    d[:, Yb] -= 1
    return d / n

# %% ex2_cross_entropy dlogits: counts not normalized -> wrong_value | wrong_local_derivative
def dlogits(counts, Yb, n):
    return (counts - F.one_hot(Yb, counts.shape[1])) / n

# %% ex2_cross_entropy dlogits: log-probabilities for probabilities -> wrong_value | wrong_local_derivative
def dlogits(logprobs, Yb, n):
    return (logprobs - F.one_hot(Yb, logprobs.shape[1])) / n

# %% ex2_cross_entropy dlogits: divided by all entries -> wrong_value | scale @ norm_logits
def dlogits(logits, Yb):
    return (F.softmax(logits, 1) - F.one_hot(Yb, logits.shape[1])) / logits.numel()

# %% ex2_cross_entropy dlogits: asks for an upstream that the exercise does not give -> error
def dlogits(dnorm_logits):
    return dnorm_logits

# %% ex2_cross_entropy dlogits: batch size 32 written out -> wrong_value | hard_coded_size @ norm_logits
def dlogits(logits, Yb):
    return (F.softmax(logits, 1) - F.one_hot(Yb, logits.shape[1])) / 32

# %% ex2_cross_entropy dlogits: vocabulary 27 written out -> error | hard_coded_size
def dlogits(logits, Yb, n):
    return (F.softmax(logits, 1) - F.one_hot(Yb, 32)[:, :27]) / n

# %% ex2_cross_entropy dlogits: the loss itself -> wrong_shape | wrong_shape
def dlogits(logits, Yb):
    return F.cross_entropy(logits, Yb)

# %% ex2_cross_entropy dlogits: autograd -> forbidden
def dlogits(logits, Yb):
    logits = logits.clone().requires_grad_()
    F.cross_entropy(logits, Yb).backward()
    return logits.grad

# %% ex2_cross_entropy dlogits: torch.func.grad -> forbidden
def dlogits(logits, Yb):
    return torch.func.grad(F.cross_entropy)(logits, Yb)

# %% ex2_cross_entropy dlogits: central differences in float32 -> wrong_value | wrong_local_derivative
def dlogits(logits, Yb):
    out = torch.zeros_like(logits)
    for i in range(logits.shape[0]):
        for j in range(logits.shape[1]):
            up, down = logits.clone(), logits.clone()
            up[i, j] += 1e-2
            down[i, j] -= 1e-2
            out[i, j] = (F.cross_entropy(up, Yb) - F.cross_entropy(down, Yb)) / 2e-2
    return out

# %% ex3_batchnorm dhprebn: the paper's formula, n for n - 1 -> wrong_value | scale @ bndiff2
def dhprebn(bngain, bnraw, bnvar_inv, dhpreact, n):
    return bngain*bnvar_inv/n * (n*dhpreact - dhpreact.sum(0) - bnraw*(dhpreact*bnraw).sum(0))

# %% ex3_batchnorm dhprebn: n - 1 everywhere -> wrong_value | scale @ bnmeani
def dhprebn(bngain, bnraw, bnvar_inv, dhpreact, n):
    m = n - 1
    return bngain*bnvar_inv/m * (m*dhpreact - dhpreact.sum(0) - bnraw*(dhpreact*bnraw).sum(0))

# %% ex3_batchnorm dhprebn: Bessel the wrong way up -> wrong_value | scale @ bndiff2
def dhprebn(bngain, bnraw, bnvar_inv, dhpreact, n):
    return bngain*bnvar_inv/n * (n*dhpreact - dhpreact.sum(0) - (n-1)/n*bnraw*(dhpreact*bnraw).sum(0))

# %% ex3_batchnorm dhprebn: path through the mean lost -> wrong_value | missing_path @ bnmeani
def dhprebn(bngain, bnraw, bnvar_inv, dhpreact, n):
    return bngain * bnvar_inv * (dhpreact - bnraw * (dhpreact * bnraw).sum(0) / (n - 1))

# %% ex3_batchnorm dhprebn: path through the variance lost -> wrong_value | missing_path @ bndiff2
def dhprebn(bngain, bnvar_inv, dhpreact):
    return bngain * bnvar_inv * (dhpreact - dhpreact.mean(0))

# %% ex3_batchnorm dhprebn: mean and variance taken for constants -> wrong_value | missing_path @ bnmeani
def dhprebn(bngain, bnvar_inv, dhpreact):
    return bngain * bnvar_inv * dhpreact

# %% ex3_batchnorm dhprebn: gain forgotten -> wrong_value | wrong_local_derivative @ hpreact
def dhprebn(bnraw, bnvar_inv, dhpreact, n):
    return bnvar_inv/n * (n*dhpreact - dhpreact.sum(0) - n/(n-1)*bnraw*(dhpreact*bnraw).sum(0))

# %% ex3_batchnorm dhprebn: sum of products torn apart -> wrong_value | missing_path @ bndiff2
def dhprebn(bngain, bnraw, bnvar_inv, dhpreact, n):
    return bngain*bnvar_inv/n * (n*dhpreact - dhpreact.sum(0) - n/(n-1)*bnraw*(dhpreact*bnraw.sum(0)))

# %% ex3_batchnorm dhprebn: sums over the neurons -> wrong_value | wrong_local_derivative
def dhprebn(bngain, bnraw, bnvar_inv, dhpreact, n):
    total, along = dhpreact.sum(1, keepdim=True), (dhpreact * bnraw).sum(1, keepdim=True)
    return bngain*bnvar_inv/n * (n*dhpreact - total - n/(n-1)*bnraw*along)

# %% ex3_batchnorm dhprebn: not divided by n -> wrong_value | scale
def dhprebn(bngain, bnraw, bnvar_inv, dhpreact, n):
    return bngain*bnvar_inv * (n*dhpreact - dhpreact.sum(0) - n/(n-1)*bnraw*(dhpreact*bnraw).sum(0))

# %% ex3_batchnorm dhprebn: batch size 32 written out -> wrong_value | hard_coded_size @ bnmeani
def dhprebn(bngain, bnraw, bnvar_inv, dhpreact):
    return bngain*bnvar_inv/32 * (32*dhpreact - dhpreact.sum(0) - 32/31*bnraw*(dhpreact*bnraw).sum(0))

# %% ex3_batchnorm dhprebn: bnvar for bnvar_inv -> wrong_value | wrong_local_derivative
def dhprebn(bngain, bnraw, bnvar, dhpreact, n):
    return bngain*bnvar/n * (n*dhpreact - dhpreact.sum(0) - n/(n-1)*bnraw*(dhpreact*bnraw).sum(0))

# %% ex3_batchnorm dhprebn: bndiff for bnraw -> wrong_value | wrong_local_derivative
def dhprebn(bngain, bndiff, bnvar_inv, dhpreact, n):
    return bngain*bnvar_inv/n * (n*dhpreact - dhpreact.sum(0) - n/(n-1)*bndiff*(dhpreact*bndiff).sum(0))

# %% ex3_batchnorm dhprebn: eps dropped -> wrong_value | wrong_local_derivative
def dhprebn(bngain, bndiff, bnvar, dhpreact, n):
    x = bndiff / bnvar.sqrt()
    return bngain / bnvar.sqrt() * (dhpreact - dhpreact.mean(0) - x * (dhpreact * x).sum(0) / (n - 1))

# %% ex3_batchnorm dhprebn: sign -> wrong_value | sign
def dhprebn(bngain, bnraw, bnvar_inv, dhpreact, n):
    return bngain*bnvar_inv/n * (dhpreact.sum(0) + n/(n-1)*bnraw*(dhpreact*bnraw).sum(0) - n*dhpreact)

# %% ex3_batchnorm dhprebn: asks for a gradient that the exercise does not give -> error
def dhprebn(dbndiff, dbnmeani, n):
    return dbndiff + dbnmeani / n

# %% ex3_batchnorm dhprebn: sums to one row -> wrong_shape | wrong_shape @ bndiff
def dhprebn(bngain, bnvar_inv, dhpreact):
    return (bngain * bnvar_inv * dhpreact).sum(0, keepdim=True)

# %% ex3_batchnorm dhprebn: unfilled -> missing
def dhprebn(bngain, bnraw, bnvar_inv, dhpreact, n):
    raise NotImplementedError("later")
