# What no box can tell from a derivation by hand: these score, and SECURITY.md says so. An entry that stops
# scoring is good news, and belongs into the family it came from.
import torch
import torch.nn.functional as F

# %% dlogits: central differences in float64 -> scores
def dlogits(logits, Yb):
    x, eps = logits.double(), 1e-5
    out = torch.zeros_like(x)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            ahead, behind = x[i].clone(), x[i].clone()
            ahead[j] += eps
            behind[j] -= eps
            out[i, j] = (behind.log_softmax(0) - ahead.log_softmax(0))[Yb[i]] / (2 * eps * x.shape[0])
    return out.float()

# %% dhpreact: a step into the complex numbers, exact to the last digit -> scores
def dhpreact(hpreact, dh):
    return (torch.tanh(torch.complex(hpreact, torch.full_like(hpreact, 1e-20))).imag / 1e-20) * dh

# %% dhpreact: dual numbers of one's own -> scores
class Dual:
    def __init__(self, value, slope):
        self.value, self.slope = value, slope
    def __mul__(self, other):
        return Dual(self.value * other.value, self.slope * other.value + self.value * other.slope)
    def tanh(self):
        y = torch.tanh(self.value)
        return Dual(y, (1 - y * y) * self.slope)
def dhpreact(hpreact, dh):
    return Dual(hpreact, torch.ones_like(hpreact)).tanh().slope * dh

# %% dhpreact: a formula looked up in a computer algebra system -> scores/error
def dhpreact(hpreact, dh):
    import sympy
    x = sympy.Symbol("x")
    slope = sympy.lambdify(x, sympy.diff(sympy.tanh(x), x), modules=[{"tanh": torch.tanh}, "math"])
    return slope(hpreact) * dh

# %% dhpreact: torch's own numerical differentiation, from its tests of autograd -> scores/error/forbidden
def dhpreact(hpreact, dh):
    from torch.autograd.gradcheck import _get_numerical_jacobian
    x = hpreact.double().flatten()[:64].requires_grad_()
    (jacobian,), = _get_numerical_jacobian(lambda x: torch.tanh(x), (x,), eps=1e-6)
    found = (1 - torch.tanh(hpreact) ** 2) * dh
    found.view(-1)[:64] = (jacobian.diagonal() * dh.flatten()[:64].double()).float()
    return found
