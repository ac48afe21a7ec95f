"""The jobs of ../workers/meta_steps.lua by the original MetaNN on PyTorch. usage: original.py JOB THREADS STEPS
Prints 'kernel NAME', then 'ms NUMBER' for each meta-step. The original imports on PyTorch 1.x only."""
import ctypes
import math
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn
from metann.meta import MAML

job, threads, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
torch.manual_seed(0)


def sinusoid():
    def points(amplitude, phase):
        x = torch.rand(10, 1) * 10 - 5
        return x, amplitude * torch.sin(x - phase)

    def sample():
        wave = 0.1 + 4.9 * torch.rand(()), math.pi * torch.rand(())
        return points(*wave), points(*wave)

    net = nn.Sequential(nn.Linear(1, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 1))
    return net, F.mse_loss, sample, 25, 1, 0.01


def omniglot():
    layers, channels = [], 1
    for _ in range(4):
        layers += [nn.Conv2d(channels, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2)]
        channels = 64
    net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(64, 5))

    def sample():
        labels = torch.arange(5)
        return (torch.rand(5, 1, 28, 28), labels), (torch.rand(75, 1, 28, 28), labels.repeat_interleave(15))

    return net, F.cross_entropy, sample, 1, 5, 0.1


net, criterion, sample, tasks, inner_steps, lr = {"sinusoid": sinusoid, "omniglot": omniglot}[job]()
batches = [[sample() for _ in range(tasks)] for _ in range(10)]


def evaluator(model, data):
    return criterion(model(data[0]), data[1])


maml = MAML(net, inner_steps, inner_steps, lr, evaluator=evaluator)
optimizer = torch.optim.Adam(net.parameters(), 1e-3)


def meta_step(batch):
    optimizer.zero_grad()
    total = 0
    for support, query in batch:
        loss = evaluator(maml(support), query) / tasks
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total


WARM_UP = 3
for i in range(steps + WARM_UP):
    start = time.perf_counter()
    meta_step(batches[i % len(batches)])
    if i >= WARM_UP:
        print("ms %.4f" % (1e3 * (time.perf_counter() - start)))
try:
    blas = ctypes.CDLL("libopenblas.so.0")
    blas.openblas_get_corename.restype = ctypes.c_char_p
    core = "OpenBLAS " + blas.openblas_get_corename().decode()
except OSError:
    core = "BLAS unknown"
print("kernel PyTorch %s, %s" % (torch.__version__, core))
