--- Networks of the kinds that people meta-learn with, small: a residual net for few-shot images, an LSTM and a
-- transformer encoder that classify sequences.
local metann = require 'metann'
local nn = metann.nn

local nets = {}

-- ---- ResNet-12, as in Lee et al., "Meta-learning with differentiable convex optimization", CVPR 2019 ----

local Block = nn.class('Block')

function Block:init(inputs, outputs)
  self.body = nn.Sequential()
  for i = 1, 3 do
    self.body:append(nn.Conv2d(i == 1 and inputs or outputs, outputs, 3, { padding = 1, bias = false }))
    self.body:append(nn.BatchNorm2d(outputs))
    if i < 3 then self.body:append(nn.LeakyReLU(0.1)) end
  end
  self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, { bias = false }), nn.BatchNorm2d(outputs))
  self.activation, self.pool = nn.LeakyReLU(0.1), nn.MaxPool2d(2)
end

function Block:forward(x) return self.pool(self.activation(self.body(x) + self.shortcut(x))) end

--- Images (N, channels, H, W), H and W at least 16, to scores (N, classes).
-- @param channels of the images
-- @param widths of the four blocks, a list; 64, 160, 320, 640 in the original
function nets.resnet12(channels, widths, classes)
  local net = nn.Sequential()
  for i = 1, 4 do net:append(Block(i == 1 and channels or widths[i - 1], widths[i])) end
  return net:extend{ nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[4], classes) }
end

-- ---- sequences of word numbers (N, L) to scores (N, classes) ----

local LstmClassifier = nn.class('LstmClassifier')

function LstmClassifier:init(words, width, hidden, classes)
  self.words = nn.Embedding(words, width)
  self.lstm = nn.LSTM(width, hidden, { num_layers = 2, bidirectional = true, batch_first = true })
  self.head = nn.Linear(2 * hidden, classes)
end

function LstmClassifier:forward(x)
  local _, state = self.lstm(self.words(x))
  -- the last layer's states in both directions
  local h = state[1]
  return self.head(metann.cat({ h[-2], h[-1] }, 2))
end

nets.lstm_classifier = LstmClassifier

local Encoder = nn.class('Encoder')

--- Word 1 is padding.
function Encoder:init(words, length, width, heads, classes, dropout)
  self.words = nn.Embedding(words, width, { padding_idx = 1 })
  self.places = nn.Parameter(metann.randn(length, width) * 0.1)
  self.layers = nn.ModuleList()
  for _ = 1, 2 do
    self.layers:append(nn.TransformerEncoderLayer(width, heads, {
      dim_feedforward = 2 * width, dropout = dropout, activation = 'gelu', batch_first = true, norm_first = true,
    }))
  end
  self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)
end

function Encoder:forward(x)
  local padding = x:eq(1)
  local y = self.words(x) + self.places
  for _, layer in self.layers:iter() do y = layer(y, { src_key_padding_mask = padding }) end
  local counts = padding:logical_not():to(y.dtype):unsqueeze(3)
  return self.head((self.norm(y) * counts):sum(2) / counts:sum(2))
end

nets.transformer_encoder = Encoder

return nets
