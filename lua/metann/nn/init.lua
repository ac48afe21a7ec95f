--- metann.nn: modules, layers, losses. Classes are loaded on first use, each from the file of its name in layers/.
local arguments = require 'metann.arguments'
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local support = require 'metann.support'
local raise, describe = support.raise, support.describe

local nn = { Module = Module }

local CLASSES = {
  'AdaptiveAvgPool1d', 'AdaptiveAvgPool2d', 'AdaptiveAvgPool3d', 'AdaptiveMaxPool1d', 'AdaptiveMaxPool2d',
  'AdaptiveMaxPool3d', 'AlphaDropout', 'AvgPool1d', 'AvgPool2d', 'AvgPool3d',
  'BatchNorm1d', 'BatchNorm2d', 'BatchNorm3d', 'BCELoss', 'BCEWithLogitsLoss', 'Bilinear',
  'CELU', 'ChannelShuffle', 'CircularPad1d', 'CircularPad2d', 'CircularPad3d', 'ConstantPad1d', 'ConstantPad2d',
  'ConstantPad3d', 'Conv1d', 'Conv2d', 'Conv3d', 'ConvTranspose1d', 'ConvTranspose2d', 'ConvTranspose3d',
  'CosineEmbeddingLoss', 'CosineSimilarity', 'CrossEntropyLoss', 'CTCLoss',
  'Dropout', 'Dropout1d', 'Dropout2d', 'Dropout3d',
  'ELU', 'Embedding', 'EmbeddingBag',
  'FeatureAlphaDropout', 'Flatten', 'Fold', 'FractionalMaxPool2d', 'FractionalMaxPool3d',
  'GaussianNLLLoss', 'GELU', 'GLU', 'GroupNorm', 'GRU', 'GRUCell',
  'Hardshrink', 'Hardsigmoid', 'Hardswish', 'Hardtanh', 'HingeEmbeddingLoss', 'HuberLoss',
  'Identity', 'InstanceNorm1d', 'InstanceNorm2d', 'InstanceNorm3d',
  'KLDivLoss',
  'L1Loss', 'LayerNorm', 'LeakyReLU', 'Linear', 'LocalResponseNorm', 'LogSigmoid', 'LogSoftmax', 'LPPool1d',
  'LPPool2d', 'LPPool3d', 'LSTM', 'LSTMCell',
  'MarginRankingLoss', 'MaxPool1d', 'MaxPool2d', 'MaxPool3d', 'MaxUnpool1d', 'MaxUnpool2d', 'MaxUnpool3d', 'Mish',
  'ModuleDict', 'ModuleList', 'MSELoss', 'MultiheadAttention', 'MultiLabelMarginLoss', 'MultiLabelSoftMarginLoss',
  'MultiMarginLoss',
  'NLLLoss',
  'PairwiseDistance', 'ParameterDict', 'ParameterList', 'PixelShuffle', 'PixelUnshuffle', 'PoissonNLLLoss', 'PReLU',
  'ReflectionPad1d', 'ReflectionPad2d', 'ReflectionPad3d', 'ReLU', 'ReLU6', 'ReplicationPad1d', 'ReplicationPad2d',
  'ReplicationPad3d', 'RMSNorm', 'RNN', 'RNNCell', 'RReLU',
  'SELU', 'Sequential', 'Sigmoid', 'SiLU', 'SmoothL1Loss', 'SoftMarginLoss', 'Softmax', 'Softmax2d', 'Softmin',
  'Softplus', 'Softshrink', 'Softsign',
  'Tanh', 'Tanhshrink', 'Threshold', 'Transformer', 'TransformerDecoder', 'TransformerDecoderLayer',
  'TransformerEncoder', 'TransformerEncoderLayer', 'TripletMarginLoss', 'TripletMarginWithDistanceLoss',
  'Unflatten', 'Unfold', 'Upsample', 'UpsamplingBilinear2d', 'UpsamplingNearest2d',
  'ZeroPad1d', 'ZeroPad2d', 'ZeroPad3d',
}
local files = { init = 'initializers', functional = 'functional', utils = 'utils' }
for _, name in ipairs(CLASSES) do files[name] = 'layers.' .. name:lower() end

--- Makes a class of modules: define `init(self, ...)` and `forward(self, ...)` on what it returns, and call it to make
-- instances. There is no parent constructor that must run first; a subclass may call `Parent.init(self, ...)`.
-- @param name of the class, as it prints
-- @param parent a class, nn.Module when left out
function nn.class(name, parent)
  if type(name) ~= 'string' or name == '' then raise('nn.class: expected a name, got %s', describe(name)) end
  if parent ~= nil and not class.is_class(parent) then
    raise("nn.class('%s'): the parent must be a class of modules, got %s", name, describe(parent))
  end
  return class.new(name, parent or Module)
end

--- True when m is an instance of `of`, or of a class below it.
function nn.is(m, of)
  if not class.is_class(of) then raise('nn.is: expected a class of modules, got %s', describe(of)) end
  return class.is(m, of)
end

--- True for any module.
function nn.is_module(value) return class.class_of(value) ~= nil end

--- A parameter: a new leaf that shares data's storage, and that modules register when it is assigned to a field.
-- @param data a tensor
-- @param requires_grad true when left out
-- @function Parameter
nn.Parameter = arguments.define('nn.Parameter', {
  { 'data', arguments.kinds.tensor }, { 'requires_grad', arguments.kinds.boolean, true },
}, support.parameter)

return require 'metann.binding.lazy'('metann.nn', files, nn)
