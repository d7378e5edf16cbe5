"""The generated pages of docs/, one module each: what it is made from, and how it reads."""
