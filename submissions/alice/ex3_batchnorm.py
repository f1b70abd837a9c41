"""Exercise 3: batch norm in one go. Alice."""


def dhprebn(bngain, bnraw, bnvar_inv, dhpreact, n):
    # four lines of pen and paper; the n/(n-1) is what is left of Bessel's correction
    return (
        bngain
        * bnvar_inv
        / n
        * (n * dhpreact - dhpreact.sum(0) - n / (n - 1) * bnraw * (dhpreact * bnraw).sum(0))
    )
