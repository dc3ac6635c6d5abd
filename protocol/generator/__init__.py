"""What generate.py is made of: the schema as objects, and one writer per kind of output."""
