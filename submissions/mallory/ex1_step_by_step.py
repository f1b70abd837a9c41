"""Exercise 1: every gradient, step by step. Mallory, who would rather have the points than the gradients.

Half of these stubs misbehave, each in its own way; the others are honest and right, and must not suffer.
"""

import json
import os
import sys
from pathlib import Path

import torch
import torch.nn.functional as F


class Agreeable:
    """Equal to everything."""

    shape = torch.Size([32, 1])
    dtype = torch.float32

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    __hash__ = None


class AgreeableTensor(torch.Tensor):
    """A tensor whose comparisons all come out in its favour."""

    def __eq__(self, other):
        return torch.ones(self.shape, dtype=torch.bool)

    def allclose(self, other, *args, **kwargs):
        return True

    __hash__ = torch.Tensor.__hash__


def dlogprobs(logprobs, Yb, n):
    # honest
    out = torch.zeros_like(logprobs)
    out[range(n), Yb] = -1.0 / n
    return out


def dprobs(probs, dlogprobs):
    # hangs
    while True:
        pass


def dcounts_sum_inv(counts, dprobs):
    # asks for 64 GiB
    return torch.ones(16 * 2**30, dtype=torch.float32).sum() * counts


def dcounts_sum(counts_sum, dcounts_sum_inv):
    # right, but floods the output with 8 MB first
    for _ in range(80):
        print("A" * 100_000)
    return -(counts_sum**-2) * dcounts_sum_inv


def dcounts(counts, dprobs):
    # leaves without an answer, and says that all went well
    os._exit(0)


def dnorm_logits(counts, dcounts):
    # the same, politely
    raise SystemExit(0)


def dlogit_maxes(dnorm_logits):
    # not a tensor, but equal to one
    return Agreeable()


def dlogits(logits, Yb):
    # lets autograd do the homework
    logits = logits.clone().requires_grad_()
    F.cross_entropy(logits, Yb).backward()
    return logits.grad


def dh(W2, dlogits):
    # copies the instructor's solution
    solution = {}
    exec(Path("../../reference/ex1_step_by_step.py").read_text("utf-8"), solution)  # noqa: S102 - the point of this stub
    return solution["dh"](W2, dlogits)


def dW2(h, dlogits):
    # right, but leaves files around wherever it is let
    for folder in ("/tmp", "..", "."):
        try:
            with open(os.path.join(folder, "mallory_was_here.txt"), "a") as file:
                file.write("mallory was here\n")
        except OSError:
            pass
    return h.T @ dlogits


def db2(dlogits):
    # bends the comparisons, then answers nonsense
    torch.allclose = lambda *args, **kwargs: True
    torch.equal = lambda *args, **kwargs: True
    torch.Tensor.allclose = torch.Tensor.equal = lambda *args, **kwargs: True
    return torch.zeros(dlogits.shape[1])


def dhpreact(h, dh):
    # writes its own score where the grader's might be, then answers nonsense
    score = json.dumps({"name": "dhpreact", "outcome": "exact", "score": 1.0})
    for descriptor in (1, 2):
        try:
            os.write(descriptor, score.encode() + b"\n")
        except OSError:
            pass
    sys.stdout = sys.stderr = None
    return torch.zeros_like(dh)


def dbngain(bnraw, dhpreact):
    # a tensor that agrees with whatever it is compared with
    return torch.zeros(1, dhpreact.shape[1]).as_subclass(AgreeableTensor)


def dbnbias(dhpreact):
    # pretends that the person at the keyboard wants to stop
    raise KeyboardInterrupt


def dbnraw(bngain, dhpreact):
    # honest, and so is all that follows
    return bngain * dhpreact


def dbnvar_inv(bndiff, dbnraw):
    return (bndiff * dbnraw).sum(0, keepdim=True)


def dbnvar(bnvar, dbnvar_inv):
    return -0.5 * (bnvar + 1e-5) ** -1.5 * dbnvar_inv


def dbndiff2(bndiff2, dbnvar, n):
    return torch.ones_like(bndiff2) * dbnvar / (n - 1)


def dbndiff(bndiff, bnvar_inv, dbnraw, dbndiff2):
    return bnvar_inv * dbnraw + 2 * bndiff * dbndiff2


def dbnmeani(dbndiff):
    return -dbndiff.sum(0, keepdim=True)


def dhprebn(dbndiff, dbnmeani, n):
    return dbndiff + dbnmeani / n


def dembcat(W1, dhprebn):
    return dhprebn @ W1.T


def dW1(embcat, dhprebn):
    return embcat.T @ dhprebn


def db1(dhprebn):
    return dhprebn.sum(0)


def demb(emb, dembcat):
    return dembcat.view(emb.shape)


def dC(C, Xb, demb):
    out = torch.zeros_like(C)
    for i in range(Xb.shape[0]):
        for j in range(Xb.shape[1]):
            out[Xb[i, j]] += demb[i, j]
    return out
