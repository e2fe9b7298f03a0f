"""What runs inside the jail: standard library only, importable with nothing else on the path.

A fresh interpreter imports this package by itself (``cage.zygote``), so its modules import each
other relatively and nothing from the rest of the library.
"""
