"""A trained model outside its store: a folder that stands by itself, and the hub."""
