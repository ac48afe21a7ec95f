--- RNN: h <- tanh(W x + U h + b) along time (or relu, by `nonlinearity`).
-- RNN(input_size, hidden_size, {num_layers=1, nonlinearity='tanh', bias=true, batch_first=false, dropout=0,
-- bidirectional=false}); weights are named weight_ih_l0, weight_hh_l0, ...
-- as PyTorch's, whose layers count from 0. Call: `local y, state = m(x, state)`.
return require('metann.nn.shared.recurrent').layer('RNN')
