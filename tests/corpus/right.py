# Right answers, in every style seen in the wild: none of them may lose a point.
# One block each: a header `# %% <exercise> <gradient>: <description> -> scores`, then the stub as handed in.
# "lecture" marks the line of the lecture's own published solution.
import torch
import torch.nn.functional as F

# %% ex1_step_by_step dlogprobs: lecture -> scores
def dlogprobs(logprobs, Yb, n):
    dlogprobs = torch.zeros_like(logprobs)
    dlogprobs[range(n), Yb] = -1.0 / n
    return dlogprobs

# %% ex1_step_by_step dlogprobs: one_hot over minus n -> scores
def dlogprobs(logprobs, Yb, n):
    return F.one_hot(Yb, num_classes=logprobs.shape[1]) / -n

# %% ex1_step_by_step dlogprobs: scatter_ along the labels -> scores
def dlogprobs(logprobs, Yb):
    return torch.zeros(logprobs.shape).scatter_(1, Yb.unsqueeze(1), -1 / Yb.numel())

# %% ex1_step_by_step dlogprobs: loop over the rows -> scores
def dlogprobs(probs, Yb):
    rows, columns = probs.shape
    grad = torch.zeros(rows, columns)
    for row in range(rows):
        grad[row, Yb[row].item()] -= 1 / rows
    return grad

# %% ex1_step_by_step dlogprobs: index_put_ with accumulate -> scores
def dlogprobs(logprobs, Yb, n):
    out = torch.zeros_like(logprobs)
    out.index_put_((torch.arange(n), Yb), torch.tensor(-1.0 / n), accumulate=True)
    return out

# %% ex1_step_by_step dlogprobs: comparison with a row of column numbers -> scores
def dlogprobs(logprobs, Yb, n):
    return -(torch.arange(logprobs.size(1)) == Yb[:, None]).float() / n

# %% ex1_step_by_step dlogprobs: rows of an identity matrix -> scores
def dlogprobs(logprobs, Yb, n):
    return -torch.eye(logprobs.shape[1])[Yb] / n

# %% ex1_step_by_step dlogprobs: sparse made dense -> scores
def dlogprobs(logprobs, Yb, n):
    where = torch.stack([torch.arange(n), Yb])
    values = torch.full((n,), -1.0 / n)
    return torch.sparse_coo_tensor(where, values, logprobs.shape, check_invariants=True).to_dense()

# %% ex1_step_by_step dlogprobs: times dloss, which is one -> scores
def dlogprobs(logprobs, Yb, n, dloss):
    out = torch.zeros_like(logprobs)
    out[range(n), Yb] = dloss * (-1 / n)
    return out

# %% ex1_step_by_step dprobs: lecture -> scores
def dprobs(probs, dlogprobs):
    return (1.0 / probs) * dlogprobs

# %% ex1_step_by_step dprobs: divided -> scores
def dprobs(dlogprobs, probs):
    return dlogprobs / probs

# %% ex1_step_by_step dprobs: power of minus one -> scores
def dprobs(probs, dlogprobs):
    return probs.pow(-1).mul(dlogprobs)

# %% ex1_step_by_step dprobs: exp of minus logprobs -> scores
def dprobs(logprobs, dlogprobs):
    return dlogprobs * (-logprobs).exp()

# %% ex1_step_by_step dprobs: reciprocal of counts times counts_sum_inv -> scores
def dprobs(counts, counts_sum_inv, dlogprobs):
    return dlogprobs * torch.reciprocal(counts * counts_sum_inv)

# %% ex1_step_by_step dprobs: lambda -> scores
dprobs = lambda probs, dlogprobs: dlogprobs / probs

# %% ex1_step_by_step dprobs: positional-only parameters -> scores
def dprobs(probs, dlogprobs, /):
    return dlogprobs / probs

# %% ex1_step_by_step dprobs: in place on an argument -> scores
def dprobs(probs, dlogprobs):
    dlogprobs /= probs
    return dlogprobs

# %% ex1_step_by_step dprobs: only where the label is, the rest zero -> scores
def dprobs(probs, Yb, n):
    grad = torch.zeros_like(probs)
    grad[range(n), Yb] = -1 / (n * probs[range(n), Yb])
    return grad

# %% ex1_step_by_step dcounts_sum_inv: lecture -> scores
def dcounts_sum_inv(counts, dprobs):
    return (counts * dprobs).sum(1, keepdim=True)

# %% ex1_step_by_step dcounts_sum_inv: einsum -> scores
def dcounts_sum_inv(counts, dprobs):
    return torch.einsum("ij,ij->i", counts, dprobs)[:, None]

# %% ex1_step_by_step dcounts_sum_inv: batched matrix product -> scores
def dcounts_sum_inv(counts, dprobs):
    return (counts.unsqueeze(1) @ dprobs.unsqueeze(2)).squeeze(2)

# %% ex1_step_by_step dcounts_sum_inv: from the label column alone -> scores
def dcounts_sum_inv(counts, dprobs, Yb, n):
    rows = torch.arange(n)
    return (counts[rows, Yb] * dprobs[rows, Yb]).view(n, 1)

# %% ex1_step_by_step dcounts_sum_inv: closed form minus counts_sum over n -> scores
def dcounts_sum_inv(counts_sum, n):
    return -counts_sum / n

# %% ex1_step_by_step dcounts_sum_inv: diagonal of a matrix product -> scores
def dcounts_sum_inv(counts, dprobs):
    return torch.diag(counts @ dprobs.T).unsqueeze(-1)

# %% ex1_step_by_step dcounts_sum_inv: Python sum over the columns -> scores
def dcounts_sum_inv(counts, dprobs):
    return sum(counts[:, [j]] * dprobs[:, [j]] for j in range(counts.shape[1]))

# %% ex1_step_by_step dcounts_sum: lecture -> scores
def dcounts_sum(counts_sum, dcounts_sum_inv):
    return (-(counts_sum**-2)) * dcounts_sum_inv

# %% ex1_step_by_step dcounts_sum: through counts_sum_inv squared -> scores
def dcounts_sum(counts_sum_inv, dcounts_sum_inv):
    return -dcounts_sum_inv * counts_sum_inv * counts_sum_inv

# %% ex1_step_by_step dcounts_sum: divided by a square -> scores
def dcounts_sum(counts_sum, dcounts_sum_inv):
    return -dcounts_sum_inv.div(torch.square(counts_sum))

# %% ex1_step_by_step dcounts_sum: sum taken again from counts, float64 inside -> scores
def dcounts_sum(counts, dcounts_sum_inv):
    total = counts.double().sum(dim=1, keepdim=True)
    return (-dcounts_sum_inv.double() / total**2).float()

# %% ex1_step_by_step dcounts_sum: float64 returned -> scores
def dcounts_sum(counts_sum, dcounts_sum_inv):
    return -(counts_sum.double() ** -2) * dcounts_sum_inv

# %% ex1_step_by_step dcounts_sum: closed form one over n counts_sum -> scores
def dcounts_sum(counts_sum, n):
    return 1 / (n * counts_sum)

# %% ex1_step_by_step dcounts: lecture -> scores
def dcounts(counts, counts_sum_inv, dprobs, dcounts_sum):
    dcounts = counts_sum_inv * dprobs
    dcounts += torch.ones_like(counts) * dcounts_sum
    return dcounts

# %% ex1_step_by_step dcounts: broadcast left to plus -> scores
def dcounts(counts_sum_inv, dprobs, dcounts_sum):
    return dcounts_sum + counts_sum_inv * dprobs

# %% ex1_step_by_step dcounts: straight from dprobs -> scores
def dcounts(counts, counts_sum, dprobs):
    through_sum = -(counts * dprobs).sum(1, keepdim=True) / counts_sum**2
    return dprobs / counts_sum + through_sum

# %% ex1_step_by_step dcounts: repeat instead of broadcast -> scores
def dcounts(counts, counts_sum_inv, dprobs, dcounts_sum):
    return dprobs * counts_sum_inv.repeat(1, counts.shape[1]) + dcounts_sum.repeat(1, counts.shape[1])

# %% ex1_step_by_step dcounts: row by row -> scores
def dcounts(counts_sum_inv, dprobs, dcounts_sum):
    rows = [p * s.item() + d.item() for p, s, d in zip(dprobs, counts_sum_inv, dcounts_sum)]
    return torch.stack(rows)

# %% ex1_step_by_step dcounts: addcmul -> scores
def dcounts(counts, counts_sum_inv, dprobs, dcounts_sum):
    return torch.addcmul(dcounts_sum, dprobs, counts_sum_inv)

# %% ex1_step_by_step dnorm_logits: lecture -> scores
def dnorm_logits(counts, dcounts):
    return counts * dcounts

# %% ex1_step_by_step dnorm_logits: exp taken again -> scores
def dnorm_logits(norm_logits, dcounts):
    return torch.exp(norm_logits) * dcounts

# %% ex1_step_by_step dnorm_logits: softmax closed form from dprobs -> scores
def dnorm_logits(probs, dprobs):
    return probs * (dprobs - (probs * dprobs).sum(1, keepdim=True))

# %% ex1_step_by_step dnorm_logits: from dlogprobs -> scores
def dnorm_logits(probs, dlogprobs):
    return dlogprobs - probs * dlogprobs.sum(1, keepdim=True)

# %% ex1_step_by_step dnorm_logits: probabilities minus labels over n -> scores
def dnorm_logits(probs, Yb, n):
    probs[torch.arange(n), Yb] -= 1
    return probs / n

# %% ex1_step_by_step dnorm_logits: power of e -> scores
import math

def dnorm_logits(norm_logits, dcounts):
    return math.e**norm_logits * dcounts

# %% ex1_step_by_step dlogit_maxes: lecture -> scores
def dlogit_maxes(dnorm_logits):
    return (-dnorm_logits).sum(1, keepdim=True)

# %% ex1_step_by_step dlogit_maxes: product with a column of minus ones -> scores
def dlogit_maxes(dnorm_logits):
    return dnorm_logits @ -torch.ones(dnorm_logits.shape[1], 1)

# %% ex1_step_by_step dlogit_maxes: sum then unsqueeze, float64 inside -> scores
def dlogit_maxes(dnorm_logits):
    return -dnorm_logits.double().sum(-1).unsqueeze(-1).to(torch.float32)

# %% ex1_step_by_step dlogit_maxes: straight from dcounts -> scores
def dlogit_maxes(counts, dcounts):
    return -torch.sum(counts * dcounts, dim=1, keepdim=True)

# %% ex1_step_by_step dlogit_maxes: subtracted column by column -> scores
def dlogit_maxes(logit_maxes, dnorm_logits):
    out = torch.zeros_like(logit_maxes)
    for column in dnorm_logits.T:
        out[:, 0] -= column
    return out

# %% ex1_step_by_step dlogits: lecture -> scores
def dlogits(logits, dnorm_logits, dlogit_maxes):
    dlogits = dnorm_logits.clone()
    dlogits += F.one_hot(logits.max(1).indices, num_classes=logits.shape[1]) * dlogit_maxes
    return dlogits

# %% ex1_step_by_step dlogits: zeros with a fancy index -> scores
def dlogits(logits, dnorm_logits, dlogit_maxes, n):
    through_max = torch.zeros_like(logits)
    through_max[range(n), logits.argmax(1)] = dlogit_maxes.view(-1)
    return dnorm_logits + through_max

# %% ex1_step_by_step dlogits: scatter_add_ -> scores
def dlogits(logits, dnorm_logits, dlogit_maxes):
    return dnorm_logits.scatter_add_(1, logits.argmax(1, keepdim=True), dlogit_maxes)

# %% ex1_step_by_step dlogits: mask where the maximum is -> scores
def dlogits(logits, logit_maxes, dnorm_logits, dlogit_maxes):
    return dnorm_logits + (logits == logit_maxes) * dlogit_maxes

# %% ex1_step_by_step dlogits: where norm_logits is zero -> scores
def dlogits(norm_logits, dnorm_logits, dlogit_maxes):
    return dnorm_logits + torch.where(norm_logits == 0, dlogit_maxes, 0.0)

# %% ex1_step_by_step dlogits: loop over the rows -> scores
def dlogits(logits, dnorm_logits, dlogit_maxes):
    out = dnorm_logits
    for i, row in enumerate(logits.tolist()):
        out[i, row.index(max(row))] += dlogit_maxes[i, 0]
    return out

# %% ex1_step_by_step dlogits: counts times dcounts, skips the maximum -> scores
def dlogits(counts, dcounts):
    return counts * dcounts

# %% ex1_step_by_step dlogits: softmax minus labels over n -> scores
def dlogits(logits, Yb, n):
    d = logits.softmax(1)
    d[range(n), Yb] -= 1
    return d / n

# %% ex1_step_by_step dlogits: maximum's path from the sum of dnorm_logits -> scores
def dlogits(logits, dnorm_logits):
    at = logits.argmax(1, keepdim=True)
    return dnorm_logits.scatter_add(1, at, -dnorm_logits.sum(1, keepdim=True))

# %% ex1_step_by_step dlogits: from dlogprobs, skips the maximum -> scores
def dlogits(probs, dlogprobs):
    return dlogprobs - probs * dlogprobs.sum(1, keepdim=True)

# %% ex1_step_by_step dh: lecture -> scores
def dh(W2, dlogits):
    return dlogits @ W2.T

# %% ex1_step_by_step dh: einsum -> scores
def dh(W2, dlogits):
    return torch.einsum("nv,hv->nh", dlogits, W2)

# %% ex1_step_by_step dh: transposed twice, not contiguous -> scores
def dh(W2, dlogits):
    return (W2 @ dlogits.T).T

# %% ex1_step_by_step dh: sum of outer products -> scores
def dh(h, W2, dlogits):
    out = torch.zeros_like(h)
    for v in range(W2.shape[1]):
        out += torch.outer(dlogits[:, v], W2[:, v])
    return out

# %% ex1_step_by_step dh: float64 product returned as it is -> scores
def dh(W2, dlogits):
    return dlogits.double() @ W2.double().t()

# %% ex1_step_by_step dh: broadcast and sum -> scores
def dh(W2, dlogits):
    return (dlogits[:, None, :] * W2[None]).sum(-1)

# %% ex1_step_by_step dh: linear layer with the weights as they stand -> scores
def dh(W2, dlogits):
    return F.linear(dlogits, W2)

# %% ex1_step_by_step dW2: lecture -> scores
def dW2(h, dlogits):
    return h.T @ dlogits

# %% ex1_step_by_step dW2: transposed twice, not contiguous -> scores
def dW2(h, dlogits):
    return (dlogits.t() @ h).t()

# %% ex1_step_by_step dW2: example by example -> scores
def dW2(h, dlogits):
    total = 0
    for x, g in zip(h, dlogits):
        total = total + x.view(-1, 1) * g
    return total

# %% ex1_step_by_step dW2: batched outer products summed -> scores
def dW2(h, dlogits):
    return torch.bmm(h.unsqueeze(2), dlogits.unsqueeze(1)).sum(0)

# %% ex1_step_by_step dW2: tensordot over the batch -> scores
def dW2(h, dlogits):
    return torch.tensordot(h, dlogits, dims=([0], [0]))

# %% ex1_step_by_step dW2: h taken again from hpreact -> scores
def dW2(hpreact, dlogits):
    return hpreact.tanh().transpose(0, 1).matmul(dlogits)

# %% ex1_step_by_step db2: lecture -> scores
def db2(dlogits):
    return dlogits.sum(0)

# %% ex1_step_by_step db2: shape with a leading one -> scores
def db2(dlogits):
    return dlogits.sum(0, keepdim=True)

# %% ex1_step_by_step db2: two leading ones -> scores
def db2(dlogits):
    return dlogits.sum(0)[None, None]

# %% ex1_step_by_step db2: row of ones times dlogits -> scores
def db2(dlogits, n):
    return (torch.ones(1, n) @ dlogits).flatten()

# %% ex1_step_by_step db2: mean times n -> scores
def db2(b2, dlogits):
    return dlogits.mean(0).reshape(b2.shape) * len(dlogits)

# %% ex1_step_by_step db2: helper that undoes a broadcast -> scores
def unbroadcast(gradient, shape):
    while gradient.dim() > len(shape):
        gradient = gradient.sum(0)
    for dim, size in enumerate(shape):
        if size == 1:
            gradient = gradient.sum(dim, keepdim=True)
    return gradient

def db2(b2, dlogits):
    return unbroadcast(dlogits, b2.shape)

# %% ex1_step_by_step dhpreact: lecture -> scores
def dhpreact(h, dh):
    return (1.0 - h**2) * dh

# %% ex1_step_by_step dhpreact: tanh taken again -> scores
def dhpreact(hpreact, dh):
    return dh * (1 - torch.tanh(hpreact) ** 2)

# %% ex1_step_by_step dhpreact: difference of two products -> scores
def dhpreact(h, dh):
    return dh - dh * h * h

# %% ex1_step_by_step dhpreact: one plus times one minus -> scores
def dhpreact(h, dh):
    return dh * (1 + h) * (1 - h)

# %% ex1_step_by_step dhpreact: one over cosh squared -> scores
def dhpreact(hpreact, dh):
    return dh / hpreact.cosh().square()

# %% ex1_step_by_step dhpreact: through the logistic function -> scores
def dhpreact(hpreact, dh):
    s = torch.sigmoid(2 * hpreact)
    return 4 * s * (1 - s) * dh

# %% ex1_step_by_step dhpreact: requires_grad left on -> scores
def dhpreact(h, dh):
    h = h.clone().requires_grad_(True)
    return (1 - h**2) * dh

# %% ex1_step_by_step dbngain: lecture -> scores
def dbngain(bnraw, dhpreact):
    return (bnraw * dhpreact).sum(0, keepdim=True)

# %% ex1_step_by_step dbngain: without keepdim -> scores
def dbngain(bnraw, dhpreact):
    return (bnraw * dhpreact).sum(0)

# %% ex1_step_by_step dbngain: einsum -> scores
def dbngain(bnraw, dhpreact):
    return torch.einsum("nj,nj->j", bnraw, dhpreact).view(1, -1)

# %% ex1_step_by_step dbngain: neuron by neuron -> scores
def dbngain(bngain, bnraw, dhpreact):
    return torch.tensor([[bnraw[:, j].dot(dhpreact[:, j]).item() for j in range(bngain.shape[1])]])

# %% ex1_step_by_step dbngain: bnraw from bndiff and bnvar -> scores
def dbngain(bndiff, bnvar, dhpreact):
    return (dhpreact * bndiff / torch.sqrt(bnvar + 1e-5)).sum(dim=0, keepdim=True)

# %% ex1_step_by_step dbnbias: lecture -> scores
def dbnbias(dhpreact):
    return dhpreact.sum(0, keepdim=True)

# %% ex1_step_by_step dbnbias: without keepdim -> scores
def dbnbias(dhpreact):
    return torch.sum(dhpreact, 0)

# %% ex1_step_by_step dbnbias: reduce with Python's sum -> scores
def dbnbias(dhpreact):
    return sum(dhpreact.unbind(0)).unsqueeze(0)

# %% ex1_step_by_step dbnbias: keyword-only parameter and no_grad -> scores
@torch.no_grad()
def dbnbias(*, dhpreact):
    return dhpreact.sum(axis=0, keepdims=True)

# %% ex1_step_by_step dbnbias: last row of a running sum -> scores
def dbnbias(dhpreact):
    return dhpreact.cumsum(0)[-1:]

# %% ex1_step_by_step dbnraw: lecture -> scores
def dbnraw(bngain, dhpreact):
    return bngain * dhpreact

# %% ex1_step_by_step dbnraw: product with a diagonal matrix -> scores
def dbnraw(bngain, dhpreact):
    return dhpreact @ torch.diag(bngain[0])

# %% ex1_step_by_step dbnraw: decorated -> scores
import functools

def shaped_like_upstream(stub):
    @functools.wraps(stub)
    def wrapper(*args, **kwargs):
        return stub(*args, **kwargs).view_as(kwargs["dhpreact"])

    return wrapper

@shaped_like_upstream
def dbnraw(bngain, dhpreact):
    return torch.mul(dhpreact, bngain)

# %% ex1_step_by_step dbnraw: straight from dh -> scores
def dbnraw(bngain, h, dh):
    return bngain * (1 - h * h) * dh

# %% ex1_step_by_step dbnvar_inv: lecture -> scores
def dbnvar_inv(bndiff, dbnraw):
    return (bndiff * dbnraw).sum(0, keepdim=True)

# %% ex1_step_by_step dbnvar_inv: without keepdim, bndiff from its parts -> scores
def dbnvar_inv(hprebn, bnmeani, dbnraw):
    return ((hprebn - bnmeani) * dbnraw).sum(0)

# %% ex1_step_by_step dbnvar_inv: straight from dhpreact -> scores
def dbnvar_inv(bngain, bndiff, dhpreact):
    return bngain * (bndiff * dhpreact).sum(0, keepdim=True)

# %% ex1_step_by_step dbnvar_inv: addcmul in place, row after row -> scores
def dbnvar_inv(bnvar_inv, bndiff, dbnraw):
    total = torch.zeros_like(bnvar_inv)
    for d, g in zip(bndiff, dbnraw):
        total.addcmul_(d, g)
    return total

# %% ex1_step_by_step dbnvar: lecture -> scores
def dbnvar(bnvar, dbnvar_inv):
    return (-0.5 * (bnvar + 1e-5) ** -1.5) * dbnvar_inv

# %% ex1_step_by_step dbnvar: cube of bnvar_inv -> scores
def dbnvar(bnvar_inv, dbnvar_inv):
    return -0.5 * bnvar_inv**3 * dbnvar_inv

# %% ex1_step_by_step dbnvar: square root and division -> scores
def dbnvar(bnvar, dbnvar_inv):
    v = bnvar + 1e-5
    return -dbnvar_inv / (2 * v * torch.sqrt(v))

# %% ex1_step_by_step dbnvar: eps as a default -> scores
def dbnvar(bnvar, dbnvar_inv, eps=1e-5):
    return dbnvar_inv * (-1 / 2) * (bnvar + eps).pow(-3 / 2)

# %% ex1_step_by_step dbnvar: rsqrt cubed -> scores
def dbnvar(bnvar, dbnvar_inv):
    return dbnvar_inv.mul(torch.rsqrt(bnvar + 1e-5).pow(3)).mul(-0.5)

# %% ex1_step_by_step dbnvar: straight from dbnraw -> scores
def dbnvar(bndiff, bnvar_inv, dbnraw):
    return (dbnraw * bndiff).sum(0, keepdim=True) * bnvar_inv**3 / -2

# %% ex1_step_by_step dbndiff2: lecture -> scores
def dbndiff2(bndiff2, dbnvar, n):
    return (1.0 / (n - 1)) * torch.ones_like(bndiff2) * dbnvar

# %% ex1_step_by_step dbndiff2: expanded, every row the same memory -> scores
def dbndiff2(bndiff2, dbnvar, n):
    return (dbnvar / (n - 1)).expand_as(bndiff2)

# %% ex1_step_by_step dbndiff2: Bessel from the shape, repeat -> scores
def dbndiff2(bndiff2, dbnvar):
    return dbnvar.repeat(bndiff2.shape[0], 1) / (bndiff2.shape[0] - 1)

# %% ex1_step_by_step dbndiff2: Bessel as n over n - 1 times a mean -> scores
def dbndiff2(bndiff2, dbnvar, n):
    return n / (n - 1) * (torch.ones_like(bndiff2) / n) * dbnvar

# %% ex1_step_by_step dbndiff2: column of ones times dbnvar -> scores
def dbndiff2(dbnvar, n):
    return torch.full((n, 1), 1 / (n - 1)) @ dbnvar

# %% ex1_step_by_step dbndiff2: broadcast_to -> scores
def dbndiff2(bndiff, dbnvar, n):
    return torch.broadcast_to(dbnvar * (n - 1) ** -1, bndiff.shape)

# %% ex1_step_by_step dbndiff: lecture -> scores
def dbndiff(bndiff, bnvar_inv, dbnraw, dbndiff2):
    dbndiff = bnvar_inv * dbnraw
    dbndiff += (2 * bndiff) * dbndiff2
    return dbndiff

# %% ex1_step_by_step dbndiff: other order, bndiff added twice -> scores
def dbndiff(bndiff, bnvar_inv, dbnraw, dbndiff2):
    return (bndiff + bndiff) * dbndiff2 + dbnraw * bnvar_inv

# %% ex1_step_by_step dbndiff: straight from dbnvar -> scores
def dbndiff(bndiff, bnvar, dbnraw, dbnvar, n):
    return dbnraw / (bnvar + 1e-5).sqrt() + 2 / (n - 1) * bndiff * dbnvar

# %% ex1_step_by_step dbndiff: straight from dbnraw -> scores
def dbndiff(bnraw, bnvar_inv, dbnraw, n):
    return bnvar_inv * (dbnraw - bnraw * (dbnraw * bnraw).sum(0, keepdim=True) / (n - 1))

# %% ex1_step_by_step dbnmeani: lecture, shape without the leading one -> scores
def dbnmeani(dbndiff):
    return (-dbndiff).sum(0)

# %% ex1_step_by_step dbnmeani: keepdim -> scores
def dbnmeani(dbndiff):
    return -dbndiff.sum(0, keepdim=True)

# %% ex1_step_by_step dbnmeani: minus n times the mean -> scores
def dbnmeani(dbndiff, n):
    return -n * dbndiff.mean(0, keepdim=True)

# %% ex1_step_by_step dbnmeani: only the path through bnraw, the other sums to zero -> scores
def dbnmeani(bnvar_inv, dbnraw):
    return -(bnvar_inv * dbnraw).sum(0, keepdim=True)

# %% ex1_step_by_step dbnmeani: row of minus ones times dbndiff -> scores
def dbnmeani(dbndiff):
    return torch.full((1, len(dbndiff)), -1.0).mm(dbndiff)

# %% ex1_step_by_step dhprebn: lecture -> scores
def dhprebn(hprebn, dbndiff, dbnmeani, n):
    dhprebn = dbndiff.clone()
    dhprebn += 1.0 / n * (torch.ones_like(hprebn) * dbnmeani)
    return dhprebn

# %% ex1_step_by_step dhprebn: sum and broadcast -> scores
def dhprebn(dbndiff, dbnmeani, n):
    return dbnmeani / n + dbndiff

# %% ex1_step_by_step dhprebn: in place on dbndiff -> scores
def dhprebn(dbndiff, dbnmeani, n):
    grad = dbndiff
    grad += dbnmeani / n
    return grad

# %% ex1_step_by_step dhprebn: dbndiff minus its mean -> scores
def dhprebn(dbndiff):
    return dbndiff - dbndiff.mean(0, keepdim=True)

# %% ex1_step_by_step dhprebn: closed form inside exercise 1 -> scores
def dhprebn(bngain, bnraw, bnvar_inv, dhpreact, n):
    return bngain*bnvar_inv/n * (n*dhpreact - dhpreact.sum(0) - n/(n-1)*bnraw*(dhpreact*bnraw).sum(0))

# %% ex1_step_by_step dhprebn: centring matrix -> scores
def dhprebn(dbndiff, n):
    return (torch.eye(n) - torch.ones(n, n) / n) @ dbndiff

# %% ex1_step_by_step dembcat: lecture -> scores
def dembcat(W1, dhprebn):
    return dhprebn @ W1.T

# %% ex1_step_by_step dembcat: einsum -> scores
def dembcat(W1, dhprebn):
    return torch.einsum("nh,eh->ne", dhprebn, W1)

# %% ex1_step_by_step dembcat: transposed twice, not contiguous -> scores
def dembcat(W1, dhprebn):
    return W1.matmul(dhprebn.t()).t()

# %% ex1_step_by_step dembcat: linear layer in inference mode -> scores
def dembcat(W1, dhprebn):
    with torch.inference_mode():
        return F.linear(dhprebn, W1)

# %% ex1_step_by_step dW1: lecture -> scores
def dW1(embcat, dhprebn):
    return embcat.T @ dhprebn

# %% ex1_step_by_step dW1: embcat from emb -> scores
def dW1(emb, dhprebn):
    return emb.flatten(1).T @ dhprebn

# %% ex1_step_by_step dW1: einsum on the embeddings -> scores
def dW1(W1, emb, dhprebn):
    return torch.einsum("nbe,nh->beh", emb, dhprebn).reshape(W1.shape)

# %% ex1_step_by_step dW1: example by example in float64 -> scores
def dW1(embcat, dhprebn, n):
    return sum(torch.outer(embcat[i].double(), dhprebn[i].double()) for i in range(n))

# %% ex1_step_by_step dW1: addmm onto zeros -> scores
def dW1(W1, embcat, dhprebn):
    return torch.addmm(torch.zeros_like(W1), embcat.t(), dhprebn)

# %% ex1_step_by_step db1: lecture -> scores
def db1(dhprebn):
    return dhprebn.sum(0)

# %% ex1_step_by_step db1: shape with a leading one -> scores
def db1(dhprebn):
    return dhprebn.sum(0, keepdim=True)

# %% ex1_step_by_step db1: einsum -> scores
def db1(dhprebn):
    return torch.einsum("nh->h", dhprebn)

# %% ex1_step_by_step db1: float64 sum returned -> scores
def db1(dhprebn):
    return dhprebn.to(torch.float64).sum(dim=0)

# %% ex1_step_by_step db1: asks for a far gradient as well, goes back from the near one -> scores
def db1(dlogprobs, dhprebn):
    return dhprebn.sum(0)

# %% ex1_step_by_step db1: mean times n -> scores
def db1(dhprebn, n):
    return dhprebn.mean(0) * n

# %% ex1_step_by_step demb: lecture -> scores
def demb(emb, dembcat):
    return dembcat.view(emb.shape)

# %% ex1_step_by_step demb: reshape with the size of C -> scores
def demb(C, dembcat):
    return dembcat.reshape(len(dembcat), -1, C.shape[1])

# %% ex1_step_by_step demb: split and stack -> scores
def demb(C, dembcat):
    return torch.stack(dembcat.split(C.shape[1], dim=1), dim=1)

# %% ex1_step_by_step demb: unflatten -> scores
def demb(Xb, dembcat):
    return dembcat.unflatten(1, (Xb.shape[1], -1))

# %% ex1_step_by_step demb: straight from dhprebn -> scores
def demb(emb, W1, dhprebn):
    return (dhprebn @ W1.T).view_as(emb)

# %% ex1_step_by_step dC: lecture -> scores
def dC(C, Xb, demb):
    dC = torch.zeros_like(C)
    for k in range(Xb.shape[0]):
        for j in range(Xb.shape[1]):
            ix = Xb[k, j]
            dC[ix] += demb[k, j]
    return dC

# %% ex1_step_by_step dC: index_add_ -> scores
def dC(C, Xb, demb):
    return torch.zeros_like(C).index_add_(0, Xb.view(-1), demb.view(-1, C.shape[1]))

# %% ex1_step_by_step dC: index_put_ with accumulate -> scores
def dC(C, Xb, demb):
    out = torch.zeros(C.shape)
    out.index_put_((Xb,), demb, accumulate=True)
    return out

# %% ex1_step_by_step dC: one_hot matrix product -> scores
def dC(C, Xb, demb):
    onehot = F.one_hot(Xb.flatten(), C.shape[0]).float()
    return onehot.T @ demb.flatten(0, 1)

# %% ex1_step_by_step dC: one_hot einsum -> scores
def dC(C, Xb, demb):
    return torch.einsum("nbv,nbe->ve", F.one_hot(Xb, C.size(0)).to(demb.dtype), demb)

# %% ex1_step_by_step dC: a mask for each letter -> scores
def dC(C, Xb, demb):
    rows = [demb[Xb == letter].sum(0) for letter in range(C.shape[0])]
    return torch.stack(rows)

# %% ex1_step_by_step dC: scatter_add_ -> scores
def dC(C, Xb, demb):
    where = Xb.reshape(-1, 1).expand(-1, C.shape[1])
    return torch.zeros_like(C).scatter_add_(0, where, demb.reshape(-1, C.shape[1]))

# %% ex1_step_by_step dC: each position of the context in turn -> scores
def dC(C, Xb, demb):
    grad = torch.zeros_like(C)
    for position in range(Xb.shape[1]):
        grad.index_add_(0, Xb[:, position], demb[:, position])
    return grad

# %% ex1_step_by_step dC: sorted by letter, differences of running sums in float64 -> scores
def dC(C, Xb, demb):
    letters, order = Xb.flatten().sort()
    running = F.pad(demb.flatten(0, 1)[order].double().cumsum(0), (0, 0, 1, 0))
    ends = torch.searchsorted(letters, torch.arange(C.shape[0]), right=True)
    starts = torch.searchsorted(letters, torch.arange(C.shape[0]))
    return running[ends] - running[starts]

# %% ex1_step_by_step dC: loop over zipped rows, straight from dembcat -> scores
def dC(C, Xb, dembcat):
    out = torch.zeros_like(C)
    size = C.shape[1]
    for letters, row in zip(Xb.tolist(), dembcat):
        for j, letter in enumerate(letters):
            out[letter] += row[j * size : (j + 1) * size]
    return out

# %% ex1_step_by_step dC: numpy inside -> scores
import numpy as np

def dC(C, Xb, demb):
    out = np.zeros(C.shape, dtype=np.float32)
    np.add.at(out, Xb.numpy(), demb.numpy())
    return torch.from_numpy(out)

# %% ex2_cross_entropy dlogits: lecture -> scores
def dlogits(logits, Yb, n):
    dlogits = F.softmax(logits, 1)
    dlogits[range(n), Yb] -= 1
    dlogits /= n
    return dlogits

# %% ex2_cross_entropy dlogits: probabilities minus one_hot -> scores
def dlogits(probs, Yb, n):
    return (probs - F.one_hot(Yb, num_classes=probs.shape[1])) / n

# %% ex2_cross_entropy dlogits: log-sum-exp -> scores
def dlogits(logits, Yb, n):
    p = torch.exp(logits - torch.logsumexp(logits, dim=1, keepdim=True))
    return (p - torch.eye(logits.shape[1])[Yb]) / n

# %% ex2_cross_entropy dlogits: exp without subtracting the maximum -> scores
def dlogits(logits, Yb, n):
    e = logits.exp()
    grad = e / e.sum(1, keepdim=True) / n
    grad[range(n), Yb] -= 1 / n
    return grad

# %% ex2_cross_entropy dlogits: exp of logprobs -> scores
def dlogits(logprobs, Yb, n):
    return logprobs.exp().div(n).scatter_add(1, Yb[:, None], torch.full((n, 1), -1 / n))

# %% ex2_cross_entropy dlogits: counts over their sum, float64 inside -> scores
def dlogits(counts, Yb):
    c = counts.double()
    p = c / c.sum(1, keepdim=True)
    p[torch.arange(len(Yb)), Yb] -= 1
    return (p / len(Yb)).float()

# %% ex2_cross_entropy dlogits: exp of log_softmax, float64 returned -> scores
def dlogits(logits, Yb, n):
    p = torch.log_softmax(logits.double(), -1).exp()
    p[range(n), Yb] -= 1.0
    return p / n

# %% ex2_cross_entropy dlogits: probabilities changed in place -> scores
def dlogits(probs, Yb, n):
    probs[torch.arange(n), Yb] -= 1
    return probs.div_(n)

# %% ex2_cross_entropy dlogits: one minus the others, from differences of logits -> scores
def dlogits(logits, Yb, n):
    p = 1 / (logits[:, None, :] - logits[:, :, None]).exp().sum(2)
    return (p - F.one_hot(Yb, logits.shape[1])) / n

# %% ex2_cross_entropy dlogits: row by row -> scores
def dlogits(logits, Yb):
    rows = []
    for row, label in zip(logits, Yb):
        p = torch.softmax(row, 0)
        p[label] -= 1
        rows.append(p)
    return torch.stack(rows) / len(rows)

# %% ex2_cross_entropy dlogits: logits taken again from h -> scores
def dlogits(h, W2, b2, Yb, n):
    return (torch.softmax(h @ W2 + b2, 1) - F.one_hot(Yb, b2.numel())) / n

# %% ex3_batchnorm dhprebn: lecture -> scores
def dhprebn(bngain, bnraw, bnvar_inv, dhpreact, n):
    return bngain*bnvar_inv/n * (n*dhpreact - dhpreact.sum(0) - n/(n-1)*bnraw*(dhpreact*bnraw).sum(0))

# %% ex3_batchnorm dhprebn: means instead of sums -> scores
def dhprebn(bngain, bnraw, bnvar_inv, dhpreact, n):
    centred = dhpreact - dhpreact.mean(0, keepdim=True)
    return bngain * bnvar_inv * (centred - bnraw * (dhpreact * bnraw).sum(0, keepdim=True) / (n - 1))

# %% ex3_batchnorm dhprebn: all the steps in one function -> scores
def dhprebn(bngain, bndiff, bnvar, bnvar_inv, dhpreact, n):
    dbnraw = bngain * dhpreact
    dbndiff = bnvar_inv * dbnraw
    dbnvar_inv = (bndiff * dbnraw).sum(0, keepdim=True)
    dbnvar = -0.5 * (bnvar + 1e-5) ** -1.5 * dbnvar_inv
    dbndiff += 2 * bndiff * dbnvar / (n - 1)
    return dbndiff - dbndiff.sum(0) / n

# %% ex3_batchnorm dhprebn: normalized again from hprebn with torch.var -> scores
def dhprebn(hprebn, bngain, dhpreact):
    rows = hprebn.shape[0]
    inv = (hprebn.var(0, keepdim=True) + 1e-5).rsqrt()
    xhat = (hprebn - hprebn.mean(0, keepdim=True)) * inv
    g = dhpreact * bngain
    return inv * (g - g.mean(0) - xhat * (g * xhat).sum(0) / (rows - 1))

# %% ex3_batchnorm dhprebn: biased variance times Bessel -> scores
def dhprebn(hprebn, bngain, dhpreact, n):
    var = hprebn.var(0, unbiased=False, keepdim=True) * n / (n - 1)
    std = torch.sqrt(var + 1e-5)
    diff = hprebn - hprebn.mean(0)
    share = (dhpreact * diff).mean(0) * n / (n - 1)
    return bngain / std * (dhpreact - dhpreact.mean(0) - diff * share / std**2)

# %% ex3_batchnorm dhprebn: paper's three terms -> scores
def dhprebn(bngain, bndiff, bnvar, dhpreact, n):
    dxhat = dhpreact * bngain
    dvar = (dxhat * bndiff * -0.5 * (bnvar + 1e-5) ** -1.5).sum(0)
    dmean = (-dxhat / torch.sqrt(bnvar + 1e-5)).sum(0) + dvar * (-2 * bndiff).sum(0) / (n - 1)
    return dxhat / torch.sqrt(bnvar + 1e-5) + dvar * 2 * bndiff / (n - 1) + dmean / n

# %% ex3_batchnorm dhprebn: einsum, float64 returned -> scores
def dhprebn(bngain, bnraw, bnvar_inv, dhpreact, n):
    g, x = dhpreact.double(), bnraw.double()
    along = torch.einsum("nj,nj->j", g, x) / (n - 1)
    return (bngain * bnvar_inv).double() * (g - g.sum(0) / n - x * along)

# %% ex3_batchnorm dhprebn: neuron by neuron with its Jacobian -> scores
def dhprebn(bngain, bnraw, bnvar_inv, dhpreact, n):
    columns = []
    for j in range(bnraw.shape[1]):
        x = bnraw[:, j]
        jacobian = torch.eye(n) - 1 / n - torch.outer(x, x) / (n - 1)
        columns.append(bngain[0, j] * bnvar_inv[0, j] * (jacobian @ dhpreact[:, j]))
    return torch.stack(columns, dim=1)
