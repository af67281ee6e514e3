"""How often the data gate is right: dated tables, faulty copies of them, and what is caught."""
