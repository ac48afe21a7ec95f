--- ConvTranspose3d: the transpose of Conv3d, which grows volumes again.
-- ConvTranspose3d(in_channels, out_channels, kernel_size, {stride=1, padding=0, output_padding=0, groups=1, bias=true,
-- dilation=1}). Input (N, C, D, H, W) or (C, D, H, W); D' = (D - 1) stride - 2 padding + dilation (kernel - 1) +
-- output_padding + 1. Called with {output_size = {D', H', W'}} it chooses the output_padding that gives that size.
return require('metann.nn.shared.convolution').transposed_class('ConvTranspose3d', 3)
