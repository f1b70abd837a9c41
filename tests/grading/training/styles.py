# ruff: noqa: E501 - code as students write it
"""Right loops in styles of their own: each must earn every point."""

from __future__ import annotations

from tests.grading.training.lecture import FAST, SOURCE

HEAD = "    lossi = []\n"
FOR = "for i, ((Xb, Yb), lr) in enumerate(zip(batches, learning_rates)):"
UPDATE = "            for p, grad in zip(parameters, grads):\n                p.data += -lr * grad # new way of swole doge TODO: enable\n"
SCATTER = "    dC.index_add_(0, Xb.view(-1), demb.view(-1, C.shape[1]))\n"
START = FAST.index("def train")


def changed(*pairs: tuple[str, str]) -> str:
    """The lecture's loop with some pieces replaced."""
    source = FAST
    for old, new in pairs:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    return source


def with_train(train: str, imports: str = "") -> str:
    """The lecture's backward pass, and another function that trains."""
    return imports + FAST[:START] + train


WHILE = """def train(parameters, batches, learning_rates):
    losses = ()
    queue, rates, step = iter(batches), iter(learning_rates), 0
    while step < len(batches):
        loss, grads = backward(*parameters, *next(queue))
        rate = next(rates)
        for j in range(len(parameters)):
            parameters[j].copy_(parameters[j] - rate * grads[j])
        losses += (float(loss),)
        step += 1
    return losses
"""

BY_NAME = """def train(parameters, batches, learning_rates):
    C, W1, b1, W2, b2, bngain, bnbias = parameters
    losses = torch.zeros(len(batches))
    for k, (X, Y) in enumerate(batches):
        losses[k], (dC, dW1, db1, dW2, db2, dbngain, dbnbias) = backward(C, W1, b1, W2, b2, bngain, bnbias, X, Y)
        eta = learning_rates[k]
        C -= eta * dC
        W1 -= eta * dW1
        b1 -= eta * db1
        W2 -= eta * dW2
        b2 -= eta * db2
        bngain -= eta * dbngain
        bnbias -= eta * dbnbias
    return losses
"""

COMPREHENSION = """def descend(parameters, batch, rate):
    loss, grads = backward(*parameters, *batch)
    [p.add_(g, alpha=-rate) for p, g in zip(parameters, grads)]
    return loss.item()


def train(parameters, batches, learning_rates):
    return [descend(parameters, batch, rate) for batch, rate in zip(batches, learning_rates)]
"""

MODEL = """class Net:
    def __init__(self, parameters):
        self.parameters = parameters

    def loss_and_gradients(self, batch):
        return backward(*self.parameters, *batch)

    def update(self, gradients, rate):
        for place, gradient in enumerate(gradients):
            self.parameters[place][...] = self.parameters[place] - rate * gradient


class Trainer:
    def __init__(self, net):
        self.net, self.history = net, []

    def fit(self, batches, rates):
        for batch, rate in zip(batches, rates):
            loss, gradients = self.net.loss_and_gradients(batch)
            self.net.update(gradients, rate)
            self.history.append(loss.detach())
        return self.history


def train(parameters, batches, learning_rates):
    return Trainer(Net(parameters)).fit(batches, learning_rates)
"""

NUMPY = '''
import numpy as np
import torch


def gradients(C, W1, b1, W2, b2, g, b, X, Y):
    """All of it in numpy, in single precision."""
    n, m = len(X), W1.shape[1]
    x = C[X].reshape(n, -1)
    u = x @ W1 + b1
    centred = u - u.mean(0)
    s = 1 / np.sqrt((centred**2).sum(0) / (n - 1) + np.float32(1e-5))
    r = centred * s
    h = np.tanh(g * r + b)
    z = h @ W2 + b2
    z = z - z.max(1, keepdims=True)
    e = np.exp(z)
    q = e / e.sum(1, keepdims=True)
    loss = -np.log(q[np.arange(n), Y]).mean()
    d = q.copy()
    d[np.arange(n), Y] -= 1
    d /= n
    v = (d @ W2.T) * (1 - h * h)
    gg, gb = (v * r).sum(0), v.sum(0)
    du = g.reshape(-1) * s * (v - gb / n - r * gg / (n - 1))
    dx = du @ W1.T
    dC = np.zeros_like(C)
    np.add.at(dC, X.reshape(-1), dx.reshape(-1, C.shape[1]))
    return loss, [dC, x.T @ du, du.sum(0), h.T @ d, d.sum(0), gg.reshape(1, m), gb.reshape(1, m)]


def backward(C, W1, b1, W2, b2, bngain, bnbias, Xb, Yb):
    loss, grads = gradients(*(t.numpy() for t in (C, W1, b1, W2, b2, bngain, bnbias, Xb, Yb)))
    return torch.tensor(loss), [torch.from_numpy(grad) for grad in grads]


def train(parameters, batches, learning_rates):
    views = [p.numpy() for p in parameters]  # the same memory
    losses = []
    for (X, Y), rate in zip(batches, learning_rates):
        loss, grads = gradients(*views, X.numpy(), Y.numpy())
        for view, grad in zip(views, grads):
            view -= rate * grad
        losses.append(loss)
    return losses
'''

CHAIN = """
import torch


def backward(C, W1, b1, W2, b2, bngain, bnbias, Xb, Yb):
    # every line of it by its own local derivative, as in exercise 1
    n = len(Xb)
    emb = C[Xb]
    embcat = emb.flatten(1)
    hprebn = torch.einsum("ni,ij->nj", embcat, W1) + b1
    mean = hprebn.sum(0, keepdim=True) / n
    diff = hprebn - mean
    var = (diff * diff).sum(0, keepdim=True) / (n - 1)
    inv = 1 / torch.sqrt(var + 1e-5)
    raw = diff * inv
    h = torch.tanh(bngain * raw + bnbias)
    logits = torch.einsum("ni,ij->nj", h, W2) + b2
    logprobs = torch.log_softmax(logits, 1)
    loss = -logprobs.gather(1, Yb[:, None]).mean()

    dlogprobs = torch.zeros_like(logprobs).scatter_(1, Yb[:, None], -1.0 / n)
    dlogits = dlogprobs - logprobs.exp() * dlogprobs.sum(1, keepdim=True)
    dW2 = torch.einsum("ni,nj->ij", h, dlogits)
    db2 = torch.einsum("nj->j", dlogits)
    dpre = torch.einsum("nj,ij->ni", dlogits, W2) * (1 - h.square())
    draw = bngain * dpre
    dinv = (draw * diff).sum(0, keepdim=True)
    dvar = dinv * -0.5 * inv**3
    ddiff = draw * inv + 2 * diff * dvar / (n - 1)
    dhprebn = ddiff - ddiff.sum(0, keepdim=True) / n
    demb = torch.einsum("nj,ij->ni", dhprebn, W1).reshape(emb.shape)
    dC = torch.nn.functional.one_hot(Xb, len(C)).to(C.dtype).flatten(0, 1).T @ demb.flatten(0, 1)
    return loss, (dC, embcat.T @ dhprebn, dhprebn.sum(0), dW2, db2, (dpre * raw).sum(0, keepdim=True), dpre.sum(0, keepdim=True))


@torch.no_grad()
def train(parameters, batches, learning_rates):
    told = []
    for k in range(len(batches)):
        loss, grads = backward(*parameters, *batches[k])
        torch._foreach_add_(list(parameters), [g.view_as(p) for p, g in zip(parameters, grads)], alpha=-learning_rates[k])
        told.append(loss)
    return told
"""

STYLES = {
    "as published": SOURCE,
    "one operation for dC": FAST,
    "in place, by a method": changed(("p.data += -lr * grad", "p.sub_(lr * grad)")),
    "data replaced": changed(("p.data += -lr * grad", "p.data = p.data - lr * grad")),
    "losses as a tensor": changed(("return lossi", "return torch.tensor(lossi)")),
    "losses as tensors": changed(("loss.item()", "loss")),
    "losses as an array": changed(("return lossi", "import numpy; return numpy.array(lossi)")),
    "losses in double precision": changed(("return lossi", "return torch.tensor(lossi, dtype=torch.float64)")),
    "losses in a tuple": changed(("return lossi", "return tuple(lossi)")),
    "gradients as a tuple": FAST.replace("dbngain, dbnbias]", "dbngain, dbnbias)").replace("[dC", "(dC"),
    "by number": changed((FOR, "for i in range(len(batches)):\n            (Xb, Yb), lr = batches[i], learning_rates[i]")),
    "by number, from the end": changed((FOR, "for i in range(-len(batches), 0):\n            (Xb, Yb), lr = batches[i], learning_rates[i]")),
    "requires_grad": changed((HEAD, HEAD + "    for p in parameters: p.requires_grad = True\n")),
    "batches in a list first": changed((HEAD, HEAD + "    batches = list(batches)\n")),
    "batches gone through twice": changed((HEAD, HEAD + "    assert sum(1 for _ in batches) == len(learning_rates)\n")),
    "every input overwritten": changed(("    return loss, [dC", "    Xb.zero_()\n    return loss, [dC")),
    "without no_grad": changed(("    with torch.no_grad():\n", "    if True:\n")),
    "no_grad as a decorator": FAST.replace("def train", "@torch.no_grad()\ndef train"),
    "inference mode": changed(("with torch.no_grad():", "with torch.inference_mode():")),
    "one-hot for dC": changed((SCATTER, "    dC = F.one_hot(Xb, C.shape[0]).float().view(-1, C.shape[0]).T @ demb.view(-1, C.shape[1])\n")),
    "a sum for each row of C": changed((SCATTER, "    dC = torch.stack([demb[Xb == c].sum(0) for c in range(C.shape[0])])\n")),
    "a memory of all losses in a global": "LOSSI = []\n" + changed((HEAD, ""), ("lossi.append", "LOSSI.append"), ("return lossi", "return LOSSI")),
    "a word at every hundredth step": changed((UPDATE, UPDATE + "            if i % 100 == 0: print(f'{i:7d}/{len(batches):7d}: {loss.item():.4f}')\n")),
    "a while loop and a tuple": with_train(WHILE),
    "each parameter by its name": with_train(BY_NAME),
    "a comprehension": with_train(COMPREHENSION),
    "classes": with_train(MODEL),
    "numpy": NUMPY,
    "the chain rule, line by line": CHAIN,
}  # fmt: skip
"""The whole file, by what is special about it."""
