std = 'luajit'
max_line_length = 120
exclude_files = { 'build', 'build-*', 'build.luarocks', 'out' }
files['tests'] = { std = 'luajit+busted' }
files['rocks'] = { std = 'rockspec' }
