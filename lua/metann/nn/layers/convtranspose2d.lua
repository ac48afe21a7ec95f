--- ConvTranspose2d: the transpose of Conv2d, which grows planes again.
-- ConvTranspose2d(in_channels, out_channels, kernel_size, {stride=1, padding=0, output_padding=0, groups=1, bias=true,
-- dilation=1}). Input (N, C, H, W) or (C, H, W); H' = (H - 1) stride - 2 padding + dilation (kernel - 1) +
-- output_padding + 1. Called with {output_size = {H', W'}} it chooses the output_padding that gives that size.
return require('metann.nn.shared.convolution').transposed_class('ConvTranspose2d', 2)
