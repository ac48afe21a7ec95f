"""Writes the files beside this one with the Python packages numpy, torch and safetensors: what io_files_spec.lua reads
and writes again, byte for byte. Run with the folder as the current one; the versions used are printed."""
import io
import zipfile

import numpy as np
import safetensors
import safetensors.numpy
import safetensors.torch
import torch

print("numpy", np.__version__, "torch", torch.__version__, "safetensors", safetensors.__version__)

FLOATS = [[1.5, -0.0, 65504.0], [-2.0, float("inf"), 6.103515625e-05]]
INTEGERS = {
    "int64": [[1, -2, 2**53], [-(2**53), 0, 7]],
    "int32": [[1, -2, 2**31 - 1], [-(2**31), 0, 7]],
    "uint8": [[0, 1, 255], [128, 2, 7]],
    "bool": [[True, False, True], [False, False, True]],
}
arrays = {name: np.array(INTEGERS[name], dtype=name) for name in INTEGERS}
for name in ("float64", "float32", "float16"):
    arrays[name] = np.array(FLOATS, dtype=name)

# safetensors: every dtype that metann has, 0-dim and empty ones, and names that JSON escapes
tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
tensors["bfloat16"] = torch.tensor([[1.5, -0.0, 3.0], [-2.0, float("inf"), 2.0**-14]], dtype=torch.bfloat16)
tensors["scalar"] = torch.tensor(2.5)
tensors["empty"] = torch.zeros(0, 3, dtype=torch.float64)
tensors['n\u00e4me "quoted"\\\n/1'] = torch.tensor([7], dtype=torch.int32)
safetensors.torch.save_file(tensors, "every_dtype.safetensors", {"made by": "Python, \u00fc"})

# dtypes that metann lacks, one file each
others = {
    "I8": np.array([-1, 2], np.int8), "I16": np.array([-1, 2], np.int16), "U16": np.array([1, 2], np.uint16),
    "U32": np.array([1, 2], np.uint32), "U64": np.array([1, 2], np.uint64),
}
for name, array in others.items():
    safetensors.numpy.save_file({"other": array, "known": np.array([3.0], np.float32)}, "dtype_%s.safetensors" % name)

# npz: every dtype, 0-dim, empty, long and many dims, Fortran order, the other byte order, integers that are widened
more = dict(arrays)
more["scalar"] = np.array(2.5, np.float32)
more["empty"] = np.zeros((0, 3))
more["long"] = np.arange(10, dtype=np.int64)
more["dims"] = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
np.savez("written.npz", **more)
np.savez_compressed("written_deflated.npz", **more)
variants = {
    "fortran": np.asfortranarray(np.arange(24, dtype=np.float32).reshape(2, 3, 4)),
    "fortran_vector": np.asfortranarray(np.arange(3, dtype=np.float32)),
    "int8": np.array([-128, 127], np.int8), "int16": np.array([-32768, 32767], np.int16),
    "uint16": np.array([0, 65535], np.uint16), "uint32": np.array([0, 2**32 - 1], np.uint32),
    "big_int16": np.array([-2, 258], ">i2"), "big_uint32": np.array([2**32 - 2, 258], ">u4"),
}
for name in ("float64", "float32", "float16", "int64", "int32"):
    variants["big_" + name] = arrays[name].astype(arrays[name].dtype.newbyteorder(">"))
variants["big_fortran"] = np.asfortranarray(variants["big_float64"])
with zipfile.ZipFile("variants.npz", "w") as archive:
    for name, array in variants.items():
        archive.writestr(name + ".npy", (lambda f: (np.lib.format.write_array(f, array), f.getvalue())[1])(io.BytesIO()))
    for version in ((1, 0), (2, 0), (3, 0)):
        f = io.BytesIO()
        np.lib.format.write_array(f, arrays["float32"], version=version)
        archive.writestr("version%d.npy" % version[0], f.getvalue())

# dtypes that npy.load refuses
refused = {
    "uint64": np.array([1], np.uint64), "complex": np.array([1j]), "text": np.array(["a"]), "bytes": np.array([b"a"]),
    "object": np.array([None]), "date": np.array(["2020-01-01"], "M8[D]"), "record": np.zeros(2, [("x", "f4"), ("y", "i4")]),
}
np.savez("refused.npz", **refused)

# networks: state dicts with PyTorch's names, an input and its output
torch.manual_seed(1)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        nn = torch.nn
        self.features = nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
            nn.Sequential(nn.Conv2d(4, 3, 3), nn.ReLU()), nn.Flatten())
        self.heads = nn.ModuleDict({"0": nn.Linear(12, 3), "b": nn.Linear(12, 2)})
        self.rest = nn.ModuleList([nn.Linear(3, 2), nn.Linear(2, 2)])
        self.scales = nn.ParameterList([nn.Parameter(torch.randn(2)), nn.Parameter(torch.randn(2))])

    def forward(self, x):
        h = self.features(x)
        return self.rest[1](self.rest[0](self.heads["0"](h))) * self.scales[0] + self.heads["b"](h) * self.scales[1]


class Recurrent(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True)
        self.head = torch.nn.Sequential(torch.nn.Tanh(), torch.nn.Linear(8, 2))

    def forward(self, x):
        return self.head(self.lstm(x)[0])


def network(name, net, x):
    net.train()(x)  # moves the running statistics off their initial values
    net.eval()
    safetensors.torch.save_file(net.state_dict(), name + ".safetensors")
    safetensors.torch.save_file({"x": x, "y": net(x).detach()}, name + "_output.safetensors")


network("convnet", torch.nn.Sequential(
    torch.nn.Conv2d(1, 4, 3, stride=2), torch.nn.BatchNorm2d(4), torch.nn.ReLU(),
    torch.nn.Sequential(torch.nn.Conv2d(4, 3, 3, bias=False), torch.nn.GELU()), torch.nn.Flatten(),
    torch.nn.Linear(12, 5)).double(), torch.randn(2, 1, 9, 9).double())
network("containers", Net().double(), torch.randn(2, 2, 8, 8).double())
network("lstm", Recurrent().double(), torch.randn(2, 5, 3).double())
