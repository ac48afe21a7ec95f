std = 'luajit'
max_line_length = 140
ignore = { '581', '582' } -- not (x < y) is not x >= y where NaN may be
exclude_files = { 'build', 'build-*', 'build.luarocks', 'out' }
files['tests'] = { std = 'luajit+busted' }
files['rocks'] = { std = 'rockspec' }
