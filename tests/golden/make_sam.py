#!/usr/bin/python3
"""Expected values after steps of sharpness-aware minimisation, and their moving average, by PyTorch: sam.txt.

The loss is a sum of w^4/4 - a w over 48 numbers w, whose gradient w^3 - a tests/test_sam.c computes too. w and a are drawn from
integers as there. After every step of every case: one line of 48 values, one line of their average.
"""
import os
import warnings

import torch

from splitmix import SplitMix

warnings.simplefilter("ignore")
STEPS = 6
SHAPES = [16, 24, 8]


def draw(random, count, scale):
    return torch.tensor([((random.next() >> 40) / 2 ** 24 - 0.5) * scale for _ in range(count)],
                        dtype=torch.float32)


def gradients(parameters, targets):
    loss = sum((p * p * p * p / 4 - a * p).sum() for p, a in zip(parameters, targets))
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters)):
        parameter.grad = gradient


def sam_step(optimizer, parameters, targets, rho, adaptive):
    """Foret et al.'s two gradients; adaptive: every number in units of its own size (Kwon et al.)."""
    gradients(parameters, targets)
    before = [p.detach().clone() for p in parameters]
    with torch.no_grad():
        sizes = [p.abs() if adaptive else torch.ones_like(p) for p in parameters]
        norm = torch.cat([s * p.grad for s, p in zip(sizes, parameters)]).norm()
        for s, p in zip(sizes, parameters):
            p.add_(s * s * p.grad * (rho / (norm + 1e-12)))
    gradients(parameters, targets)
    with torch.no_grad():
        for p, old in zip(parameters, before):
            p.copy_(old)
    optimizer.step()


CASES = [  # optimizer, rho, adaptive, decay of the average
    (lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9), 0.05, False, 0.9),
    (lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9), 0.5, True, 0.99),
    (lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.0), 0.1, True, 0.5),
]


class Model(torch.nn.Module):
    def __init__(self, values):
        super().__init__()
        self.parts = torch.nn.ParameterList(values)


def run_case(number, out):
    make, rho, adaptive, decay = CASES[number]
    random = SplitMix(100 + number)
    model = Model([torch.nn.Parameter(draw(random, count, 2.0)) for count in SHAPES])
    targets = [draw(random, count, 2.0) for count in SHAPES]
    parameters = list(model.parameters())
    optimizer = make(parameters)
    average = torch.optim.swa_utils.AveragedModel(
        model, avg_fn=lambda old, new, count: decay * old + (1 - decay) * new)
    for _ in range(STEPS):
        sam_step(optimizer, parameters, targets, rho, adaptive)
        average.update_parameters(model)
        for row in (parameters, list(average.module.parameters())):
            out.write(" ".join("%.9g" % v for v in torch.cat([p.detach() for p in row]).tolist()) + "\n")


with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "sam.txt"), "w") as file:
    for case in range(len(CASES)):
        run_case(case, file)
