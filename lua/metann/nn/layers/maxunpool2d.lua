--- MaxUnpool2d: what MaxPool2d gave, back where it stood in its plane, with zeros elsewhere.
-- MaxUnpool2d(kernel_size, {stride=kernel_size, padding=0}); called with (input, indices, {output_size}), the indices
-- being those of the pooling. Input (N, C, H, W) or (C, H, W).
return require('metann.nn.shared.unpooling').class('MaxUnpool2d', 2)
