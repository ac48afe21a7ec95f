--- RNNCell: one step of RNN.
-- RNNCell(input_size, hidden_size, {bias=true, nonlinearity='tanh'}); x (N, input_size) or (input_size,).
-- Call: `h = cell(x, h)`; the state is zeros when left out.
return require('metann.nn.shared.recurrent').cell('RNNCell')
