"""The network of the lecture with batch norm and cross-entropy in one line each, as one trains it.

``forward`` is the specification of exercise 4: the grader reads its lines to learn which gradients can be
asked for. Keep it a straight line of assignments.

Source: Andrej Karpathy, "Building makemore Part 4: Becoming a Backprop Ninja".
"""

import torch
import torch.nn.functional as F


def draw(generator, words=None, *, batch, block, embd, hidden, vocab, gain):
    """Draw parameters and one batch.

    Args:
        generator: the seeded ``torch.Generator`` everything is drawn from, in the lecture's order.
        words: the word list the batch is taken from; without one, characters are drawn uniformly.
        batch, block, embd, hidden, vocab: the sizes (rows, context length, embedding, neurons, characters).
        gain: the factor on W1's Kaiming scale, 5/3 for tanh; a small one makes batch norm's eps matter.

    Returns:
        The values of ``forward``'s arguments, by name. C (vocab, embd), W1 (block * embd, hidden),
        b1 (hidden,), W2 (hidden, vocab), b2 (vocab,), bngain and bnbias (1, hidden), Xb (batch, block)
        and Yb (batch,) of int64. Biases and batch norm's parameters are small random numbers, not zeros and
        ones, because zeros would hide a wrong gradient.
    """
    C = torch.randn((vocab, embd), generator=generator)
    W1 = torch.randn((embd * block, hidden), generator=generator) * gain / (embd * block) ** 0.5
    b1 = torch.randn(hidden, generator=generator) * 0.1
    W2 = torch.randn((hidden, vocab), generator=generator) * 0.1
    b2 = torch.randn(vocab, generator=generator) * 0.1
    bngain = torch.randn((1, hidden), generator=generator) * 0.1 + 1.0
    bnbias = torch.randn((1, hidden), generator=generator) * 0.1
    if words is None:
        Xb = torch.randint(0, vocab, (batch, block), generator=generator)
        Yb = torch.randint(0, vocab, (batch,), generator=generator)
    else:
        X, Y = words.windows(block)
        ix = torch.randint(0, len(X), (batch,), generator=generator)
        Xb, Yb = X[ix], Y[ix]
    return {
        "C": C, "W1": W1, "b1": b1, "W2": W2, "b2": b2, "bngain": bngain, "bnbias": bnbias,
        "Xb": Xb, "Yb": Yb,
    }  # fmt: skip


def forward(C, W1, b1, W2, b2, bngain, bnbias, Xb, Yb):
    # embed the characters and join the embeddings of one context
    emb = C[Xb]
    embcat = emb.view(emb.shape[0], -1)
    # linear layer 1
    hprebn = embcat @ W1 + b1
    # batch norm
    bnmean = hprebn.mean(0, keepdim=True)
    bnvar = hprebn.var(0, keepdim=True, unbiased=True)
    bnvar_inv = (bnvar + 1e-5) ** -0.5
    bnraw = (hprebn - bnmean) * bnvar_inv
    hpreact = bngain * bnraw + bnbias
    # non-linearity
    h = torch.tanh(hpreact)
    # linear layer 2
    logits = h @ W2 + b2
    # cross-entropy
    loss = F.cross_entropy(logits, Yb)
    return loss
