"""Cases of optim_db: the parameters after some steps with given gradients, and the rates that schedules give."""
import torch
from torch.optim import lr_scheduler
from torch.testing._internal.common_optimizers import optim_db

from cases import File, generator
from lua_text import Inexpressible, Writer

STEPS = 5
NEUTRAL = ("foreach", "fused", "capturable", "differentiable", "maximize_foreach")
# of each schedule, options and how often it is stepped; what is a function or a schedule stands in the text alone
SCHEDULES = {
    "StepLR": [dict(step_size=3, gamma=0.5)], "MultiStepLR": [dict(milestones=[2, 5], gamma=0.5)],
    "ConstantLR": [dict(factor=0.5, total_iters=4), {}], "LinearLR": [dict(start_factor=0.5, total_iters=4), {}],
    "ExponentialLR": [dict(gamma=0.9)], "PolynomialLR": [dict(total_iters=6, power=2.0), {}],
    "CosineAnnealingLR": [dict(T_max=5, eta_min=0.01)],
    "CosineAnnealingWarmRestarts": [dict(T_0=3, T_mult=2), dict(T_0=4, eta_min=0.01)],
    "CyclicLR": [dict(base_lr=0.01, max_lr=0.1, step_size_up=3, cycle_momentum=False, mode=m)
                 for m in ("triangular", "triangular2", "exp_range")],
    "OneCycleLR": [dict(max_lr=0.5, total_steps=12), dict(max_lr=0.5, total_steps=12, anneal_strategy="linear",
                                                        three_phase=True)],
}
# Python's expressions of an optimizer `o`, and Lua's
COMPOSED = {
    "LambdaLR": ("S.LambdaLR(o, lambda n: 0.9 ** n)", "S.LambdaLR(o, function(n) return 0.9 ^ n end)"),
    "MultiplicativeLR": ("S.MultiplicativeLR(o, lambda n: 0.9)", "S.MultiplicativeLR(o, function() return 0.9 end)"),
    "SequentialLR": ("S.SequentialLR(o, [S.ConstantLR(o, 0.1, 2), S.ExponentialLR(o, 0.9)], milestones=[3])",
                     "S.SequentialLR(o, {S.ConstantLR(o, 0.1, 2), S.ExponentialLR(o, 0.9)}, {milestones = {3}})"),
    "ChainedScheduler": ("S.ChainedScheduler([S.ConstantLR(o, 0.1, 2), S.ExponentialLR(o, 0.9)])",
                         "S.ChainedScheduler({S.ConstantLR(o, 0.1, 2), S.ExponentialLR(o, 0.9)})"),
    "ReduceLROnPlateau": ("S.ReduceLROnPlateau(o, patience=1)", "S.ReduceLROnPlateau(o, {patience = 1})"),
}
METRICS = [1.0, 0.9, 0.95, 0.96, 0.97, 0.8, 0.85, 0.86, 0.87, 0.88]


def name_list():
    return [o.optim_cls.__name__ for o in optim_db]


def schedule_list():
    return sorted(list(SCHEDULES) + list(COMPOSED))


def add_steps(file, info, kwargs, label):
    options = {k: v for k, v in kwargs.items() if k not in NEUTRAL}
    if any(isinstance(v, torch.Tensor) for v in options.values()):
        raise Inexpressible("options that are tensors")
    g = generator(file.name + label)
    draw = lambda *size: torch.randn(*size, generator=g, dtype=torch.float64)
    parameters = [draw(3, 4).requires_grad_(), (draw(4, 2) if info.optim_cls.__name__ == "Muon" else draw(4)).requires_grad_()]
    writer = Writer()
    text = "{%s}" % ", ".join("%s = %s" % (k, writer.value(v)) for k, v in options.items())
    tensors = {"start.%d" % (i + 1): p.detach().clone() for i, p in enumerate(parameters)}
    sign = -1 if options.get("maximize") else 1  # so that there is a largest one; on the way to none, rounding decides
    curves = [sign * (draw(*p.shape).abs() + 0.5) for p in parameters]
    tensors.update({"curve.%d" % (i + 1): c for i, c in enumerate(curves)})
    optimizer = info.optim_cls(parameters, **options)

    def closure():  # half the sum of curve * p^2, by its gradient alone
        for p, c in zip(parameters, curves):
            p.grad = (p * c).detach()
        return sum((c * p.detach() ** 2).sum() for p, c in zip(parameters, curves)) / 2
    for _ in range(STEPS):
        closure()
        optimizer.step(closure if info.optim_cls.__name__ == "LBFGS" else None)
    tensors.update({"end.%d" % (i + 1): p.detach() for i, p in enumerate(parameters)})
    file.add(label, text, tensors, steps=STEPS)


def generate_optimizers(folder, names):
    for info in optim_db:
        name = info.optim_cls.__name__
        if name not in names:
            continue
        file = File(folder, "optimizer", name)
        seen = set()
        for i, made in enumerate(info.optim_inputs_func(device="cpu")):
            if str(made.kwargs) in seen:
                continue
            seen.add(str(made.kwargs))
            try:
                add_steps(file, info, made.kwargs, "%d" % i)
            except Exception as e:
                file.skip("%d" % i, e)
        file.write()


def rates(expression):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    schedule = eval(expression, {"S": lr_scheduler, "o": optimizer})
    found = [optimizer.param_groups[0]["lr"]]
    for metric in METRICS:
        optimizer.step()
        schedule.step(metric) if "Plateau" in expression else schedule.step()
        found.append(optimizer.param_groups[0]["lr"])
    return torch.tensor(found, dtype=torch.float64)


def generate_schedules(folder, names):
    writer = Writer()
    for name in names:
        file = File(folder, "schedule", name)
        pairs = [COMPOSED[name]] if name in COMPOSED else []
        for options in SCHEDULES.get(name, []):
            python = "S.%s(o, **%r)" % (name, options)
            pairs.append((python, "S.%s(o, {%s})" % (name, ", ".join(
                "%s = %s" % (k, writer.value(v)) for k, v in options.items()))))
        for i, (python, lua) in enumerate(pairs):
            file.add("%d" % i, lua, {"rates": rates(python)}, metrics=METRICS if "Plateau" in lua else [])
        file.write()
