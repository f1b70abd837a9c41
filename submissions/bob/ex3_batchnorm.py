"""Exercise 3: batch norm in one go. Bob."""


def dhprebn(bngain, bnraw, bnvar_inv, dhpreact, n):
    # the formula from the paper
    return bngain * bnvar_inv / n * (n * dhpreact - dhpreact.sum(0) - bnraw * (dhpreact * bnraw).sum(0))
