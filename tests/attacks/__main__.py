from . import table

table.write()
