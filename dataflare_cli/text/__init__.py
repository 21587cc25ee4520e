"""Records <-> what people see: templates, tables, dumps, filters, times."""
