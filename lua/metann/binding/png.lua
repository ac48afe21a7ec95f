--- PNG files in memory, by libpng's simplified interface (libpng 1.6).
-- Owns the calls into libpng; knows nothing of files or tensors.
local ffi = require 'ffi'
local clib = require 'metann.binding.clib'

clib.declare('metann_png_image', [[
typedef struct {
  void *opaque;
  uint32_t version, width, height, format, flags, colormap_entries, warning_or_error;
  char message[64];
} metann_png_image;
int metann_png_image_begin_read_from_memory(metann_png_image *image, const void *memory, size_t size)
  __asm__("png_image_begin_read_from_memory");
int metann_png_image_finish_read(metann_png_image *image, const void *background, void *buffer, int32_t row_stride,
  void *colormap) __asm__("png_image_finish_read");
int metann_png_image_write_to_memory(metann_png_image *image, void *memory, size_t *size, int convert_to_8_bit,
  const void *buffer, int32_t row_stride, const void *colormap) __asm__("png_image_write_to_memory");
void metann_png_image_free(metann_png_image *image) __asm__("png_image_free");
]])

local libpng = clib.open('libpng', {'libpng16.so.16', 'png16'}, 'libpng16-16')
local GRAY, VERSION = 0, 1
local SIGNATURE = '\137PNG\r\n\26\n'
-- A picture larger than this in one direction is taken for a damaged header: a file of a few KiB may be one of so many
-- pixels, all alike, and what is computed of them takes eight bytes for each.
local LARGEST_SIDE = 4096
-- Deflate can't make more than this of a byte, and a pixel takes a bit at least: a larger picture is a lie as well.
local LARGEST_RATIO = 1032

local png = {}

local function new_image()
  local image = ffi.new 'metann_png_image'
  image.version = VERSION
  return image
end

local function failure(image)
  local message = ffi.string(image.message)
  libpng.metann_png_image_free(image)
  return nil, message ~= '' and message or 'not a PNG file'
end

--- Why a picture can't have the size that n bytes of a file say, or nil.
local function lie(width, height, n)
  if width > LARGEST_SIDE or height > LARGEST_SIDE then
    return ('%d x %d pixels are more than the %d x %d that are read'):format(width, height, LARGEST_SIDE, LARGEST_SIDE)
  end
  if height * math.ceil(width / 8) > n * LARGEST_RATIO then
    return ('said to have %d x %d pixels, more than fit into %d bytes'):format(width, height, n)
  end
  return nil
end

--- Decode to 8-bit grey, 0 black and 255 white, without an alpha channel (transparent parts become white).
-- @param bytes the PNG file as a string, or a pointer to it
-- @param[opt] n how many bytes there are at the pointer
-- @param[opt] room function(width, height) that gives a pointer to memory for the pixels
-- @return uint8_t array of height rows of width pixels; width; height. Or nil and libpng's message.
function png.decode_gray(bytes, n, room)
  n = n or #bytes
  -- libpng's own words for a short text are of no help
  if n < #SIGNATURE or ffi.string(bytes, #SIGNATURE) ~= SIGNATURE then return nil, 'not a PNG file' end
  local image = ffi.gc(new_image(), libpng.metann_png_image_free) -- also where there is no room
  if libpng.metann_png_image_begin_read_from_memory(image, bytes, n) == 0 then return failure(image) end
  image.format = GRAY
  local width, height = image.width, image.height
  local wrong = lie(width, height, n)
  if wrong then
    libpng.metann_png_image_free(image)
    return nil, wrong
  end
  local pixels = room and room(width, height) or ffi.new('uint8_t[?]', width * height)
  local white = ffi.new('uint8_t[3]', 255, 255, 255)
  if libpng.metann_png_image_finish_read(image, white, pixels, width, nil) == 0 then return failure(image) end
  return pixels, width, height
end

--- Encode 8-bit grey pixels, 0 black and 255 white.
-- @param pixels string or uint8_t array of height rows of width pixels
-- @return the PNG file as a string; or nil and libpng's message
function png.encode_gray(pixels, width, height)
  local image = new_image()
  image.width, image.height, image.format = width, height, GRAY
  local size = ffi.new('size_t[1]')
  local write = libpng.metann_png_image_write_to_memory
  if write(image, nil, size, 0, pixels, width, nil) == 0 then return failure(image) end
  local memory = ffi.new('uint8_t[?]', size[0])
  if write(image, memory, size, 0, pixels, width, nil) == 0 then return failure(image) end
  return ffi.string(memory, size[0])
end

return png
