# ruff: noqa: E501 - one mistake a line, and code as students write it
"""The lecture's published training loop, typed into the stubs; and what goes wrong in it, by one change each."""

from __future__ import annotations

from dataclasses import dataclass

EXERCISE = "ex4_training"

SOURCE = """
import torch
import torch.nn.functional as F


def backward(C, W1, b1, W2, b2, bngain, bnbias, Xb, Yb):
    n = Xb.shape[0]
    # forward pass
    emb = C[Xb] # embed the characters into vectors
    embcat = emb.view(emb.shape[0], -1) # concatenate the vectors
    # Linear layer
    hprebn = embcat @ W1 + b1 # hidden layer pre-activation
    # BatchNorm layer
    bnmean = hprebn.mean(0, keepdim=True)
    bnvar = hprebn.var(0, keepdim=True, unbiased=True)
    bnvar_inv = (bnvar + 1e-5)**-0.5
    bnraw = (hprebn - bnmean) * bnvar_inv
    hpreact = bngain * bnraw + bnbias
    # Non-linearity
    h = torch.tanh(hpreact) # hidden layer
    logits = h @ W2 + b2 # output layer
    loss = F.cross_entropy(logits, Yb) # loss function
    # manual backprop
    dlogits = F.softmax(logits, 1)
    dlogits[range(n), Yb] -= 1
    dlogits /= n
    # 2nd layer backprop
    dh = dlogits @ W2.T
    dW2 = h.T @ dlogits
    db2 = dlogits.sum(0)
    # tanh
    dhpreact = (1.0 - h**2) * dh
    # batchnorm backprop
    dbngain = (bnraw * dhpreact).sum(0, keepdim=True)
    dbnbias = dhpreact.sum(0, keepdim=True)
    dhprebn = bngain*bnvar_inv/n * (n*dhpreact - dhpreact.sum(0) - n/(n-1)*bnraw*(dhpreact*bnraw).sum(0))
    # 1st layer
    dembcat = dhprebn @ W1.T
    dW1 = embcat.T @ dhprebn
    db1 = dhprebn.sum(0)
    # embedding
    demb = dembcat.view(emb.shape)
    dC = torch.zeros_like(C)
    for k in range(Xb.shape[0]):
        for j in range(Xb.shape[1]):
            ix = Xb[k,j]
            dC[ix] += demb[k,j]
    return loss, [dC, dW1, db1, dW2, db2, dbngain, dbnbias]


def train(parameters, batches, learning_rates):
    lossi = []
    with torch.no_grad():
        for i, ((Xb, Yb), lr) in enumerate(zip(batches, learning_rates)):
            loss, grads = backward(*parameters, Xb, Yb)
            for p, grad in zip(parameters, grads):
                p.data += -lr * grad # new way of swole doge TODO: enable
            lossi.append(loss.item())
    return lossi
"""

LOOP_OVER_DC = """    for k in range(Xb.shape[0]):
        for j in range(Xb.shape[1]):
            ix = Xb[k,j]
            dC[ix] += demb[k,j]
"""
FAST = SOURCE.replace(LOOP_OVER_DC, "    dC.index_add_(0, Xb.view(-1), demb.view(-1, C.shape[1]))\n")
"""The same without its slow loop, for all that is tested often."""

GRADIENTS = ("dW2", "db2", "dbngain", "dbnbias", "dW1", "db1", "dC")
TRAINED = ("losses", "parameters", "descent")


@dataclass(frozen=True)
class Mistake:
    """One change of the lecture's loop, what it must cost, and the hints it must get.

    ``costs`` gives outcomes by ask, all others score; ``hints`` gives kinds by ask; ``says`` stands in one of them.
    """

    what: str
    right: str
    wrong: str
    costs: dict[str, str]
    hints: dict[str, str]
    says: str = ""

    def __str__(self) -> str:
        return self.what

    @property
    def source(self) -> str:
        """The whole file."""
        base = FAST if self.right in FAST else SOURCE
        assert base.count(self.right) == 1, self.right
        return base.replace(self.right, self.wrong)


def all_of(outcome: str, *asks: str) -> dict[str, str]:
    return dict.fromkeys(asks or TRAINED, outcome)


LOOP = "            loss, grads = backward(*parameters, Xb, Yb)\n"
UPDATE = "p.data += -lr * grad # new way of swole doge TODO: enable"
HEAD = "    lossi = []\n"
OFF = all_of("wrong_value")

MISTAKES = (
    Mistake("a gradient left out", "dbnbias = dhpreact.sum(0, keepdim=True)", "dbnbias = torch.zeros_like(bnbias)",
            OFF | {"dbnbias": "wrong_value"}, {"losses": "first_step", "parameters": "first_step"}),
    Mistake("a parameter left out of the step", "in zip(parameters, grads):", "in list(zip(parameters, grads))[1:]:",
            OFF, {"losses": "first_step"}),
    Mistake("the first batch's gradient, always", LOOP,
            "            first = (Xb, Yb) if i == 0 else first\n"
            "            loss, _ = backward(*parameters, Xb, Yb)\n"
            "            _, grads = backward(*parameters, *first)\n",
            OFF, {"losses": "diverges"}, "up to step 2, and are wrong from step 3"),
    Mistake("the batch before's gradient", LOOP,
            "            loss, _ = backward(*parameters, Xb, Yb)\n"
            "            Xb, Yb = batches[i - 1] if i else (Xb, Yb)\n"
            "            _, grads = backward(*parameters, Xb, Yb)\n",
            all_of("wrong_value", "losses", "parameters"), {"losses": "diverges"}, "up to step 2"),
    Mistake("one learning rate for all", "-lr * grad", "-0.1 * grad",
            OFF, {"losses": "learning_rate"}, "at step 151 the learning rate goes from 0.1 to 0.01"),
    Mistake("another learning rate", "-lr * grad", "-0.05 * grad", OFF, {"losses": "first_step"}),
    Mistake("the wrong sign", "-lr * grad", "lr * grad", OFF, {"losses": "first_step"}),
    Mistake("dC assigned", "dC[ix] += demb[k,j]", "dC[ix] = demb[k,j]",
            OFF | {"dC": "wrong_value"}, {"losses": "first_step"}),
    Mistake("parameters replaced", UPDATE, "p = p - lr * grad",
            OFF, {"losses": "replaced", "parameters": "replaced", "descent": "replaced"}, "`p -= …`"),
    Mistake("parameters replaced in their list", "            for p, grad in zip(parameters, grads):\n                " + UPDATE,
            "            parameters[:] = [p - lr * g for p, g in zip(parameters, grads)]",
            all_of("wrong_value", "parameters", "descent"), {"parameters": "replaced", "descent": "replaced"}),
    Mistake("a list of its own", HEAD, HEAD + "    parameters = [p.clone() for p in parameters]\n",
            all_of("wrong_value", "parameters", "descent"), {"parameters": "replaced", "descent": "replaced"}),
    Mistake("made-up losses", "lossi.append(loss.item())", "lossi.append(3.88 - 0.005 * i)",
            {"losses": "wrong_value"}, {"losses": "noted_losses"}, "wrong from step 1 on"),
    Mistake("logarithms", "loss.item()", "loss.log10().item()", {"losses": "wrong_value"}, {"losses": "logarithms"}),
    Mistake("every other loss", "            lossi.append", "            if i % 2: lossi.append",
            {"losses": "wrong_shape"}, {"losses": "wrong_length"}, "150 losses for 300 steps"),
    Mistake("the last loss alone", "return lossi", "return lossi[-1]",
            {"losses": "not_a_tensor"}, {"losses": "not_a_tensor"}, "returned float"),
    Mistake("half the batches", LOOP, "            if i == 150: break\n" + LOOP,
            OFF | {"losses": "wrong_shape"}, {"losses": "fewer_batches", "parameters": "fewer_batches"}),
    Mistake("every other batch", LOOP, "            if i % 2: continue\n" + LOOP,
            OFF | {"losses": "wrong_shape"}, {"losses": "wrong_length", "parameters": "wrong_length"}),
    Mistake("the same batch over and over", "in enumerate(zip(batches, learning_rates)):",
            "in enumerate(zip([batches[0]] * len(batches), learning_rates)):",
            OFF, {"losses": "fewer_batches", "parameters": "fewer_batches"}, "it took 1 of the 300 batches"),
    Mistake("the last step twice", "    return lossi", "    parameters[0].data += -0.01 * grads[0]\n    return lossi",
            {"parameters": "wrong_value"}, {"parameters": "last_step"}),
    Mistake("autograd in train", LOOP,
            "            with torch.enable_grad():\n"
            "                for p in parameters: p.requires_grad_(True)\n"
            "                loss, _ = backward(*parameters, Xb, Yb)\n"
            "                grads = torch.autograd.grad(loss, parameters)\n",
            all_of("forbidden"), {"losses": "forbidden"}),
    Mistake("autograd in backward", "    # manual backprop\n",
            "    leaves = [p.requires_grad_() for p in (C, W1, b1, W2, b2, bngain, bnbias)]\n"
            "    with torch.enable_grad():\n"
            "        F.cross_entropy(torch.tanh(C[Xb].view(n, -1) @ W1) @ W2, Yb).backward()\n",
            all_of("forbidden", *GRADIENTS, *TRAINED), {"parameters": "forbidden"}),
    Mistake("an overflow halfway", LOOP, LOOP + "            grads[0] = grads[0] / (0.0 if i == 200 else 1.0)\n",
            all_of("not_finite"), {"losses": "not_finite", "parameters": "not_finite"}, "not finite from step 202 on"),
    Mistake("an exception on the way", LOOP, LOOP + "            assert i < 100, 'enough'\n",
            all_of("error"), {"losses": "error"}, "it had come to step 101 of 300"),
    Mistake("no end", LOOP, LOOP + "            while i == 131: pass\n",
            all_of("timed_out"), {"losses": "timed_out"}, "it had come to step 132 of 300"),
    Mistake("every batch kept", LOOP, LOOP + "            kept = [torch.ones(2**22) for _ in range(200)] if i == 40 else 0\n",
            all_of("out_of_memory"), {"losses": "out_of_memory"}, "it had come to step 41 of 300"),
    Mistake("an end of the process", LOOP, LOOP + "            if i == 7: __import__('os')._exit(0)\n",
            all_of("crashed"), {"losses": "crashed"}),
    Mistake("a stub left as it was", HEAD, "    raise NotImplementedError\n", all_of("missing"), {}),
    Mistake("gradients without the loss", "return loss, [dC", "return [dC",
            all_of("not_a_tensor", *GRADIENTS) | all_of("error"), {"losses": "error"}),
    Mistake("two gradients exchanged", "db1, dW2, db2,", "db1, db2, dW2,",
            {"db2": "wrong_shape", "dW2": "wrong_shape"} | all_of("error"), {}),
    Mistake("n for n - 1", "n/(n-1)*", "",
            {"dW1": "wrong_value", "dC": "wrong_value", "losses": "wrong_value", "parameters": "wrong_value"}, {}),
    # Losses and parameters that are not each other's.
    Mistake("the losses of a copy that is trained, and a copy of that rounded", "    return lossi",
            "    for p in parameters: p.copy_(p.half().float())\n    return lossi",
            {"parameters": "wrong_value"}, {"parameters": "last_step"}),
    Mistake("a copy is trained, the parameters get something like it", HEAD,
            HEAD + "    given, parameters = parameters, [p.clone() for p in parameters]\n"
            "    for p in given: p.data += -0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1))\n",
            all_of("wrong_value", "parameters", "descent"), {"parameters": "last_step"}),
    Mistake("the loss of the step before", "lossi.append(loss.item())", "lossi.append(lossi[-1] if i % 2 else loss.item())",
            {"losses": "wrong_value"}, {"losses": "noted_losses"}, "the steps are right"),
    Mistake("losses one step late", "    return lossi", "    return lossi[:1] + lossi[:-1]",
            {"losses": "wrong_value"}, {"losses": "noted_losses"}, "wrong from step 2 on"),
    Mistake("the loss after the step", "lossi.append(loss.item())", "lossi.append(backward(*parameters, Xb, Yb)[0].item())",
            {"losses": "wrong_value"}, {"losses": "noted_losses"}, "note the loss of each step before you make it"),
    Mistake("smoothed losses", "lossi.append(loss.item())", "lossi.append(0.9 * lossi[-1] + 0.1 * loss.item() if lossi else loss.item())",
            {"losses": "wrong_value"}, {"losses": "noted_losses"}),
    Mistake("the sum for the mean", "lossi.append(loss.item())", "lossi.append(32 * loss.item())",
            {"losses": "wrong_value"}, {"losses": "noted_losses"}),
    Mistake("a generator of losses", "            lossi.append(loss.item())\n    return lossi", "            yield loss.item()",
            OFF | {"losses": "not_a_tensor"}, {"losses": "not_a_tensor", "parameters": "fewer_batches"}, "it took 0 of the 300 batches"),
    # Another way down.
    Mistake("momentum", LOOP, LOOP + "            velocity = grads if i == 0 else [0.9 * v + g for v, g in zip(velocity, grads)]\n            grads = velocity\n",
            OFF, {"losses": "diverges"}, "up to step 2, and are wrong from step 3"),
    Mistake("weight decay", UPDATE, "p.data += -lr * (grad + 1e-4 * p)",
            {"losses": "wrong_value", "parameters": "wrong_value"}, {"losses": "diverges"}),
    Mistake("gradients clipped", LOOP, LOOP + "            grads = [g.clamp(-0.01, 0.01) for g in grads]\n",
            OFF, {"losses": "first_step"}),
    Mistake("the sign of the gradient", "-lr * grad", "-lr * grad.sign() * 0.01", OFF, {"losses": "first_step"}),
    Mistake("the rate a step early", "in enumerate(zip(batches, learning_rates)):",
            "in enumerate(zip(batches, learning_rates[1:] + [0.01])):",
            {"losses": "wrong_value", "parameters": "wrong_value"}, {"losses": "learning_rate"}),
    Mistake("the rate a step late", "in enumerate(zip(batches, learning_rates)):",
            "in enumerate(zip(batches, [0.1] + learning_rates)):",
            {"losses": "wrong_value", "parameters": "wrong_value"}, {"losses": "learning_rate"}),
    Mistake("the rates the other way round", "in enumerate(zip(batches, learning_rates)):",
            "in enumerate(zip(batches, learning_rates[::-1])):", OFF, {"losses": "first_step"}),
    Mistake("the lecture's rates for 200,000 steps", "-lr * grad", "-(0.1 if i < 100000 else 0.01) * grad",
            OFF, {"losses": "learning_rate"}),
    Mistake("two steps on each batch", UPDATE, UPDATE + "\n            _, grads = backward(*parameters, Xb, Yb)\n            for p, grad in zip(parameters, grads): p.data += -lr * grad",
            OFF, {"losses": "first_step"}),
    Mistake("one parameter after the other", "            for p, grad in zip(parameters, grads):\n                " + UPDATE,
            "            for j, p in enumerate(parameters):\n                p.data += -lr * backward(*parameters, Xb, Yb)[1][j]",
            {"losses": "wrong_value", "parameters": "wrong_value"}, {"losses": "first_step"}),
    Mistake("a step every second batch", LOOP, LOOP + "            grads = grads if i % 2 else [0 * g for g in grads]\n",
            OFF, {"losses": "first_step"}),
    Mistake("the last batch left out", LOOP, "            if i == len(batches) - 1: break\n" + LOOP,
            {"losses": "wrong_shape", "parameters": "wrong_value"}, {"losses": "wrong_length", "parameters": "wrong_length"}, "returned 299 losses"),
    Mistake("the last step not made", UPDATE, "p.data += -lr * grad * (i < len(batches) - 1)",
            {"parameters": "wrong_value"}, {"parameters": "last_step"}),
    # Another batch.
    Mistake("half of each batch", LOOP, "            Xb, Yb = Xb[:16], Yb[:16]\n" + LOOP, OFF, {"losses": "first_loss"}),
    Mistake("batches backwards", "in enumerate(zip(batches, learning_rates)):",
            "in enumerate(zip(list(batches)[::-1], learning_rates)):",
            all_of("wrong_value", "losses", "parameters"), {"losses": "first_loss"}),
    Mistake("batches shuffled", "in enumerate(zip(batches, learning_rates)):",
            "in enumerate(zip([batches[(7 * k + 1) % len(batches)] for k in range(len(batches))], learning_rates)):",
            all_of("wrong_value", "losses", "parameters"), {"losses": "first_loss"}),
    Mistake("labels of another batch", LOOP, "            Yb = batches[0][1]\n" + LOOP, OFF, {"losses": "first_step"}),
    Mistake("a count that lies", LOOP, "            if i == 100:\n                batches.taken = len(batches)\n                return lossi * 3\n" + LOOP,
            OFF, {"losses": "diverges"}, "up to step 100, and are wrong from step 101"),
    # Another network.
    Mistake("running statistics", "    bnmean = hprebn.mean(0, keepdim=True)\n",
            "    bnmean = 0.999 * train.__dict__.setdefault('mean', 0.0) + 0.001 * hprebn.mean(0, keepdim=True)\n",
            OFF | all_of("wrong_value", *GRADIENTS), {"losses": "first_loss"}),
    Mistake("half precision", "    hprebn = embcat @ W1 + b1 #", "    hprebn = (embcat.bfloat16() @ W1.bfloat16()).float() + b1 #",
            all_of("wrong_value", "dW2", "db2", "dbngain", "dbnbias", "dW1", "dC", "losses", "parameters"), {"losses": "first_loss"}),
    Mistake("a batch of 32, always", "    n = Xb.shape[0]\n", "    n = 32\n", all_of("error", *GRADIENTS), {"dC": "hard_coded_size"}),
    Mistake("64 neurons, always", "    dhprebn = bngain*", "    dhprebn = 64/bngain.shape[1]*bngain*",
            OFF | all_of("wrong_value", "dW1", "dC"), {"losses": "first_step"}),
    Mistake("27 characters, always", "    dC = torch.zeros_like(C)\n", "    dC = torch.zeros(27, 10)\n",
            all_of("error", *GRADIENTS), {"dC": "hard_coded_size"}),
    # A memory of what was there before.
    Mistake("the first forward pass, forever", "    emb = C[Xb] #", "    C, W1, b1, W2, b2, bngain, bnbias = train.__dict__.setdefault('first', [p.clone() for p in (C, W1, b1, W2, b2, bngain, bnbias)])\n    emb = C[Xb] #",
            OFF | all_of("error", *GRADIENTS), {"losses": "first_step"}),
    Mistake("gradients that add up in a global", "    return loss, [dC, dW1", "    dW1 = train.__dict__['sum'] = dW1 + train.__dict__.get('sum', 0.0)\n    return loss, [dC, dW1",
            OFF | all_of("error", *GRADIENTS), {"losses": "diverges"}, "up to step 2"),
    # An end of another kind.
    Mistake("an exception at the end", "    return lossi", "    raise RuntimeError('done')", all_of("error"), {"losses": "error"}, "it had come to step 300 of 300"),
    Mistake("no number from the first step on", "-lr * grad", "-lr * grad / 0", all_of("not_finite"), {"losses": "not_finite"}, "not finite from step 2 on"),
    Mistake("a divergence to infinity", "-lr * grad", "1e12 * grad", OFF, {"losses": "first_step"}),
    Mistake("parameters of another size", "    return lossi", "    parameters[0].data = parameters[0][:5].clone()\n    return lossi",
            all_of("wrong_shape", "parameters", "descent"), {"parameters": "reshaped"}, "C came back with shape (5, 10), expected the shape it was given in, (27, 10)"),
    Mistake("whole numbers for parameters", "    return lossi", "    parameters[0].data = parameters[0].long()\n    return lossi",
            all_of("wrong_dtype", "parameters", "descent"), {"parameters": "wrong_dtype"}, "int64"),
    Mistake("endless memory", LOOP, LOOP + "            train.__dict__.setdefault('all', []).append(torch.ones(2**20))\n",
            all_of("out_of_memory"), {"losses": "out_of_memory"}, "it had come to step"),
    Mistake("a stop by the student", LOOP, "            if i == 150: batches.stop()\n" + LOOP,
            OFF | {"losses": "wrong_shape"}, {"losses": "fewer_batches"}, "it took 151 of the 300"),
    # What lies about itself.
    Mistake("losses that equal everything", "    return lossi",
            "    class Equal(torch.Tensor):\n"
            "        @classmethod\n"
            "        def __torch_function__(cls, function, types, args=(), kwargs=None): return torch.tensor(True)\n"
            "    return torch.zeros(len(batches)).as_subclass(Equal)",
            {"losses": "wrong_value"}, {"losses": "noted_losses"}),
    Mistake("a list whose length lies", "    return lossi",
            "    return type('Long', (list,), {'__len__': lambda self: len(batches)})(lossi[:9])",
            {"losses": "wrong_shape"}, {"losses": "wrong_length"}, "returned 9 losses"),
    Mistake("a parameter that says it was changed", HEAD,
            HEAD + "    given, parameters = parameters, [p.clone() for p in parameters]\n"
            "    for p in given: p.tolist = p.numpy = p.detach = p.clone = lambda p=p: p + 1\n",
            all_of("wrong_value", "parameters", "descent"), {"parameters": "replaced"}),
    Mistake("a derivative by torch.func", LOOP,
            "            loss, grads = backward(*parameters, Xb, Yb)\n"
            "            grads = list(torch.func.grad(lambda ps: backward(*ps, Xb, Yb)[0])(list(parameters)))\n",
            all_of("forbidden"), {"losses": "forbidden"}),
    Mistake("autograd through a node of the graph", LOOP,
            "            for p in parameters: p.requires_grad_()\n"
            "            with torch.enable_grad(): loss = (parameters[3] * parameters[3]).sum()\n"
            "            loss.grad_fn(torch.ones(()))\n" + LOOP,
            all_of("forbidden"), {"losses": "forbidden"}),
    Mistake("a word for every loss", "loss.item()", "f'{loss.item():.4f}'", {"losses": "not_a_tensor"}, {"losses": "not_a_tensor"}, "expected the loss of each step: a list of numbers"),
    Mistake("a dictionary of losses", "return lossi", "return dict(enumerate(lossi))", {"losses": "not_a_tensor"}, {"losses": "not_a_tensor"}, "returned dict"),
    Mistake("too many losses", "            lossi.append(loss.item())", "            lossi += [loss.item()] * 9000", {"losses": "not_a_tensor"}, {"losses": "not_a_tensor"}, "returned list of 2700000"),
)  # fmt: skip
