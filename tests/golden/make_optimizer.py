#!/usr/bin/python3
"""Expected parameters after some optimizer steps, and learning rates, by PyTorch: writes optimizer.txt.

Parameters and gradients are drawn from integers in the same way by tests/test_optimizer.c, so that only
PyTorch's results are stored: one line of 48 parameters after every step of every case, then the rates.
"""
import os
import warnings

import torch

from splitmix import SplitMix

warnings.simplefilter("ignore")
STEPS = 6
SHAPES = [16, 24, 8]  # the first is decayed; the last has tiny gradients, where eps is felt


def draw(random, count, scale):
    return torch.tensor([((random.next() >> 40) / 2 ** 24 - 0.5) * scale for _ in range(count)],
                        dtype=torch.float32)


def groups(parameters, decay):
    return [{"params": parameters[:1], "weight_decay": decay},
            {"params": parameters[1:], "weight_decay": 0.0}]


CASES = [  # optimizer, largest norm (0: none)
    (lambda p: torch.optim.AdamW(groups(p, 0.0), lr=1e-3, betas=(0.9, 0.999), eps=1e-8), 0.0),
    (lambda p: torch.optim.AdamW(groups(p, 0.1), lr=1e-3, betas=(0.8, 0.99), eps=1e-8), 0.0),
    (lambda p: torch.optim.SGD(groups(p, 0.05), lr=1e-3, momentum=0.9), 0.0),
    (lambda p: torch.optim.SGD(groups(p, 0.0), lr=1e-3, momentum=0.0), 0.5),
]


def run_case(number, out):
    make, limit = CASES[number]
    random = SplitMix(number)
    parameters = [torch.nn.Parameter(draw(random, count, 2.0)) for count in SHAPES]
    optimizer = make(parameters)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = 1e-2 / (step + 1)
        for i, parameter in enumerate(parameters):
            parameter.grad = draw(random, SHAPES[i], 2.0 ** -24 if i == 2 else 1.0)
        if limit > 0:
            torch.nn.utils.clip_grad_norm_(parameters, limit)
        optimizer.step()
        values = torch.cat([p.detach() for p in parameters])
        out.write(" ".join("%.9g" % v for v in values.tolist()) + "\n")


def rates(make, lr, steps):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = make(optimizer)
    result = []
    for _ in range(steps):
        result.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return result


PER_EPOCH = 6


def gend(scheduler, lr, min_lr, warmup_epochs, cycle_epochs, steps):
    """The rates of GenD.configure_optimizers (github.com/yermandy/GenD, src/model/GenD.py): PyTorch's
    schedulers, chained in its way, with epochs cut to whole steps by int(). A warm-up alone is "constant"."""
    schedule = torch.optim.lr_scheduler

    def make(optimizer):
        chosen = None
        if scheduler == "cosine":
            chosen = schedule.CosineAnnealingLR(optimizer, T_max=steps, eta_min=min_lr)
        elif scheduler == "cyclic":
            chosen = schedule.CosineAnnealingWarmRestarts(optimizer, T_0=int(cycle_epochs * PER_EPOCH), eta_min=min_lr)
        if warmup_epochs == 0:
            return chosen
        warmup_steps = int(warmup_epochs * PER_EPOCH)
        warmup = schedule.LinearLR(optimizer, start_factor=min_lr / lr, total_iters=warmup_steps)
        return schedule.SequentialLR(optimizer, [warmup, chosen], [warmup_steps]) if chosen else warmup

    return rates(make, lr, steps)


SCHEDULES = [  # as in tests/test_optimizer.c: scheduler, lr, min_lr, warmup_epochs, cycle_epochs, steps
    ("cosine", 8e-5, 5e-5, 0, 1, 37),
    ("cyclic", 3e-4, 1e-5, 1, 2, 37),
    ("cosine", 3e-4, 1e-5, 1, 1, 36),
    ("cosine", 3e-4, 1e-5, 0.75, 1, 36),  # 4.5 steps of warm-up: 4
    ("cyclic", 3e-4, 1e-5, 0.3, 2.6, 36),  # 1.8 and 15.6 steps: 1 and 15
    ("constant", 3e-4, 1e-5, 0.999, 1, 12),  # 5.994 steps: 5
]


def write_rates(out):
    for schedule in SCHEDULES:
        out.write(" ".join("%.17g" % rate for rate in gend(*schedule)) + "\n")


with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "optimizer.txt"), "w") as file:
    for case in range(len(CASES)):
        run_case(case, file)
    write_rates(file)
