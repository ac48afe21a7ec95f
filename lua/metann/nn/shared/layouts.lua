--- Sizes of lines, planes and volumes with or without a batch, by the number of sides, as messages name them.
return { '(N, C, L) or (C, L)', '(N, C, H, W) or (C, H, W)', '(N, C, D, H, W) or (C, D, H, W)' }
