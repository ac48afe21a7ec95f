--- ConvTranspose1d: the transpose of Conv1d, which grows lines again.
-- ConvTranspose1d(in_channels, out_channels, kernel_size, {stride=1, padding=0, output_padding=0, groups=1, bias=true,
-- dilation=1}). Input (N, C, L) or (C, L); L' = (L - 1) stride - 2 padding + dilation (kernel - 1) +
-- output_padding + 1. Called with {output_size = {L'}} it chooses the output_padding that gives that size.
return require('metann.nn.shared.convolution').transposed_class('ConvTranspose1d', 1)
