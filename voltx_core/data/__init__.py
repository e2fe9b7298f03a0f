"""Problems, corpora, converters, splits."""
