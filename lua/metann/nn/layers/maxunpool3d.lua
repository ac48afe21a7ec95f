--- MaxUnpool3d: what MaxPool3d gave, back where it stood in its volume, with zeros elsewhere.
-- MaxUnpool3d(kernel_size, {stride=kernel_size, padding=0}); called with (input, indices, {output_size}), the indices
-- being those of the pooling. Input (N, C, D, H, W) or (C, D, H, W).
return require('metann.nn.shared.unpooling').class('MaxUnpool3d', 3)
