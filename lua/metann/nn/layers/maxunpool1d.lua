--- MaxUnpool1d: what MaxPool1d gave, back where it stood in its line, with zeros elsewhere.
-- MaxUnpool1d(kernel_size, {stride=kernel_size, padding=0}); called with (input, indices, {output_size}), the indices
-- being those of the pooling. Input (N, C, L) or (C, L).
return require('metann.nn.shared.unpooling').class('MaxUnpool1d', 1)
