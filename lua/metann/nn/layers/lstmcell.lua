--- LSTMCell: one step of LSTM. LSTMCell(input_size, hidden_size, {bias=true}); x (N, input_size) or (input_size,).
-- Call: `h, c = cell(x, {h, c})`; the state is zeros when left out.
return require('metann.nn.shared.recurrent').cell('LSTMCell', 'lstm')
