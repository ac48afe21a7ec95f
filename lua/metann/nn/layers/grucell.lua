--- GRUCell: one step of GRU. GRUCell(input_size, hidden_size, {bias=true}); x (N, input_size) or (input_size,).
-- Call: `h = cell(x, h)`; the state is zeros when left out.
return require('metann.nn.shared.recurrent').cell('GRUCell', 'gru')
