"""Train the network with your own backward pass.

Fill the functions, then run `grade` on this file's folder. They are called with the parameters you
see, by name; leave out what you do not need. Add functions of your own as you like.

Shapes are those of the lecture's case; you are graded on other sizes, too. No autograd.
"""

import torch
import torch.nn.functional as F


def backward(C, W1, b1, W2, b2, bngain, bnbias, Xb, Yb):
    """A forward pass and a backward pass of your own.

    Returns (loss, [dC, dW1, db1, dW2, db2, dbngain, dbnbias]):
    the loss, and its gradient with respect to each
    W2       (64, 27)
    b2       (27,)
    bngain   (1, 64)
    bnbias   (1, 64)
    W1       (30, 64)
    b1       (64,)
    C        (27, 10)
    """
    raise NotImplementedError("backward")


def train(parameters, batches, learning_rates):
    """Stochastic gradient descent: one step for each batch, which changes the parameters in place.

    parameters is the list [C, W1, b1, W2, b2, bngain, bnbias]. batches gives Xb, Yb for each step,
    learning_rates a number for each step. Returns the loss of each step, before it, as a list of numbers.
    """
    losses = []
    for (Xb, Yb), learning_rate in zip(batches, learning_rates):
        # the loss of this batch, and the gradient of each parameter
        # change each parameter itself, in place: it is the caller's
        raise NotImplementedError("train")
    return losses
