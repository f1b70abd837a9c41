"""Single lines of right work, written as people write them, earn what the lecture's own lines earn."""

from __future__ import annotations

import pytest

from tests.submissions.notebooks.conftest import NotebookDesk, lost
from tests.submissions.notebooks.test_mistakes import edited

DC = """\
dC = torch.zeros_like(C)
for k in range(Xb.shape[0]):
  for j in range(Xb.shape[1]):
    ix = Xb[k,j]
    dC[ix] += demb[k,j]
"""

LAYER = """\
dh = dlogits @ W2.T
dW2 = h.T @ dlogits
db2 = dlogits.sum(0)
"""

ZEROS = "dC = torch.zeros_like(C)\n"
LOOP = """\
for k in range(Xb.shape[0]):
    for j in range(Xb.shape[1]):
        OUT[Xb[k, j]] += demb[k, j]
"""


def function(head: str, body: str, end: str = "") -> str:
    """A function around some lines."""
    return f"{head}\n" + "".join(f"    {line}\n" for line in (body + end).splitlines())


DETAILS = {
    "dC: sizes by the set-up's names": (
        DC,
        "dC = torch.zeros((vocab_size, n_embd))\ndC.index_add_(0, Xb.view(-1), demb.view(-1, n_embd))\n",
    ),
    "dC: loops over the set-up's sizes": (
        DC,
        "dC = torch.zeros(vocab_size, n_embd)\nfor i in range(batch_size):\n  for j in range(block_size):\n"
        "    dC[Xb[i,j]] += demb[i,j]\n",
    ),
    "dC: a function that changes its argument": (
        DC,
        function("def fill(out):", LOOP.replace("OUT", "out")) + ZEROS + "fill(dC)\n",
    ),
    "dC: a function that changes a global": (
        DC,
        ZEROS + function("def fill():", "global dC\n" + LOOP.replace("OUT", "dC")) + "fill()\n",
    ),
    "dC: a function that returns it": (
        DC,
        function("def fill():", ZEROS.replace("dC", "out") + LOOP.replace("OUT", "out"), "return out")
        + "dC = fill()\n",
    ),
    "dC: einsum over one_hot": (
        DC,
        "Xoh = F.one_hot(Xb, num_classes=vocab_size).float()\ndC = torch.einsum('bti,btj->ij', Xoh, demb)\n",
    ),
    "dC: a while loop": (
        DC,
        ZEROS
        + "i = 0\nwhile i < n:\n  for j, c in enumerate(Xb[i]):\n    dC[c.item()] += demb[i][j]\n  i += 1\n",
    ),
    "dC: a progress bar": (
        DC,
        "from tqdm.auto import tqdm, trange\n" + ZEROS + "for k in trange(n):\n"
        "  for j, ix in enumerate(tqdm(Xb[k], leave=False)):\n    dC[ix] += demb[k,j]\n",
    ),
    "dC: a progress bar by the module's name": (
        DC,
        "import tqdm\n" + ZEROS + "for k in tqdm.tqdm(range(n)):\n"
        "  for j in tqdm.trange(Xb.shape[1]):\n    dC[Xb[k,j]] += demb[k,j]\n",
    ),
    "a package that is not there, imported beside one that is needed": (
        LAYER,
        f"import torch as th, wandb, requests\n{LAYER}db2 = th.sum(dlogits, 0)\n",
    ),
    "the max path: where the maximum is": (
        "dlogits += F.one_hot(logits.max(1).indices, num_classes=logits.shape[1]) * dlogit_maxes",
        "dlogits += (logits == logit_maxes) * dlogit_maxes",
    ),
    "the max path: zeros and a fancy index": (
        "dlogits += F.one_hot(logits.max(1).indices, num_classes=logits.shape[1]) * dlogit_maxes",
        "at_max = torch.zeros_like(logits)\nat_max[range(n), logits.argmax(1)] = 1.0\n"
        "dlogits += at_max * dlogit_maxes",
    ),
    "a forward line in a form of its own, and what is made of it under another name": (
        "embcat @ W1 + b1 # hidden layer pre-activation",
        "torch.stack([row @ W1 for row in embcat]) + b1\nhprebn.shape",
    ),
    "a layer: one function for three": (
        LAYER,
        "def lin(dout, x, w):\n  return dout @ w.T, x.T @ dout, dout.sum(0)\n"
        "dh, dW2, db2 = lin(dlogits, h, W2)\n",
    ),
    "a layer: a function with the gradients' own names": (
        LAYER,
        function("def lin(dlogits):", LAYER, "return dh, dW2, db2") + "dh, dW2, db2 = lin(dlogits)\n",
    ),
    "a layer: gradients in a dict": (
        LAYER,
        "d = {}\nd['h'] = dlogits @ W2.T\nd['W2'] = h.T @ dlogits\n"
        "dh, dW2 = d['h'], d['W2']\ndb2 = dlogits.sum(0)\n",
    ),
    "a layer: gradients in an object": (
        LAYER,
        "class G: pass\nG.h = dlogits @ W2.T\ndh = G.h\ndW2 = h.T @ dlogits\ndb2 = dlogits.sum(0)\n",
    ),
    "a layer: a list that is filled": (
        LAYER,
        "dh = dlogits @ W2.T\ndW2 = h.T @ dlogits\nrows = []\nfor i in range(n):\n  rows.append(dlogits[i])\n"
        "db2 = torch.stack(rows).sum(0)\n",
    ),
    "a layer: in try and if": (
        LAYER,
        "if n > 0:\n  dh = dlogits @ W2.T\nelse:\n  dh = None\ntry:\n"
        "  dW2 = h.T @ dlogits\nexcept Exception as e:\n  print(e)\n"
        "db2 = dlogits.sum(0)\n",
    ),
    "demb: filled in place, piece by piece": (
        "demb = dembcat.view(emb.shape)",
        "demb = torch.zeros_like(emb)\nfor i in range(block_size):\n"
        "  demb[:, i] = dembcat[:, i*n_embd:(i+1)*n_embd]",
    ),
    "dlogits: the forward pass's probs changed in place": (
        "dlogits = F.softmax(logits, 1)\ndlogits[range(n), Yb] -= 1\ndlogits /= n",
        "probs[range(n), Yb] -= 1\ndlogits = probs / n",
    ),
    "dlogits: an alias of the forward pass's probs": ("dlogits = F.softmax(logits, 1)", "dlogits = probs"),
    "dhpreact: wrong, then right": (
        "dhpreact = (1.0 - h**2) * dh",
        "dhpreact = 1.0 - h**2\ncmp('hpreact', dhpreact, hpreact)\ndhpreact = (1.0 - h**2) * dh",
    ),
    "dhprebn: batch norm at once, in three lines": (
        "dhprebn = bngain*bnvar_inv/n * "
        "(n*dhpreact - dhpreact.sum(0) - n/(n-1)*bnraw*(dhpreact*bnraw).sum(0))\n\ncmp",
        "dxhat = dhpreact * bngain\nalong = (dxhat*bndiff).sum(0)*-0.5*bnvar_inv**3\n"
        "dhprebn = dxhat*bnvar_inv + along*2*bndiff/(n-1)\ndhprebn -= (dxhat*bnvar_inv).sum(0)/n\n\ncmp",
    ),
}


@pytest.mark.parametrize("name", DETAILS)
def test_a_right_line_earns_its_point(name: str, notebooks: NotebookDesk) -> None:
    assert lost(notebooks.grade_pieces(edited((DETAILS[name],)))) == {}
