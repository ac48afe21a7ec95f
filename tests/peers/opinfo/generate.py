"""generate.py names: what PyTorch's databases hold, as JSON.
generate.py cases FOLDER HAVE [--all]: cases of what HAVE, a JSON file, names; main.lua runs them."""
import json
import sys
import warnings

warnings.filterwarnings("ignore")
import torch  # noqa: E402

import modules  # noqa: E402
import operators  # noqa: E402
import optimizers  # noqa: E402


def names():
    print(json.dumps({"version": torch.__version__, "op": operators.name_list(), "module": modules.name_list(),
                      "optimizer": optimizers.name_list(), "schedule": optimizers.schedule_list()}))


def cases(folder, have, every):
    torch.set_num_threads(1)
    torch.backends.cuda.enable_flash_sdp(False)  # without a second derivative
    torch.backends.cuda.enable_mem_efficient_sdp(False)
    with open(have) as file:
        have = json.load(file)
    operators.generate(folder, have["op"], every)
    modules.generate(folder, have["module"], every)
    optimizers.generate_optimizers(folder, have["optimizer"])
    optimizers.generate_schedules(folder, have["schedule"])


if sys.argv[1] == "names":
    names()
else:
    cases(sys.argv[2], sys.argv[3], "--all" in sys.argv)
